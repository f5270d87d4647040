"""The clients of docs/clients.md, by the very lines that stand there, against a running server."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from gql.transport.exceptions import TransportQueryError

from tests.clients import with_gql
from tests.support.generated import once
from tests.support.harness import Api, Json, part
from tests.support.node import CLIENTS, node
from tests.support.orders import Orders, serving_orders, steps

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
QUOTED = {".graphql", ".json", ".py", ".toml", ".ts", ".yml"}

CACHES = {"apollo": "./apollo.ts", "urql": "./urql.ts", "relay": "./relay/client.ts"}
NO_CACHES = {"graphql-request": "./graphql-request.ts", "gql.tada": "./graphql-request-tada.ts", "gql": "with_gql.py"}
CLIENT_MODULES = {**CACHES, **NO_CACHES}
NUMBERS = {name: number for number, name in enumerate(CLIENT_MODULES, 1)}  # each has an order of its own


@dataclass(frozen=True)
class Told:
    """What one client was told on its way through the steps, and what it left behind."""

    number: int
    screens: list[Json]  # at first, and after each of the three batches
    committed: Json
    repeated: Json  # the same with the same key
    rejected: Json
    saved: Json
    unreadable: Json
    failures: list[Json]
    sent: list[str]
    warnings: str
    rows: Json
    marks: Json = None  # what the form of docs/clients.md shows as wrong; it is written in TypeScript


@pytest.fixture(scope="module")
def tour(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Take every client through the steps, one time for all test processes."""

    def make(folder: Path) -> None:
        folder.mkdir()
        with serving_orders(folder) as orders, ThreadPoolExecutor(2) as together:
            told = dict(zip(NUMBERS, together.map(lambda name: _told(name, workshop, orders), NUMBERS), strict=True))
        (folder / "tour.json").write_text(json.dumps(told))

    folder = once(tmp_path_factory.getbasetemp(), "tour", make)
    return json.loads((folder / "tour.json").read_text())


@pytest.fixture(params=NUMBERS)
def told(request: pytest.FixtureRequest, tour: Json) -> Told:
    """What one client was told."""
    assert "crash" not in tour[request.param], tour[request.param]["crash"]
    return Told(number=NUMBERS[request.param], **tour[request.param])


def _told(name: str, workshop: Path, orders: Orders) -> Json:
    number = NUMBERS[name]
    if name == "gql":
        return {**_with_gql(orders, number), "sent": [], "warnings": "", "rows": orders.rows(number)}
    done = node("run.ts", CLIENT_MODULES[name], orders.url, json.dumps(steps(number)), folder=workshop)
    if done.returncode:
        return {"crash": done.stdout + done.stderr}
    return {**json.loads(done.stdout), "warnings": done.stderr, "rows": orders.rows(number)}


def _with_gql(orders: Orders, number: int) -> dict[str, Json]:
    client = with_gql.make_client(orders.url)
    to_send = steps(number)
    screens = [with_gql.read_order(client, number)]
    committed, repeated = (with_gql.save(client, to_send["committed"], "save with gql") for _ in range(2))
    screens.append(with_gql.read_order(client, number))
    with_gql.save(client, to_send["elsewhere"])
    rejected = with_gql.save(client, to_send["rejected"])
    screens.append(with_gql.read_order(client, number))
    saved = with_gql.save_order(client, number, to_send["saved"])
    screens.append(with_gql.read_order(client, number))
    unreadable = with_gql.save(client, to_send["unreadable"])
    failures = []
    for parts in to_send["failures"]:
        with pytest.raises(TransportQueryError) as caught:
            with_gql.save(client, parts)
        failures.append(with_gql.code_of(caught.value))
    return {
        "screens": screens,
        "committed": committed,
        "repeated": repeated,
        "rejected": rejected,
        "saved": saved,
        "unreadable": unreadable,
        "failures": failures,
    }


def summary(screen: Json) -> Json:
    """What a screen shows: the order's status and etag, its lines, and how many lines there are."""
    order = screen["order"]
    lines = [(line["number"], line["quantity"], line["product"]["price"]) for line in order["lines"]["nodes"]]
    return order["status"], order["etag"], lines, screen["lineCount"]["totalCount"]


def test_a_query_is_shown(told: Told):
    n = told.number
    assert summary(told.screens[0]) == ("PLACED", "1", [(1, 1, "1.00"), (2, 2, "2.00")], 2)
    order = told.screens[0]["order"]
    assert (order["path"], order["customer"]["name"]) == (f"/orders/{n}", f"Customer {n}")


def test_a_committed_batch_changes_what_is_shown(told: Told):
    assert told.committed["status"] == "COMMITTED"
    assert [(part["id"], part["status"], part["errors"]) for part in told.committed["parts"]] == [
        ("order", 200, []),
        ("line", 200, []),
        ("price", 200, []),
    ]
    assert summary(told.screens[1]) == ("PAID", "2", [(1, 7, "12.50"), (2, 2, "2.00")], 2)
    before, after = (screen["order"]["lines"]["nodes"] for screen in told.screens[:2])
    assert before[0]["etag"] != after[0]["etag"]
    assert before[1]["etag"] == after[1]["etag"]


