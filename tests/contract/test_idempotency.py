"""Idempotency keys (docs/contract.md, rule 8): a batch with a key is run once, whatever happens, and answered each time."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
import sqlalchemy as sa

from partwise.server.app import make_app
from storage.connections.transaction import Transaction
from storage.errors import OutcomeUnknown, Unavailable
from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, faults, part
from tests.support.keyed import KEYED, artists, is_replay, receipts, refusal, send
from tests.support.music import AFTER_POSTGRESQL, SCRIPT
from tests.support.running import CLIENTS, Client, Running
from tests.support.transactions import Faults

KEYS = int(os.environ.get("PARTWISE_KEYS", "200"))


@pytest.fixture
def running(music: Api, backend: Backend) -> Iterator[Running]:
    server = Running(backend, music)
    yield server
    server.stop()


def family(name: str) -> list[Json]:
    """A new artist with an album, a change, a deletion, and reads."""
    return [
        part("artist", "CREATE", "/artists", {"name": name}),
        part("album", "CREATE", "/artists/$artist/albums", {"title": name}),
        part("change", "UPDATE", "/albums/1", {"title": name}),
        part("link", "UPSERT", "/playlistTracks", {"playlistId": 2, "trackId": 1}),
        part("gone", "DELETE", "/playlistTracks/2,1"),
        part("read", "GET", "/artists/1", ifNoneMatch=["none"]),
        part("tracks", "GET", "/albums/2/tracks"),
    ]


# --- once


def test_a_key_that_is_sent_three_times_in_a_row_runs_once(running: Running, backend: Backend):
    client = Client(running.port)

    for n in range(KEYS):
        first, *others = [client.post(KEYED, {"parts": family(f"n{n}"), "key": f"key-{n}"}) for _ in range(3)]
        for other in others:
            assert is_replay(other["data"]["batch"], first["data"]["batch"])

    assert artists(backend) == {f"n{n}": 1 for n in range(KEYS)}
    assert backend.rows('SELECT count(*) FROM "Album" WHERE "AlbumId" > 3') == [(KEYS,)]
    assert receipts(backend) == sorted(f"key-{n}" for n in range(KEYS))


def test_a_key_that_is_sent_eight_times_at_once_runs_once(running: Running, backend: Backend):
    together = threading.Barrier(CLIENTS)

    def work(client: Client, _number: int) -> list[Json]:
        answers = []
        for n in range(KEYS):
            together.wait(60)
            answers.append(client.post(KEYED, {"parts": family(f"n{n}"), "key": f"key-{n}"})["data"]["batch"])
        return answers

    for answers in zip(*running.together(work), strict=True):
        (first,) = (each for each in answers if not each["replayed"])
        assert all(each is first or is_replay(each, first) for each in answers)
    assert artists(backend) == {f"n{n}": 1 for n in range(KEYS)}
    assert receipts(backend) == sorted(f"key-{n}" for n in range(KEYS))


def test_what_a_replay_answers_is_what_the_parts_have_left(music: Api):
    parts = family("Neu")

    first = send(music, "k", *parts)
    again = send(music, "k", *parts)

    assert first["status"] == again["status"] == "COMMITTED"
    assert is_replay(again, first)
    artist, album, change, link, gone, read, tracks = again["parts"]
    assert (artist["status"], artist["payload"]) == (201, {"artistId": 4, "name": "Neu"})
    assert (album["path"], album["payload"]["artistId"]) == ("/albums/4", 4)
    assert (change["status"], change["payload"]["title"]) == (200, "Neu")
    assert (link["status"], link["item"]["path"]) == (201, "/playlistTracks/2,1")
    assert (gone["status"], gone["path"], gone["payload"], gone["item"], gone["etag"]) == (
        *(204, "/playlistTracks/2,1"),
        *(None, None, None),
    )
    assert (read["status"], read["preconditionSucceeded"]) == (200, True)
    assert [each["name"] for each in tracks["payload"]["items"]] == ["Meio"]


def test_an_item_that_has_not_changed_is_said_so_again(music: Api):
    (read,) = music.batch(part("r", "GET", "/artists/1"))["parts"]
    parts = [part("r", "GET", "/artists/1", ifNoneMatch=[read["etag"]]), part("c", "CREATE", "/artists", {})]

    first, again = (send(music, "k", *parts) for _ in range(2))

    assert is_replay(again, first)
    result = again["parts"][0]
    assert (result["status"], result["etag"], result["payload"]) == (304, read["etag"], None)
    assert (result["path"], result["preconditionSucceeded"]) == ("/artists/1", False)


def test_a_replay_does_not_look_at_what_has_changed_since_but_for_relations_and_queries(music: Api):
    parts = [part("a", "UPDATE", "/albums/1", {"title": "Neu"})]
    first = send(music, "k", *parts)
    music.batch(
        part("title", "UPDATE", "/albums/1", {"title": "Neuer", "artistId": 2}),
        part("name", "UPDATE", "/artists/1", {"name": "Südlicht"}),
    )
    selection = (
        "{ replayed parts { payload item { ... on Album { title artist { name } tracks { totalCount } } } }"
        " query { artist(artistId: 1) { name } } }"
    )
    other = KEYED[: KEYED.index("{\n    status")] + selection + "}"

    again = send(music, "k", *parts, query=other)

    assert is_replay(send(music, "k", *parts), first)
    (result,) = again["parts"]
    assert result["payload"] == {"albumId": 1, "title": "Neu", "artistId": 1}
    assert result["item"] == {"title": "Neu", "artist": {"name": "Os Gêmeos"}, "tracks": {"totalCount": 2}}
    assert again["query"] == {"artist": {"name": "Südlicht"}}


def test_the_first_answer_need_not_show_what_a_replay_shows(music: Api):
    large = [part(f"p{n}", "CREATE", "/artists", {"name": f"n{n}"}) for n in range(30)]
    bare = KEYED[: KEYED.index("{\n    status")] + "{ status }}"

    assert send(music, "k", *large, query=bare) == {"status": "COMMITTED"}
    again = send(music, "k", *large)

    assert [each["payload"] for each in again["parts"]] == [{"artistId": 4 + n, "name": f"n{n}"} for n in range(30)]
    read = music.batch(*(part(each["path"], "GET", each["path"]) for each in again["parts"]))
    assert [each["etag"] for each in again["parts"]] == [each["etag"] for each in read["parts"]]


# --- not the same, and nothing to remember


def test_other_parts_with_the_same_key_are_refused_and_nothing_is_written(music: Api, backend: Backend):
    parts = [part("a", "CREATE", "/artists", {"name": "Neu"}), part("b", "GET", "/artists/1")]
    send(music, "k", *parts)
    before = backend.dump()
    others = [
        parts[:1],
        parts[::-1],
        [part("a", "CREATE", "/artists", {"name": "neu"}), parts[1]],
        [part("x", "CREATE", "/artists", {"name": "Neu"}), parts[1]],
        [part("a", "UPSERT", "/artists", {"name": "Neu"}), parts[1]],
        [parts[0], part("b", "GET", "/artists/2")],
        [parts[0], part("b", "GET", "/artists/1", ifMatch=None)],
        [parts[0], part("b", "GET", "/nothing/at/all")],
        [part("a", "CREATE", "/artists", item={"artist": {"name": "Neu"}}), parts[1]],
        [part("a", "CREATE", "/artists", {"name": "Neu"}, references=[{"attribute": "x", "part": "b"}]), parts[1]],
    ]

    for other in others:
        code, message = refusal(music, "k", *other)
        assert (code, "other parts" in message) == ("IDEMPOTENCY_KEY_REUSED", True)

    assert backend.dump() == before
    assert send(music, "k", *parts)["replayed"]


def test_the_order_of_members_and_how_a_double_is_written_do_not_matter(backend: Backend, start: Serve):
    backend.run("CREATE TABLE thing (id {key}, size {double}, price NUMERIC(10,2))")
    api = start(backend)
    head = 'mutation { batch(idempotencyKey: "k", parts: [{ '
    first = api.post(
        head + 'id: "a", path: "/things", operation: CREATE, payload: { size: 1.50, price: 2.5 } }]) { replayed } }'
    )
    again = api.post(
        head + 'payload: { price: 2.50, size: 15e-1 }, operation: CREATE, path: "/things", id: "a" }]) { replayed } }'
    )

    assert [each["data"]["batch"] for each in (first, again)] == [{"replayed": False}, {"replayed": True}]


def test_a_rejected_batch_leaves_no_receipt_and_works_with_the_same_key_once_corrected(music: Api, backend: Backend):
    wrong = [part("a", "CREATE", "/artists", {"name": "Neu"}), part("b", "CREATE", "/playlists", {"name": "Morning"})]
    right = [wrong[0], part("b", "CREATE", "/playlists", {"name": "Noon"})]
    before = backend.dump()

    for _ in range(2):
        rejected = send(music, "k", *wrong)
        assert (rejected["status"], rejected["replayed"]) == ("REJECTED", False)
        assert faults(rejected) == {"b": [("CONFLICT", "/payload/name")]}
        assert {name: rows for name, rows in backend.dump().items() if name != "partwise_receipt"} == before
        assert receipts(backend) == []
    first = send(music, "k", *right)

    assert is_replay(send(music, "k", *right), first)
    assert artists(backend) == {"Neu": 1}
    assert receipts(backend) == ["k"]


def test_a_part_that_is_faulty_on_its_face_leaves_no_receipt(music: Api, backend: Backend):
    assert send(music, "k", part("a", "CREATE", "/artists", {"nothing": 1}))["status"] == "REJECTED"
    assert receipts(backend) == []


def test_a_dry_run_stores_nothing_and_finds_nothing(music: Api, backend: Backend):
    parts = [part("a", "CREATE", "/artists", {"name": "Neu"})]

    tried = send(music, "k", *parts, dry_run=True)
    assert (tried["status"], tried["replayed"]) == ("VALID", False)
    assert "partwise_receipt" not in backend.dump()
    assert not send(music, "k", *parts)["replayed"]
    tried_again = send(music, "k", *parts, part("b", "GET", "/artists/1"), dry_run=True)

    assert (tried_again["status"], tried_again["replayed"]) == ("VALID", False)
    assert refusal(music, "", *parts, dryRun=True)[0] == "BAD_REQUEST"
    assert artists(backend) == {"Neu": 1}


def test_without_a_key_there_is_no_table(music: Api, backend: Backend):
    for _ in range(2):
        assert not send(music, None, part("a", "CREATE", "/artists", {"name": "Neu"}))["replayed"]

    assert artists(backend) == {"Neu": 2}
    assert "partwise_receipt" not in backend.dump()


# --- what goes wrong in between


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whichever_statement_fails_the_batch_is_run_once_when_it_is_sent_again(
    music: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch, *, after: bool
):
    send(music, "first", part("a", "GET", "/artists/1"))  # so that the table is there
    failing = Faults(monkeypatch)
    failing.after = after
    number, codes = 0, set()
    while True:
        number += 1
        failing.count = 0
        failing.fails = {number: Unavailable("The database is away.")}.get
        answer = music.post(KEYED, {"parts": family(f"n{number}"), "key": f"k{number}"})
        failing.fails = lambda _: None
        if failing.count < number:
            break
        codes |= {each["extensions"]["code"] for each in answer.get("errors", ())}
        written = artists(backend)[f"n{number}"]
        again = send(music, f"k{number}", *family(f"n{number}"))
        assert again["replayed"] is bool(written)
        assert artists(backend)[f"n{number}"] == 1, f"statement {number}"

    assert number > 10
    assert codes == {"UNAVAILABLE"}
    assert set(artists(backend).values()) == {1}


@contextmanager
def held(backend: Backend) -> Iterator[sa.Connection]:
    """Hold the key k in a transaction of one's own, which the end rolls back."""
    engine = backend.engine()
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO partwise_receipt (caller, idempotency_key, fingerprint) VALUES ('', 'k', 'x')"
        )
        yield connection
    engine.dispose()


