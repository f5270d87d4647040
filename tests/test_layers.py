"""Who may import whom (ARCHITECTURE.md): the rooms import downwards, and outside libraries stay in their rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("schema", "resolvers", "storage", "partwise")

# What a module may import of ours: the prefixes of the module's own name -> the prefixes of what it may import.
# The longest prefix that fits a module decides.
MAY_IMPORT = {
    "partwise": ("partwise", "resolvers", "schema", "storage"),
    "resolvers": ("resolvers", "schema", "storage"),
    "schema": ("schema", "storage.catalog", "storage.errors"),
    "storage": ("storage",),
    "storage.errors": (),
    "storage.log": (),
    "storage.deadline": (),
    "storage.watchdog": (),
    "storage.catalog": ("storage.catalog", "storage.errors"),
    "storage.allowance": ("storage.errors",),
    "storage.json_text": ("storage.catalog",),
    "storage.any_values": (),
    "storage.etags": ("storage.catalog",),
    "storage.statements": ("storage.statements", "storage.catalog", "storage.json_text", "storage.any_values"),
    "storage.driver_errors": ("storage.errors",),
    "storage.sessions": (),
    "storage.prepared_names": (),
    "storage.preparing": ("storage.prepared_names",),
    "storage.database_file": ("storage.errors",),
    "storage.transaction": (
        *("storage.database_file", "storage.driver_errors", "storage.preparing", "storage.watchdog"),
        "storage.allowance",
        *("storage.statements", "storage.catalog", "storage.errors"),
    ),
    "storage.database": (
        "storage.transaction",
        "storage.watchdog",
        "storage.deadline",
        "storage.database_file",
        "storage.preparing",
        "storage.sessions",
        "storage.driver_errors",
        "storage.statements",
        "storage.catalog",
        "storage.errors",
    ),
    "storage.row": ("storage.statements", "storage.catalog"),
    "storage.json_columns": ("storage.allowance", "storage.transaction", "storage.statements", "storage.catalog"),
    "storage.row_reader": (
        *("storage.row", "storage.json_columns", "storage.transaction"),
        *("storage.statements", "storage.database", "storage.driver_errors"),
        *("storage.etags", "storage.catalog"),
    ),
    "storage.rows": (
        "storage.allowance",
        *("storage.row_reader", "storage.row", "storage.json_columns", "storage.transaction"),
        *("storage.statements", "storage.driver_errors", "storage.catalog"),
    ),
    "storage.doubts": (
        *("storage.row_reader", "storage.statements", "storage.driver_errors", "storage.catalog", "storage.errors"),
    ),
    "storage.addresses": ("storage.row", "storage.statements", "storage.catalog"),
    "storage.reading": (
        *("storage.reading", "storage.addresses", "storage.row", "storage.json_columns", "storage.row_reader"),
        *("storage.statements", "storage.database", "storage.etags", "storage.catalog", "storage.errors"),
        "storage.allowance",
    ),
    "storage.batch": (
        "storage.allowance",
        *("storage.batch", "storage.addresses", "storage.row", "storage.rows", "storage.statements"),
        *("storage.doubts", "storage.driver_errors", "storage.transaction", "storage.json_text", "storage.any_values"),
        *("storage.database", "storage.deadline", "storage.etags", "storage.catalog", "storage.errors"),
    ),
}

EVERYWHERE = ("storage.log",)  # every room may log

# Inside storage.batch, downwards only: what comes later may import what comes earlier.
BATCH_ORDER = (
    *(
        "operations",
        "blocks",
        "cascading_errors",
        "rules",
        "schedule",
        "access_sets",
        "keys",
        "locks",
        "independence",
        "outcomes",
        "receipts",
        "contended",
    ),
    *("diagnosis", "decisions", "overlay"),
    *("deferred", "failed_parts", "sequential", "late", "bisection", "grouped", "bulk", "run"),
)

# Libraries that stay in their rooms. An example's models are SQLModel classes, as a user's are.
LIBRARIES = {
    "sqlalchemy": ("storage", "partwise"),
    "sqlmodel": ("storage", "partwise"),
    "psycopg": ("storage", "partwise"),
    "sqlite3": ("storage", "partwise"),
    "strawberry": ("schema", "resolvers", "partwise"),
    "graphql": ("schema", "resolvers", "partwise"),
    "starlette": ("partwise",),
    "uvicorn": ("partwise",),
    "typer": ("partwise",),
}

MAY_WRITE_SQL = (
    "storage.statements",
    "storage.catalog.reflection",
    "storage.catalog.sqlite_facts",
    "storage.catalog.postgresql_facts",
    "storage.catalog.postgresql_families",
    "storage.catalog.postgresql_rules",
    "storage.transaction",
    "storage.database",
    "storage.sessions",
)
# How a statement begins. Prose that only begins with such a word has no second one of them.
SQL = (
    *("SELECT ", "INSERT INTO", "INSERT OR", "UPDATE OR", "DELETE FROM", "CREATE TABLE", "ALTER TABLE", "DROP TABLE"),
    *(
        "PRAGMA ",
        "BEGIN ISOLATION",
        "BEGIN IMMEDIATE",
        "SAVEPOINT ",
        "RELEASE SAVEPOINT",
        "ROLLBACK TO",
        "SET CONSTRAINTS",
    ),
)


def _files() -> Iterator[tuple[str, Path]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


FILES = dict(_files())


def _imports(module: str, path: Path) -> Iterator[str]:
    """List every module that a file imports, those inside functions too; `from a import b` as `a.b` where b is one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in FILES else str(node.module)


