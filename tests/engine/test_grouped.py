"""Grouped equals sequential: the same outcomes, the same tables, for random batches full of hard cases.

The gate tries 1,200 batches; PARTWISE_EXAMPLES=5000 tries 20,000 others, 5,000 for each strategy and database.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import event, given

from tests.support.batches import batches
from tests.support.crowd_world import crowd_family
from tests.support.crowds import ETAG_LEFT_BY, GUESS, crowds
from tests.support.direct import Direct
from tests.support.examples import tried_with
from tests.support.harness import BARE_BATCH, BATCH, LEAN_BATCH, Api, Backend, Json, serve, sqlite_backend
from tests.support.ways import Ways
from tests.support.worlds import FIRST_MADE_KEY, PARENTS, Family, Part, World, alike, made_keys, make_world

pytestmark = pytest.mark.costly

tried = tried_with(100)

Answer = dict[str, Any]


@dataclass(frozen=True)
class Both:
    """One database, served by both ways."""

    grouped: World
    one_by_one: World
    ways: Ways

    def answers(self, parts: list[Part]) -> Iterator[tuple[Answer, Answer]]:
        """Run a batch both ways: asking for rows, and asking for less. The sequential way comes first."""
        parts = self._foresee([self._guess(part) for part in parts])
        query = (LEAN_BATCH, BARE_BATCH)[len(parts) % 2]
        expected = _run(self.one_by_one, parts)
        with self.ways.of(expected["result"]["status"]):
            rich, lean = _run(self.grouped, parts), _run(self.grouped, parts, query)
        if self.grouped.backend.kind == "sqlite":
            assert made_keys(rich) == made_keys(expected)
        yield expected, rich
        yield {**expected, "result": _without(expected["result"], query)}, lean

    def _guess(self, part: Part) -> Part:
        """Fill in a key that SQLite will make. PostgreSQL's have gaps, so it is another team."""
        head, mark, place = part["path"].partition(GUESS)
        if not mark:
            return part
        guessed = FIRST_MADE_KEY + int(place) if self.grouped.backend.kind == "sqlite" else 12
        return {**part, "path": f"{head}{guessed}"}

    def _foresee(self, parts: list[Part]) -> list[Part]:
        """Fill in the etags that earlier parts leave, as far as they leave any."""
        names = [f"{ETAG_LEFT_BY}{part['id']}" for part in parts]
        if not any(text in names for part in parts for text in part.get("ifMatch") or ()):
            return parts
        self.one_by_one.reset()
        plain = [{name: value for name, value in part.items() if name != "ifMatch"} for part in parts]
        result = self.one_by_one.send(plain, dry_run=True)
        etags = {f"{ETAG_LEFT_BY}{part['id']}": part["etag"] for part in result["parts"]}
        return [
            {**part, "ifMatch": [etags.get(text) or text for text in part["ifMatch"]]} if part.get("ifMatch") else part
            for part in parts
        ]


def _run(world: World, parts: list[Part], query: str = BATCH) -> Answer:
    world.reset()
    return masked({"result": world.send(parts, query=query), "tables": world.tables()})


def _without(result: Json, query: str) -> Json:
    """Leave out of an answer what a leaner query does not ask for."""
    left_out = {"etag", "payload", "item", *(["path"] if query == BARE_BATCH else [])}
    parts = [{name: value for name, value in part.items() if name not in left_out} for part in result["parts"]]
    return {**result, "parts": parts}


# Given values of a ticket look like these; others are the database's own, and no two are alike.
_GIVEN_TOKEN = re.compile(r"t-")
_GIVEN_SALE = re.compile(r"2001-")


def masked(answer: Answer) -> Answer:
    """Put a sign in the place of what only the database knows, and of the etags that are made of it."""
    for part in answer["result"]["parts"]:
        payload = part.get("payload")
        if isinstance(payload, dict) and "token" in payload and _is_made(payload["token"], payload["soldAt"]):
            part["payload"] = {**payload, "token": "made", "soldAt": "made"}
            part["etag"] = "made"
            part["item"] = part["item"] and {**part["item"], "etag": "made"}
    for row in answer["tables"].get("ticket", ()):
        if _is_made(row[2], str(row[3])):
            row[2] = row[3] = "made"
    return answer


def _is_made(token: str, sale: str) -> bool:
    return not (_GIVEN_TOKEN.match(token) and _GIVEN_SALE.match(sale))


def assert_alike(expected: Answer, found: Answer) -> None:
    """Assert that two answers are the same; if they have not the same made keys, all but what is made of them.

    SQLite makes the same keys either way. PostgreSQL's sequences have gaps: they give a number once.
    """
    if made_keys(found) == made_keys(expected):
        assert found == expected
    else:
        assert alike(found) == alike(expected)


@pytest.fixture
def fast(request: pytest.FixtureRequest, kind: str) -> Iterator[Backend]:
    """An empty database of a kind, which forgets a power cut's difference: nobody cuts the power."""
    if kind == "postgresql":
        backend: Backend = request.getfixturevalue("postgresql")
        name = sa.make_url(backend.url).database
        backend.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
        yield backend
        return
    memory = Path("/dev/shm")  # noqa: S108  # Linux keeps it in memory
    with tempfile.TemporaryDirectory(prefix="partwise-", dir=memory if memory.is_dir() else None) as folder:
        yield sqlite_backend(Path(folder))


@pytest.fixture
def start_direct() -> Iterator[Callable[..., Api]]:
    served: list[Api] = []

    def start_one(backend: Backend, **others: Any) -> Api:
        served.append(Direct(serve(backend, **others)))
        return served[-1]

    yield start_one
    for api in served:
        api.close()


def serve_both(
    backend: Backend, family: Family, start: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Both]:
    grouped = make_world(backend, start, family)
    one_by_one = World(backend, start(backend, groups=False, **family.settings), grouped.connection, family)
    one_by_one.etags = grouped.etags
    ways = Ways()
    ways.watch(monkeypatch)
    yield Both(grouped, one_by_one, ways)
    grouped.close()
    ways.check(of_crowds=family is not PARENTS)


@pytest.fixture
def mixed(fast: Backend, start_direct: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    """The tables of tests/support/worlds.py."""
    yield from serve_both(fast, PARENTS, start_direct, monkeypatch)


@pytest.fixture
def crowded(fast: Backend, start_direct: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    """The tables of tests/support/crowd_world.py."""
    yield from serve_both(fast, crowd_family(fast.kind), start_direct, monkeypatch)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@tried
@given(parts=batches())
def test_groups_mean_what_the_parts_mean_one_by_one(mixed: Both, parts: list[Part]):
    for expected, found in mixed.answers(parts):
        assert_alike(expected, found)
    event(f"{expected['result']['status']}")
    for way in mixed.ways.latest:
        event(way)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@tried
@given(parts=crowds())
def test_crowds_mean_what_their_parts_mean_one_by_one(crowded: Both, parts: list[Part]):
    for expected, found in crowded.answers(parts):
        assert_alike(expected, found)
    event(f"{expected['result']['status']}")
    event(f"{len(parts) // 10 * 10} parts or more")
    for way in crowded.ways.latest:
        event(way)