def test_a_save_that_is_sent_again_with_its_key_is_replayed(told: Told):
    assert (told.committed["replayed"], told.repeated["replayed"]) == (False, True)
    assert told.repeated == {**told.committed, "replayed": True}


def test_a_rejected_batch_is_read_field_by_field(told: Told):
    assert told.rejected["status"] == "REJECTED"
    found = [
        (part["id"], part["status"], error["code"], error["pointer"], error["attributes"])
        for part in told.rejected["parts"]
        for error in part["errors"]
    ]
    assert found == [
        ("order", 412, "PRECONDITION_FAILED", "/ifMatch", []),
        ("price", 422, "INVALID_VALUE", "/item/product/price", ["price"]),
        ("new", 422, "UNKNOWN_ATTRIBUTE", "/payload/colour", ["colour"]),
        ("new", 422, "REQUIRED", "/payload/name", ["name"]),
        ("new", 422, "CONFLICT", "/payload/sku", ["sku"]),
        ("nameless", 422, "REQUIRED", "/payload/name", ["name"]),
        ("taken", 409, "CONFLICT", "/item/customer/email", ["email"]),
    ]
    assert all(error["message"] for part in told.rejected["parts"] for error in part["errors"])


def test_a_failed_precondition_shows_what_somebody_else_has_written(told: Told):
    current = told.rejected["parts"][0]["item"]
    assert (current["path"], current["etag"], current["status"]) == (f"/orders/{told.number}", "3", "SHIPPED")
    assert summary(told.screens[2]) == ("SHIPPED", "3", [(1, 7, "12.50"), (2, 2, "2.00")], 2)


def test_what_is_made_and_deleted_is_shown_when_the_batch_reads_it(told: Told):
    assert told.saved["status"] == "COMMITTED"
    assert [(part["id"], part["path"], part["status"]) for part in told.saved["parts"]] == [
        ("gone", f"/orderLines/{told.number},1", 204),
        ("third", f"/orderLines/{told.number},3", 201),
        ("fourth", f"/orderLines/{told.number},4", 201),
    ]
    assert summary(told.screens[3]) == ("SHIPPED", "3", [(2, 2, "2.00"), (3, 1, "3.00"), (4, 1, "12.50")], 3)


@pytest.mark.parametrize("told", [name for name in NUMBERS if name != "gql"], indirect=True)
def test_a_form_shows_what_is_wrong_at_which_attribute(told: Told):
    (mark,) = told.marks
    assert (mark["part"], mark["attributes"]) == (f"/orderLines/{told.number},2", ["quantity"])
    assert "quantity" in mark["message"]


@pytest.mark.parametrize("told", CACHES, indirect=True)
def test_what_a_cache_shows_changes_without_another_query(told: Told):
    assert told.sent == ["query", *["mutation"] * 8]


def test_a_committed_batch_is_told_though_a_field_of_it_cannot_be_read(told: Told):
    assert told.unreadable["status"] == "COMMITTED"
    found = [(part["id"], part["status"], part["errors"]) for part in told.unreadable["parts"]]
    assert found == [("renamed", 200, []), ("cheap", 200, [])]
    renamed, cheap = (part["item"] for part in told.unreadable["parts"])
    assert (renamed["price"], cheap) == ("3.00", None)


def test_the_code_of_a_request_error_can_be_read(told: Told):
    assert told.failures == ["NO_PARTS", "BAD_REQUEST"]


def test_a_client_warns_of_nothing(told: Told):
    assert told.warnings == ""


def test_the_tables_hold_what_is_shown(told: Told):
    n = told.number
    assert told.rows == {
        "orders": [["SHIPPED", 3]],
        "order_lines": [[2, n * 10 + 2, 2], [3, n * 10 + 3, 1], [4, n * 10 + 1, 1]],
        "products": [
            [n * 10 + 1, f"Product {n}1", 12.5],
            [n * 10 + 2, f"Product {n}2", 2],
            [n * 10 + 3, "Renamed", 3],
            [n * 10 + 4, f"Product {n}4", "cheap"],
        ],
        "customers": [[f"Customer {n}"]],
    }


def _is_ours(path: Path) -> bool:
    names = path.relative_to(CLIENTS).parts
    return "node_modules" not in names and not any(name.startswith(".") for name in names)


def test_every_block_of_the_page_is_one_that_the_tests_run():
    blocks = re.findall(r"^```\w+\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    files = [path.read_text() for path in CLIENTS.rglob("*.*") if path.suffix in QUOTED and _is_ours(path)]

    assert len(blocks) == 14
    assert [block for block in blocks if not any(block in text for text in files)] == []


def test_fields_of_one_name_and_different_types_have_aliases(music: Api):
    document = (CLIENTS / "aliases.graphql").read_text()
    parts = [part("a", "UPDATE", "/artists/3", {"name": "Neu"}), part("t", "UPDATE", "/tracks/2", {"name": "Schluss"})]

    conflict = music.post(document.replace("trackName: name", "name"), {"parts": parts})
    answer = music.query(document, parts=parts)

    assert "conflict" in conflict["errors"][0]["message"]
    assert answer["batch"]["parts"] == [
        {"item": {"__typename": "Artist", "path": "/artists/3", "name": "Neu"}},
        {"item": {"__typename": "Track", "path": "/tracks/2", "trackName": "Schluss"}},
    ]
