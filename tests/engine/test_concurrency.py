"""Many clients at once, over sockets: no deadlock, no lost update, created once, and nobody leaves a transaction open."""

import json
import random
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, part
from tests.support.music import AFTER_POSTGRESQL, SCRIPT
from tests.support.running import CLIENTS, Client, Running
from tests.support.transactions import checked_out


@pytest.fixture
def running(music: Api, backend: Backend) -> Iterator[Running]:
    server = Running(backend, music)
    yield server
    server.stop()


@pytest.fixture
def running_postgresql(postgresql: Backend, start: Serve) -> Iterator[Running]:
    postgresql.run(SCRIPT)
    postgresql.run(AFTER_POSTGRESQL)
    server = Running(postgresql, start(postgresql))
    yield server
    server.stop()


def deadlocks(backend: Backend) -> int:
    ((count,),) = backend.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)


def test_batches_that_touch_the_same_rows_in_opposite_order_never_deadlock(
    running_postgresql: Running, postgresql: Backend
):
    paths = ["/artists/1", "/artists/2", "/artists/3"]

    def work(client: Client, number: int) -> set[str]:
        order = paths if number % 2 else paths[::-1]
        return {
            client.batch(*(part(path, "UPDATE", path, {"name": f"{number} {turn}"}) for path in order))["status"]
            for turn in range(20)
        }

    assert running_postgresql.together(work) == [{"COMMITTED"}] * CLIENTS
    running_postgresql.stop()
    running_postgresql.database.close()
    assert running_postgresql.pauses == []  # no batch had to be run again
    assert deadlocks(postgresql) == 0


def test_batches_of_every_operation_on_the_same_family_all_commit_in_any_order(
    running_postgresql: Running, postgresql: Backend
):
    parts = [
        part("artist", "UPDATE", "/artists/1", {"name": "Neu"}),
        part("other artist", "REPLACE", "/artists/2", {"name": "Neu"}),
        part("album", "UPDATE", "/albums/1", {"title": "Neu"}),
        part("moved", "UPDATE", "/albums/3", {"artistId": 2}),
        part("moved back", "UPDATE", "/albums/3", {"artistId": 1}),
        part("below", "CREATE", "/artists/2/albums", {"title": "Neu"}),
        part("beside", "CREATE", "/albums", {"title": "Neu", "artistId": 1}),
        part("read", "GET", "/artists/3"),
        part("upsert", "UPSERT", "/playlists", {"name": "Morning"}),
    ]

    def work(client: Client, number: int) -> set[str]:
        shuffled = random.Random(number)  # noqa: S311  # the same orders every time, no secret
        return {client.batch(*shuffled.sample(parts, len(parts)))["status"] for _ in range(10)}

    assert running_postgresql.together(work) == [{"COMMITTED"}] * CLIENTS
    running_postgresql.stop()
    running_postgresql.database.close()
    assert running_postgresql.pauses == []
    assert deadlocks(postgresql) == 0
    assert postgresql.rows('SELECT count(*) FROM "Album"') == [(3 + 2 * 10 * CLIENTS,)]


def test_no_update_is_lost_that_was_made_with_a_fresh_etag(running: Running, backend: Backend):
    rounds = 5

    def work(client: Client, _number: int) -> int:
        acknowledged = 0
        seen = client.one("GET", "/tracks/1")
        while acknowledged < rounds:
            counted = {"milliseconds": seen["payload"]["milliseconds"] + 1}
            seen = client.one("UPDATE", "/tracks/1", counted, ifMatch=[seen["etag"]])
            assert seen["status"] in {200, 412}
            acknowledged += seen["status"] == 200
        return acknowledged

    assert running.together(work) == [rounds] * CLIENTS
    assert backend.rows('SELECT "Milliseconds" FROM "Track" WHERE "TrackId" = 1') == [(210000 + rounds * CLIENTS,)]


@pytest.mark.parametrize(
    ("precondition", "others"),
    [({"ifNoneMatch": None}, "PRECONDITION_FAILED"), ({}, "CONFLICT")],
    ids=["if none", "bare"],
)
def test_of_many_creates_at_one_path_exactly_one_makes_it(
    running: Running, backend: Backend, precondition: dict[str, None], others: str
):
    for key in range(100, 110):

        def work(client: Client, number: int, key: int = key) -> str:
            result = client.one("CREATE", f"/playlists/{key}", {"name": f"{key} of {number}"}, **precondition)
            return str([each["code"] for each in result["errors"]] or result["status"])

        assert Counter(running.together(work)) == {"201": 1, f"['{others}']": CLIENTS - 1}
    assert backend.rows('SELECT count(*) FROM "Playlist" WHERE "PlaylistId" >= 100') == [(10,)]


def test_of_many_upserts_by_one_unique_key_exactly_one_creates_and_none_fails(running: Running, backend: Backend):
    for turn in range(10):

        def work(client: Client, _number: int, name: str = f"Round {turn}") -> tuple[int, str]:
            result = client.one("UPSERT", "/playlists", {"name": name})
            return result["status"], result["path"]

        found = running.together(work)
        assert sorted(status for status, _ in found) == [200] * (CLIENTS - 1) + [201]
        assert len({path for _, path in found}) == 1
    assert backend.rows('SELECT count(*) FROM "Playlist"') == [(2 + 10,)]


def test_an_item_that_others_delete_and_make_again_in_one_batch_is_always_there(running: Running):
    assert running.together(lambda client, _: client.one("UPSERT", "/artists/50", {"name": "Alt"})["errors"], 1) == [[]]

    def work(client: Client, number: int) -> Counter[str]:
        again = [part("delete", "DELETE", "/artists/50"), part("create", "CREATE", "/artists/50", {"name": "Neu"})]
        change = [part("update", "UPDATE", "/artists/50", {"name": str(number)})]
        return Counter(client.batch(*(change if number % 2 else again))["status"] for _ in range(15))

    assert sum(running.together(work), Counter()) == {"COMMITTED": 15 * CLIENTS}


def test_batches_whose_clients_go_away_are_whole_or_absent_and_leave_nothing_open(running: Running, backend: Backend):
    parts = [
        part("artist", "CREATE", "/artists", {"name": "weg"}),
        *(part(f"album {n}", "CREATE", "/artists/$artist/albums", {"title": str(n)}) for n in range(40)),
    ]
    body = json.dumps({"query": BATCH, "variables": {"parts": parts}}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    def go_away(_client: Client, number: int) -> None:
        cut = len(body) if number % 4 else len(body) // 2  # some do not even say all
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", running.port)) as connection:
                connection.sendall(head.encode() + body[:cut])

    running.together(go_away)
    running.stop()

    assert checked_out(running.database) == 0
    albums = backend.rows(
        'SELECT (SELECT count(*) FROM "Album" b WHERE b."ArtistId" = a."ArtistId") FROM "Artist" a WHERE "ArtistId" > 3'
    )
    assert {count for (count,) in albums} <= {40}
    if backend.kind == "postgresql":
        open_ones = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND starts_with(state, 'idle in')"
        )
        assert backend.rows(open_ones) == [(0,)]
    else:
        backend.run("BEGIN IMMEDIATE;\nROLLBACK")  # it is refused where somebody still writes
