"""Pages and cursors (docs/contract.md, section 5): by hand, while others write, in orders of every type, and misused."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.conftest import Serve
from tests.support.evaluation import Data, Page, Position, Row, Term, find, path_of, position
from tests.support.every_type import GRAPHQL_TYPES, TABLE, rows
from tests.support.examples import tried_with
from tests.support.harness import Api, Backend, Json, part
from tests.support.library import TYPES, library_data, values_of
from tests.support.queries import CONNECTION, terms, variable_types
from tests.support.worlds import World

tried = tried_with(60, draws_much=True)

BOOKS = [*range(1, 15)]


def post(api: Api, collection: str, **given_: Any) -> Json:
    """Ask for a page."""
    types = variable_types(collection)
    declared = ", ".join(f"${name}: {types[name]}" for name in given_)
    passed = ", ".join(f"{name}: ${name}" for name in given_)
    head, call = (f"query ({declared})", f"({passed})") if given_ else ("query", "")
    return api.post(f"{head} {{ {collection}{call} {{ {CONNECTION} }} }}", given_)


def ask(api: Api, collection: str, **given_: Any) -> Json:
    """Ask for a page that there is."""
    answer = post(api, collection, **given_)
    assert "errors" not in answer, answer
    return answer["data"][collection]


def keys(connection: Json) -> list[str]:
    return [edge["node"]["path"].rpartition("/")[2] for edge in connection["edges"]]


def refused(answer: Json) -> str:
    """Make sure that a request was refused; give the message."""
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST", answer
    return str(error["message"])


# By hand. Books by their pages are: 10 (-1), 5 (0), 14 (1), 1, 2, 4, 11, 13 (100), 12, 6, 7 (312), 9, and 3, 8 (null).
BY_PAGES = [10, 5, 14, 1, 2, 4, 11, 13, 12, 6, 7, 9, 3, 8]
ASCENDING = [{"pages": "ASC"}]
PAGES: Sequence[tuple[dict[str, Any], list[int], bool, bool]] = (
    ({"first": 3}, [10, 5, 14], True, False),
    ({"first": 3, "after": 14}, [1, 2, 4], True, True),
    ({"first": 3, "after": 7}, [9, 3, 8], False, True),
    ({"first": 4, "after": 7}, [9, 3, 8], False, True),
    ({"after": 4}, [11, 13, 12, 6, 7, 9, 3, 8], False, True),
    ({"first": 2, "after": 8}, [], False, True),
    ({"first": 0}, [], True, False),
    ({"first": 0, "after": 8}, [], False, True),
    ({"first": 2, "after": 10, "offset": 3}, [2, 4], True, True),
    ({"first": 2, "offset": 3}, [1, 2], True, True),
    ({"offset": 12}, [3, 8], False, True),
    ({"offset": 0, "first": 14}, BY_PAGES, False, False),
    ({"after": 8, "offset": 4}, [], False, True),
    ({"last": 3}, [9, 3, 8], False, True),
    ({"last": 14}, BY_PAGES, False, False),
    ({"last": 0}, [], False, True),
    ({"last": 2, "before": 3}, [7, 9], True, True),
    ({"last": 2, "before": 5}, [10], True, False),
    ({"last": 2, "before": 10}, [], True, False),
    ({"last": 1, "before": 5}, [10], True, False),
    ({"last": 1000, "before": 2}, [10, 5, 14, 1], True, False),
    ({"last": 2, "first": None, "after": None, "offset": None}, [3, 8], False, True),
    ({"first": 2, "last": None, "before": None, "after": None}, [10, 5], True, False),
)


def test_pages_go_forward_and_backward_in_the_order_asked_for(library: World):
    whole = ask(library.api, "books", orderBy=ASCENDING)
    assert keys(whole) == [str(each) for each in BY_PAGES]
    cursors = {int(key): edge["cursor"] for key, edge in zip(keys(whole), whole["edges"], strict=True)}

    for page, ids, has_next, has_previous in PAGES:
        given_ = {
            name: cursors.get(value, value) if name in {"after", "before"} else value for name, value in page.items()
        }
        answer = ask(library.api, "books", orderBy=ASCENDING, **given_)
        assert (page, keys(answer)) == (page, [str(each) for each in ids])
        assert (page, answer["totalCount"]) == (page, 14)
        assert (page, answer["pageInfo"]) == (
            page,
            {
                "hasNextPage": has_next,
                "hasPreviousPage": has_previous,
                "startCursor": cursors[ids[0]] if ids else None,
                "endCursor": cursors[ids[-1]] if ids else None,
            },
        )


ORDERS: Sequence[tuple[str, list[Term], list[int]]] = (
    ("books", [{"pages": "ASC_NULLS_LAST"}], BY_PAGES),
    ("books", [{"pages": "ASC_NULLS_FIRST"}], [3, 8, *BY_PAGES[:-2]]),
    ("books", [{"pages": "DESC"}], [9, 6, 7, 12, 1, 2, 4, 11, 13, 14, 5, 10, 3, 8]),
    ("books", [{"pages": "DESC_NULLS_LAST"}], [9, 6, 7, 12, 1, 2, 4, 11, 13, 14, 5, 10, 3, 8]),
    ("books", [{"pages": "DESC_NULLS_FIRST"}], [3, 8, 9, 6, 7, 12, 1, 2, 4, 11, 13, 14, 5, 10]),
    ("books", [{"pages": "DESC"}, {"id": "DESC"}], [9, 7, 6, 12, 13, 11, 4, 2, 1, 14, 5, 10, 8, 3]),
    ("books", [{"id": "DESC"}], BOOKS[::-1]),
    ("books", [{"published": "ASC"}], [2, 7, 9, 14, 1, 4, 6, 8, 10, 12, 13, 3, 5, 11]),
    ("books", [{"author": {"name": "DESC"}}], [6, 7, 4, 14, 11, 12, 1, 2, 3, 8, 13, 10, 5, 9]),
    ("books", [{"author": {"name": "ASC_NULLS_FIRST"}}], [5, 9, 10, 1, 2, 3, 8, 13, 11, 12, 14, 4, 6, 7]),
    ("books", [{"author": {"country": "DESC"}}], [14, 1, 2, 3, 4, 13, 11, 12, 10, 5, 6, 7, 8, 9]),
    (
        "books",
        [{"bookBySequelOf": {"bookBySequelOf": {"id": "DESC"}}}],
        [10, 11, 3, 14, 1, 2, 4, 5, 6, 7, 8, 9, 12, 13],
    ),
    ("authors", [{"born": "DESC"}, {"rating": "ASC"}], [6, 7, 4, 2, 1, 8, 5, 3]),
    ("authors", [{"name": "ASC"}], [5, 1, 4, 6, 7, 2, 8, 3]),
)


def test_an_order_is_what_it_says(library: World):
    data = library_data()
    for collection, order_by, ids in ORDERS:
        expected = [f"/{collection}/{each}" for each in ids]
        assert (
            order_by,
            [path_of(data, collection, row) for row in find(data, collection, order_by=order_by).rows],
        ) == (
            order_by,
            expected,
        ), "the evaluation's answer"
        answer = ask(library.api, collection, orderBy=order_by)
        assert (order_by, [edge["node"]["path"] for edge in answer["edges"]]) == (order_by, expected)


def test_edges_nodes_and_page_info_can_be_asked_for_one_by_one(library: World):
    found = library.api.query("""{
        edges: books(first: 2) { edges { cursor } }
        nodes: books(first: 2) { nodes { id } more: edges { node { title author { name } } } again: edges { node { author { id } } } }
        info: books(first: 2) { pageInfo { endCursor } }
        total: books(first: 2) { totalCount }
        name: books(first: 1) { __typename edges { __typename node { __typename } } }
        below: authors(first: 1) { edges { node { books(last: 1) { edges { cursor node { id chapters { totalCount } } } pageInfo { startCursor hasPreviousPage } } } } }
    }""")
    assert found["info"]["pageInfo"]["endCursor"] == found["edges"]["edges"][1]["cursor"]
    assert found["nodes"] == {
        "nodes": [{"id": 1}, {"id": 2}],
        "more": [{"node": {"title": title, "author": {"name": "Ada"}}} for title in ("100%", "100 per cent")],
        "again": [{"node": {"author": {"id": 1}}}] * 2,
    }
    assert found["total"] == {"totalCount": 14}
    assert found["name"] == {
        "__typename": "BookConnection",
        "edges": [{"__typename": "BookEdge", "node": {"__typename": "Book"}}],
    }
    below = found["below"]["edges"][0]["node"]["books"]
    assert [edge["node"] for edge in below["edges"]] == [{"id": 13, "chapters": {"totalCount": 0}}]
    assert below["pageInfo"] == {"startCursor": below["edges"][0]["cursor"], "hasPreviousPage": True}


def test_a_cursor_outlives_the_server(library: World, start: Serve):
    order_by = [{"author": {"name": "DESC"}}, {"price": "ASC_NULLS_FIRST"}]
    page = ask(library.api, "books", orderBy=order_by, first=5)
    again = start(library.backend)
    assert ask(again, "books", orderBy=order_by, after=page["pageInfo"]["endCursor"]) == ask(
        library.api, "books", orderBy=order_by, after=page["pageInfo"]["endCursor"]
    )


# Misuse.


APART: Sequence[dict[str, Any]] = (
    {"first": 1, "last": 1},
    {"first": 0, "last": 0},
    {"last": 1, "after": "CURSOR"},
    {"first": 1, "before": "CURSOR"},
    {"last": 1, "offset": 1},
    {"last": 1, "before": "CURSOR", "offset": 1},
    {"first": -1},
    {"last": -1},
    {"last": 1001},
    {"first": 1001},
    {"offset": -1},
)


def test_arguments_that_do_not_go_together_are_refused(library: World):
    cursor = ask(library.api, "books", first=1)["edges"][0]["cursor"]
    types = variable_types("books")
    for given_ in APART:
        own = {name: cursor if value == "CURSOR" else value for name, value in given_.items()}

        assert any(name in refused(post(library.api, "books", **own)) for name in given_)

        declared, passed = (
            ", ".join(f"${name}: {types[name]}" for name in own),
            ", ".join(f"{name}: ${name}" for name in own),
        )
        below = library.api.post(
            f"query ({declared}) {{ authors {{ nodes {{ books({passed}) {{ totalCount }} }} }} all: authors {{ totalCount }} }}",
            own,
        )
        refused(below)
        assert below["data"]["all"] == {"totalCount": 8}


OTHERS: Sequence[tuple[str, list[Term], str, list[Term]]] = (
    ("books", [], "authors", []),
    ("books", [], "quotes", []),
    ("chapters", [], "bookTags", []),
    ("books", [{"title": "ASC"}], "books", []),
    ("books", [], "books", [{"title": "ASC"}]),
    ("books", [{"title": "ASC"}], "books", [{"title": "DESC"}]),
    ("books", [{"title": "ASC"}], "books", [{"title": "ASC_NULLS_FIRST"}]),
    ("books", [{"title": "ASC"}], "books", [{"kind": "ASC"}]),
    ("books", [{"pages": "ASC"}], "books", [{"sequelOf": "ASC"}]),
    ("books", [{"title": "ASC"}, {"kind": "ASC"}], "books", [{"kind": "ASC"}, {"title": "ASC"}]),
    ("books", [{"title": "ASC"}, {"kind": "ASC"}], "books", [{"title": "ASC"}]),
    ("books", [{"title": "ASC"}], "books", [{"author": {"name": "ASC"}}]),
    ("books", [{"author": {"name": "ASC"}}], "books", [{"author": {"country": "ASC"}}]),
    ("books", [{"bookBySequelOf": {"author": {"name": "ASC"}}}], "books", [{"author": {"name": "ASC"}}]),
    ("books", [{"title": "ASC"}], "chapters", [{"title": "ASC"}]),
)


def test_a_cursor_of_another_order_or_collection_is_refused(library: World):
    for collection, order_by, other, other_order in OTHERS:
        cursor = ask(library.api, collection, orderBy=order_by, first=2)["pageInfo"]["endCursor"]

        refused(post(library.api, other, orderBy=other_order, after=cursor))
        refused(post(library.api, other, orderBy=other_order, before=cursor, last=2))


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


GARBAGE = (
    *("", " ", "x", "1", "null", "é", "😀", "\0", "=", "====", "W10=", "e30=", "-", "..", "%00", "x" * 10_000),
    *map(_encoded, ("", "null", "[]", "{}", "[1]", "1", '"x"', "[[]]", "[null]", "[" * 5_000, "\0", "1e999", "[NaN]")),
    *map(_encoded, ('["books"]', '["1; DROP TABLE books"]', '{"order": [], "key": [1]}', '[["id"], [1]]')),
)


def test_garbage_is_no_cursor(library: World):
    for cursor in GARBAGE:
        for order_by in ([], [{"title": "ASC"}]):
            refused(post(library.api, "books", orderBy=order_by, after=cursor))
        refused(post(library.api, "books", last=1, before=cursor))


@pytest.mark.costly
def test_a_spoilt_cursor_is_refused_or_another_one(library: World):
    """Cursors are no secret and not signed, so that a changed one may say another place; it is never a failure inside."""
    for order_by in ([{"title": "ASC"}], [{"price": "DESC"}, {"added": "ASC"}], [{"published": "ASC"}]):
        cursor = ask(library.api, "books", orderBy=order_by, first=4)["pageInfo"]["endCursor"]
        spoilt = [cursor[:length] for length in range(len(cursor))] + [cursor + "A", cursor + "AAAA", cursor * 2]
        for place in range(len(cursor)):
            spoilt += [cursor[:place] + letter + cursor[place + 1 :] for letter in "Aw9_!" if letter != cursor[place]]
        for each in spoilt:
            answer = post(library.api, "books", orderBy=order_by, after=each)
            if "errors" in answer:
                refused(answer)


FORGED: Sequence[Json] = (
    *(
        None,
        True,
        1,
        -1,
        2**31,
        2**63,
        10**40,
        1.5,
        1e308,
        "",
        "x",
        "\0",
        "\ud800",
        "1",
        "2024-01-01",
        "NaN",
        "99999-01-01",
    ),
    *([], {"base64": ""}, {"base64": "AA=="}, {"base64": "!"}, {"x": "y"}, "'; DROP TABLE books; --", "1e500000"),
)


@pytest.mark.costly
def test_a_forged_cursor_is_refused_or_says_another_place(library: World):
    """Who looks into a cursor (a list, in JSON) can put other values there, of other types, too."""
    failed = set()
    for term in (
        {},
        {"title": "ASC"},
        {"price": "DESC"},
        {"added": "ASC"},
        {"published": "ASC"},
        {"author": {"rating": "ASC"}},
    ):
        order_by = [term] if term else []
        cursor = ask(library.api, "books", orderBy=order_by, first=4)["pageInfo"]["endCursor"]
        held = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        for place in range(1, len(held)):
            for value in FORGED:
                forged = _encoded(json.dumps([*held[:place], value, *held[place + 1 :]]))
                answer = post(library.api, "books", orderBy=order_by, after=forged)
                codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
                if not codes <= {"BAD_REQUEST"}:
                    failed.add(f"{term} {value!r}")
    assert failed == set()


def test_a_collection_without_key_has_pages_by_offset_only(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE song (id {key}, title VARCHAR(20));
        CREATE VIEW short_songs AS SELECT id, title FROM song WHERE length(title) < 4;
        INSERT INTO song VALUES (1, 'abc'), (2, 'abcdef'), (3, 'b'), (4, 'a')""")
    api = start(backend)
    query = "{ shortSongs(%s) { nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
    assert api.query(query % "orderBy: [{ title: ASC }], first: 1, offset: 1")["shortSongs"] == {
        "nodes": [{"id": 1}],
        "pageInfo": {"hasNextPage": True, "hasPreviousPage": True, "startCursor": None, "endCursor": None},
    }
    for arguments in ('after: "x"', 'before: "x"', "last: 1"):
        refused(api.post(query % arguments))
    refused(api.post("{ shortSongs { edges { cursor } } }"))


