"""Validation of variables against their types, in linear time and with a bounded number of errors.

graphql-core prints a whole object for each of its invalid members, and creates every error before it stops: 92 kB of
unknown members took two seconds. Here the first errors are created, in graphql-core's order and words, and the others
are only counted. Values are shown as JSON, and shortened before they are printed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    Undefined,
    VariableDefinitionNode,
    type_from_ast,
)
from graphql.language.parser import MAX_NESTING_DEPTH
from graphql.pyutils import did_you_mean, suggestion_list
from graphql.type import is_required_input_field

from resolvers.documents.limits import MAX_OPERANDS, MOST_ERRORS

_MOST_SHOWN = 240  # characters of a text or a number, as graphql-core shows them
_MOST_MEMBERS = 10  # of a list or an object
_MOST_LEVELS = 2  # of nested lists and objects
# The search for similar names takes time proportional to the length of a name times the length of all candidates.
# Beyond this sum, about 50 ms, names are rejected without a suggestion.
_MOST_COMPARED = 200_000  # pairs of characters
_MOST_COUNTED = 20_000  # errors that are not listed, and values in a filter: a million would take seconds

_LISTS = frozenset({"in", "notIn"})  # members of a comparison that are lists
_OF_FILTERS = frozenset({*_LISTS, "isNull"})  # members that only comparisons have

Path = tuple[Any, ...]
"""The path of a value, innermost step first: `(step, (step, ()))`. A step is a name or an index; `()`: the variable."""


def refuse_variables(
    schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode], given: Mapping[str, Any]
) -> list[GraphQLError]:
    """Return an error for each value that does not fit its type, at most `MOST_ERRORS`.

    The message of the last error states how many more there are. The `extensions` of each error are `code` and
    `pointer`, a JSON Pointer into `variables` (RFC 6901).
    """
    found, is_given_up = _Refusals(), False
    for definition in definitions:
        type_: Any = type_from_ast(schema, definition.type)  # an input type, because the document is valid
        value = given.get(definition.variable.name.value, Undefined)
        if value is Undefined and (definition.default_value or not isinstance(type_, GraphQLNonNull)):
            continue
        found.variable = definition
        before = len(found.errors)
        try:
            found.check(value, type_, (), 0)
        except _GivenUp:
            is_given_up = True
            break
        except (_TooDeep, RecursionError):
            return [
                *found.errors[: min(before, MOST_ERRORS - 1)],
                GraphQLError("Variable values are nested too deeply."),
            ]
    if found.unlisted:
        found.errors[-1].message = and_more(found.errors[-1].message, found.unlisted, at_least=is_given_up)
    return found.errors


def and_more(message: str, more: int, *, at_least: bool = False) -> str:
    """Append the number of unlisted errors to the message of the last listed error."""
    return f"{message} … and {'at least ' if at_least else ''}{more} more"


class _TooDeep(Exception):  # control flow, not an error
    """A value is nested more deeply than graphql-core accepts."""


class _GivenUp(Exception):  # control flow, not an error
    """There are so many errors that counting the rest would take too long."""


class _Refusals:
    """The errors in the variables of one request."""

    variable: VariableDefinitionNode

    def __init__(self) -> None:
        self.errors: list[GraphQLError] = []
        self.unlisted = 0
        self._members: dict[str, _Members] = {}
        self._compared = 0
        self._shown: tuple[Any, str] = (
            None,
            "null",
        )  # the object that was shown last, because each of its members may be invalid

    # --- checking

    def check(self, value: Any, type_: GraphQLInputType, path: Path, depth: int) -> None:
        """Check a value and everything in it; add an error for each mismatch. Raises `_TooDeep` or `_GivenUp`."""
        if isinstance(type_, GraphQLNonNull):
            if value is None and self._is_listed():
                self._refuse(path, f"Expected value of non-null type '{type_}' not to be null.")
            elif value is Undefined and self._is_listed():
                self._refuse(path, f"Expected a value of non-null type '{type_}' to be provided.")
            if value is not None and value is not Undefined:
                self.check(value, type_.of_type, path, depth)
        elif value is None:
            return
        elif depth > MAX_NESTING_DEPTH:
            raise _TooDeep
        elif isinstance(type_, GraphQLInputObjectType):
            self._check_object(value, type_, path, depth)
        elif not isinstance(type_, GraphQLList):
            reason = _reader(type_)(value)
            if reason is not None and self._is_listed():
                self._refuse(path, self._in_words(reason, value, type_))
        elif isinstance(value, list):
            self._check_list(value, type_.of_type, path, depth)
        else:  # a single value is coerced to a list of one
            self.check(value, type_.of_type, path, depth + 1)

    def _check_list(self, values: Sequence[Any], of: GraphQLInputType, path: Path, depth: int) -> None:
        inner: Any = of.of_type if isinstance(of, GraphQLNonNull) else of
        is_required = of is not inner
        if isinstance(inner, GraphQLList):
            for index, value in enumerate(values):
                self.check(value, of, (index, path), depth + 1)
            return
        if isinstance(inner, GraphQLInputObjectType):
            for index, value in enumerate(values):
                if isinstance(value, dict) or len(self.errors) < MOST_ERRORS:
                    self.check(value, of, (index, path), depth + 1)
                elif value is not None or is_required:
                    self.unlisted += 1  # without further calls: there may be a million of them
            return
        reason_of = _reader(inner)
        for index, value in enumerate(values):
            if (is_required if value is None else reason_of(value) is not None) and self._is_listed():
                self.check(value, of, (index, path), depth + 1)

    def _check_object(self, value: Any, type_: GraphQLInputObjectType, path: Path, depth: int) -> None:
        if not isinstance(value, dict):
            if self._is_listed():
                message = f"Expected value of type '{type_}' to be an object, found: {self._show(value)}."
                self._refuse(path, message)
            return
        if self.unlisted > _MOST_COUNTED:
            raise _GivenUp
        members = self._members_of(type_)  # Strawberry checks that a OneOf has exactly one, when it coerces it
        known = value.keys() & members.places.keys()
        for name in members.in_order(known, value):
            if members.is_filter and name in _LISTS and _is_longer(value.get(name), _MOST_COUNTED):
                if self._is_listed():  # before graphql-core coerces each of them
                    self._refuse((name, path), f"Expected at most {MAX_OPERANDS} values, found: {len(value[name])}.")
            elif name in value:
                self.check(value[name], type_.fields[name].type, (name, path), depth + 1)
            elif self._is_listed():
                reason = f"to include required field '{name}', found: {self._show(value)}."
                self._refuse(path, f"Expected value of type '{type_}' {reason}")
        if len(known) < len(value):
            self._refuse_unknown(value, type_, path)

    def _refuse_unknown(self, value: Mapping[str, Any], type_: GraphQLInputObjectType, path: Path) -> None:
        fields = type_.fields
        unknown = [name for name in value if name not in fields]
        listed = unknown[: MOST_ERRORS - len(self.errors)]
        self.unlisted += len(unknown) - len(listed)
        for name in listed:
            like = did_you_mean(self._similar(name, type_.fields))
            found = f".{like} Found" if like else ", found"
            message = f"not to include unknown field '{shorten(name)}'{found}: {self._show(value)}."
            self._refuse(path, f"Expected value of type '{type_}' {message}")

    def _members_of(self, type_: GraphQLInputObjectType) -> "_Members":
        if type_.name not in self._members:
            self._members[type_.name] = _Members(type_)
        return self._members[type_.name]

    # --- reporting

    def _is_listed(self) -> bool:
        """Return True if the next error is listed; otherwise count it and return False."""
        if len(self.errors) < MOST_ERRORS:
            return True
        self.unlisted += 1
        return False

    def _refuse(self, path: Path, reason: str) -> None:
        steps: list[str | int] = []
        while path:
            step, path = path
            steps.append(step)
        steps.reverse()
        name = self.variable.variable.name.value
        at = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        pointer = "/".join(["", name, *map(str, steps)])  # names of GraphQL need no escapes
        self.errors.append(
            GraphQLError(
                f"Variable '${name}' has invalid value{at and f' at {at}'}: {reason}",
                self.variable,
                extensions={"code": "BAD_REQUEST", "pointer": pointer},
            )
        )

    def _in_words(self, reason: str, value: Any, type_: Any) -> str:
        if not isinstance(type_, GraphQLEnumType):
            return reason.replace("{}", self._show(value), 1)
        shown = shorten(value) if isinstance(value, str) else self._show(value)
        return reason.replace("{}", shown, 1) + did_you_mean(self._similar(shown, type_.values), "the enum value")

    def _similar(self, name: str, known: Collection[str]) -> list[str]:
        if len(name) > _MOST_SHOWN or self._compared > _MOST_COMPARED:
            return []
        self._compared += len(name) * sum(map(len, known))
        return suggestion_list(name, known)

    def _show(self, value: Any) -> str:
        if self._shown[0] is not value:
            self._shown = value, show(value)
        return self._shown[1]


def _is_longer(values: Any, most: int) -> bool:
    return isinstance(values, list) and len(values) > most


class _Members:
    """The fields of an input object."""

    def __init__(self, type_: GraphQLInputObjectType) -> None:
        self.places = {name: place for place, name in enumerate(type_.fields)}
        self._required = [name for name, field in type_.fields.items() if is_required_input_field(field)]
        self.is_filter = _OF_FILTERS.issubset(self.places)

    def in_order(self, known: Collection[str], given: Mapping[str, Any]) -> list[str]:
        """Return the members that are given, and the required ones that are missing, in the order of the schema."""
        missing = [name for name in self._required if name not in given]
        return sorted([*known, *missing], key=self.places.__getitem__)


# --- scalars

Reader = Callable[[Any], str | None]
"""Returns the reason why a value, which is not null, is invalid, with `{}` for the value; None if it is valid."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isfinite(value) and int(value) == value)


