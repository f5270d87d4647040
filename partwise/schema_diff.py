"""What has changed in the schema since an older one: a line for each change of a table, with what follows from it folded in."""

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

_KINDS = ("breaking", "dangerous", "safe")  # the worst first
_KIND_OF = dict(zip((BreakingChangeType, DangerousChangeType, SafeChangeType), _KINDS, strict=True))
_DESCRIPTION = "of descriptions"
# What is made for each resource, beside its own type (docs/contract.md, section 5). GroupKeys before Group, and so on.
_DERIVED = re.compile(
    r"(?P<resource>\w+?)"
    r"(?P<suffix>Aggregate|Attribute|Avg|Connection|Edge|ListFilter|Filter|GroupKeys|Group|Input|Max|Min|OrderBy|Sum)_?"
)
# Where a change is, as graphql-core describes it: `Field Artist.name was removed.`
_PLACE = re.compile(
    r"(?:Field |Enum value |Argument |Standard scalar |An? (?:optional|required) (?:field|argument) )?"
    r"(?P<type>@?\w+)(?:\.(?P<member>\w+))?"
)
_ROOTS = frozenset({"Query", "BatchItemInput"})  # whose members come and go with resources
# Why a client may care for what is dangerous; of several reasons for one line, the first.
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
    reason: str | None = None  # of what is dangerous


def compare(old: GraphQLSchema, new: GraphQLSchema) -> tuple[list[str], bool]:
    """Say what a schema does not say as an old one did, the worst first, and whether it breaks clients.

    Dangerous is what may surprise a client, such as a new label of an enum. Changed descriptions are only counted.
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
    assert place is not None  # noqa: S101  # every description begins with a word
    return _Change(
        kind=_DESCRIPTION if is_description else _KIND_OF[type(change.type)],
        text=change.description,
        type=place["type"],
        member=place["member"],
        reason=_REASON_OF[change.type] if isinstance(change.type, DangerousChangeType) else None,
    )


def _one_of_changes(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[_Change]:
    """Find inputs that take exactly one member now, or no longer: graphql-core does not look at that."""
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
    """The resources of both schemas, and what is made for them."""

    def __init__(self, old: GraphQLSchema, new: GraphQLSchema) -> None:
        self._schemas = (old, new)
        names = {*old.type_map, *new.type_map}
        self._names = {name for name in names if {f"{name}Connection", f"{name}Aggregate"} <= names}
        self.come_or_gone = {name for name in self._names if (name in old.type_map) != (name in new.type_map)}

    def of(self, type_: str) -> tuple[str, str | None]:
        """Say whose a type is, and the suffix that it has where it is derived; of others, the type itself."""
        derived = None if type_ in self._names else _DERIVED.fullmatch(type_)
        return (
            (derived["resource"], derived["suffix"])
            if derived and derived["resource"] in self._names
            else (type_, None)
        )

    def behind(self, change: _Change) -> str | None:
        """Say which resource a member of a root leads to."""
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
"""(resource or type, member) -> its changes, each with the suffix of the derived type that it is in."""


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
    """Say how bad the changes in one place are, and what they are."""
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
    """Say why it matters, too, if it is dangerous."""
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