# While others write.


@pytest.mark.parametrize(
    "order_by", [[], [{"pages": "ASC"}], [{"title": "DESC"}], [{"author": {"name": "ASC"}}]], ids=str
)
@pytest.mark.parametrize("backward", [False, True])
def test_a_cursor_outlives_its_item(library: World, order_by: list[Term], backward: bool):
    """Book 9 has neither chapters that are quoted, nor tags nor sequels: it can go."""
    api = library.api
    everything = ask(api, "books", orderBy=order_by)
    place = keys(everything).index("9")
    cursor = everything["edges"][place]["cursor"]
    rest = keys(everything)[:place] if backward else keys(everything)[place + 1 :]
    page = {"last": 100, "before": cursor} if backward else {"first": 100, "after": cursor}

    changed = api.one("UPDATE", "/books/9", {"title": "m", "pages": 50, "authorId": 6, "kind": "changed"})
    assert changed["status"] == 200
    assert [each for each in keys(ask(api, "books", orderBy=order_by, **page)) if each != "9"] == rest
    assert api.batch(part("c", "DELETE", "/chapters/9,1"), part("b", "DELETE", "/books/9"))["committed"]
    assert keys(ask(api, "books", orderBy=order_by, **page)) == rest


@dataclass
class Shelf:
    """A collection that others write to: its rows as they are now, and which of them did not stay where they were."""

    world: World
    collection: str
    order_by: Sequence[Term]
    data: Data = field(default_factory=library_data)
    moved: set[str] = field(default_factory=set)  # paths of rows that came, went, or stand elsewhere now

    @property
    def rows(self) -> list[Row]:
        return self.data[self.collection].rows

    def path(self, row: Row) -> str:
        return path_of(self.data, self.collection, row)

    def positions(self) -> dict[str, Position]:
        return {self.path(row): position(self.data, self.collection, row, self.order_by) for row in self.rows}

    def insert(self, row: Row) -> None:
        if self.path(row) not in self.positions():
            self._run(part("p", "CREATE", f"/{self.collection}", row), lambda: self.rows.append(row))

    def update(self, collection: str, row: Row, values: Row) -> None:
        path = path_of(self.data, collection, row)
        self._run(part("p", "UPDATE", path, values), lambda: row.update(values))

    def delete(self, row: Row) -> None:
        self._run(part("p", "DELETE", self.path(row)), lambda: self.rows.remove(row))

    def _run(self, one: Mapping[str, Any], follow: Callable[[], None]) -> None:
        result = self.world.api.batch(one)
        assert result["committed"], result
        before = self.positions()
        follow()
        after = self.positions()
        self.moved.update(path for path in {*before, *after} if before.get(path) != after.get(path))


