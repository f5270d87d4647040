"""Who may import whom (ARCHITECTURE.md): the rooms import downwards, and outside libraries stay in their rooms."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("schema", "resolvers", "storage", "partwise")

# The floors of each package, from the ground: a module imports from floors below its own, and from its own room. ARCHITECTURE.md has
# the same lines.
FLOORS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "": (("storage",), ("schema",), ("resolvers",), ("partwise",)),
    "storage": (
        ("errors", "log", "deadline", "any_values", "json_pieces"),
        ("allowance", "catalog"),
        ("json_text",),
        ("sql",),
        ("connections",),
        ("session",),
        ("rows",),
        ("batch", "reading"),
    ),
    "storage.batch": (("plan",), ("diagnosis", "idempotency"), ("conflicts",), ("execution",)),
    "resolvers": (("documents",), ("binding",), ("results",), ("execution",), ("compiled",), ("schema_builder",)),
    "partwise": (
        ("settings", "spellings", "schema_diff", "examples", "workers"),
        ("persisted", "sdl", "service", "describe", "example"),
        ("server",),
        ("processes",),
        ("commands",),
        ("cli",),
    ),
}
# Rooms that may use less than what is below them.
USES_ONLY = {
    "schema": ("storage.catalog", "storage.errors"),
    "storage.json_text": ("storage.catalog", "storage.json_pieces"),
    "storage.sql": ("storage.catalog", "storage.json_text", "storage.any_values"),
    "storage.catalog": ("storage.errors", "storage.log"),
}

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
    "storage.sql",
    "storage.catalog.reflection",
    "storage.catalog.sqlite_facts",
    "storage.catalog.postgresql_facts",
    "storage.catalog.postgresql_families",
    "storage.catalog.postgresql_rules",
    "storage.connections.control",
    "storage.connections.database",
    "storage.connections.sessions",
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


def _uses(module: str) -> set[str]:
    """Name the modules of ours that a module imports."""
    return {name for name in _imports(module, FILES[module]) if name.partition(".")[0] in ROOMS} - {module, "partwise"}


def _floor(package: str, module: str) -> int | None:
    """Return the floor of a package on which a module is; None if it is not in the package."""
    if package and not module.startswith(package + "."):
        return None
    name = _room(package, module)
    if name == "__main__":
        return len(FLOORS[package])
    return next((number for number, names in enumerate(FLOORS[package]) if name in names), -1)


def _room(package: str, module: str) -> str:
    return module.removeprefix(package + ".").partition(".")[0]


@pytest.mark.parametrize("package", FLOORS)
def test_every_module_has_its_floor(package: str):
    assert [module for module in FILES if _floor(package, module) == -1] == []


@pytest.mark.parametrize("package", FLOORS)
def test_imports_go_downwards(package: str):
    upwards = [
        f"{module} imports {name}"
        for module in FILES
        for name in _uses(module)
        if (here := _floor(package, module)) is not None
        and (there := _floor(package, name)) is not None
        and _room(package, module) != _room(package, name)
        and here <= there
    ]

    assert upwards == []


@pytest.mark.parametrize("room", USES_ONLY)
def test_a_room_uses_only_what_it_needs(room: str):
    others = [
        f"{module} imports {name}"
        for module in FILES
        if _is_in(module, (room,))
        for name in _uses(module)
        if not _is_in(name, (room, *USES_ONLY[room]))
    ]

    assert others == []


def test_no_module_hides_one_of_pythons():
    """In a wheel, the folder `partwise` is first on the path, so that each module in it is a top-level name."""
    ours = {*ROOMS, *(path.stem for path in (ROOT / "partwise").iterdir() if path.suffix == ".py" or path.is_dir())}

    assert ours & (sys.stdlib_module_names - {"__main__"}) == set()


def test_no_modules_import_each_other_in_a_circle():
    graphlib.TopologicalSorter({module: _uses(module) for module in FILES}).prepare()  # raises CycleError


@pytest.mark.parametrize("package", [package for package in FLOORS if package])
def test_the_map_has_the_same_floors(package: str):
    floors = " < ".join(", ".join(floor) for floor in FLOORS[package])

    assert f"\n{package}: {floors}\n" in (ROOT / "ARCHITECTURE.md").read_text()


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


# Who calls what: a statement is built where SQL is written, a session is opened in one place, and so on.
MADE_ONLY_IN = {
    "Statement": ("storage.sql.sources",),
    "BulkStatement": ("storage.sql.sources",),
    "Writing": ("storage.sql.common",),
    "Control": ("storage.connections",),
    "Session": ("storage.batch.execution.run",),
    "RowReader": ("storage.batch.execution.run", "resolvers", "partwise.describe"),
    "Rows": ("storage.batch.execution.run",),
}


@pytest.mark.parametrize("name", MADE_ONLY_IN)
def test_what_has_one_place_is_made_there(name: str):
    makers = {module for module, path in FILES.items() if name in _calls(path)}

    assert makers
    assert [module for module in makers if not _is_in(module, MADE_ONLY_IN[name])] == []


def _calls(path: Path) -> set[str]:
    """Return the names of ours that are called in a module."""
    nodes = [*ast.walk(ast.parse(path.read_text()))]
    imports = (each for each in nodes if isinstance(each, ast.ImportFrom))
    foreign = {alias.name for each in imports if not str(each.module).startswith("storage") for alias in each.names}
    calls = (each.func for each in nodes if isinstance(each, ast.Call))
    return {each.id for each in calls if isinstance(each, ast.Name)} - foreign


def test_the_search_for_sql_finds_the_sql_that_there_is():
    assert any(_looks_like_sql(text) for text in _texts(FILES["storage.sql.common"]))
    assert any(_looks_like_sql(text) for text in _texts(FILES["storage.connections.database"]))


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
