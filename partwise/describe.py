"""The output of `partwise check`: the catalog as text, and the values that cannot be read."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from partwise.spellings import count_spellings
from resolvers.results.readability import unreadable_values
from resolvers.results.resources_query import describe
from schema.resources import ResourceAttribute
from schema.scalars import scalar_name
from storage.allowance import Allowance
from storage.batch.execution.run import Engine
from storage.catalog.model import Catalog, Resource
from storage.catalog.types import TimeFormat
from storage.rows.doubts import why_unread
from storage.rows.reader import RowReader
from storage.rows.row import RowPage
from storage.sql import Window, total_order

_ROWS = 5_000  # rows read at a time
_MANY = 1 << 62  # rows; more than any table has
_SAVEPOINT = "resource"
_LABEL = 13  # characters of a line before its text


def describe_catalog(catalog: Catalog) -> str:
    """Describe all resources, and what is skipped or read-only and why."""
    described = {each.name: each.attributes for each in describe(catalog, scalar_name)}
    lines = [line for resource in catalog.resources.values() for line in _describe(resource, described[resource.name])]
    if catalog.notices:
        lines += ["Notes:", *(f"  {notice}" for notice in catalog.notices)]
    return "\n".join(lines).rstrip()


def _describe_grouping(resource: Resource) -> Iterator[str]:
    """Describe if similar parts run in one statement, or why not."""
    if resource.unbatchable_reasons:
        yield f"  batches    one by one: {'; '.join(resource.unbatchable_reasons)}"
        return
    yield "  batches    grouped: similar parts run in one statement"
    if resource.delete_cascades:
        yield "             DELETE runs alone because it deletes or changes items that refer to it (ON DELETE)"
    if resource.cascading_attributes:
        names = ", ".join(sorted(resource.cascading_attributes))
        yield f"             a change of {names} runs alone because it changes items that refer to it (ON UPDATE)"


def describe_values(engine: Engine) -> tuple[str, bool]:
    """Read every row of all resources in one snapshot, and report the values that cannot be read.

    Returns the report, and True if there are such values. Dates and times in another spelling are counted separately:
    they can be read, but comparisons may not find them.
    """
    return engine.database.run_again(partial(_describe_values, engine))


def _describe_values(engine: Engine) -> tuple[str, bool]:
    lines: list[str] = []
    spelled: list[str] = []
    count = 0
    with engine.database.read() as transaction:
        transaction.allowance = Allowance()  # all rows are read, but none is part of a response
        rows = RowReader(engine.session(transaction))
        for resource in engine.catalog.resources.values():
            survey = _Survey()
            refused = transaction.attempt(_SAVEPOINT, partial(survey.read, rows, resource))
            if refused is not None:
                lines.append(f"  {resource.name}  {why_unread(rows, refused, [resource], resource)}")
            lines += [
                f"  {resource.name}.{name}  {_values(n)}: {why}" for (name, why), n in sorted(survey.unreadable.items())
            ]
            spelled += [f"  {resource.name}.{name}  {_values(n)}" for name, n in sorted(survey.spelled.items())]
            count += survey.rows
    rows_read = f"{count} {'row' if count == 1 else 'rows'}"
    said = [f"Values that cannot be read, in {rows_read}:", *lines]
    if not lines:
        said = [f"All values in {rows_read} can be read."]
    if spelled:
        said += ["Dates and times in another spelling, which filters and orders can miss (set their format):", *spelled]
    return "\n".join(said), bool(lines)


@dataclass(slots=True)
class _Survey:
    """The values of a resource that cannot be read or have another spelling, in the rows that were read."""

    unreadable: Counter[tuple[str, str]] = field(default_factory=Counter)
    spelled: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def read(self, rows: RowReader, resource: Resource) -> None:
        """Read all rows, and count them and their values."""
        for page in _pages(rows, resource):
            self.unreadable += unreadable_values(resource, page.rows)
            self.spelled += count_spellings(rows, resource, page.rows)
            self.rows += len(page.rows)


def _pages(rows: RowReader, resource: Resource) -> Iterator[RowPage]:
    """Read all rows in pages, in the order of the key. Without a key there is no order, so all rows are one page."""
    sorts, limit = total_order((), resource), _ROWS if resource.key else _MANY
    has_more, offset = True, 0
    while has_more:
        page = rows.page_as_stored(resource, Window(sorts=sorts, limit=limit, offset=offset))
        yield page
        has_more, offset = page.has_more, offset + _ROWS


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _describe_attributes(resource: Resource, attributes: Sequence[ResourceAttribute]) -> Iterator[str]:
    """Describe the type of each attribute (with ! if it is never null) and what a CREATE must observe."""
    types = [
        f"{'enum' if each.enum and each.type == 'String' else each.type}{'' if each.nullable else '!'}"
        for each in attributes
    ]
    names = max(len(each.name) for each in attributes)
    for number, (each, type_) in enumerate(zip(attributes, types, strict=True)):
        label = "" if number else "attributes"
        notes = ", ".join(_notes(resource, each))
        yield f"  {label:{_LABEL - 2}}{each.name:{names}}  {type_:{max(map(len, types))}}  {notes}".rstrip()


def _notes(resource: Resource, described: ResourceAttribute) -> Iterator[str]:
    attribute = resource.attributes[described.name]
    if described.enum:
        yield f"one of {', '.join(described.enum)}"
    if described.time_zone is not None:
        yield "with a time zone" if described.time_zone else "without a time zone"
    if attribute.format is not TimeFormat.ISO:
        yield f"stored as {attribute.format.value}"
    if not resource.writable:
        return
    if described.generated:
        is_ours = attribute.default is not None or attribute.name == resource.version
        maker = "the server" if is_ours else "the database"
        yield f"generated by {maker}" if described.read_only else f"generated by {maker} if omitted"
    elif described.read_only:
        yield "read only"
    elif described.default is not None:
        yield f"default {json.dumps(described.default, ensure_ascii=False)}"
    if described.required:
        yield "required"


def _access(resource: Resource) -> str:
    if not resource.writable:
        return "read only"
    may = {"create": resource.can_create, "update": resource.can_update, "delete": resource.can_delete}
    return "read and write" if all(may.values()) else ", ".join(["read", *(each for each, can in may.items() if can)])


def _describe(resource: Resource, attributes: Sequence[ResourceAttribute]) -> Iterator[str]:
    access = _access(resource)
    yield f"{resource.name}  /{resource.collection}  (table {resource.table}, {access})"
    yield f"  key        {', '.join(resource.key) or 'none: it can only be read as a whole'}"
    for unique in resource.unique_keys:
        yield f"  unique     {', '.join(unique.attributes)}"
    if resource.key:
        yield f"  etag       {f'version {resource.version}' if resource.version else 'hash of the content'}"
    if resource.writable:
        yield from _describe_grouping(resource)
    for relation in resource.relations.values():
        yield f"  relation   {relation.name} -> {'many' if relation.many else 'one'} {relation.target}"
    yield from _describe_attributes(resource, attributes)
    yield ""