WORDS = st.sampled_from(["", "To be", "to be", "ß", "a%", "zz", "'"])
SMALL = st.none() | st.integers(-1, 3)
NEW: Mapping[str, st.SearchStrategy[Row]] = {
    "quotes": st.fixed_dictionaries({"id": st.integers(-3, 40), "bookId": st.none(), "chapter": SMALL, "words": WORDS}),
    "bookTags": st.fixed_dictionaries(
        {"bookId": st.integers(1, 14), "tagCode": st.sampled_from(values_of("tags", "code")), "weight": SMALL}
    ),
}
CHANGED: Mapping[str, st.SearchStrategy[Row]] = {
    "quotes": st.fixed_dictionaries({}, optional={"chapter": SMALL, "words": WORDS}),
    "bookTags": st.fixed_dictionaries({"weight": SMALL}),
}


def change(data: st.DataObject, shelf: Shelf) -> None:
    """Let others write."""
    if not shelf.rows:
        shelf.insert(data.draw(NEW[shelf.collection]))
        return
    # A quote of a chapter that there is may not lose it, and a half of a key leads nowhere: only those are changed.
    match data.draw(st.sampled_from(["insert", "insert", "update", "delete", "rename"])):
        case "insert":
            shelf.insert(data.draw(NEW[shelf.collection]))
        case "rename":
            book = data.draw(st.sampled_from(shelf.data["books"].rows))  # what others may be ordered by
            shelf.update("books", book, {"title": data.draw(WORDS)})
        case "update":
            free = [row for row in shelf.rows if shelf.collection != "quotes" or row["bookId"] is None]
            if free:
                shelf.update(shelf.collection, data.draw(st.sampled_from(free)), data.draw(CHANGED[shelf.collection]))
        case _:
            shelf.delete(data.draw(st.sampled_from(shelf.rows)))