def _int(value: Any) -> str | None:
    if not _is_number(value) or not _is_whole(value):
        return "Int cannot represent non-integer value: {}"
    return None if -(1 << 31) <= value < 1 << 31 else "Int cannot represent non 32-bit signed integer value: {}"


def _float(value: Any) -> str | None:
    message = "Float cannot represent non numeric value: {}"
    if not _is_number(value) or not (isinstance(value, int) or isfinite(value)):
        return message
    if isinstance(value, float):
        return None
    try:
        return None if int(float(value)) == value else f"{message} (value would lose precision)"
    except OverflowError:
        return f"{message} (value is too large)"


def _id(value: Any) -> str | None:
    if isinstance(value, str) or (_is_number(value) and _is_whole(value)):
        return None
    return "ID cannot represent value: {}"


def _string(value: Any) -> str | None:
    return None if isinstance(value, str) else "String cannot represent a non string value: {}"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "Boolean cannot represent a non boolean value: {}"


def _text(name: str) -> Reader:
    return lambda value: None if isinstance(value, str) else f"{name} cannot represent this value."


def _text_or_number(name: str) -> Reader:
    return lambda value: None if isinstance(value, str) or _is_number(value) else f"{name} cannot represent this value."


_READERS: Mapping[str, Reader] = {
    "Int": _int,
    "Float": _float,
    "ID": _id,
    "String": _string,
    "Boolean": _boolean,
    "JSON": lambda _value: None,
    "Any": lambda _value: None,
    **{name: _text(name) for name in ("Date", "Time", "DateTime", "UUID", "Base64")},
    **{name: _text_or_number(name) for name in ("BigInt", "Decimal")},
}
"""graphql-core's own scalars, and those of schema/scalars.py."""


