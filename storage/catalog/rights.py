"""The privileges of the server's role on a table (PostgreSQL).

They determine which operations are supported. Each missing privilege has a note.

https://www.postgresql.org/docs/current/ddl-priv.html
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from storage.catalog.reflected import TableFacts
from storage.catalog.resource_draft import Draft

_LISTED = 5  # tables with a note of their own; more share one note


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The operations that the server's role may run on a table."""

    create: bool = True
    update: bool = True
    delete: bool = True
    lock: bool = True


def unreadable_tables(tables: Sequence[TableFacts]) -> Iterator[str]:
    """Describe the tables and views that are not served, with the privilege that is missing."""
    many = [facts for facts in tables if not facts.rights.unread_table]
    if len(many) > _LISTED:
        listed = ", ".join(facts.name for facts in many)
        yield f'{len(many)} tables and views are not served: role "{many[0].rights.role}" has no SELECT privilege on them ({listed}).'
        tables = [facts for facts in tables if facts.rights.unread_table]
    for facts in tables:
        rights, kind, what = facts.rights, "View" if facts.is_view else "Table", "it"
        if rights.unread_table:
            what = (
                f"table {rights.unread_table}, which this security_invoker view reads with the privileges of its caller"
            )
        yield f'{kind} {facts.name} is not served: role "{rights.role}" has no SELECT privilege on {what}.'


def unreadable_columns(draft: Draft, columns: Iterable[str]) -> Iterator[str]:
    """Describe the columns that are not served, and the consequence if they are part of the key."""
    names, facts = list(columns), draft.facts
    if not names:
        return
    lacks = f'role "{facts.rights.role}" has no SELECT privilege on'
    key = [name for name in names if name in facts.primary_key]
    if key:
        yield f"{draft.name} is read-only and its items have no paths: {lacks} key {_columns(key)} of table {facts.name}."
    others = [name for name in names if name not in key]
    if others:
        is_one = len(others) == 1
        yield f"{draft.name}: {_columns(others)} {'is' if is_one else 'are'} not served: {lacks} {'it' if is_one else 'them'}."


def operations_of(draft: Draft, version: str | None, notices: list[str]) -> Operations:
    """Return the operations that the role may run on a table with a key; `version` is its version column, if any."""
    facts, rights = draft.facts, draft.facts.rights
    lacks = f'role "{rights.role}" has no'
    if not (rights.can_insert or rights.can_update or rights.can_delete):
        notices.append(f"{draft.name} is read-only: {lacks} INSERT, UPDATE or DELETE privilege on table {facts.name}.")
        return Operations(create=False, update=False, delete=False, lock=False)
    no_create = _why_not_create(facts, version)
    no_update = _why_not_update(draft, version)
    if no_create:
        notices.append(f"{draft.name} does not support CREATE or UPSERT: {lacks} {no_create}.")
    if no_update:
        notices.append(f"{draft.name} does not support UPDATE, REPLACE or UPSERT: {lacks} {no_update}.")
    if not rights.can_delete:
        notices.append(f"{draft.name} does not support DELETE: {lacks} DELETE privilege on table {facts.name}.")
    notices += _partly_closed(draft, with_insert=not no_create, with_update=not no_update)
    if not no_create:
        notices += [
            f"{draft.name}: {name} is required on CREATE: {lacks} {what}, which its default needs."
            for column, what in rights.defaults.items()
            if (name := draft.names.get(column)) is not None and draft.attributes[name].insertable
        ]
        notices += [
            f"{draft.name}: CREATE parts run one by one: {lacks} USAGE privilege on sequence {sequence}."
            for column, sequence in rights.sequences.items()
            if column in facts.primary_key
        ]
    return Operations(create=not no_create, update=not no_update, delete=rights.can_delete, lock=rights.can_update)


def _why_not_create(facts: TableFacts, version: str | None) -> str | None:
    """Return the missing privilege that prevents every INSERT; None if there is none."""
    rights = facts.rights
    if not rights.can_insert:
        return f"INSERT privilege on table {facts.name}"
    if version in rights.not_inserted:
        return f"INSERT privilege on column {version} of table {facts.name}, which counts versions"
    needed = [name for name in _to_be_given(facts) if name in rights.not_inserted | rights.not_read]
    if not needed:
        return None
    privilege = "INSERT" if needed[0] in rights.not_inserted else "SELECT"
    return f"{privilege} privilege on column {needed[0]} of table {facts.name}, which needs a value"


def _to_be_given(facts: TableFacts) -> Iterator[str]:
    """Return the columns that need a value in every INSERT."""
    for column in facts.columns:
        name = column["name"]
        is_made = column["default"] is not None or column.get("computed") or column.get("identity") or facts.fills
        if name in facts.rights.defaults or not (column["nullable"] or is_made):
            yield name


def _why_not_update(draft: Draft, version: str | None) -> str | None:
    """Return the missing privilege that prevents every UPDATE; None if there is none."""
    facts, rights = draft.facts, draft.facts.rights
    if version in rights.not_updated and rights.can_update:
        return f"UPDATE privilege on column {version} of table {facts.name}, which counts versions"
    others = [name for name in draft.names if name not in facts.primary_key]
    if rights.can_update and not (others and rights.not_updated.issuperset(others)):
        return None
    return f"UPDATE privilege on table {facts.name}"


def _partly_closed(draft: Draft, *, with_insert: bool, with_update: bool) -> Iterator[str]:
    """Describe the attributes that only some operations can write, or none."""
    facts, rights = draft.facts, draft.facts.rights
    lacks = f'role "{rights.role}" has no'
    kept = [name for name in draft.names if name in rights.not_inserted and with_insert]
    fixed = [name for name in draft.names if name in rights.not_updated - {*facts.primary_key} and with_update]
    closed = [name for name in kept if name in fixed or name in facts.primary_key or not with_update]
    closed += [name for name in fixed if not with_insert]
    for names, how, privilege in (
        (closed, "read-only", "INSERT or UPDATE"),
        (
            [name for name in kept if name not in closed],
            "read-only on CREATE",
            "INSERT",
        ),
        ([name for name in fixed if name not in closed], "read-only after CREATE", "UPDATE"),
    ):
        if names:
            attributes = ", ".join(draft.names[name] for name in names)
            verb = "is" if len(names) == 1 else "are"
            yield f"{draft.name}: {attributes} {verb} {how}: {lacks} {privilege} privilege on {_columns(names)} of table {facts.name}."


def _columns(names: list[str]) -> str:
    return f"column{'' if len(names) == 1 else 's'} {', '.join(names)}"
