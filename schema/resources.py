"""Item, input and connection types of each resource of the catalog, and the root fields that return them."""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Optional

import strawberry
from strawberry.types import Info

from schema import descriptions
from schema.aggregates import AggregateReaders, aggregate_fields
from schema.dynamic_types import RENAMED, InputField, define_type, make_input, names_of, read_field, resolver
from schema.enums import Enums
from schema.filters import filter_types
from schema.orders import order_types
from schema.scalars import JSON
from storage.catalog.model import Attribute, Catalog, Relation, Resource
from storage.catalog.types import ValueType

_ORDER = "By the first of these, then by the next."
_PAGING = (
    ("first", int, "Return at most this many items, from the start."),
    ("after", str, "Only what comes after this cursor."),
    ("last", int, "Return at most this many items, from the end."),
    ("before", str, "Only what comes before this cursor."),
    ("offset", int, "Skip this many items."),
)
_PATH = "The canonical path: the item's identity in the whole API."
_ETAG = "The item's version: it changes whenever the item changes."
_WITHOUT_KEY = frozenset({"first", "offset"})


@strawberry.interface(description="Anything that has a path of its own.")
class Node:
    """Anything that has a path of its own."""

    path: strawberry.ID = strawberry.field(description=_PATH)
    etag: str = strawberry.field(description=_ETAG)

    @classmethod
    def resolve_type(cls, obj: Any, _info: object, _type: object) -> str:
        """Return the name of an item's type."""
        return str(obj.row.resource.name)


@strawberry.type(description="Where a page stands in its collection.")
class PageInfo:
    """Where a page stands in its collection."""

    has_next_page: bool = strawberry.field(description="Whether there are items after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last item; null on an empty page.")


@strawberry.enum(name="Operation", description="What a part of a batch does.")
class Operation(enum.Enum):
    """What a part of a batch does."""

    GET = strawberry.enum_value("GET", description="Read an item or a collection.")
    CREATE = strawberry.enum_value("CREATE", description="Create an item.")
    UPDATE = strawberry.enum_value("UPDATE", description="Change the attributes that are given, and no others.")
    REPLACE = strawberry.enum_value(
        "REPLACE", description="Replace every attribute; omitted ones are set to their default or to null."
    )
    UPSERT = strawberry.enum_value("UPSERT", description="Update the item if it exists, else create it.")
    DELETE = strawberry.enum_value("DELETE", description="Delete the item.")


@strawberry.type(description="An attribute of a resource: what a form needs to know about it.")
class ResourceAttribute:
    """An attribute of a resource. Of an array, the limits and the labels are those of each of its elements."""

    name: str = strawberry.field(description="Its name, the same in queries, payloads, filters and pointers.")
    type: str = strawberry.field(description="The name of its GraphQL type, without `!`; of an array, in brackets.")
    required: bool = strawberry.field(description="Whether CREATE requires it.")
    nullable: bool = strawberry.field(description="Whether it may be null.")
    read_only: bool = strawberry.field(description="Whether it cannot be set in a payload.")
    generated: bool = strawberry.field(
        description="Whether the server or its database generates its value: always if it is read-only, otherwise"
        " if it is omitted."
    )
    default: JSON | None = strawberry.field(
        description="The value if CREATE omits it; null if there is none, or if it is generated each time."
    )
    min_length: int | None = strawberry.field(
        description="The minimum length, counted like `maxLength`; null if it can be empty."
    )
    max_length: int | None = strawberry.field(
        description="The maximum length: characters of a text, bytes of what is sent as Base64;"
        " null if there is no limit."
    )
    precision: int | None = strawberry.field(
        description="The maximum number of digits of a decimal, in total; null if there is no limit."
    )
    scale: int | None = strawberry.field(
        description="The maximum number of decimal places, of a decimal or of a time's seconds;"
        " null if there is no limit."
    )
    minimum: JSON | None = strawberry.field(
        description="The smallest number, date or time that it accepts, written like its values; null if no such limit is known."
    )
    maximum: JSON | None = strawberry.field(
        description="The largest number, date or time that it accepts, written like its values; null if no such limit is known."
    )
    pattern: str | None = strawberry.field(
        description="A regular expression (ECMAScript) that a text must match, anywhere unless it is anchored;"
        " null if none is known, or if it might mean something else in ECMAScript."
    )
    time_zone: bool | None = strawberry.field(
        description="Whether a DateTime requires a time zone; if false, a time zone is not allowed."
        " Null for other types."
    )
    enum: list[str] | None = strawberry.field(
        description="The labels of an enum, or the texts that a check lists; else null."
    )
    description: str | None = strawberry.field(description="What the database or the model says about it.")


