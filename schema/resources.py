"""For each resource of the catalog: its item, input and connection types, and the root fields that lead to them."""

import enum
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Optional

import strawberry
from strawberry.types import Info

from schema.scalars import JSON, python_type, scalar_name
from storage.catalog.model import Attribute, Catalog, Relation, Resource
from storage.catalog.naming import DERIVED_ENDINGS, TAKEN_TYPES, free, is_graphql_name, pascal
from storage.catalog.types import Array, Enumeration, ValueType

PREFIX = "f_"  # before the Python names of attributes, which may be any word
_RENAMED = "Renamed to {}."


@strawberry.interface
class Node:
    """Anything that has a path of its own."""

    path: strawberry.ID = strawberry.field(description="The canonical path: the item's identity in the whole API.")
    etag: str = strawberry.field(description="The item's version: it changes whenever the item changes.")

    @classmethod
    def resolve_type(cls, obj: Any, _info: object, _type: object) -> str:
        """Name the type of an item."""
        return str(obj.row.resource.name)


@strawberry.type
class PageInfo:
    """Where a page stands in its collection."""

    has_next_page: bool
    has_previous_page: bool


@strawberry.enum(name="Operation")
class Operation(enum.Enum):
    """What a part of a batch does."""

    GET = "GET"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    REPLACE = "REPLACE"
    UPSERT = "UPSERT"
    DELETE = "DELETE"


@strawberry.type
class ResourceAttribute:
    """An attribute of a resource."""

    name: str
    type: str
    required: bool
    read_only: bool
    default: JSON | None
    max_length: int | None
    enum: list[str] | None
    description: str | None


@strawberry.type
class ResourceRelation:
    """A way from an item to others."""

    name: str
    target: str
    many: bool
    attributes: list[str]


