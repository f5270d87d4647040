"""A value that is written back as it was read leaves the stored form and the etag as they are, in every operation and every way."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Serve
from tests.support.harness import BARE_BATCH, BATCH, LEAN_BATCH, Api, Backend, Json, part

pytestmark = pytest.mark.costly

MANY = 1_000
SCRIPT = """
CREATE TABLE stay (
  id INTEGER PRIMARY KEY, day DATE, opens TIME, planned DATETIME, seen TIMESTAMP WITH TIME ZONE, token UUID, code CHAR(32),
  n INTEGER NOT NULL DEFAULT 0
)"""
TRIGGER = """
CREATE TABLE trace (id INTEGER PRIMARY KEY, stay INTEGER, planned);
CREATE TRIGGER traced AFTER UPDATE OF planned ON stay BEGIN INSERT INTO trace (stay, planned) VALUES (new.id, new.planned); END"""
# Of each column, what other programs write: all of it is the same value.
SPELLINGS: dict[str, Sequence[str | None]] = {
    "day": ("2026-01-02", "2026-01-02 00:00:00", "2026-01-02T00:00:00.000Z", None),
    "opens": ("08:00:00", "08:00", "08:00:00.000", "08:00:00.000000", "08:00:00Z"),
    "planned": (
        "2026-01-02 08:00:00",
        "2026-01-02T08:00:00",
        "2026-01-02 08:00:00.000",
        "2026-01-02 08:00:00.000000",
        "2026-01-02 08:00",
        "2026-01-02T10:00:00+02:00",
        "2026-01-02 08:00:00+00:00",
    ),
    "seen": ("2026-01-02 08:00:00", "2026-01-02T08:00:00Z", "2026-01-02 10:00:00.000+02:00", "2026-01-02T08:00:00,0z"),
    "token": (f"{UUID(int=10**38)}", f"{UUID(int=10**38)}".upper(), UUID(int=10**38).hex),
}
READ = "{ stays(first: 1000, orderBy: [{ id: ASC }]) { nodes { id etag day opens planned seen token n } } }"
ATTRIBUTES = ("day", "opens", "planned", "seen", "token")


def fill(sqlite: Backend, count: int) -> None:
    def row(place: int) -> str:
        own = [values[place % len(values)] for values in SPELLINGS.values()]
        return f"({place + 1}, {', '.join('NULL' if each is None else repr(each) for each in own)}, 0)"

    sqlite.run(
        f"{SCRIPT};\nINSERT INTO stay (id, {', '.join(ATTRIBUTES)}, n) VALUES {', '.join(map(row, range(count)))}"
    )


def read(api: Api) -> list[Json]:
    nodes: list[Json] = api.query(READ)["stays"]["nodes"]
    return nodes


def back(nodes: Sequence[Json], verb: str, **others: Any) -> list[Json]:
    """Parts that write what was read."""
    return [
        part(f"p{each['id']}", verb, f"/stays/{each['id']}", {**{name: each[name] for name in ATTRIBUTES}, **others})
        for each in nodes
    ]


def send(api: Api, parts: Sequence[Json], document: str = BATCH) -> Json:
    answer = api.post(document, {"parts": [*parts]})
    assert "errors" not in answer, answer
    batch = answer["data"]["batch"]
    assert batch["status"] == "COMMITTED", batch["parts"][:3]
    return batch


@pytest.fixture(params=[True, False], ids=["fast", "one by one"])
def groups(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("document", [BATCH, LEAN_BATCH, BARE_BATCH], ids=["rows", "keys", "nothing"])
@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("verb", ["UPDATE", "REPLACE", "UPSERT"])
def test_nothing_changes(sqlite: Backend, start: Serve, *, groups: bool, verb: str, count: int, document: str):
    fill(sqlite, count)
    api = start(sqlite, groups=groups)
    nodes, before = read(api), sqlite.dump()
    assert {each["planned"] for each in nodes} == {"2026-01-02T08:00:00"}
    assert {each["seen"] for each in nodes} == {"2026-01-02T08:00:00Z"}
    assert {each["day"] for each in nodes} <= {"2026-01-02", None}
    assert {each["opens"] for each in nodes} == {"08:00:00"}

    done = send(api, back(nodes, verb, n=0), document)

    assert sqlite.dump() == before
    assert read(api) == nodes
    if document is BATCH:
        assert [each["etag"] for each in done["parts"]] == [each["etag"] for each in nodes]


@pytest.mark.parametrize("document", [BATCH, LEAN_BATCH])
def test_a_thousand_at_once_change_nothing_but_what_is_given_anew(sqlite: Backend, start: Serve, document: str):
    fill(sqlite, MANY)
    api = start(sqlite)
    nodes = read(api)
    stored = sqlite.rows(f"SELECT {', '.join(ATTRIBUTES)} FROM stay")

    done = send(api, back(nodes, "UPDATE", n=7), document)

    assert sqlite.rows(f"SELECT {', '.join(ATTRIBUTES)} FROM stay") == stored
    assert sqlite.rows("SELECT DISTINCT n FROM stay") == [(7,)]
    after = read(api)
    assert [{**each, "etag": "", "n": 0} for each in after] == [{**each, "etag": ""} for each in nodes]
    if document is BATCH:
        assert [each["etag"] for each in done["parts"]] == [each["etag"] for each in after]


def test_what_changes_is_written_in_our_spelling_beside_what_does_not(sqlite: Backend, start: Serve, *, groups: bool):
    fill(sqlite, 14)
    api = start(sqlite, groups=groups)
    stored = sqlite.rows("SELECT id, planned FROM stay ORDER BY id")
    changed = {2, 3, 7, 14}
    others = "2026-03-04T05:06:07.089"
    parts = [
        part(f"p{n}", "UPDATE", f"/stays/{n}", {"planned": others if n in changed else "2026-01-02T08:00:00"})
        for n, _ in stored
    ]

    send(api, parts)

    expected = [(n, "2026-03-04 05:06:07.089000" if n in changed else text) for n, text in stored]
    assert sqlite.rows("SELECT id, planned FROM stay ORDER BY id") == expected


def test_a_value_that_goes_and_comes_back_in_one_batch_is_written_anew(sqlite: Backend, start: Serve, *, groups: bool):
    fill(sqlite, 3)
    api = start(sqlite, groups=groups)
    same, other = "2026-01-02T08:00:00", "2026-01-02T09:00:00"

    done = send(
        api,
        [
            part("same", "UPDATE", "/stays/2", {"planned": same}),
            part("away", "UPDATE", "/stays/3", {"planned": other}),
            part("back", "UPDATE", "/stays/3", {"planned": same}),
        ],
    )

    assert sqlite.rows("SELECT planned FROM stay WHERE id > 1") == [("2026-01-02T08:00:00",), ("2026-01-02 08:00:00",)]
    assert [done["parts"][place]["etag"] for place in (0, 2)] == [each["etag"] for each in read(api)[1:]]


def test_triggers_see_the_change_and_the_stored_text(sqlite: Backend, start: Serve):
    fill(sqlite, 3)
    sqlite.run(TRIGGER.replace("BEGIN INSERT", "BEGIN INSERT"))
    api = start(sqlite)
    send(api, back(read(api), "UPDATE"))
    assert sqlite.rows("SELECT stay, planned FROM trace") == sqlite.rows("SELECT id, planned FROM stay")


def test_the_document_of_batch_changes_nothing_either(sqlite: Backend, start: Serve):
    fill(sqlite, 30)
    api = start(sqlite)
    nodes, before = read(api), sqlite.dump()
    parts = [{**each, "operation": "update"} for each in back(nodes, "update")]
    answer = api.http.post("/batch", content=json.dumps({"parts": parts}), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert [each["etag"] for each in answer.json()["parts"]] == [each["etag"] for each in nodes]
    assert sqlite.dump() == before


def test_typed_items_and_their_etags_as_preconditions_change_nothing(sqlite: Backend, start: Serve):
    fill(sqlite, 30)
    api = start(sqlite)
    nodes, before = read(api), sqlite.dump()
    parts = [
        part(
            f"p{n['id']}",
            "UPDATE",
            f"/stays/{n['id']}",
            item={"stay": {a: n[a] for a in ATTRIBUTES}},
            ifMatch=[n["etag"]],
        )
        for n in nodes
    ]
    for _ in range(2):  # and the etags are good for another time
        send(api, parts)
    assert sqlite.dump() == before


def test_a_counted_version_goes_on_and_nothing_else(sqlite: Backend, start: Serve, *, groups: bool):
    fill(sqlite, 40)
    api = start(sqlite, groups=groups, resources={"stay": {"version": "n"}})
    stored = sqlite.rows(f"SELECT {', '.join(ATTRIBUTES)} FROM stay")
    nodes = read(api)
    send(api, [{**each, "ifMatch": ["0"]} for each in back(nodes, "UPDATE")], LEAN_BATCH)
    assert sqlite.rows(f"SELECT {', '.join(ATTRIBUTES)} FROM stay") == stored
    assert sqlite.rows("SELECT DISTINCT n FROM stay") == [(1,)]


def test_a_replayed_batch_answers_the_stored_etag(sqlite: Backend, start: Serve):
    fill(sqlite, 5)
    api = start(sqlite)
    nodes, before = read(api), sqlite.rows("SELECT * FROM stay")
    document = BATCH.replace("$dryRun: Boolean! = false", "$key: String").replace(
        "dryRun: $dryRun", "idempotencyKey: $key"
    )
    answers = [api.post(document, {"parts": back(nodes, "UPDATE"), "key": "k"})["data"]["batch"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert [each["etag"] for each in answers[1]["parts"]] == [each["etag"] for each in nodes]
    assert sqlite.rows("SELECT * FROM stay") == before


@pytest.mark.parametrize("form", ["unix", "unix_ms", "mixed"])
def test_numbers_are_left_as_they_are(sqlite: Backend, start: Serve, *, groups: bool, form: str):
    unit = 1_000 if form == "unix_ms" else 1
    values: Iterator[tuple[int, str]] = iter(
        [(1, f"{1_700_000_000 * unit}"), (2, f"{1_700_000_000 * unit}.5"), (3, f"{1_700_000_001 * unit}.0")]
    )
    rows = ", ".join(f"({n}, {text}, {text}, {text})" for n, text in values)
    sqlite.run(f"CREATE TABLE log (id INTEGER PRIMARY KEY, a DATETIME, b, c REAL);\nINSERT INTO log VALUES {rows}")
    settings = {"type": "DateTime", "format": form}
    api = start(sqlite, groups=groups, resources={"log": {"attributes": dict.fromkeys("abc", settings)}})
    query = "{ logs { nodes { id etag a b c } } }"
    nodes, before = api.query(query)["logs"]["nodes"], sqlite.rows("SELECT *, typeof(a), typeof(b), typeof(c) FROM log")
    for verb in ("UPDATE", "REPLACE", "UPSERT"):
        send(api, [part(f"p{n['id']}", verb, f"/logs/{n['id']}", {name: n[name] for name in "abc"}) for n in nodes])
        assert api.query(query)["logs"]["nodes"] == nodes
        assert sqlite.rows("SELECT *, typeof(a), typeof(b), typeof(c) FROM log") == before


NULLS = ("null", " null", None, '{"a":  1}')


@pytest.mark.parametrize("document", [BATCH, BARE_BATCH], ids=["rows", "nothing"])
@pytest.mark.parametrize("verb", ["UPDATE", "REPLACE", "UPSERT"])
@pytest.mark.parametrize("count", [4, MANY])
def test_a_json_null_stays_where_null_is_written(
    backend: Backend, start: Serve, *, groups: bool, verb: str, count: int, document: str
):
    texts = [NULLS[place % len(NULLS)] for place in range(count)]
    rows = ", ".join(f"({n}, {'NULL' if each is None else repr(each)})" for n, each in enumerate(texts, 1))
    backend.run(f"CREATE TABLE note (id {{key}}, body JSON);\nINSERT INTO note (id, body) VALUES {rows}")
    api = start(backend, groups=groups)
    stored = "SELECT id, CAST(body AS TEXT) FROM note ORDER BY id"
    before = backend.rows(stored)
    read_all = "{ notes(first: 1000, orderBy: [{ id: ASC }]) { nodes { id etag body } } }"
    nodes = api.query(read_all)["notes"]["nodes"]
    assert [each["body"] for each in nodes[:4]] == [None, None, None, {"a": 1}]

    done = send(api, [part(f"p{n['id']}", verb, f"/notes/{n['id']}", {"body": n["body"]}) for n in nodes], document)

    assert backend.rows(stored) == before
    assert api.query(read_all)["notes"]["nodes"] == nodes
    if document is BATCH:
        assert [each["etag"] for each in done["parts"]] == [each["etag"] for each in nodes]


def test_null_empties_what_is_another_document(backend: Backend, start: Serve, *, groups: bool):
    backend.run(
        "CREATE TABLE note (id {key}, body JSON);\nINSERT INTO note (id, body) VALUES (1, '[1]'), (2, '\"null\"')"
    )
    api = start(backend, groups=groups)
    send(api, [part(f"p{n}", "UPDATE", f"/notes/{n}", {"body": None}) for n in (1, 2)])
    assert backend.rows("SELECT body FROM note") == [(None,), (None,)]


@pytest.mark.parametrize("count", [3, MANY])
@pytest.mark.parametrize("verb", ["UPDATE", "REPLACE", "UPSERT"])
@pytest.mark.parametrize("sql_type", ["JSON", "JSONB"])
def test_a_json_null_stays_one(postgresql: Backend, start: Serve, *, verb: str, sql_type: str, count: int):
    postgresql.run(
        f"CREATE TABLE doc (id INTEGER PRIMARY KEY, body {sql_type}, n INTEGER);\n"
        f"INSERT INTO doc SELECT n, (CASE n % 3 WHEN 0 THEN 'null' WHEN 1 THEN NULL ELSE '{{\"a\": null}}' END)::{sql_type}, 0 "
        f"FROM generate_series(1, {count}) AS n"
    )
    api = start(postgresql)
    stored = postgresql.rows("SELECT id, body::text FROM doc ORDER BY id")
    bodies = [None, {"a": None}, None]

    send(
        api,
        [part(f"p{n}", verb, f"/docs/{n}", {"body": bodies[(n - 1) % 3], "n": 7}) for n in range(1, count + 1)],
        LEAN_BATCH if count == MANY else BATCH,
    )

    assert postgresql.rows("SELECT id, body::text FROM doc ORDER BY id") == stored
    assert postgresql.rows("SELECT DISTINCT n FROM doc") == [(7,)]
