"""Selections of a GraphQL operation: fields by response key, with fragments and directives resolved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.types import Info


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    schema: GraphQLSchema
    definition: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The fields that are selected of one object type."""

    operation: _Operation
    type: GraphQLObjectType
    fields: dict[str, list[FieldDetails]]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield the response keys with the names of their fields, except introspection fields."""
        for key, details in self.fields.items():
            name = details[0].node.name.value
            if not name.startswith("__"):
                yield key, name

    def nodes(self, key: str) -> list[FieldNode]:
        """Return the nodes of the document that select a field."""
        return [details.node for details in self.fields[key]]

    def arguments(self, key: str) -> dict[str, Any]:
        """Coerce a field's arguments (GraphQL specification, section 6.4.1)."""
        node = self.fields[key][0].node
        definition = self.type.fields[node.name.value]
        return get_argument_values(definition, node, self.operation.variables)

    def below(self, key: str, type_name: str) -> "Selection":
        """Return the selection of a field for an object type: its own, or one that implements its interface."""
        return _below(self.operation, self.fields[key], type_name)


def _below(operation: _Operation, details: list[FieldDetails], type_name: str) -> Selection:
    type_ = operation.schema.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)  # noqa: S101  # named from the catalog
    collected = collect_subfields(
        operation.schema, operation.fragments, operation.variables, operation.definition, type_, details
    )
    return Selection(operation=operation, type=type_, fields=collected.grouped_field_set)


def _operation(info: Info) -> _Operation:
    raw = info._raw_info  # noqa: SLF001  # Strawberry has no public access to graphql-core's info
    return _Operation(
        schema=raw.schema,
        definition=raw.operation,
        fragments={name: FragmentDetails(definition) for name, definition in raw.fragments.items()},
        variables=VariableValues({}, raw.variable_values),  # type: ignore[arg-type]  # Strawberry passes only the coerced values
    )


def selection_of_definition(
    schema: GraphQLSchema,
    document: DocumentNode,
    definition: OperationDefinitionNode,
    variables: VariableValues | None = None,
) -> Selection:
    """Return the selection of an operation's root fields.

    Without `variables`, as before any request, no directive may have a variable as its argument.
    """
    fragments = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
    operation = _Operation(
        schema=schema,
        definition=definition,
        fragments={each.name.value: FragmentDetails(each) for each in fragments},
        variables=variables or VariableValues({}, {}),
    )
    root = schema.get_root_type(definition.operation)
    assert root is not None  # noqa: S101  # the document is valid
    collected = collect_fields(schema, operation.fragments, operation.variables, root, definition)
    return Selection(operation=operation, type=root, fields=collected.grouped_field_set)


def selection_of_field(info: Info, type_name: str) -> Selection:
    """Return the selection of the field that is being resolved."""
    details = [FieldDetails(node, None) for node in info._raw_info.field_nodes]  # noqa: SLF001  # as above
    return _below(_operation(info), details, type_name)


def selection_of_operation(info: Info) -> Selection:
    """Return the selection of the root fields of the operation."""
    operation = _operation(info)
    root = info._raw_info.parent_type  # noqa: SLF001  # as above
    collected = collect_fields(operation.schema, operation.fragments, operation.variables, root, operation.definition)
    return Selection(operation=operation, type=root, fields=collected.grouped_field_set)


def response_keys(info: Info) -> Sequence[str | int]:
    """Return the path in the response of the field that is being resolved."""
    return info._raw_info.path.as_list()  # noqa: SLF001  # as above
