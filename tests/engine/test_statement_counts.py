"""How many statements a batch takes: as many for 1,000 parts as for 10, and few. Those of each kind of work, by name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest

from storage.connections.transaction import Result, Transaction
from storage.sql import BulkStatement
from tests.conftest import Serve
from tests.support.harness import BATCH, LEAN_BATCH, Api, Backend, part
from tests.support.keyed import KEYED

FEW, MANY = 10, 1_000  # parts
ROWS_OF_INSERT = 100  # that SQLite gets in one statement: there a statement is no journey
SCRIPT = """
CREATE TABLE department (id {key}, code VARCHAR(20) NOT NULL UNIQUE, name VARCHAR(40));
CREATE TABLE employee (
  id {key}, department_id INTEGER NOT NULL REFERENCES department (id), email VARCHAR(60) UNIQUE,
  name VARCHAR(40) NOT NULL, salary INTEGER, version INTEGER NOT NULL DEFAULT 1
);
INSERT INTO department (id, code, name) VALUES (1, 'd1', 'One'), (2, 'd2', 'Two')
"""
QUERIES = {
    "rows": BATCH,
    "paths": LEAN_BATCH,
    "status": "mutation ($parts: [PartInput!]!, $dryRun: Boolean! = false) { batch(parts: $parts, dryRun: $dryRun) { status } }",
}

Parts = list[dict[str, Any]]
Work = Callable[[Api, range], Parts]


@dataclass
class Statements:
    """The statements that are sent, each by its verb and its table."""

    sent: list[str] = field(default_factory=list)

    def of(self, api: Api, query: str, parts: Parts) -> list[str]:
        """Run a batch that commits; give its statements."""
        self.sent.clear()
        answer = api.post(query, {"parts": parts})
        assert answer["data"]["batch"]["status"] == "COMMITTED", answer
        return [*self.sent]


def kind_of(sql: str) -> str:
    """Say what a statement does, in short.

    >>> kind_of('SELECT "id" FROM "employee" WHERE "id" = ANY(%s::integer[]) ORDER BY "id" FOR NO KEY UPDATE')
    'SELECT employee FOR NO KEY UPDATE'
    """
    made = re.match(r"SELECT (nextval|max)\(", sql)
    table = re.search(r'(?:FROM|INTO|UPDATE|UPDATE OR ABORT) ["`](\w+)["`]', sql)
    lock = re.search(r"FOR (?:NO )?(?:KEY )?(?:UPDATE|SHARE) *$", sql)
    verb = sql.removeprefix("WITH written AS (").split(maxsplit=1)[0]
    words = [verb, made[1] if made else table[1] if table else "", lock[0].strip() if lock else ""]
    return " ".join(word for word in words if word)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Every statement from now on."""
    found = Statements()
    execute, execute_bulk, commit = Transaction.execute, Transaction.execute_bulk, Transaction.commit

    def watched_execute(transaction: Transaction, statement: Any) -> Result:
        found.sent.append(kind_of(statement.sql))
        return execute(transaction, statement)

    def watched_bulk(transaction: Transaction, bulk: BulkStatement) -> int:
        if bulk.each:  # else it goes through `execute`
            found.sent.append(kind_of(bulk.sql))
        return execute_bulk(transaction, bulk)

    def watched_commit(transaction: Transaction) -> None:
        found.sent.append("COMMIT")
        commit(transaction)

    monkeypatch.setattr(Transaction, "execute", watched_execute)
    monkeypatch.setattr(Transaction, "execute_bulk", watched_bulk)
    monkeypatch.setattr(Transaction, "commit", watched_commit)
    return found


@pytest.fixture(params=[True, False], ids=["with a version", "without"])
def company(request: pytest.FixtureRequest, backend: Backend, start: Serve) -> Api:
    """Departments and employees; with a version, a counter is their etag, else the hash of all that they are."""
    rows = ", ".join(f"({n}, {1 + n % 2}, 's{n}@example.org', 'S{n}', {n})" for n in range(1, FEW + MANY + 1))
    backend.run(f"{SCRIPT};\nINSERT INTO employee (id, department_id, email, name, salary) VALUES {rows}")
    if backend.kind == "postgresql":
        backend.run("SELECT setval('department_id_seq', 2), setval('employee_id_seq', 10000)")
    return start(backend, resources={"employee": {"version": "version"}} if request.param else {})