@pytest.mark.costly
@tried
@given(data=st.data(), collection=st.sampled_from(sorted(NEW)), backward=st.booleans())
def test_a_pass_while_others_write_misses_and_repeats_nothing_that_stays(
    library: World, data: st.DataObject, collection: str, backward: bool
):
    library.reset()
    order_by = data.draw(st.lists(terms(collection), max_size=2))
    shelf = Shelf(library, collection, order_by)
    for row in data.draw(st.lists(NEW[collection], max_size=8)):
        shelf.insert(row)
    shelf.moved.clear()
    at_start = [shelf.path(row) for row in find(shelf.data, collection, order_by=order_by).rows]
    met: list[str] = []
    cursor: tuple[str, Position] | None = None
    for _ in range(40):
        size = data.draw(st.integers(1, 4))
        answer, page = _next_page(shelf, size, cursor, backward=backward)
        expected = find(shelf.data, collection, order_by=order_by, page=page)
        shown = [shelf.path(row) for row in expected.rows]
        assert [edge["node"]["path"] for edge in answer["edges"]] == shown
        assert (answer["pageInfo"]["hasNextPage"], answer["pageInfo"]["hasPreviousPage"]) == (
            expected.has_next,
            expected.has_previous,
        )
        met = shown + met if backward else met + shown
        if not (expected.has_previous if backward else expected.has_next):
            break
        edge, row = (answer["edges"][0], expected.rows[0]) if backward else (answer["edges"][-1], expected.rows[-1])
        cursor = edge["cursor"], position(shelf.data, collection, row, order_by)
        for _ in range(data.draw(st.integers(0, 2))):
            change(data, shelf)

    stayed = [path for path in at_start if path not in shelf.moved]
    assert [path for path in met if path not in shelf.moved] == stayed
    event(f"{len(shelf.moved) > 0} moved")


