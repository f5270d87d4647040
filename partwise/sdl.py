"""The schema as text (SDL): printing and parsing."""

from pathlib import Path

import strawberry
from graphql import (
    GraphQLError,
    GraphQLSchema,
    build_schema,
    lexicographic_sort_schema,
    print_schema,
)

from partwise.settings import SettingsError

# The definition is printed because older tools do not know the directive.
_ONE_OF = '"""Exactly one member of this input is given."""\ndirective @oneOf on INPUT_OBJECT\n'


def sdl_of(schema: strawberry.Schema) -> str:
    """Print a schema in alphabetical order, so that it does not depend on the order of the columns in a database."""
    return f"{_ONE_OF}\n{print_schema(lexicographic_sort_schema(build_schema(schema.as_str())))}"


def read_sdl(path: Path) -> GraphQLSchema:
    """Read and parse a schema file. Raises `SettingsError`."""
    try:
        schema = build_schema(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except (GraphQLError, TypeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise SettingsError(f"{path} is not a valid GraphQL schema: {reason}.") from None
    if schema.query_type is None:
        raise SettingsError(f"{path} is not a valid GraphQL schema because it does not define the type Query.")
    return schema
