"""Coercion of variables in C, with msgspec types created from the schema's input types.

They accept values that GraphQL accepts without conversion, and reject all others. A rejected value can still be valid
(an ID that is a number, a single value for a list) or invalid: graphql-core's coercion decides, with its own results
and errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    get_named_type,
)
from graphql.type import is_required_input_field
from msgspec import UNSET, Meta, UnsetType

from resolvers.binding.requests import PartRequest, ReferenceRequest, members
from storage.batch.plan.operations import Verb
from storage.json_text import LONG_TYPED, MANY, TypedDecoder, collector, typed_decoder

_SCALARS: Mapping[str, Any] = {
    "ID": str,
    "String": str,
    "Boolean": bool,
    "Int": Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)],
    "Float": Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
    | float,  # whole numbers up to the limit of a double's precision
    "JSON": Any,
    "Any": Any,
}
_OWN_ENUMS: Mapping[str, Any] = {"Operation": Verb}
_OWN_INPUTS: Mapping[str, type[msgspec.Struct]] = {"PartInput": PartRequest, "ReferenceInput": ReferenceRequest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable used as the value of an argument."""

    name: str
    type: Any  # as msgspec decodes it
    default: Any = msgspec.NODEFAULT  # without a default, the variable is required


@dataclass(frozen=True, slots=True, kw_only=True)
class VariablesDecoder:
    """Decoder of the variables of a batch."""

    _whole: TypedDecoder
    _around: TypedDecoder  # the same, but leaves the parts as text
    _part: TypedDecoder

    def decode(self, variables: msgspec.Raw | str) -> Any:
        """Decode variables to an object with an attribute `parts`.

        Raises `ValueError` or `RecursionError`, also for some variables that graphql-core accepts.
        """
        if len(variables) <= MANY:
            return self._whole.decode(variables)
        with collector.off():
            return self._whole.decode(variables) if len(variables) <= LONG_TYPED else self._decode_long(variables)

    def _decode_long(self, raw: msgspec.Raw | str) -> Any:
        """Decode part by part, so that other threads can run between two parts."""
        found = self._around.decode(raw)
        found.parts = [self._decode_part(each) for each in found.parts]
        return found

    def _decode_part(self, part: msgspec.Raw) -> Any:
        if len(part) > LONG_TYPED:
            raise ValueError("too long to be decoded in one go")
        return self._part.decode(part)


class _Open(msgspec.Struct, forbid_unknown_fields=True):
    """Base class of inputs that can have any of their members."""


class _OneOf(msgspec.Struct, forbid_unknown_fields=True):
    """Base class of inputs that must have exactly one member."""

    def __post_init__(self) -> None:
        if len(members(self)) != 1:
            raise ValueError("give exactly one member")


class _StandIn(type):
    """Metaclass of the classes that represent scalars.

    msgspec checks that a coerced value is an instance of the class. Every value is, because the scalar has accepted it.
    """

    def __instancecheck__(cls, _value: object) -> bool:
        return True


def _has_documents(schema: GraphQLSchema) -> bool:
    """Return True if a writable attribute is a JSON document, because only there is `-0` different from 0."""
    return any(
        get_named_type(field.type).name == "JSON"
        for name, type_ in schema.type_map.items()
        if isinstance(type_, GraphQLInputObjectType) and name not in _OWN_INPUTS
        for field in type_.fields.values()
    )


class Inputs:
    """The msgspec types that represent the input types of a schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._objects: dict[str, type[msgspec.Struct]] = {}
        self._scalars: dict[str, type] = {}
        self._coerce: dict[type, Callable[[Any], Any]] = {}  # class that represents a scalar -> the scalar's coercion
        self._has_documents = _has_documents(schema)

    def decoder(self, parts: str, others: Mapping[str, Variable]) -> VariablesDecoder:
        """Create the decoder of a batch's variables, given the name of the variable with its parts and the others."""

        def variables(part: Any) -> Any:
            fields: list[Any] = [
                ("parts", list[part]),
                *((name, each.type, each.default) for name, each in others.items()),
            ]
            names = {"parts": parts, **{name: each.name for name, each in others.items()}}
            return msgspec.defstruct("Variables", fields, rename=names, forbid_unknown_fields=True, kw_only=True)

        part, keeps = self._object("PartInput"), self._has_documents
        return VariablesDecoder(
            _whole=typed_decoder(variables(part), self._convert, keeps_minus_zero=keeps),
            _around=typed_decoder(variables(msgspec.Raw), keeps_minus_zero=False),
            _part=typed_decoder(part, self._convert, keeps_minus_zero=keeps),
        )

    def _convert(self, type_: type, value: Any) -> Any:
        try:
            return self._coerce[type_](value)
        except Exception as error:  # a scalar can raise any exception, as in graphql-core
            raise ValueError("graphql-core has to coerce it") from error

    def _object(self, name: str) -> type[msgspec.Struct]:
        if name not in self._objects:
            type_ = self._schema.type_map[name]
            assert isinstance(type_, GraphQLInputObjectType)  # noqa: S101  # only input objects are requested
            self._objects[name] = self._make_object(type_)
        return self._objects[name]

    def _make_object(self, type_: GraphQLInputObjectType) -> type[msgspec.Struct]:
        is_one_of = bool(type_.extensions["strawberry-definition"].is_one_of)
        base = _OWN_INPUTS.get(type_.name, _OneOf if is_one_of else _Open)
        own = {field.encode_name: field for field in msgspec.structs.fields(base)}
        fields: list[Any] = []
        for name, field in type_.fields.items():
            assert field.default is None and field.default_value is Undefined, name  # noqa: PT018, S101  # our inputs do not have defaults
            python_name, default = (own[name].name, own[name].default) if name in own else (name, UNSET)
            if is_required_input_field(field):
                fields.append((python_name, self._type(field.type)))
            else:
                value = self._value(field.type) if is_one_of else self._type(field.type)
                fields.append((python_name, value | UnsetType if default is UNSET else value, default))
        return msgspec.defstruct(
            type_.name,
            fields,
            bases=(base,),
            rename={field.name: name for name, field in own.items()},
            kw_only=True,
        )

    def _type(self, type_: GraphQLInputType) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value(type_.of_type)
        return Optional[self._value(type_)]  # noqa: UP045  # `|` does not work for all types created at run time

    def _value(self, type_: Any) -> Any:
        match type_:
            case GraphQLList(of_type=of):
                return list[self._type(of)]  # type: ignore[misc]  # created at run time
            case GraphQLInputObjectType(name=name):
                return self._object(name)
            case GraphQLEnumType(name=name, values=values):
                return _OWN_ENUMS[name] if name in _OWN_ENUMS else Literal[tuple(values)]
            case GraphQLScalarType(name=name):
                return _SCALARS[name] if name in _SCALARS else self._scalar(type_)
            case _:
                raise AssertionError(type_)

    def _scalar(self, type_: GraphQLScalarType) -> type:
        if type_.name not in self._scalars:
            made = self._scalars[type_.name] = _StandIn(type_.name, (), {})
            self._coerce[made] = type_.coerce_input_value
        return self._scalars[type_.name]