@strawberry.type(description="A relation from an item to other items.")
class ResourceRelation:
    """A relation from an item to other items."""

    name: str = strawberry.field(description="Its name, as a field of the item and, to many, as a segment of paths.")
    target: str = strawberry.field(description="The name of the target resource.")
    many: bool = strawberry.field(
        description="Whether it can have any number of target items, rather than at most one."
    )
    attributes: list[str] = strawberry.field(description="The attributes of the source item that the relation uses.")
    target_attributes: list[str] = strawberry.field(
        description="The attributes of the target that are equal to those, in the same order."
    )
    path: str | None = strawberry.field(
        description="The path of the target items, as a template, such as /artists/{artistId}/albums; null if it leads"
        " to at most one item, or if the source does not have a key."
    )


@strawberry.type(name="Resource", description="One kind of thing that this API serves.")
class ResourceDescription:
    """One kind of thing that this API serves."""

    name: str = strawberry.field(description="The name of its type.")
    description: str | None = strawberry.field(description="What the database or the model says about it.")
    collection: str = strawberry.field(
        description="The root field of all its items, and the first segment of their paths."
    )
    field: str | None = strawberry.field(
        description="The root field of one item, and its member of BatchItemInput; null if the resource does not have a key."
    )
    path: str = strawberry.field(description="The path of its collection, such as /albums.")
    item_path: str | None = strawberry.field(
        description="The canonical path of an item, as a template (RFC 6570) of its key, such as /albums/{albumId}; null if "
        "the resource does not have a key."
    )
    key: list[str] = strawberry.field(
        description="The attributes that together tell its items apart, in the order of paths."
    )
    unique_keys: list[list[str]] = strawberry.field(
        description="Other attributes that together tell its items apart: for paths such as /customers/email=ada%40example.org."
    )
    version: str | None = strawberry.field(description="The attribute that counts versions, where there is one.")
    operations: list[Operation] = strawberry.field(description="What parts of a batch may do with it.")
    attributes: list[ResourceAttribute] = strawberry.field(description="Its attributes, in the order of the database.")
    relations: list[ResourceRelation] = strawberry.field(description="The relations of its items.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """The functions that read the fields of items, declared here and implemented in `resolvers`."""

    attribute: Callable[[Attribute, Any], Callable[[Any], Any]]  # with its enum, if it has one
    path: Callable[[Any], str]
    etag: Callable[[Any], str]
    related: Callable[[Any, Info], Any]  # a relation, by response key
    nodes: Callable[[Any], Any]
    edges: Callable[[Any], Any]  # objects that have `node` and `cursor`
    page_info: Callable[[Any], PageInfo]
    total: Callable[[Any], int | None]
    aggregates: AggregateReaders
    root: Callable[[Any, Info], Any]  # a field of Query, by response key
    describe: Callable[[Callable[[ValueType], str]], list[ResourceDescription]]  # naming of types -> the catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceTypes:
    """The types created from a catalog."""

    query: type
    items: Mapping[str, type]  # by resource name
    batch_item_input: type | None  # None if no resource is writable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Types:
    """The inputs for the types of one catalog, and its classes by resource name, which are completed one by one."""

    catalog: Catalog
    readers: Readers
    enums: Enums
    items: Mapping[str, type]
    connections: Mapping[str, type]
    filters: Mapping[str, type]
    orders: Mapping[str, type]  # of resources that can be ordered


def resource_types(catalog: Catalog, readers: Readers, *, containment: bool = False) -> ResourceTypes:
    """Create the types of a catalog.

    `containment` is True if its database can compare JSON documents and search inside them.
    """
    enums = Enums(catalog)
    types = _Types(
        catalog=catalog,
        readers=readers,
        enums=enums,
        items={name: _item_class(resource) for name, resource in catalog.resources.items()},
        connections={name: type(f"{name}Connection", (), {}) for name in catalog.resources},
        filters=filter_types(catalog, enums, containment=containment),
        orders=order_types(catalog),
    )
    for resource in catalog.resources.values():
        _finish_item(resource, types)
        _finish_connection(resource, types)
    inputs = [(each, _input_type(each, types)) for each in catalog.resources.values() if each.writable]
    return ResourceTypes(
        query=_query_type(types),
        items=types.items,
        batch_item_input=_batch_item_input(inputs) if inputs else None,
    )


def _item_class(resource: Resource) -> type:
    def is_type_of(obj: Any, _info: object) -> bool:
        return bool(obj.row.resource.name == resource.name)

    return type(resource.name, (Node,) if resource.key else (), {"is_type_of": staticmethod(is_type_of)})


def _finish_item(resource: Resource, types: _Types) -> None:
    readers, enums = types.readers, types.enums
    fields: list[tuple[str, Any, Any]] = []
    for attribute in resource.attributes.values():
        annotation = enums.annotation(attribute.type)
        described = descriptions.of_attribute(attribute, resource, types.catalog)
        if attribute.nullable:
            annotation = Optional[annotation]  # noqa: UP045  # a NewType does not support `|` with None at run time
        reader = readers.attribute(attribute, enums.of(attribute.type))
        fields += [
            (
                name,
                annotation,
                strawberry.field(resolver=reader, name=name, description=described, deprecation_reason=reason),
            )
            for name, reason in names_of(attribute)
        ]
    for relation in resource.relations.values():
        fields += _relation_fields(relation, types)
    if resource.key:
        fields.append(read_field("path", strawberry.ID, _PATH, readers.path))
        fields.append(read_field("etag", str, _ETAG, readers.etag))
    described = descriptions.of_resource(resource)
    define_type(types.items[resource.name], fields, name=resource.name, description=described)


def _relation_fields(relation: Relation, types: _Types) -> list[tuple[str, Any, Any]]:
    target: Any = (types.connections if relation.many else types.items)[relation.target]
    arguments = _page_arguments(types.catalog.target_of(relation), types) if relation.many else []
    resolve = resolver(types.readers.related, arguments)
    described = descriptions.of_relation(relation, types.catalog)
    fields = []
    for name, reason in names_of(relation):
        declared = strawberry.field(resolver=resolve, name=name, description=described, deprecation_reason=reason)
        fields.append((name, Optional[target], declared))  # noqa: UP045  # a class created at run time
    return fields


def _page_arguments(resource: Resource, types: _Types) -> list[InputField]:
    """Return the arguments of a collection. Without a key, there are no cursors, and therefore no cursor arguments."""
    order: Any = types.orders.get(resource.name)
    which = InputField(
        name="filter", type=types.filters[resource.name], description="Return only items that meet this condition."
    )
    by = [InputField(name="orderBy", type=list[order], description=_ORDER)] if order is not None else []
    paging = [
        InputField(name=name, type=type_, description=description)
        for name, type_, description in _PAGING
        if resource.key or name in _WITHOUT_KEY
    ]
    return [which, *by, *paging]


def _finish_connection(resource: Resource, types: _Types) -> None:
    readers, name = types.readers, resource.name
    item: Any = types.items[name]
    fields = [read_field("nodes", list[item], "The items of this page.", readers.nodes)]
    if resource.key:
        edge: Any = _edge_type(resource, types)
        fields.append(read_field("edges", list[edge], "The same items, each with its cursor.", readers.edges))
    fields += [
        read_field("pageInfo", PageInfo, "Where this page stands.", readers.page_info),
        read_field("totalCount", int, "How many there are, on all pages together.", readers.total),
        *aggregate_fields(resource, types.enums, readers.aggregates),
    ]
    described = f"A page of the {resource.collection}."
    define_type(types.connections[name], fields, name=f"{name}Connection", description=described)


def _edge_type(resource: Resource, types: _Types) -> type:
    edge = type(f"{resource.name}Edge", (), {})
    cursor = "Where the item stands in this order: for `after` and `before`."
    fields = [
        read_field("node", types.items[resource.name], "The item.", attrgetter("node")),
        read_field("cursor", str, cursor, attrgetter("cursor")),
    ]
    define_type(edge, fields, name=edge.__name__, description=f"One of the {resource.collection} on a page.")
    return edge


def _input_type(resource: Resource, types: _Types) -> type:
    fields = [
        InputField(
            name=name,
            type=types.enums.annotation(attribute.type),
            description=descriptions.of_attribute(attribute, resource, types.catalog),
            deprecated=reason,
        )
        for attribute in resource.attributes.values()
        for name, reason in names_of(attribute)
    ]
    return make_input(
        f"{resource.name}Input", fields, description=f"The attributes of one of the {resource.collection}."
    )


def _batch_item_input(inputs: Sequence[tuple[Resource, type]]) -> type:
    return make_input(
        "BatchItemInput",
        [
            InputField(name=resource.field, type=input_, description=f"One of the {resource.collection}.")
            for resource, input_ in inputs
        ],
        description="Exactly one member: the typed attributes of one resource.",
        one_of=True,
    )


def _query_type(types: _Types) -> type:
    readers = types.readers
    catalog_described = readers.describe(types.enums.type_name)

    def node(
        root: Any,
        info: Info,
        path: Annotated[strawberry.ID, strawberry.argument(description="Such as /albums/12.")],  # noqa: ARG001  # the plan has evaluated it
    ) -> Any:
        return readers.root(root, info)

    def resources() -> Any:
        return catalog_described

    fields: list[tuple[str, Any, Any]] = [
        (
            "node",
            Optional[Node],  # noqa: UP045  # as for the others
            strawberry.field(resolver=node, name="node", description="Any item, by its canonical path."),
        ),
        (
            "resources",
            list[ResourceDescription],
            strawberry.field(resolver=resources, name="resources", description="The catalog."),
        ),
    ]
    for name, resource in types.catalog.resources.items():
        if resource.key:
            by_key = resolver(readers.root, _key_arguments(resource, types))
            item: Any = Optional[types.items[name]]  # noqa: UP045  # a class created at run time
            described = f"One of the {resource.collection}, by its key."
            declared = strawberry.field(resolver=by_key, name=resource.field, description=described)
            fields.append((resource.field, item, declared))
        formers = [(former, RENAMED.format(resource.collection)) for former in resource.former_collections]
        page = resolver(readers.root, _page_arguments(resource, types))
        described = descriptions.of_collection(resource)
        for field, reason in [(resource.collection, None), *formers]:
            declared = strawberry.field(resolver=page, name=field, description=described, deprecation_reason=reason)
            fields.append((field, Optional[types.connections[name]], declared))  # noqa: UP045
    query = type("Query", (), {})
    define_type(query, fields, name="Query", description="What can be read.")
    return query


def _key_arguments(resource: Resource, types: _Types) -> list[InputField]:
    return [
        InputField(
            name=name,
            type=types.enums.annotation(resource.attributes[name].type),
            description=descriptions.of_attribute(resource.attributes[name], resource, types.catalog),
            required=True,
        )
        for name in resource.key
    ]