def employee(number: int) -> dict[str, Any]:
    return {
        "departmentId": 1 + number % 2,
        "email": f"e{number}@example.org",
        "name": f"E{number}",
        "salary": number,
    }


def creates(api: Api, numbers: range) -> Parts:
    """W1."""
    return [part(f"p{n}", "CREATE", "/employees", employee(n)) for n in numbers]


def updates(api: Api, numbers: range) -> Parts:
    """W2: one attribute, half of them as their etags allow."""
    found = api.query(f"{{ employees(first: 1000, offset: {numbers[0] - 1}) {{ nodes {{ path etag }} }} }}")
    etags = {node["path"]: node["etag"] for node in found["employees"]["nodes"]}
    paths = [f"/employees/{n}" for n in numbers]
    return [
        part(f"p{n}", "UPDATE", path, {"salary": n}, **({"ifMatch": [etags[path]]} if n % 2 else {}))
        for n, path in zip(numbers, paths, strict=True)
    ]


def changes(api: Api, numbers: range) -> Parts:
    """W3: creates, updates and deletes, interleaved 2:2:1."""
    parts: Parts = []
    for n in numbers:
        match n % 5:
            case 0 | 2:
                parts.append(part(f"p{n}", "CREATE", "/employees", employee(n)))
            case 1 | 3:
                parts.append(part(f"p{n}", "UPDATE", f"/employees/{n}", {"salary": n}))
            case _:
                parts.append(part(f"p{n}", "DELETE", f"/employees/{n}"))
    return parts