def _next_page(shelf: Shelf, size: int, cursor: tuple[str, Position] | None, *, backward: bool) -> tuple[Json, Page]:
    """Read the next page; give it, and what was asked for."""
    text, place = cursor or (None, None)
    given_: dict[str, Any] = {"last": size} if backward else {"first": size}
    if text is not None:
        given_["before" if backward else "after"] = text
    page = Page(last=size, before=place) if backward else Page(first=size, after=place)
    return ask(shelf.world.api, shelf.collection, orderBy=[*shelf.order_by], **given_), page


# Orders of every type.


def walk(api: Api, collection: str, order_by: Json, size: int, *, backward: bool) -> list[str]:
    """Read a collection page by page."""
    query = f"""query ($orderBy: [{TYPES.get(collection) or collection[0].upper() + collection[1:-1]}OrderBy!], $first: Int, $after: String, $last: Int, $before: String) {{
        {collection}(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {{
            nodes {{ path }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
        }}
    }}"""
    met: list[str] = []
    given_: dict[str, Any] = {"last": size} if backward else {"first": size}
    for _ in range(200):  # a walk that goes round in circles ends, too
        answer = api.query(query, orderBy=order_by, **given_)[collection]
        page, info = [node["path"] for node in answer["nodes"]], answer["pageInfo"]
        met = page + met if backward else met + page
        if not info["hasPreviousPage" if backward else "hasNextPage"]:
            break
        given_["before" if backward else "after"] = info["startCursor" if backward else "endCursor"]
    return met