def _reader(type_: Any) -> Reader:
    """Return the function that checks values of a leaf type."""
    if isinstance(type_, GraphQLEnumType):
        return lambda value: _label(type_, value)
    return _READERS[type_.name]


def _label(type_: GraphQLEnumType, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"Enum '{type_.name}' cannot represent non-string value: {{}}."
    return None if value in type_.values else f"Value '{{}}' does not exist in '{type_.name}' enum."


# --- values in messages


def show(value: Any) -> str:
    """Format a value as JSON with graphql-core's quotes, and shorten it as graphql-core does.

    The time depends on the length of the result, not on that of the value.
    """
    return _show(value, 0)


def _show(value: Any, level: int) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        opening, closing = "[]"
        of: Iterable[str] = (_show(each, level + 1) for each in _ends(value))
    elif isinstance(value, dict):
        opening, closing = "{}"
        of = (f"{_quoted(name)}: {_show(each, level + 1)}" for name, each in _ends(value.items()))
    else:
        return shorten(repr(value))
    if not value:
        return opening + closing
    if level == _MOST_LEVELS:
        return f"{opening}...{closing}"
    shown = [*of]
    if len(value) > _MOST_MEMBERS:
        shown.insert(_MOST_MEMBERS // 2, "...")
    return f"{opening}{', '.join(shown)}{closing}"


def _ends(values: Any) -> Iterable[Any]:
    """Return the members of a list or an object; of a long one, only the first and the last."""
    if len(values) <= _MOST_MEMBERS:
        return values  # type: ignore[no-any-return]  # a list, or the items of an object
    first, last = _MOST_MEMBERS // 2, _MOST_MEMBERS // 2 - 1
    return [*islice(values, first), *reversed([*islice(reversed(values), last)])]


def _quoted(text: str) -> str:
    """Quote a text as Python does, and cut it as graphql-core does, but read only its ends."""
    if len(text) <= _MOST_SHOWN:
        return shorten(repr(text))
    quote = '"' if "'" in text and '"' not in text else "'"
    first, last = text[:_MOST_SHOWN], text[-_MOST_SHOWN:]
    return shorten(f"{quote}{_escaped(first, quote)}{_escaped(last, quote)}{quote}")


def _escaped(text: str, quote: str) -> str:
    """Escape a piece of a text that is enclosed in these quotes."""
    mark = "'" if quote == '"' else "\"'"  # forces Python to choose these quotes
    return repr(text + mark)[1 : -len(repr(mark)) + 1]


def shorten(text: str) -> str:
    """Cut a text of more than 240 characters in the middle, as graphql-core does."""
    if len(text) <= _MOST_SHOWN:
        return text
    first = (_MOST_SHOWN - 3) // 2
    return f"{text[:first]}...{text[first + 3 - _MOST_SHOWN :]}"