def families(api: Api, numbers: range) -> Parts:
    """New departments, each with three new employees: a tenth as many departments as other works have parts."""
    parts: Parts = []
    for n in numbers[: max(FEW, len(numbers) // 10)]:
        parts.append(part(f"d{n}", "CREATE", "/departments", {"code": f"n{n}", "name": "New"}))
        parts += [
            part(f"e{n}{who}", "CREATE", f"/departments/$d{n}/employees", {"name": who, "email": f"{who}{n}"})
            for who in "abc"
        ]
    return parts


# What each kind of work sends: on PostgreSQL, and where it is otherwise on SQLite, which has no locks of rows. Lines with
# a mark are sent only if the answer asks for it: (keys) for paths or rows, (unknown) for rows of which not
# all is known: the database gives a new employee a version of 1, unless that is its etag, which we count; (hashed) if etags
# are made of all that the rows are: versions are compared by SQLite's UPDATE itself; (rows) for changed rows, which SQLite
# reads by a statement of its own; (guarded) for those under a precondition, which are updated apart.
SENT: Mapping[str, tuple[Work, Mapping[str, str]]] = {
    "creates": (
        creates,
        {
            "postgresql": """
            BEGIN
            SELECT department FOR KEY SHARE
            SELECT nextval                       (keys)
            SAVEPOINT
            INSERT employee
            SELECT employee                      (unknown)
            COMMIT""",
            "sqlite": """
            BEGIN
            SELECT max                           (keys)
            SAVEPOINT
            INSERT employee
            SELECT employee                      (unknown)
            COMMIT""",
        },
    ),
    "updates": (
        updates,
        {
            "postgresql": """
            BEGIN
            SELECT employee FOR NO KEY UPDATE
            SAVEPOINT
            UPDATE employee
            COMMIT""",
            "sqlite": """
            BEGIN
            SELECT employee                      (hashed)
            SAVEPOINT
            UPDATE employee
            SELECT employee                      (rows)
            UPDATE employee                      (guarded)
            SELECT employee                      (guarded)
            COMMIT""",
        },
    ),
    "changes": (
        changes,
        {
            "postgresql": """
            BEGIN
            SELECT department FOR KEY SHARE
            SELECT employee FOR UPDATE
            SELECT nextval                       (keys)
            SAVEPOINT
            UPDATE employee
            INSERT employee
            SELECT employee                      (unknown)
            DELETE employee
            COMMIT""",
            "sqlite": """
            BEGIN
            SELECT max
            SAVEPOINT
            UPDATE employee
            SELECT employee                      (rows)
            INSERT employee
            SELECT employee                      (unknown)
            DELETE employee
            COMMIT""",
        },
    ),
    "families": (
        families,
        {
            "postgresql": """
            BEGIN
            SAVEPOINT
            SELECT nextval
            SELECT nextval
            INSERT department
            INSERT employee
            SELECT employee                      (unknown)
            COMMIT""",
            "sqlite": """
            BEGIN
            SAVEPOINT
            SELECT max
            SELECT max
            INSERT department
            INSERT employee
            SELECT employee                      (unknown)
            COMMIT""",
        },
    ),
}


def expected(text: str, query: str, *, has_version: bool) -> list[str]:
    asked = {
        "keys": query != "status",
        "unknown": query == "rows" and not has_version,
        "hashed": not has_version,
        "rows": query == "rows",
        "guarded": query == "rows" and has_version,
    }
    lines = [re.fullmatch(r" *(.*?) *(?:\((\w+)\))?", line) for line in text.strip().splitlines()]
    return [line[1] for line in lines if line and asked.get(line[2], True)]


def in_one(statements: list[str], kind: str) -> list[str]:
    """Count SQLite's writes of many rows, which follow one another, as one."""
    if kind == "postgresql":
        return statements
    writes = ("INSERT", "UPDATE")
    return [each for found, group in groupby(statements) for each in ([found] if found.startswith(writes) else group)]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("work", SENT)
def test_a_large_batch_takes_the_statements_of_a_small_one(
    company: Api, backend: Backend, statements: Statements, work: str, query: str
):
    parts_of, texts = SENT[work]
    has_version = company.service.engine.catalog.resources["Employee"].version is not None
    wanted = expected(texts[backend.kind], query, has_version=has_version)

    few, many = (
        statements.of(company, QUERIES[query], parts_of(company, numbers))
        for numbers in (range(1, FEW + 1), range(FEW + 1, FEW + MANY + 1))
    )

    assert in_one(few, backend.kind) == wanted
    assert in_one(many, backend.kind) == wanted
    assert len(many) <= len(wanted) + MANY // ROWS_OF_INSERT


@pytest.mark.parametrize("work", ["creates", "changes"])
def test_a_key_costs_three_statements_and_a_replay_two(
    company: Api, backend: Backend, statements: Statements, work: str
):
    parts_of, texts = SENT[work]
    has_version = company.service.engine.catalog.resources["Employee"].version is not None
    wanted = expected(texts[backend.kind], "rows", has_version=has_version)
    wanted[1:1] = ["INSERT partwise_receipt", "DELETE partwise_receipt"]
    wanted[-1:-1] = ["UPDATE partwise_receipt"]

    def sent(parts: Parts, key: str) -> list[str]:
        statements.sent.clear()
        assert company.post(KEYED, {"parts": parts, "key": key})["data"]["batch"]["status"] == "COMMITTED"
        return in_one([*statements.sent], backend.kind)

    sent([part("p", "GET", "/departments/1")], "made")  # from now on the table is there
    for key, numbers in (("few", range(1, FEW + 1)), ("many", range(FEW + 1, FEW + MANY + 1))):
        parts = parts_of(company, numbers)
        assert sent(parts, key) == wanted
        assert sent(parts, key) == ["BEGIN", "INSERT partwise_receipt", "SELECT partwise_receipt"]


def test_a_unique_attribute_that_is_set_by_reference_needs_the_stronger_lock(
    postgresql: Backend, start: Serve, statements: Statements
):
    """As if its value were in the payload: others may refer to the value that it has (docs/engine.md, section 5)."""
    postgresql.run("""
      CREATE TABLE seat (id {key}, label TEXT);
      CREATE TABLE guest (id {key}, seat_id INTEGER UNIQUE REFERENCES seat (id), name TEXT);
      INSERT INTO guest (id, name) VALUES (1, 'A')
    """)
    api = start(postgresql)
    seat = part("s", "CREATE", "/seats/7", {"label": "S"})
    reference = {"references": [{"attribute": "seatId", "part": "s"}]}

    sent = statements.of(api, LEAN_BATCH, [seat, part("g", "UPDATE", "/guests/1", {"name": "B"}, **reference)])

    assert "SELECT guest FOR UPDATE" in sent, sent
    assert postgresql.rows("SELECT seat_id, name FROM guest") == [(7, "B")]
