"""The table of receipts: who makes it, who sees it, how long receipts stay, and what they say once tables have changed."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, faults, part
from tests.support.keyed import KEYED, artists, is_replay, receipts, refusal, send, without_replayed
from tests.support.music import AFTER_POSTGRESQL, SCRIPT
from tests.support.program import run
from tests.support.running import Running

NOT_KEPT = (
    "This server does not store idempotency keys, so it cannot guarantee that the batch runs once. "
    "Nothing was written. Send it without a key, or ask the operator to enable idempotency keys."
)


def test_old_receipts_go_a_few_at_a_time_and_none_before_a_day(music: Api, backend: Backend):
    for n in range(25):
        send(music, f"old {n:02}", part("a", "GET", "/artists/1"))
    for n in range(5):
        send(music, f"young {n}", part("a", "GET", "/artists/1"))
    past = "datetime('now', '-{}')" if backend.kind == "sqlite" else "now() - interval '{}'"
    backend.run(
        f"UPDATE partwise_receipt SET made_at = {past.format('1441 minutes')} WHERE idempotency_key LIKE 'old%';\n"
        f"UPDATE partwise_receipt SET made_at = {past.format('1439 minutes')} WHERE idempotency_key LIKE 'young%'"
    )

    assert send(music, "old 07", part("a", "GET", "/artists/1"))["replayed"], "as long as it is there, it counts"
    counts = []
    for n in range(4):
        send(music, f"new {n}", part("a", "GET", "/artists/1"))
        counts.append(sum(key.startswith("old") for key in receipts(backend)))

    assert counts == [15, 5, 0, 0]
    assert receipts(backend) == [*(f"new {n}" for n in range(4)), *(f"young {n}" for n in range(5))]
    assert not send(music, "old 07", part("a", "GET", "/artists/1"))["replayed"]


def test_nobody_waits_for_an_old_receipt_that_another_transaction_deletes(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    api = start(postgresql, timeout=0.2)
    for n in range(3):
        send(api, f"old {n}", part("a", "GET", "/artists/1"))
    postgresql.run("UPDATE partwise_receipt SET made_at = made_at - interval '2 days'")
    engine = postgresql.engine()

    with engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM partwise_receipt WHERE idempotency_key = 'old 1'")
        assert not send(api, "new", part("a", "GET", "/artists/1"))["replayed"]
        connection.rollback()
    engine.dispose()

    assert receipts(postgresql) == ["new", "old 1"]


def test_the_table_is_no_resource(backend: Backend, start: Serve, tmp_path: Path):
    backend.run(SCRIPT)
    before = start(backend)
    schema = before.service.schema.as_str()
    send(before, "k", part("a", "GET", "/artists/1"))

    after = start(backend)

    assert "partwise_receipt" in backend.dump()
    assert after.service.schema.as_str() == schema
    assert faults(after.batch(part("a", "GET", "/partwiseReceipts"))) == {"a": [("UNKNOWN_RESOURCE", "/path")]}
    checked = run("check", backend.url, "--values", folder=tmp_path)
    assert (checked.returncode, "eceipt" in checked.stdout) == (0, False)
    assert send(after, "k", part("a", "GET", "/artists/1"))["replayed"], "another process finds it, too"


def test_the_making_of_the_table_is_logged_once_and_it_is_made_again(
    music: Api, backend: Backend, caplog: pytest.LogCaptureFixture
):
    parts = [part("a", "CREATE", "/artists", {"name": "Neu"})]
    with caplog.at_level(logging.INFO, "partwise"):
        first = send(music, "k", *parts)
        send(music, "other", *parts)
        assert [each.message for each in caplog.records] == [
            "Created the table partwise_receipt, which stores idempotency keys for a day."
        ]
        assert is_replay(send(music, "k", *parts), first)
        backend.run("DROP TABLE partwise_receipt")

        assert not send(music, "k", *parts)["replayed"], "what was known is gone with the table"

    assert len(caplog.records) == 2
    assert receipts(backend) == ["k"]


def test_several_servers_make_the_table_at_the_same_moment(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    postgresql.run(AFTER_POSTGRESQL)
    servers = [Running(postgresql, start(postgresql)) for _ in range(3)]
    found: list[Json] = []

    def work(server: Running) -> None:
        variables = {"parts": [part("a", "CREATE", "/artists", {"name": "Neu"})], "key": "k"}
        found.extend(server.together(lambda client, _: client.post(KEYED, variables)["data"]["batch"], 3))

    threads = [threading.Thread(target=work, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        server.stop()

    (first,) = (each for each in found if not each["replayed"])
    assert sum(is_replay(each, first) for each in found) == 8
    assert artists(postgresql) == {"Neu": 1}


_OWN = "caller TEXT NOT NULL, idempotency_key TEXT NOT NULL, fingerprint TEXT NOT NULL"


@pytest.mark.parametrize(
    "other",
    [
        "CREATE TABLE partwise_receipt (id INTEGER PRIMARY KEY)",
        "CREATE VIEW partwise_receipt AS SELECT 1 AS caller, 2 AS idempotency_key, 3 AS fingerprint",
        f"CREATE TABLE partwise_receipt ({_OWN}, outcome TEXT, made_at TIMESTAMP)",  # a batch would run a second time
        f"CREATE TABLE partwise_receipt ({_OWN}, made_at TIMESTAMP, PRIMARY KEY (caller, idempotency_key))",
        f"CREATE TABLE partwise_receipt ({_OWN}, outcome TEXT, PRIMARY KEY (caller, idempotency_key))",
    ],
    ids=["another table", "a view", "no key", "no outcome", "no time"],
)
def test_another_table_of_that_name_is_told_to_the_operator(
    music: Api, backend: Backend, caplog: pytest.LogCaptureFixture, other: str
):
    backend.run(other)
    before = backend.dump()

    code, message = refusal(music, "k", part("a", "CREATE", "/artists", {"name": "Neu"}))

    assert (code, "does not store idempotency keys" in message) == ("BAD_REQUEST", True)
    assert "partwise_receipt" in caplog.text
    assert "since the server started" not in caplog.text
    assert backend.dump() == before


def test_a_trigger_that_takes_the_receipt_away_takes_the_batch_along(
    backend: Backend, start: Serve, caplog: pytest.LogCaptureFixture
):
    backend.run("CREATE TABLE thing (id {key}, name TEXT)")
    assert send(start(backend), "first", part("a", "CREATE", "/things", {"name": "a"}))["status"] == "COMMITTED"
    deletes = "DELETE FROM partwise_receipt WHERE idempotency_key = 'k'"
    with backend.engine().begin() as connection:
        if backend.kind == "sqlite":
            connection.exec_driver_sql(f"CREATE TRIGGER forgetful AFTER INSERT ON thing BEGIN {deletes}; END")
        else:
            connection.exec_driver_sql(
                f"CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {deletes}; RETURN NEW; END$$;"
                "CREATE TRIGGER forgetful AFTER INSERT ON thing FOR EACH ROW EXECUTE FUNCTION forget()"
            )
    api = start(backend)
    before = backend.dump()

    code, message = refusal(api, "k", part("a", "CREATE", "/things", {"name": "b"}))

    assert (code, message) == ("BAD_REQUEST", NOT_KEPT)
    assert "a trigger or a policy" in caplog.text
    assert backend.dump() == before


@pytest.fixture
def role(postgresql: Backend) -> Iterator[str]:
    """A role that may write the tables of the shop, and make none."""
    postgresql.run(SCRIPT)
    postgresql.run(AFTER_POSTGRESQL)
    name = f"clerk_of_{sa.make_url(postgresql.url).database}"  # roles belong to the whole server
    postgresql.run(
        f"CREATE ROLE {name};\nREVOKE CREATE ON SCHEMA public FROM PUBLIC;\nGRANT USAGE ON SCHEMA public TO {name};\n"
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name};\nGRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}"
    )
    yield name
    postgresql.run(f"DROP OWNED BY {name};\nDROP ROLE {name}")


def test_a_role_that_may_make_no_table_gets_a_clear_error_and_can_use_one_that_the_operator_made(
    postgresql: Backend, role: str, start: Serve, caplog: pytest.LogCaptureFixture
):
    url = sa.make_url(postgresql.url).update_query_dict({"options": f"-c role={role}"})
    api = start(Backend("postgresql", url.render_as_string(hide_password=False)))
    parts = [part("a", "CREATE", "/artists", {"name": "Neu"})]

    code, message = refusal(api, "k", *parts)
    assert (code, message) == (
        "BAD_REQUEST",
        NOT_KEPT,
    )
    assert "permission denied" in caplog.text
    assert "docs/settings.md" in caplog.text
    assert artists(postgresql) == {}
    assert send(api, None, *parts)["status"] == "COMMITTED"

    postgresql.run(ddl_of_the_documentation())
    assert refusal(api, "k", *parts)[0] == "BAD_REQUEST", "nor may it use the table yet"
    postgresql.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON partwise_receipt TO {role}")

    first = send(api, "k", *parts)
    assert is_replay(send(api, "k", *parts), first)
    assert artists(postgresql) == {"Neu": 2}


def ddl_of_the_documentation() -> str:
    """Read how docs/settings.md tells the operator to make the table."""
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    return page.partition("```sql\n")[2].partition("```")[0].partition("GRANT")[0]


def test_keys_can_be_turned_off(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, idempotency_keys=False)
    parts = [part("a", "CREATE", "/artists", {"artistId": 9, "name": "Neu"})]

    for others in ({}, {"dryRun": True}):
        code, message = refusal(api, "k", *parts, **others)
        assert (code, "does not store idempotency keys" in message) == ("BAD_REQUEST", True)
    assert send(api, None, *parts)["status"] == "COMMITTED"
    assert "partwise_receipt" not in backend.dump()


# --- after a change of the tables


def test_a_replay_after_the_tables_have_changed_says_what_it_knows(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE thing (id {key}, name VARCHAR(20), size INTEGER, old INTEGER);\nCREATE TABLE gone (id {key}, n INTEGER)"
    )
    parts: list[Any] = [
        part("thing", "CREATE", "/things", {"name": "a", "size": 1, "old": 2}),
        part("gone", "CREATE", "/gones", {"n": 1}),
        part("all", "GET", "/gones"),
        part("deleted", "DELETE", "/gones/1"),
    ]
    first = send(start(backend), "k", *parts)
    assert first["status"] == "COMMITTED"
    backend.run(
        "ALTER TABLE thing DROP COLUMN old;\nALTER TABLE thing ADD COLUMN fresh INTEGER;\n"
        "ALTER TABLE thing RENAME COLUMN name TO title;\nDROP TABLE gone"
    )
    naming = {"thing": {"name": "Item", "collection": "items", "attributes": {"size": {"name": "width"}}}}
    api = start(backend, resources=naming)
    selection = "{ replayed parts { id path status etag item { ... on Item { id width } } } }"
    query = KEYED[: KEYED.index("{\n    status")] + selection + "}"

    again = send(api, "k", *parts, query=query)

    by_id = {each["id"]: each for each in again["parts"]}
    assert again["replayed"]
    assert by_id["thing"]["path"] == "/items/1"
    assert by_id["thing"]["etag"] == first["parts"][0]["etag"]
    assert by_id["thing"]["item"] == {"id": 1, "width": 1}
    for name, path, status in (("gone", "/gones", 201), ("all", "/gones", 200), ("deleted", "/gones/1", 204)):
        assert (by_id[name]["path"], by_id[name]["status"], by_id[name]["item"]) == (path, status, None)
    answer = api.post(KEYED, {"parts": parts, "key": "k"})
    assert answer["data"]["batch"]["parts"][0]["payload"] is None
    assert {each["extensions"]["code"] for each in answer["errors"]} == {"UNREADABLE_VALUE"}
    assert "title" in answer["errors"][0]["message"]
    assert without_replayed(first)["status"] == answer["data"]["batch"]["status"]


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("BIGINT", str(1 << 40), "INTEGER"),
        ("{naive}", "2026-01-02T10:11:12", "{aware}"),
        ("{aware}", "2026-01-02T10:11:12Z", "{naive}"),
    ],
)
def test_a_replay_answers_no_value_that_its_column_could_not_have_now(
    backend: Backend, start: Serve, before: str, value: str, after: str
):
    backend.run(f"CREATE TABLE thing (id {{key}}, value {before})")
    create = part("a", "CREATE", "/things", {"value": value})
    assert send(start(backend), "k", create)["parts"][0]["payload"]["value"] == value
    backend.run(f"DROP TABLE thing;\nCREATE TABLE thing (id {{key}}, value {after})")
    query = KEYED.replace("__typename path etag", "... on Thing { value }")

    answer = start(backend).post(query, {"parts": [create], "key": "k"})

    assert answer["data"]["batch"]["replayed"]
    assert {each["extensions"]["code"] for each in answer["errors"]} == {"UNREADABLE_VALUE"}