def _is_in(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def _rule(module: str) -> tuple[str, ...]:
    return MAY_IMPORT[max((prefix for prefix in MAY_IMPORT if _is_in(module, (prefix,))), key=len)]


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_what_its_place_allows(module: str):
    ours = [name for name in _imports(module, FILES[module]) if name.partition(".")[0] in ROOMS]

    assert [name for name in ours if not _is_in(name, (*_rule(module), *EVERYWHERE))] == []


def test_inside_the_batch_imports_go_downwards():
    places = {f"storage.batch.{name}": place for place, name in enumerate(BATCH_ORDER)}
    modules = {module: path for module, path in FILES.items() if module.startswith("storage.batch.")}
    assert set(modules) <= set(places), "give each new module its place in BATCH_ORDER"

    upwards = [
        f"{module} imports {name}"
        for module, path in modules.items()
        for name in _imports(module, path)
        if name in places and places[name] >= places[module]
    ]

    assert upwards == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_stays_in_its_rooms(library: str):
    outside = [
        module
        for module, path in FILES.items()
        if not _is_in(module, LIBRARIES[library]) and any(_is_in(name, (library,)) for name in _imports(module, path))
    ]

    assert outside == []


def _docstrings(tree: ast.Module) -> set[int]:
    """Name the strings that are documentation: an expression of their own."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _texts(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    documentation = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def _looks_like_sql(text: str) -> bool:
    return text.lstrip().startswith(SQL)


def test_sql_is_written_in_one_place():
    elsewhere = [
        f"{module}: {text}"
        for module, path in FILES.items()
        if not _is_in(module, MAY_WRITE_SQL) and not module.startswith("partwise.examples")
        for text in _texts(path)
        if _looks_like_sql(text)
    ]

    assert elsewhere == []


def test_the_search_for_sql_finds_the_sql_that_there_is():
    assert any(_looks_like_sql(text) for text in _texts(FILES["storage.statements.common"]))
    assert any(_looks_like_sql(text) for text in _texts(FILES["storage.database"]))


_WATCH = """
import sys, threading, warnings
import sqlalchemy, sqlite3, psycopg, sqlmodel
opened = []
def watch(event, arguments):
    if event in {"sqlite3.connect", "socket.connect", "subprocess.Popen"} or (
        event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        and not str(arguments[0]).endswith((".pyc", "/dev/null")) and "__pycache__" not in str(arguments[0])
    ):
        opened.append((event, str(arguments[0])))
sys.addaudithook(watch)
create_engine = sqlalchemy.create_engine
def refused(*arguments, **others):
    opened.append(("create_engine", str(arguments)))
    return create_engine(*arguments, **others)
sqlalchemy.create_engine = refused
before = threading.active_count()
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
assert threading.active_count() == before, threading.enumerate()
assert not opened, opened
print("nothing was done")
"""


def test_importing_every_module_opens_starts_and_writes_nothing(tmp_path: Path):
    modules = [module for module in FILES if not module.endswith("__main__")]

    found = subprocess.run(
        [sys.executable, "-c", _WATCH, *modules],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.stdout == "nothing was done\n", found.stderr
    assert list(tmp_path.iterdir()) == []
