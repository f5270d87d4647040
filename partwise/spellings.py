"""Finds columns whose dates and times are not in the spelling that filters and orders compare (SQLite)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from storage.batch.execution.run import Engine
from storage.catalog.model import Attribute, Resource
from storage.catalog.types import Date, DateTime, Time, TimeFormat
from storage.connections.driver_errors import Retry, StatementRefused
from storage.errors import RequestError
from storage.rows.reader import RowReader
from storage.rows.row import Row
from storage.sql import Sql

_ROWS = 100  # rows of each table that are examined
_VIEW_SECONDS = 0.2  # timeout for the rows of a view, which may have to be computed


def spelling_notices(engine: Engine) -> tuple[str, ...]:
    """Read the first rows of each table and view; return a notice for each column that needs the setting `format`."""
    if engine.database.dialect != "sqlite":
        return ()
    return tuple(notice for resource in engine.catalog.resources.values() for notice in _notices(engine, resource))


def _notices(engine: Engine, resource: Resource) -> Iterator[str]:
    compared = [each for each in resource.attributes.values() if _compares_text(each)]
    if not compared:
        return
    try:
        read = partial(engine.database.read_inline, _VIEW_SECONDS) if resource.is_view else engine.database.read
        with read() as transaction:
            statements = engine.session(transaction).statements
            names = [each.name for each in compared]
            select = statements.select(resource, Sql("1 = 1"), attributes=names, most=_ROWS)
            rows = transaction.read(select).rows
    except (RequestError, StatementRefused, Retry):  # requests report the error; `check --values` reads all rows
        return
    for place, attribute in enumerate(compared):
        found = {type(row[place]) for row in rows if statements.is_spelled_otherwise(attribute, row[place])}
        if found:
            yield _notice(resource, attribute, has_text=str in found, has_numbers=bool(found - {str}))


def count_spellings(reader: RowReader, resource: Resource, rows: Iterable[Row]) -> Counter[str]:
    """Count the values in another spelling, by attribute."""
    is_spelled_otherwise = reader.statements.is_spelled_otherwise
    compared = [(place, each) for place, each in enumerate(resource.attributes.values()) if _compares_text(each)]
    return Counter(each.name for row in rows for place, each in compared if is_spelled_otherwise(each, row.raw[place]))


def _compares_text(attribute: Attribute) -> bool:
    return isinstance(attribute.type, Date | Time | DateTime) and attribute.format is TimeFormat.ISO


def _notice(resource: Resource, attribute: Attribute, *, has_text: bool, has_numbers: bool) -> str:
    formats = '"mixed"' if has_text else '"unix" (seconds) or "unix_ms" (milliseconds)'
    what = "numbers and text" if has_text and has_numbers else "numbers" if has_numbers else "text"
    place = f"[resources.{_key(resource.table)}.attributes.{_key(attribute.column)}]"
    return (
        f"{resource.name}: {attribute.name} contains dates or times in another spelling ({what}). Filters and orders "
        f"compare them as they are stored. Set format = {formats} in {place}."
    )


def _key(name: str) -> str:
    """Return a name as a TOML key, quoted if needed."""
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
