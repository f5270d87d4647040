"""Databases after the shape of well-known programs: what is read is found, and written back without a byte changing."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from partwise.settings import AttributeSettings
from storage.catalog.attributes import TYPES_BY_NAME
from storage.catalog.model import Resource
from tests.conftest import Serve
from tests.real_shapes import anki, calibre, chromium, firefox, musicbrainz, pagila, wagtail, zotero
from tests.real_shapes.shape import Shape
from tests.support.harness import Api, Backend, Json, part

pytestmark = pytest.mark.costly

SHAPES: Mapping[str, Shape] = {
    name: shape
    for module in (firefox, chromium, anki, calibre, zotero, wagtail, pagila, musicbrainz)
    for name, shape in module.SHAPES.items()
}
PAGE = 100


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


@pytest.fixture
def file(shape: Shape, request: pytest.FixtureRequest) -> Backend:
    """The database of the shape."""
    backend: Backend = request.getfixturevalue(shape.kind)
    if shape.kind == "postgresql":
        backend.run(shape.script)
        return backend
    connection = sqlite3.connect(Path(sa.make_url(backend.url).database or ""))
    shape.prepare(connection)
    connection.executescript(shape.script)
    connection.commit()
    connection.close()
    return backend


@pytest.fixture
def api(shape: Shape, file: Backend, start: Serve) -> Api:
    return start(file, resources=_settings(shape))


def _settings(shape: Shape) -> dict[str, Any]:
    """Write what the operator sets."""
    found = {
        table: {"attributes": {column: own for column, each in columns.items() if (own := _known(each))}}
        for table, columns in shape.columns.items()
    }
    return {table: each for table, each in found.items() if each["attributes"]}


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in settings.items()
        if key in AttributeSettings.model_fields and (key != "type" or value in TYPES_BY_NAME)
    }


class Bytes:
    """What the database has, as it writes it itself."""

    def __init__(self, backend: Backend, shape: Shape) -> None:
        self._engine = backend.engine()
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self.tables = self._tables(backend.kind)
        self._statements = {
            table: self._statement(backend.kind, table, columns, shape)
            for table, columns in self.tables.items()
            if table not in shape.not_served  # by another program's means, if at all
        }

    def _tables(self, kind: str) -> dict[str, list[str]]:
        """List tables and views with their columns."""
        if kind == "postgresql":
            sql = (
                "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped"
                " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') ORDER BY relname, attnum"
            )
            found: dict[str, list[str]] = {}
            for table, column in self._rows(sql):
                found.setdefault(table, []).append(column)
            return found
        names = self._rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'")
        return {name: self._columns(name) for (name,) in names}

    def _columns(self, table: str) -> list[str]:
        try:
            return [row[1] for row in self._rows(f'PRAGMA table_info("{table}")')]
        except sa.exc.OperationalError:  # of a virtual table that cannot be opened
            return []

    def _statement(self, kind: str, table: str, columns: Sequence[str], shape: Shape) -> str:
        if kind == "postgresql":
            texts = [f'"{each}"::text' for each in columns if f"{table}.{each}" not in shape.stamped]
            return f'SELECT {", ".join(texts)} FROM "{table}"'
        texts = [f"typeof(`{each}`) || quote(`{each}`)" for each in columns]
        return f'SELECT {", ".join(texts)} FROM "{table}" NOT INDEXED'

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._connection.exec_driver_sql(sql.replace("%", "%%"))]

    def __call__(self) -> dict[str, list[str]]:
        """Read every row of every table as text: on SQLite with the storage class of each value."""
        return {table: sorted(map(repr, self._rows(sql))) for table, sql in self._statements.items()}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()


@pytest.fixture
def bytes_of(file: Backend, shape: Shape) -> Iterator[Bytes]:
    found = Bytes(file, shape)
    yield found
    found.close()


def resources_of(api: Api) -> Iterator[Resource]:
    yield from api.service.engine.catalog.resources.values()


def read(api: Api, resource: Resource) -> list[Json]:
    """Read all items, with their paths and etags where they have any."""
    own = " ".join([*(["path", "etag"] if resource.key else []), *resource.attributes])
    answer = post(api, f"{{ {resource.collection}(first: {PAGE}) {{ nodes {{ {own} }} }} }}")
    assert "errors" not in answer, (resource.name, answer["errors"])
    nodes: list[Json] = answer["data"][resource.collection]["nodes"]
    return nodes


def operators(api: Api) -> dict[str, set[str]]:
    """Say which operators each filter type has."""
    said = api.query("{ __schema { types { name inputFields { name type { name } } } } }")["__schema"]["types"]
    fields = {each["name"]: {own["name"]: own["type"]["name"] for own in each["inputFields"] or ()} for each in said}
    return {
        f"{resource.name}.{name}": set(fields[fields[f"{resource.name}Filter"][name]])
        for resource in resources_of(api)
        for name in resource.attributes
        if name in fields[f"{resource.name}Filter"]
    }


def same(one: Json, other: Json, resource: Resource) -> bool:
    """Return True if two items are the same, by key; by all that they have where there is none."""
    return all(one[name] == other[name] for name in resource.key or resource.attributes)


# --- the tests


def test_every_table_is_served_but_for_those_that_cannot_be(shape: Shape, bytes_of: Bytes, api: Api):
    served = {resource.table for resource in resources_of(api)}

    partitions = {"payment_p2022_01", "payment_p2022_02", "vote_archived"}
    assert bytes_of.tables.keys() - served - partitions == shape.not_served
    views = {resource.table for resource in resources_of(api) if resource.is_view}
    assert {
        resource.table for resource in resources_of(api) if not resource.writable
    } - partitions == shape.read_only | views
    assert sum(len(read_or_none(api, resource) or ()) for resource in resources_of(api)) > 0


def read_or_none(api: Api, resource: Resource) -> list[Json] | None:
    try:
        return read(api, resource)
    except AssertionError:
        return None


def test_what_is_read_is_found(shape: Shape, api: Api):
    missed: dict[str, list[Any]] = {}
    can = operators(api)
    for resource in resources_of(api):
        for name in resource.attributes:
            place = f"{resource.table}.{resource.attributes[name].column}"
            own = " ".join(dict.fromkeys([*(resource.key or resource.attributes), name]))
            answer = post(api, f"{{ {resource.collection}(first: {PAGE}) {{ nodes {{ {own} }} }} }}")
            if "errors" in answer:
                missed.setdefault(place, []).append(answer["errors"][0]["message"])
                continue
            query = f"query ($filter: {resource.name}Filter!) {{ {resource.collection}(filter: $filter, first: {PAGE}) {{ nodes {{ {own} }} }} }}"
            for item in answer["data"][resource.collection]["nodes"]:
                operator = {"isNull": True} if item[name] is None else {"eq": item[name]}
                if place in shape.no_equality and "eq" in operator:
                    continue
                if not can.get(f"{resource.name}.{name}", set()).issuperset(operator):
                    continue
                found = post(api, query, {"filter": {name: operator}})
                if "errors" in found:
                    missed.setdefault(place, []).append(found["errors"][0]["message"])
                elif not any(same(each, item, resource) for each in found["data"][resource.collection]["nodes"]):
                    missed.setdefault(place, []).append(item[name])

    assert missed == {}


def writes_of(resource: Resource, item: Json) -> Iterator[Json]:
    """Write back what was read: each attribute by itself, all of them, and the whole item in each way there is."""
    writable = [name for name, each in resource.attributes.items() if not each.read_only]
    path = item["path"]
    for name in writable:
        yield part("p", "UPDATE", path, {name: item[name]})
    whole = {name: item[name] for name in writable}
    for operation in ("UPDATE", "REPLACE", "UPSERT"):
        yield part("p", operation, path, whole)


def test_what_is_read_is_written_back_without_a_byte_changing(shape: Shape, bytes_of: Bytes, api: Api):
    before = bytes_of()
    wrong: dict[str, list[Any]] = {}
    for resource in resources_of(api):
        items = read_or_none(api, resource)
        if items is None:
            wrong[f"{resource.table}.*"] = ["cannot be read"]
            continue
        for item in items if resource.writable else ():
            for each in writes_of(resource, item):
                what = (
                    ", ".join(resource.attributes[name].column for name in each["payload"])
                    if len(each["payload"]) == 1
                    else "*"
                )
                place = f"{resource.table}.{what}"
                refused = refusals(api, [each])
                if refused and not (may_refuse(shape, resource, each) and is_of_database(refused)):
                    wrong.setdefault(place, []).append((each["operation"], each["payload"], refused))
                if (after := bytes_of()) != before:
                    changed = {table: (before[table], after[table]) for table in after if after[table] != before[table]}
                    wrong.setdefault(place, []).append((each["operation"], each["payload"], changed))
                    before = after
        stamped = {place.partition(".")[0] for place in shape.stamped}
        if resource.writable and resource.table not in stamped:
            etags = {each["path"]: each["etag"] for each in read(api, resource)}
            if moved := [each["path"] for each in items if etags.get(each["path"]) != each["etag"]]:
                wrong[f"{resource.table}.*"] = [*wrong.get(f"{resource.table}.*", ()), "etags", *moved]

    assert wrong == {}


def test_all_that_is_read_is_written_back_in_one_batch(shape: Shape, bytes_of: Bytes, api: Api):
    before = bytes_of()
    wrong: dict[str, list[Any]] = {}
    for resource in resources_of(api):
        items = read_or_none(api, resource) if resource.writable else []
        if not items or shape.refuses.get(resource.table):
            continue
        writable = [name for name, each in resource.attributes.items() if not each.read_only]
        wholes = [{name: each[name] for name in writable} for each in items]
        for operation, is_typed in (("UPDATE", False), ("REPLACE", False), ("UPDATE", True), ("UPSERT", False)):
            parts = [
                part(f"p{n}", operation, each["path"], item={resource.field: whole})
                if is_typed
                else part(f"p{n}", operation, each["path"], whole)
                for n, (each, whole) in enumerate(zip(items, wholes, strict=True))
            ]
            if refused := refusals(api, parts):
                wrong.setdefault(f"{resource.table}.*", []).append((operation, refused))
            if (after := bytes_of()) != before:
                changed = [table for table in after if after[table] != before[table]]
                wrong.setdefault(f"{resource.table}.*", []).append((operation, "changed", changed))
                before = after

    assert wrong == {}


def post(api: Api, query: str, variables: Mapping[str, Any] | None = None) -> Json:
    """Send a request, numbers as they are written: a client that reads doubles would write others back."""
    body = text_of({"query": query, "variables": variables or {}})
    answer = api.http.post("/graphql", content=body.encode(), headers={"Content-Type": "application/json"})
    return json.loads(answer.text, parse_float=Decimal)


def text_of(value: Json) -> str:
    """Write JSON."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{text_of(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return f"[{','.join(map(text_of, value))}]"
        case Decimal():
            return str(value)
        case _:
            return json.dumps(value)


def refusals(api: Api, parts: Sequence[Json]) -> list[Any]:
    """Run a batch; give back what is wrong with it."""
    query = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status parts { id errors { code message } } } }"
    answer = post(api, query, {"parts": [*parts]})
    if "errors" in answer:
        return [each["extensions"]["code"] for each in answer["errors"]]
    result = answer["data"]["batch"]
    return [] if result["status"] == "COMMITTED" else result["parts"]


def is_of_database(refused: Sequence[Json]) -> bool:
    """Return True if all that is wrong is said to be the database's own refusal."""
    codes = [error["code"] for each in refused for error in each["errors"]]
    return bool(codes) and set(codes) == {"REFUSED_BY_DATABASE"}


def may_refuse(shape: Shape, resource: Resource, written: Json) -> bool:
    """Return True if the database lacks what the program itself gives it for such a write."""
    lacking = shape.refuses.get(resource.table, frozenset())
    columns = {resource.attributes[name].column for name in written["payload"]}
    return "*" in lacking or bool(lacking & columns) or (written["operation"] != "UPDATE" and bool(lacking))