def test_a_key_that_another_transaction_holds_is_waited_for(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    postgresql.run(AFTER_POSTGRESQL)
    api = start(postgresql, timeout=0.2)
    parts = [part("a", "CREATE", "/artists", {"name": "Neu"})]
    send(api, "other", *parts)
    before = postgresql.dump()

    with held(postgresql):
        code, message = refusal(api, "k", *parts)
        expected = "Another transaction holds a lock that this request needs. Nothing was written. Try again."
        assert (code, message) == ("TIMEOUT", expected)

    assert postgresql.dump() == before
    assert not send(api, "k", *parts)["replayed"]
    assert receipts(postgresql) == ["k", "other"]


def test_those_that_wait_for_a_key_leave_connections_to_others(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    postgresql.run(AFTER_POSTGRESQL)
    api = start(postgresql, connections=2)
    parts = [part("a", "CREATE", "/artists", {"name": "Neu"})]
    send(api, "other", *parts)

    async def work(holder: sa.Connection) -> tuple[Json, list[Json]]:
        transport = httpx2.ASGITransport(app=make_app(api.service, api.settings))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

            async def post(query: str, variables: Json) -> Json:
                answer: Json = (await client.post("/graphql", json={"query": query, "variables": variables})).json()
                return answer

            keyed = [asyncio.create_task(post(KEYED, {"parts": parts, "key": "k"})) for _ in range(3)]
            await asyncio.sleep(0.2)  # they wait
            other = await asyncio.wait_for(post("{ artists { totalCount } }", {}), 10)
            assert not any(each.done() for each in keyed)
            holder.rollback()
            return other, await asyncio.gather(*keyed)

    with held(postgresql) as connection:
        other, answers = asyncio.run(work(connection))

    assert "errors" not in other, other
    assert sorted(each["data"]["batch"]["replayed"] for each in answers) == [False, True, True]


def test_a_rejected_batch_hands_its_key_on_to_the_one_that_waits(running: Running, backend: Backend):
    together = threading.Barrier(CLIENTS)

    def work(client: Client, number: int) -> list[Json]:
        answers = []
        for n in range(20):
            wrong = [] if number % 2 else [part("b", "DELETE", "/artists/1")]  # others point at it
            parts = [part("a", "CREATE", "/artists", {"name": f"n{n}"}), *wrong]
            together.wait(60)
            answers.append(client.post(KEYED, {"parts": parts, "key": f"key-{n}"}))
        return answers

    found = running.together(work)

    for n, answers in enumerate(zip(*found, strict=True)):
        good, bad = answers[1::2], answers[0::2]
        results = [each["data"]["batch"] for each in good]
        assert sorted(each["replayed"] for each in results) == [False, True, True, True], n
        for each in bad:
            refused = each["data"]["batch"] is None and each["errors"][0]["extensions"]["code"]
            assert refused == "IDEMPOTENCY_KEY_REUSED" or each["data"]["batch"]["status"] == "REJECTED"
    assert artists(backend) == {f"n{n}": 1 for n in range(20)}


def test_a_batch_that_ends_its_transaction_leaves_no_receipt(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT);\n"
        "CREATE TRIGGER fatal BEFORE INSERT ON thing WHEN NEW.id = 13 BEGIN SELECT RAISE(ROLLBACK, 'no'); END"
    )
    api = start(sqlite)
    good = part("good", "CREATE", "/things", {"id": 1, "name": "a"})

    rejected = send(api, "k", good, part("fatal", "CREATE", "/things", {"id": 13}))
    assert faults(rejected) == {"fatal": [("REFUSED_BY_DATABASE", None)]}
    assert receipts(sqlite) == []
    first = send(api, "k", good)

    assert is_replay(send(api, "k", good), first)
    assert sqlite.rows("SELECT * FROM thing") == [(1, "a")]


def test_where_nobody_knows_whether_a_batch_is_written_its_key_tells(
    music: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
):
    commit = Transaction.commit

    def lost(transaction: Transaction) -> None:
        commit(transaction)
        raise OutcomeUnknown("The connection to the database was lost during COMMIT.")

    send(music, "first", part("a", "GET", "/artists/1"))
    monkeypatch.setattr(Transaction, "commit", lost)
    answer = refusal(music, "k", *family("Neu"))
    monkeypatch.setattr(Transaction, "commit", commit)

    assert answer[0] == "OUTCOME_UNKNOWN"
    assert send(music, "k", *family("Neu"))["replayed"]
    assert artists(backend) == {"Neu": 1}


def test_a_commit_that_is_refused_leaves_no_receipt(music: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch):
    send(music, "first", part("a", "GET", "/artists/1"))
    commit, fails = Transaction.commit, True

    def failing(transaction: Transaction) -> None:
        if fails:
            raise Unavailable("The database cannot be written now. Nothing was written.")
        commit(transaction)

    monkeypatch.setattr(Transaction, "commit", failing)
    assert refusal(music, "k", *family("Neu"))[0] == "UNAVAILABLE"
    assert receipts(backend) == ["first"]
    fails = False

    assert not send(music, "k", *family("Neu"))["replayed"]
    assert artists(backend) == {"Neu": 1}
