"""The schema as text (SDL): printed, and compared with an older one."""

from collections import Counter
from pathlib import Path

import strawberry
from graphql import (
    BreakingChangeType,
    DangerousChangeType,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    lexicographic_sort_schema,
    print_schema,
)
from graphql.utilities import SafeChangeType, SchemaChange, find_schema_changes

from partwise.settings import SettingsError

_ONE_OF = (
    '"""Exactly one member of this input is given."""\ndirective @oneOf on INPUT_OBJECT\n'  # older tools do not know it
)
_KINDS = {BreakingChangeType: "breaking", DangerousChangeType: "dangerous", SafeChangeType: "safe"}  # the worst first


def sdl_of(schema: strawberry.Schema) -> str:
    """Write a schema in the order of the alphabet: so that it says the same when a database has its columns otherwise."""
    return f"{_ONE_OF}\n{print_schema(lexicographic_sort_schema(build_schema(schema.as_str())))}"


def read_sdl(path: Path) -> GraphQLSchema:
    """Read a schema. Raises `SettingsError`."""
    try:
        schema = build_schema(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except (GraphQLError, TypeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise SettingsError(f"{path} is no GraphQL schema: {reason}.") from None
    if schema.query_type is None:
        raise SettingsError(f"{path} is no GraphQL schema: it has no type Query.")
    return schema


def compare(old: GraphQLSchema, schema: strawberry.Schema) -> tuple[list[str], bool]:
    """Say what a schema does not say as an old one did, the worst first, and whether it breaks clients.

    Dangerous is what may surprise a client, such as a new label of an enum. Changed descriptions are only counted.
    """
    changes = find_schema_changes(old, build_schema(sdl_of(schema)))
    counts = Counter(_kind(change) for change in changes)
    lines = [
        f"{kind}: {change.description}"
        for kind in _KINDS.values()
        for change in sorted(changes, key=lambda each: each.description)
        if _kind(change) == kind
    ]
    summary = ", ".join(f"{counts[kind]} {kind}" for kind in (*_KINDS.values(), "of descriptions"))
    return [*lines, f"In all: {summary}." if changes else "No changes."], counts["breaking"] > 0


def _kind(change: SchemaChange) -> str:
    if change.type is SafeChangeType.DESCRIPTION_CHANGED:
        return "of descriptions"
    return _KINDS[type(change.type)]
