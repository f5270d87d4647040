"""Derivation of names of types, collections, attributes and relations from those of tables and columns.

The rules are in docs/contract.md, section 4.
"""

import importlib
import re
import sys
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Any

_CASE_CHANGE = re.compile(r"(?<=[^A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATOR = re.compile(r"[\s_.\-]+")
_KEY_ENDING = re.compile(r"(?:_id|(?<=[a-z0-9])I[dD])$|(?<=.)_ID$")

# Words that look like plurals. The plural of their false singular is the word itself ("ga" -> "gas").
_NO_PLURALS = frozenset({"alias", "atlas", "bias", "canvas", "gas", "lens"})

# Names that the schema already uses: members of a filter, fields of Node, and the query parameters of a path.
TAKEN_ATTRIBUTES = frozenset({"path", "etag", "and", "or", "not", "limit", "offset", "orderBy"})
TAKEN_ROOTS = frozenset({"node", "resources", "query", "batch"})
TAKEN_TYPES = frozenset(
    {
        *("Query", "Mutation", "Subscription", "Node", "PageInfo", "Direction", "Operation"),
        *("PartInput", "ReferenceInput", "BatchItemInput", "BatchResult", "BatchStatus"),
        *("PartResult", "PartError", "PartErrorCode", "Resource", "ResourceAttribute", "ResourceRelation"),
        *("Int", "Float", "String", "Boolean", "ID"),
        *("BigInt", "Decimal", "Date", "Time", "DateTime", "UUID", "Base64", "JSON", "Any"),
        *("StringFilter", "IntFilter", "FloatFilter", "BooleanFilter", "IDFilter"),
        *("BigIntFilter", "DecimalFilter", "DateFilter", "TimeFilter", "DateTimeFilter"),
        *("UUIDFilter", "Base64Filter", "JSONFilter", "OpaqueFilter", "AnyFilter"),
        *("StringArrayFilter", "IntArrayFilter", "FloatArrayFilter", "BooleanArrayFilter"),
        *("BigIntArrayFilter", "DecimalArrayFilter", "DateArrayFilter", "TimeArrayFilter", "DateTimeArrayFilter"),
        *("UUIDArrayFilter", "Base64ArrayFilter", "JSONArrayFilter"),
    }
)
DERIVED_ENDINGS = (
    *("Input", "Filter", "ListFilter", "OrderBy", "Connection", "Edge"),
    *("Aggregate", "Sum", "Avg", "Min", "Max", "Attribute", "Group", "GroupKeys"),
)


@cache
def _inflect() -> Any:
    """Import inflect without typeguard.

    Its decorator would parse all of inflect again for each function, which takes over a second of CPU.
    """
    unchecked = ModuleType("typeguard")
    unchecked.typechecked = lambda function: function  # type: ignore[attr-defined]  # the only name of typeguard that inflect uses
    others = sys.modules.get("typeguard")
    sys.modules["typeguard"] = unchecked
    try:
        return importlib.import_module("inflect").engine()
    finally:
        del sys.modules["typeguard"]
        if others is not None:
            sys.modules["typeguard"] = others


def words(name: str) -> list[str]:
    """Split a name at blanks, underscores, dashes, periods and changes of case.

    >>> words("InvoiceLine"), words("order details"), words("customerID")
    (['Invoice', 'Line'], ['order', 'details'], ['customer', 'ID'])
    """
    return [word for chunk in _SEPARATOR.split(name) for word in _CASE_CHANGE.split(chunk) if word]


def pascal(name: str) -> str:
    """Convert a name to PascalCase, as GraphQL allows it (GraphQL specification, section 2.1.9).

    >>> pascal("Order Details"), pascal("first_name"), pascal("2nd")
    ('OrderDetails', 'FirstName', '_2nd')
    """
    return _allowed("".join(word[:1].upper() + _rest(word) for word in words(name)))


def camel(name: str) -> str:
    """Convert a name to camelCase.

    >>> camel("AlbumId"), camel("first_name"), camel("URL")
    ('albumId', 'firstName', 'url')
    """
    first, *others = words(name) or [""]
    return _allowed(first.lower() + "".join(word[:1].upper() + _rest(word) for word in others))


def _rest(word: str) -> str:
    return word[1:].lower()


def _allowed(name: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not name or name[0].isdigit():
        return f"_{name}"
    return re.sub("^__+", "_", name)  # two are reserved for introspection


def singular(word: str) -> str:
    """Return the singular of a word, or the word itself if the plural of that is not the word.

    >>> singular("lines"), singular("categories"), singular("status"), singular("Album")
    ('line', 'category', 'status', 'Album')
    """
    lower = word.lower()
    if not lower.strip("_0123456789") or lower in _NO_PLURALS or lower.endswith(("us", "is", "ss")):
        return word
    found: str | bool = _inflect().singular_noun(lower)  # False if there is none
    if not isinstance(found, str) or _inflect().plural(found) != lower:
        return word
    return word[:1] + found[1:] if found[:1] == lower[:1] else found


def plural(word: str) -> str:
    """Return the plural of a word.

    >>> plural("line"), plural("category"), plural("aircraft")
    ('lines', 'categories', 'aircraft')
    """
    lower = word.lower()
    if not lower.strip("_0123456789"):
        return word
    found = str(_inflect().plural(lower))
    return word[:1] + found[1:] if found[:1] == lower[:1] else found


def type_name(table: str) -> str:
    """Return the type name for a reflected table.

    >>> type_name("invoice_lines"), type_name("Order Details"), type_name("news")
    ('InvoiceLine', 'OrderDetail', 'News')
    """
    parts = words(table)
    return pascal("_".join([*parts[:-1], singular(parts[-1])])) if parts else "_"


def collection_name(type_: str) -> str:
    """Return the name of the collection of a type, which is its path segment and root field.

    >>> collection_name("InvoiceLine"), collection_name("Aircraft")
    ('invoiceLines', 'aircraftList')
    """
    bare = type_.rstrip("_")
    first, *others = _CASE_CHANGE.split(bare)
    one = first.lower() + "".join(others)
    head, last = ("", one) if not others else (one[: -len(others[-1])], others[-1])
    many = head + plural(last)
    return (f"{many}List" if many == one else many) + type_[len(bare) :]


def without_key_ending(column: str) -> str:
    """Remove a foreign-key column's `Id` / `_id` ending.

    >>> without_key_ending("ArtistId"), without_key_ending("artist_id"), without_key_ending("ReportsTo")
    ('Artist', 'artist', 'ReportsTo')
    """
    return _KEY_ENDING.sub("", column)


def to_one_name(columns: Iterable[str], target: str) -> str:
    """Return the name of the relation from a row to the one that its foreign key refers to."""
    columns = tuple(columns)
    if len(columns) == 1:
        stripped = without_key_ending(columns[0])
        if stripped and stripped != columns[0]:
            return camel(stripped)
    return f"{_lower_first(target)}By{'And'.join(map(pascal, columns))}"


def to_many_name(columns: Iterable[str], children: str, parent: str) -> str:
    """Return the name of the relation from a row to those whose foreign key refers to it."""
    columns = tuple(columns)
    if len(columns) > 1:
        return f"{children}By{'And'.join(map(pascal, columns))}"
    stripped = pascal(without_key_ending(columns[0]) or columns[0])
    return children if stripped == parent else f"{children}By{stripped}"


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def field_name(type_: str) -> str:
    """Return the name of the root field of one item."""
    first, *others = _CASE_CHANGE.split(type_)
    return first.lower() + "".join(others)


def free(name: str, taken: Iterable[str]) -> str:
    """Return the name with as many trailing `_` as are needed to make it unique."""
    taken = set(taken)
    while name in taken:
        name += "_"
    return name


def is_graphql_name(name: str) -> bool:
    """Return True if GraphQL allows the name, except for introspection's `__` (specification, section 2.1.9)."""
    return re.fullmatch(r"(?!__)[A-Za-z_][A-Za-z0-9_]*", name) is not None