@strawberry.type(name="Resource")
class ResourceDescription:
    """One kind of thing that this API serves."""

    name: str
    collection: str
    path: str
    key: list[str]
    unique_keys: list[list[str]]
    operations: list[Operation]
    attributes: list[ResourceAttribute]
    relations: list[ResourceRelation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """How the fields of items are read: what this package declares and `resolvers` does."""

    attribute: Callable[[Attribute, Any], Callable[[Any], Any]]  # with its enum, where it has one
    path: Callable[[Any], str]
    etag: Callable[[Any], str]
    related: Callable[[Any, Info], Any]  # a relation, by its key in the answer
    nodes: Callable[[Any], Any]
    page_info: Callable[[Any], PageInfo]
    total: Callable[[Any], int | None]
    root: Callable[[Any, Info], Any]  # a field of Query, by its key in the answer
    describe: Callable[[Callable[[ValueType], str]], list[ResourceDescription]]  # how types are named -> the catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceTypes:
    """The types that are made from a catalog."""

    query: type
    items: Mapping[str, type]  # by resource name
    batch_item_input: type | None  # None where nothing can be written


class _Enums:
    """The GraphQL enums of a catalog, each made once."""

    def __init__(self, catalog: Catalog) -> None:
        derived = (name + ending for name in catalog.resources for ending in DERIVED_ENDINGS)
        self._taken = {*TAKEN_TYPES, *catalog.resources, *derived}
        self._made: dict[Enumeration, Any] = {}
        self.by_name: dict[str, Any] = {}

    def of(self, type_: ValueType) -> Any:
        """Find the enum of a type; None where it is none, or where a label is no GraphQL name."""
        if isinstance(type_, Array):
            return self.of(type_.of)
        if not isinstance(type_, Enumeration) or not all(map(_is_enum_value, type_.labels)):
            return None
        if type_ not in self._made:
            name = free(pascal(type_.name or "Enum"), {*self._taken, *self.by_name})
            members = [(f"v_{label}", strawberry.enum_value(label, name=label)) for label in type_.labels]
            class_: Any = enum.Enum(name, members)  # type: ignore[misc]  # made at run time
            made = strawberry.enum(class_, name=name)
            self._made[type_] = self.by_name[name] = made
        return self._made[type_]

    def type_name(self, type_: ValueType) -> str:
        """Name the GraphQL type of a value."""
        own = self.of(type_)
        if own is None:
            return scalar_name(type_)
        name = next(name for name, made in self.by_name.items() if made is own)
        return f"[{name}]" if isinstance(type_, Array) else name

    def annotation(self, type_: ValueType) -> Any:
        """Say which type stands for a value in an annotation."""
        own = self.of(type_)
        if own is None:
            return python_type(type_)
        return list[own | None] if isinstance(type_, Array) else own  # type: ignore[valid-type]  # made at run time


def _is_enum_value(label: str) -> bool:
    return is_graphql_name(label) and label not in {"true", "false", "null"}


def resource_types(catalog: Catalog, readers: Readers) -> ResourceTypes:
    """Make the types of a catalog."""
    enums = _Enums(catalog)
    connections = {name: type(f"{name}Connection", (), {}) for name in catalog.resources}
    items = {name: _item_class(resource) for name, resource in catalog.resources.items()}
    for name, resource in catalog.resources.items():
        _finish_item(resource, items, connections, readers, enums)
        _finish_connection(name, items, connections, readers)
    inputs = [(each, _input_type(each, enums)) for each in catalog.resources.values() if each.writable]
    return ResourceTypes(
        query=_query_type(catalog, items, connections, readers, enums),
        items=items,
        batch_item_input=_batch_item_input(inputs) if inputs else None,
    )


def _item_class(resource: Resource) -> type:
    def is_type_of(obj: Any, _info: object) -> bool:
        return bool(obj.row.resource.name == resource.name)

    return type(resource.name, (Node,) if resource.key else (), {"is_type_of": staticmethod(is_type_of)})


def _define(class_: type, fields: Sequence[tuple[str, Any, Any]], **options: Any) -> None:
    """Give a class its fields (name, annotation, Strawberry field) and make it a GraphQL type."""
    class_.__module__ = __name__
    class_.__annotations__ = {_python_name(name): annotation for name, annotation, _ in fields}
    for name, _, field in fields:
        setattr(class_, _python_name(name), field)
    strawberry.type(class_, **options)


def _python_name(name: str) -> str:
    """Name a field in Python: those of Node as Node has them, others out of the way of Python's own words."""
    return name if name in {"path", "etag"} else PREFIX + name


def _finish_item(
    resource: Resource, items: Mapping[str, type], connections: Mapping[str, type], readers: Readers, enums: _Enums
) -> None:
    class_ = items[resource.name]
    fields: list[tuple[str, Any, Any]] = []
    for attribute in resource.attributes.values():
        annotation = enums.annotation(attribute.type)
        if attribute.nullable:
            annotation = Optional[annotation]  # noqa: UP045  # a NewType has no `|` with None at run time
        reader = readers.attribute(attribute, enums.of(attribute.type))
        fields += [
            (
                name,
                annotation,
                strawberry.field(
                    resolver=reader, name=name, description=attribute.description, deprecation_reason=reason
                ),
            )
            for name, reason in _names(attribute)
        ]
    for relation in resource.relations.values():
        fields += _relation_fields(relation, items, connections, readers)
    if resource.key:
        for name, annotation, reader in (("path", strawberry.ID, readers.path), ("etag", str, readers.etag)):
            fields.append((name, annotation, strawberry.field(resolver=_annotated(reader, annotation), name=name)))
    _define(class_, fields, name=resource.name, description=resource.description)


def _annotated(reader: Callable[[Any], Any], annotation: Any) -> Callable[[Any], Any]:
    def read(root: Any) -> Any:
        return reader(root)

    read.__annotations__ = {"root": Any, "return": annotation}
    return read


def _relation_fields(
    relation: Relation, items: Mapping[str, type], connections: Mapping[str, type], readers: Readers
) -> list[tuple[str, Any, Any]]:
    def one(root: Any, info: Info) -> Any:
        return readers.related(root, info)

    def many(root: Any, info: Info, first: int | None = strawberry.UNSET, offset: int | None = strawberry.UNSET) -> Any:  # noqa: ARG001  # the plan has read them
        return readers.related(root, info)

    target: Any = Optional[connections[relation.target] if relation.many else items[relation.target]]  # noqa: UP045
    resolver = many if relation.many else one
    formers = [(former, _RENAMED.format(relation.name)) for former in relation.former_names]
    return [
        (name, target, strawberry.field(resolver=resolver, name=name, deprecation_reason=reason))
        for name, reason in [(relation.name, None), *formers]
    ]


def _finish_connection(name: str, items: Mapping[str, type], connections: Mapping[str, type], readers: Readers) -> None:
    item: Any = items[name]
    fields: list[tuple[str, Any, Any]] = [
        ("nodes", list[item], strawberry.field(resolver=_annotated(readers.nodes, Any), name="nodes")),
        ("pageInfo", PageInfo, strawberry.field(resolver=_annotated(readers.page_info, Any), name="pageInfo")),
        ("totalCount", int, strawberry.field(resolver=_annotated(readers.total, Any), name="totalCount")),
    ]
    _define(connections[name], fields, name=f"{name}Connection")


def _names(attribute: Attribute) -> list[tuple[str, str | None]]:
    """Name an attribute, and its former names with the reason why they are deprecated."""
    return [(attribute.name, None), *((former, _RENAMED.format(attribute.name)) for former in attribute.former_names)]


def _input_type(resource: Resource, enums: _Enums) -> type:
    fields = [
        (name, enums.annotation(attribute.type), attribute.description, reason)
        for attribute in resource.attributes.values()
        for name, reason in _names(attribute)
    ]
    return _make_input(
        f"{resource.name}Input", fields, description=f"The attributes of one of the {resource.collection}."
    )


def _make_input(
    name: str, fields: Sequence[tuple[str, Any, str | None, str | None]], *, description: str, one_of: bool = False
) -> type:
    class_ = type(name, (), {"__module__": __name__})
    class_.__annotations__ = {PREFIX + field: Optional[annotation] for field, annotation, _, _ in fields}  # noqa: UP045
    for field, _, text, reason in fields:
        value = strawberry.field(name=field, default=strawberry.UNSET, description=text, deprecation_reason=reason)
        setattr(class_, PREFIX + field, value)
    return strawberry.input(class_, name=name, description=description, one_of=one_of)


def _batch_item_input(inputs: Sequence[tuple[Resource, type]]) -> type:
    fields = [(resource.field, input_, None, None) for resource, input_ in inputs]
    return _make_input(
        "BatchItemInput",
        fields,
        description="Exactly one member: the typed attributes of one resource.",
        one_of=True,
    )


def _query_type(
    catalog: Catalog, items: Mapping[str, type], connections: Mapping[str, type], readers: Readers, enums: _Enums
) -> type:
    def node(root: Any, info: Info, path: strawberry.ID) -> Any:  # noqa: ARG001  # the plan has read it
        return readers.root(root, info)

    catalog_described = readers.describe(enums.type_name)

    def resources() -> Any:
        return catalog_described

    fields: list[tuple[str, Any, Any]] = [
        ("node", Optional[Node], strawberry.field(resolver=node, name="node", description="Any item by its path.")),  # noqa: UP045
        (
            "resources",
            list[ResourceDescription],
            strawberry.field(resolver=resources, name="resources", description="The catalog."),
        ),
    ]
    for name, resource in catalog.resources.items():
        if resource.key:
            by_key = _with_key_arguments(resource, readers, enums)
            item: Any = Optional[items[name]]  # noqa: UP045  # a class made at run time
            fields.append((resource.field, item, strawberry.field(resolver=by_key, name=resource.field)))
        formers = [(former, _RENAMED.format(resource.collection)) for former in resource.former_collections]
        for field, reason in [(resource.collection, None), *formers]:
            page = _paged(readers)
            described = resource.description if reason is None else None
            declared = strawberry.field(resolver=page, name=field, description=described, deprecation_reason=reason)
            fields.append((field, Optional[connections[name]], declared))  # noqa: UP045
    query = type("Query", (), {})
    _define(query, fields, name="Query", description="What can be read.")
    return query


def _paged(readers: Readers) -> Callable[..., Any]:
    def page(root: Any, info: Info, first: int | None = strawberry.UNSET, offset: int | None = strawberry.UNSET) -> Any:  # noqa: ARG001  # the plan has read them
        return readers.root(root, info)

    return page


def _with_key_arguments(resource: Resource, readers: Readers, enums: _Enums) -> Callable[..., Any]:
    """Make a resolver whose arguments are the key's attributes."""

    def by_key(root: Any, info: Info, **_: Any) -> Any:
        return readers.root(root, info)

    own = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("root", own, annotation=Any), inspect.Parameter("info", own, annotation=Info)]
    for name in resource.key:
        type_: Any = enums.annotation(resource.attributes[name].type)
        annotation: Any = Annotated[type_, strawberry.argument(name=name)]
        parameters.append(inspect.Parameter(f"k_{name}", inspect.Parameter.KEYWORD_ONLY, annotation=annotation))
    by_key.__signature__ = inspect.Signature(parameters, return_annotation=Any)  # type: ignore[attr-defined]  # what inspect reads
    by_key.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return by_key
