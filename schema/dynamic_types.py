"""Creation of GraphQL types and resolvers from names and annotations that are only known at run time."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Optional

import strawberry
from strawberry.types import Info

from storage.catalog.model import Attribute, Relation

RENAMED = "Renamed to {}."
Field = tuple[str, Any, Any]  # name, annotation, Strawberry field
PREFIX = "f_"  # prefix of the Python names of fields and arguments, which can be any word


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """A member of an input, which is always optional, or an argument, which can be required."""

    name: str
    type: Any
    description: str | None = None
    deprecated: str | None = None  # the reason
    required: bool = False


def and_former(field: InputField, former_names: Sequence[str]) -> list[InputField]:
    """Return a field, followed by deprecated copies with its former names."""
    reason = RENAMED.format(field.name)
    return [field, *(replace(field, name=former, deprecated=reason) for former in former_names)]


def names_of(named: Attribute | Relation) -> list[tuple[str, str | None]]:
    """Return the name and the former names of an attribute or relation, each with its deprecation reason or None."""
    return [(named.name, None), *((former, RENAMED.format(named.name)) for former in named.former_names)]


def read_field(
    name: str, annotation: Any, description: str | None, reader: Callable[[Any], Any], deprecated: str | None = None
) -> Field:
    """Create a field that is read from its object, without arguments."""

    def read(root: Any) -> Any:
        return reader(root)

    read.__annotations__ = {"root": Any, "return": Any}
    declared = strawberry.field(resolver=read, name=name, description=description, deprecation_reason=deprecated)
    return name, annotation, declared


def define_type(class_: type, fields: Sequence[tuple[str, Any, Any]], **options: Any) -> None:
    """Add fields (name, annotation, Strawberry field) to a class and register it as a GraphQL type."""
    class_.__module__ = __name__
    class_.__annotations__ = {_python_name(name): annotation for name, annotation, _ in fields}
    for name, _, field in fields:
        setattr(class_, _python_name(name), field)
    strawberry.type(class_, **options)


def _python_name(name: str) -> str:
    """Return the Python name of a field: that of Node for its fields, else a name that cannot be a Python keyword."""
    return name if name in {"path", "etag"} else PREFIX + name


def define_input(class_: type, fields: Sequence[InputField], *, description: str, one_of: bool = False) -> None:
    """Add members to a class and register it as a GraphQL input. Resolvers receive it as coerced by graphql-core."""
    class_.__module__ = __name__
    class_.__annotations__ = {PREFIX + field.name: Optional[field.type] for field in fields}  # noqa: UP045  # a NewType does not support `|` with None at run time
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
    """Create an input that no other type refers to before it exists."""
    class_ = type(name, (), {})
    define_input(class_, fields, description=description, one_of=one_of)
    return class_


def resolver(read: Callable[[Any, Info], Any], arguments: Sequence[InputField]) -> Callable[..., Any]:
    """Create a resolver that declares arguments but ignores them, because the plan has already evaluated them."""

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
    resolve.__signature__ = inspect.Signature(parameters, return_annotation=Any)  # type: ignore[attr-defined]  # read by `inspect`
    resolve.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return resolve
