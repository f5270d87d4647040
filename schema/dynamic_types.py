"""Makes GraphQL types and resolvers out of names and annotations that are only known at run time."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Optional

import strawberry
from strawberry.types import Info

from storage.catalog.model import Attribute, Relation

RENAMED = "Renamed to {}."
Field = tuple[str, Any, Any]  # name, annotation, Strawberry field
PREFIX = "f_"  # before the Python names of fields and arguments, which may be any word


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """A member of an input, always optional; as an argument, it may be required."""

    name: str
    type: Any
    description: str | None = None
    deprecated: str | None = None  # the reason
    required: bool = False


def and_former(field: InputField, former_names: Sequence[str]) -> list[InputField]:
    """Add a field's former names to it, deprecated."""
    reason = RENAMED.format(field.name)
    return [field, *(replace(field, name=former, deprecated=reason) for former in former_names)]


def names_of(named: Attribute | Relation) -> list[tuple[str, str | None]]:
    """Name an attribute or a relation, and its former names with the reason why they are deprecated."""
    return [(named.name, None), *((former, RENAMED.format(named.name)) for former in named.former_names)]


def read_field(
    name: str, annotation: Any, description: str | None, reader: Callable[[Any], Any], deprecated: str | None = None
) -> Field:
    """Make a field that is read of its object alone."""

    def read(root: Any) -> Any:
        return reader(root)

    read.__annotations__ = {"root": Any, "return": Any}
    declared = strawberry.field(resolver=read, name=name, description=description, deprecation_reason=deprecated)
    return name, annotation, declared


def define_type(class_: type, fields: Sequence[tuple[str, Any, Any]], **options: Any) -> None:
    """Give a class its fields (name, annotation, Strawberry field) and make it a GraphQL type."""
    class_.__module__ = __name__
    class_.__annotations__ = {_python_name(name): annotation for name, annotation, _ in fields}
    for name, _, field in fields:
        setattr(class_, _python_name(name), field)
    strawberry.type(class_, **options)


def _python_name(name: str) -> str:
    """Name a field in Python: those of Node as Node has them, others out of the way of Python's own words."""
    return name if name in {"path", "etag"} else PREFIX + name


def define_input(class_: type, fields: Sequence[InputField], *, description: str, one_of: bool = False) -> None:
    """Give a class its members and make it a GraphQL input. Resolvers get it as graphql-core has coerced it."""
    class_.__module__ = __name__
    class_.__annotations__ = {PREFIX + field.name: Optional[field.type] for field in fields}  # noqa: UP045  # a NewType has no `|` with None at run time
    for field in fields:
        declared = strawberry.field(
            name=field.name,
            default=strawberry.UNSET,
            description=field.description,
            deprecation_reason=field.deprecated,
        )
        setattr(class_, PREFIX + field.name, declared)
    made: Any = strawberry.input(class_, name=class_.__name__, description=description, one_of=one_of)
    made.__strawberry_definition__.from_input = lambda _class, given, _context: given


def make_input(name: str, fields: Sequence[InputField], *, description: str, one_of: bool = False) -> type:
    """Make an input that no other refers to before it is made."""
    class_ = type(name, (), {})
    define_input(class_, fields, description=description, one_of=one_of)
    return class_


def resolver(read: Callable[[Any, Info], Any], arguments: Sequence[InputField]) -> Callable[..., Any]:
    """Make a resolver that has arguments and leaves them to the plan, which has read them."""

    def resolve(root: Any, info: Info, **_: Any) -> Any:
        return read(root, info)

    own = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("root", own, annotation=Any), inspect.Parameter("info", own, annotation=Info)]
    for each in arguments:
        type_: Any = each.type if each.required else Optional[each.type]  # noqa: UP045  # as above
        parameters.append(
            inspect.Parameter(
                PREFIX + each.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[type_, strawberry.argument(name=each.name, description=each.description)],
                default=inspect.Parameter.empty if each.required else strawberry.UNSET,
            )
        )
    resolve.__signature__ = inspect.Signature(parameters, return_annotation=Any)  # type: ignore[attr-defined]  # what inspect reads
    resolve.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return resolve