@pytest.mark.costly
@settings(tried, max_examples=tried.max_examples // 20)  # each of them takes 200 reads
@given(drawn=rows(8), size=st.integers(1, 3))
def test_orders_of_every_type_have_cursors(every_type: Api, drawn: list[dict[str, Any]], size: int):
    held = every_type.query("{ everyTypes(first: 1000) { nodes { path } } }")["everyTypes"]["nodes"]
    twice = [*drawn, *drawn[:2]]  # ties
    deletes = [part(f"d{n}", "DELETE", node["path"]) for n, node in enumerate(held)]
    creates = [
        part(str(n), "CREATE", "/everyTypes", {name: value.sent for name, value in row.items()})
        for n, row in enumerate(twice)
    ]
    result = every_type.batch(*deletes, *creates)
    assert result["committed"], result

    for attribute in [name for name in GRAPHQL_TYPES if name != "document"]:
        for direction in ("ASC", "DESC_NULLS_FIRST"):
            order_by = [{attribute: direction}]
            whole = walk(every_type, "everyTypes", order_by, 1000, backward=False)
            assert len({*whole}) == len(twice)
            for backward in (False, True):
                pieces = walk(every_type, "everyTypes", order_by, size, backward=backward)
                assert (attribute, direction, backward, pieces) == (attribute, direction, backward, whole)


@pytest.fixture
def every_type(backend: Backend, start: Serve) -> Api:
    backend.run(TABLE)
    return start(backend)


def test_enums_and_numbers_of_postgresql_come_in_its_own_order_with_cursors(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TYPE level AS ENUM ('low', 'high', 'absurd', 'no-name');
        CREATE TYPE mood AS ENUM ('sad', 'glad');
        CREATE DOMAIN grade AS NUMERIC;
        CREATE TABLE every_type (id {key}, level level, mood mood, single REAL, grade grade, exact NUMERIC, fixed CHAR(3));
        INSERT INTO every_type (id, level, mood, single, grade, exact, fixed) VALUES
          (1, 'high', 'glad', 0.1, 0.10, 1e40, 'b'), (2, 'low', 'sad', 0.3, 0.1, 1e-40, 'a'), (3, NULL, NULL, NULL, NULL, NULL, NULL),
          (4, 'absurd', 'glad', 16777217, 7, 1.10, ''), (5, 'low', 'sad', 0.1, 7.00, 1.1, 'a'), (6, 'no-name', 'sad', -0.7, -1, 0, 'ab')""")
    api = start(postgresql)
    orders = {
        "level": "251463",
        "mood": "256143",
        "single": "615243",
        "grade": "612453",
        "exact": "624513",
        "fixed": "425613",
    }
    for attribute, ids in orders.items():
        expected = [f"/everyTypes/{each}" for each in ids]
        for size, backward in ((1000, False), (1, False), (2, True)):
            found = walk(api, "everyTypes", [{attribute: "ASC"}], size, backward=backward)
            assert (attribute, size, backward, found) == (attribute, size, backward, expected)


# What a database holds against its own types is an error of its field, and in nobody's way.


def test_values_against_their_type_do_not_end_a_walk_on_sqlite(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE odd (id {key}, words TEXT, whole INTEGER, price NUMERIC(8,2), day DATE, flag BOOLEAN, bytes BLOB, ratio REAL, token UUID);
        INSERT INTO odd VALUES
          (1, CAST(x'ff' AS TEXT), 'text', 'many', '31.12.2020', 7, 'text', 'r', 'zz'),
          (2, CAST(x'fe41' AS TEXT), 1.5, 1e300, 20200101, 'yes', 12, 9e999, x'00'),
          (3, 'a', 9223372036854775807, -9e999, '2020-01-01', 1, x'ff', -9e999, '0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c'),
          (4, 'a' || char(0) || 'b', -9223372036854775808, 1.1, '2020-01-01T00:00', 0, x'00', 9007199254740993, '0F5B8A5C7D3E4F1A9B2C3D4E5F6A7B8C'),
          (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
          (6, x'4142', x'01', x'01', x'01', x'01', 1.5, 0.1, 3),
          (7, '', 9007199254740993, 9007199254740993, '', '', '', -0.0, '')""")
    assert (
        _broken_walks(
            start(sqlite), sqlite, "odd", ("whole", "day", "flag", "bytes", "token", "price", "ratio", "words")
        )
        == {}
    )


def test_values_that_python_cannot_hold_do_not_end_a_walk_on_postgresql(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE odd (
          id {key}, amount NUMERIC, day DATE, local TIMESTAMP, instant TIMESTAMPTZ, clock TIME, bytes BYTEA, single REAL, ratio {double}
        );
        INSERT INTO odd VALUES
          (1, 'NaN', 'infinity', 'infinity', 'infinity', '24:00', '', 'NaN', 'NaN'),
          (2, '-Infinity', '-infinity', '-infinity', '-infinity', '00:00', '\\xff', 'Infinity', 'Infinity'),
          (3, 1e-100, '4000-01-01 BC', '4000-01-01 BC', '4000-01-01 BC', '10:00', '\\x00', 1e-40, -0.0),
          (4, 1e-100, '20000-01-01', '20000-01-01', '20000-01-01', '10:00:00.000001', '\\x0001', 0.1, 0.0),
          (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
          (6, 'NaN', '2020-01-01', '2020-01-01', '2020-01-01', '10:00', '\\x00', 16777217, '-Infinity')""")
    names = ("amount", "bytes", "single", "ratio", "day", "local", "instant", "clock")
    assert _broken_walks(start(postgresql), postgresql, "odd", names) == {}


def _broken_walks(api: Api, backend: Backend, table: str, names: Sequence[str]) -> dict[str, Any]:
    """Walk through the collection of a table in many orders; give what differs from the order of the database."""
    nulls = {"": "NULLS LAST", "_NULLS_FIRST": "NULLS FIRST"}
    broken: dict[str, Any] = {}
    for name in names:
        for direction, ending in product(("ASC", "DESC"), nulls):
            rows_ = backend.rows(f'SELECT id FROM {table} ORDER BY "{name}" {direction} {nulls[ending]}, id')
            expected = [f"/{table}s/{row[0]}" for row in rows_]
            for size, backward in product((1, 2, 100), (False, True)):
                case = f"{name} {direction}{ending} by {size}{' backward' if backward else ''}"
                try:
                    found = walk(api, f"{table}s", [{name: direction + ending}], size, backward=backward)
                except AssertionError as refusal:  # of the harness: an answer with errors
                    broken[case] = str(refusal)[:200]
                else:
                    if found != expected:
                        broken[case] = found[:20]
    return broken


def test_a_collation_that_takes_different_texts_for_equal_has_cursors(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE note (id {key}, folded TEXT COLLATE NOCASE, trimmed TEXT COLLATE RTRIM);
        INSERT INTO note VALUES (1, 'b', 'a'), (2, 'A', 'a '), (3, 'a', 'a  '), (4, 'B', 'b'), (5, 'a', 'b ')""")
    assert _broken_walks(start(sqlite), sqlite, "note", ("folded", "trimmed")) == {}
