"""The changes of the schema since an older one: a line for each change of a table, which includes its consequences."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    BreakingChangeType,
    DangerousChangeType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)
from graphql.utilities import SafeChangeType, SchemaChange, find_schema_changes

_KINDS = ("breaking", "dangerous", "safe")  # the most severe first
_KIND_OF = dict(zip((BreakingChangeType, DangerousChangeType, SafeChangeType), _KINDS, strict=True))
_DESCRIPTION = "of descriptions"
# The types that are derived for each resource (docs/contract.md, section 5). A suffix precedes its own prefixes:
# GroupKeys is before Group, and so on.
_DERIVED = re.compile(
    r"(?P<resource>\w+?)"
    r"(?P<suffix>Aggregate|Attribute|Avg|Connection|Edge|ListFilter|Filter|GroupKeys|Group|Input|Max|Min|OrderBy|Sum)_?"
)
# The location of a change in graphql-core's description of it: `Field Artist.name was removed.`
_PLACE = re.compile(
    r"(?:Field |Enum value |Argument |Standard scalar |An? (?:optional|required) (?:field|argument) )?"
    r"(?P<type>@?\w+)(?:\.(?P<member>\w+))?"
)
_ROOTS = frozenset({"Query", "BatchItemInput"})  # types whose members are added and removed with resources
# The reasons why a dangerous change can affect a client; if a line has several, the first one is shown.
_RESET = "If a client does not know it, its REPLACE sets it to the default or to null, unless it is read-only."
_OTHER_DEFAULT = "Clients that omit it get a different value now."
_NEW_RESOURCE = "Code that handles each type of item must handle one more."
_NEW_VALUE = "Code that handles each value must handle one more."
_NEW_TYPE = "Code that handles each type must handle one more."
_NOT_ONE = "Types generated from it change."
_LEFT_OUT = "Clients that do not know it omit it."
_REASONS = (_RESET, _OTHER_DEFAULT, _NEW_RESOURCE, _NEW_VALUE, _NEW_TYPE, _NOT_ONE, _LEFT_OUT)
_REASON_OF = {
    DangerousChangeType.VALUE_ADDED_TO_ENUM: _NEW_VALUE,
    DangerousChangeType.TYPE_ADDED_TO_UNION: _NEW_TYPE,
    DangerousChangeType.IMPLEMENTED_INTERFACE_ADDED: _NEW_TYPE,
    DangerousChangeType.OPTIONAL_INPUT_FIELD_ADDED: _LEFT_OUT,
    DangerousChangeType.OPTIONAL_ARG_ADDED: _LEFT_OUT,
    DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE: _OTHER_DEFAULT,
    DangerousChangeType.INPUT_FIELD_DEFAULT_VALUE_CHANGE: _OTHER_DEFAULT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    kind: str
    text: str
    type: str
    member: str | None
    reason: str | None = None  # of a dangerous change


def compare(old: GraphQLSchema, new: GraphQLSchema) -> tuple[list[str], bool]:
    """Return the changes since an older schema, the most severe first, and True if they break clients.

    A dangerous change may surprise a client, such as a new value of an enum. Changed descriptions are only counted.
    """
    changes = [*map(_to_change, find_schema_changes(old, new)), *_one_of_changes(old, new)]
    told = [change for change in changes if change.kind != _DESCRIPTION]
    groups = _grouped(told, _Resources(old, new))
    lines = [line for group in groups.items() for line in _lines(*group)]
    lines.sort(key=lambda line: (_KINDS.index(line[0]), line[1]))
    counts = Counter(kind for kind, _ in lines)
    counts[_DESCRIPTION] = len(changes) - len(told)
    summary = ", ".join(f"{counts[kind]} {kind}" for kind in (*_KINDS, _DESCRIPTION))
    texts = [f"{kind}: {text}" for kind, text in lines]
    return [*texts, f"In all: {summary}." if changes else "No changes."], counts["breaking"] > 0


def _to_change(change: SchemaChange) -> _Change:
    is_description = change.type is SafeChangeType.DESCRIPTION_CHANGED
    place = _PLACE.match(change.description)
    assert place is not None  # noqa: S101  # each description begins with a word
    return _Change(
        kind=_DESCRIPTION if is_description else _KIND_OF[type(change.type)],
        text=change.description,
        type=place["type"],
        member=place["member"],
        reason=_REASON_OF[change.type] if isinstance(change.type, DangerousChangeType) else None,
    )


def _one_of_changes(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[_Change]:
    """Find input types that have gained or lost @oneOf, because graphql-core does not compare that."""
    for name, before in old.type_map.items():
        after = new.type_map.get(name)
        if not isinstance(before, GraphQLInputObjectType) or not isinstance(after, GraphQLInputObjectType):
            continue
        if after.is_one_of and not before.is_one_of:
            yield _Change(kind="breaking", text=f"{name} became @oneOf: it takes one member.", type=name, member=None)
        elif before.is_one_of and not after.is_one_of:
            text = f"{name} is no longer @oneOf: it accepts any number of members."
            yield _Change(kind="dangerous", text=text, type=name, member=None, reason=_NOT_ONE)


class _Resources:
    """The resources of both schemas, and their derived types."""

    def __init__(self, old: GraphQLSchema, new: GraphQLSchema) -> None:
        self._schemas = (old, new)
        names = {*old.type_map, *new.type_map}
        self._names = {name for name in names if {f"{name}Connection", f"{name}Aggregate"} <= names}
        self.come_or_gone = {name for name in self._names if (name in old.type_map) != (name in new.type_map)}

    def of(self, type_: str) -> tuple[str, str | None]:
        """Return the resource and the suffix of a derived type; for any other type, its name and None."""
        derived = None if type_ in self._names else _DERIVED.fullmatch(type_)
        return (
            (derived["resource"], derived["suffix"])
            if derived and derived["resource"] in self._names
            else (type_, None)
        )

    def behind(self, change: _Change) -> str | None:
        """Return the resource that a member of a root type returns or accepts; None if there is none."""
        if change.type not in _ROOTS or change.member is None:
            return None
        for schema in self._schemas:
            type_ = schema.type_map.get(change.type)
            if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
                field = type_.fields.get(change.member)
                if field is not None:
                    return self.of(get_named_type(field.type).name)[0]
        return None


_Groups = Mapping[tuple[str, str | None], Sequence[tuple[_Change, str | None]]]
"""(resource or type, member) -> its changes, each with the suffix of the derived type that contains it."""


def _grouped(changes: Sequence[_Change], resources: _Resources) -> _Groups:
    groups: dict[tuple[str, str | None], list[tuple[_Change, str | None]]] = {}
    for change in changes:
        owner, suffix = resources.of(change.type)
        behind = resources.behind(change)
        if behind in resources.come_or_gone:
            groups.setdefault((behind, None), []).append((change, change.type))
        elif owner in resources.come_or_gone:
            groups.setdefault((owner, None), []).append((change, suffix))
        else:
            groups.setdefault((owner, change.member), []).append((change, suffix))
    return groups


def _lines(place: tuple[str, str | None], changes: Sequence[tuple[_Change, str | None]]) -> Iterator[tuple[str, str]]:
    """Return the severity and the text of the changes in one place."""
    name, member = place
    kind = min((change.kind for change, _ in changes), key=_KINDS.index)
    own = sorted((change for change, suffix in changes if suffix is None), key=_rank)
    derived = sorted((change for change, suffix in changes if suffix is not None), key=_rank)
    if own and own[0].text in {f"{name} was removed.", f"{name} was added."}:
        folded = f"{own[0].text} With it: all its types and fields." if derived else own[0].text
        yield _line(kind, folded, changes)
        return
    if member is None:
        yield from (_line(change.kind, change.text, [(change, suffix)]) for change, suffix in changes)
        return
    is_told_by_own = own and (own[0].kind == kind or kind != "breaking")
    first = own[0] if is_told_by_own else (*derived, *own)[0]
    others = sorted({suffix for change, suffix in changes if suffix is not None and change is not first})
    told = [(change, suffix) for change, suffix in changes if suffix is not None or change is first]
    yield _line(kind, f"{first.text} Also in its {', '.join(others)}." if others else first.text, told)
    yield from (_line(change.kind, change.text, [(change, None)]) for change in own if change is not first)


def _line(kind: str, text: str, changes: Sequence[tuple[_Change, str | None]]) -> tuple[str, str]:
    """Return a line; if it is dangerous, append the reason."""
    if kind != "dangerous":
        return kind, text
    special = {"Input": _RESET, "BatchItemInput": _NEW_RESOURCE}
    reasons = {
        special.get(suffix or "", change.reason) if change.reason == _LEFT_OUT else change.reason
        for change, suffix in changes
        if change.reason is not None
    }
    return kind, f"{text} {min(reasons, key=_REASONS.index)}"


def _rank(change: _Change) -> tuple[int, str]:
    return _KINDS.index(change.kind), change.text
