"""The limits of a request are settings, and each refusal names its limit."""

import pytest

from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, part
from tests.support.music import SCRIPT


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """The music shop with limits that are easy to reach."""
    sqlite.run(SCRIPT)
    return start(sqlite, max_parts=2, max_page=2, max_nesting=2, max_path=40)


REFUSED = {
    "page": ("/tracks?limit=3", "2"),
    "nesting": ("/artists/1/albums/1/tracks/1", "2 collections"),
    "path": ("/artists/1/albums?title=" + "x" * 20, "40 characters"),
}


@pytest.mark.parametrize(("path", "limit"), REFUSED.values(), ids=REFUSED.keys())
def test_a_path_over_a_limit_is_refused_and_the_limit_named(api: Api, path: str, limit: str):
    (error,) = api.one("GET", path)["errors"]

    assert (error["code"], error["pointer"]) == ("INVALID_PATH", "/path")
    assert limit in error["message"]


def test_what_is_within_the_limits_is_answered(api: Api):
    assert [track["trackId"] for track in api.one("GET", "/tracks?limit=2")["payload"]["items"]] == [1, 2]
    assert api.one("GET", "/artists/1/albums/1")["status"] == 200


def test_where_nobody_says_how_many_a_page_is_no_larger_than_the_limit(api: Api):
    page = api.one("GET", "/tracks")["payload"]

    assert (len(page["items"]), page["hasMore"]) == (2, True)
    assert len(api.query("{ tracks { nodes { trackId } } }")["tracks"]["nodes"]) == 2


def test_a_query_over_the_page_limit_is_a_request_error_that_names_it(api: Api):
    (error,) = api.post("{ tracks(first: 3) { totalCount } }")["errors"]

    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "2" in error["message"]


def test_more_parts_than_the_limit_are_a_request_error(api: Api):
    (error,) = api.post(BATCH, {"parts": [part(str(n), "GET", "/artists/1") for n in range(3)]})["errors"]

    assert error["extensions"]["code"] == "TOO_MANY_PARTS"
    assert "2" in error["message"]
