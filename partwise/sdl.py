"""The schema as text (SDL)."""

import strawberry
from graphql import build_schema, lexicographic_sort_schema, print_schema

_ONE_OF = (
    '"""Exactly one member of this input is given."""\ndirective @oneOf on INPUT_OBJECT\n'  # older tools do not know it
)


def sdl_of(schema: strawberry.Schema) -> str:
    """Write a schema in the order of the alphabet: so that it says the same when a database has its columns otherwise."""
    return f"{_ONE_OF}\n{print_schema(lexicographic_sort_schema(build_schema(schema.as_str())))}"
