"""The schema itself: what the contract (docs/contract.md, sections 2, 4 and 5) writes down, and snapshots of all of it.

After a change that is meant, write the snapshots anew and read their difference:

    PARTWISE_UPDATE_SNAPSHOTS=1 pytest tests/contract/test_schema.py
"""

import os
import re
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InputValueDefinitionNode,
    build_client_schema,
    build_schema,
    get_introspection_query,
    print_ast,
    validate_schema,
)

from tests.conftest import Serve
from tests.support.harness import Api, Backend
from tests.support.music import SCRIPT

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
SHOP = "partwise.examples.shop.models"


def check_snapshot(name: str, sdl: str) -> None:
    """Compare with tests/snapshots, or write it where PARTWISE_UPDATE_SNAPSHOTS says so."""
    path = SNAPSHOTS / f"{name}.graphql"
    if os.environ.get("PARTWISE_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(sdl + "\n")
    assert path.read_text() == sdl + "\n", (
        "the schema has changed: see the first lines of tests/contract/test_schema.py"
    )


def schema_of(api: Api) -> GraphQLSchema:
    """Parse what `partwise schema` prints."""
    return build_schema(api.service.schema.as_str())


def test_the_music_shop_has_the_same_schema_on_both_databases(music: Api):
    check_snapshot("music", music.service.schema.as_str())


def test_the_example_shop_has_the_same_schema_on_both_databases(backend: Backend, start: Serve):
    sdl = start(backend, models=SHOP, create_tables=True).service.schema.as_str()
    # Only PostgreSQL looks into JSON: tests/contract/test_filter_types.py says what each has.
    check_snapshot("shop", re.sub(r"(input JSONFilter) {.*?^}", r"\1", sdl, flags=re.DOTALL | re.MULTILINE))


# What clients rely on, copied from the contract by hand: type -> field -> type.
TYPES: dict[str, dict[str, str]] = {
    "Mutation": {"batch": "BatchResult"},
    "BatchResult": {
        "status": "BatchStatus!",
        "committed": "Boolean!",
        "parts": "[PartResult!]!",
        "replayed": "Boolean!",
        "query": "Query",
    },
    "PartResult": {
        "id": "ID!",
        "index": "Int!",
        "path": "String!",
        "operation": "Operation!",
        "status": "Int!",
        "preconditionSucceeded": "Boolean",
        "etag": "String",
        "payload": "JSON",
        "item": "Node",
        "items": "[Node]",
        "errors": "[PartError!]!",
    },
    "PartError": {
        "code": "PartErrorCode!",
        "message": "String!",
        "pointer": "String",
        "attributes": "[String!]!",
        "constraint": "String",
        "params": "JSON",
    },
    "Node": {"path": "ID!", "etag": "String!"},
    "PartInput": {
        "id": "ID!",
        "path": "ID!",
        "operation": "Operation!",
        "payload": "JSON",
        "item": "BatchItemInput",
        "ifMatch": "[String!]",
        "ifNoneMatch": "[String!]",
        "references": "[ReferenceInput!]",
    },
    "ReferenceInput": {"attribute": "String!", "part": "ID!"},
    "BatchItemInput": {
        "album": "AlbumInput",
        "artist": "ArtistInput",
        "customer": "CustomerInput",
        "employee": "EmployeeInput",
        "invoice": "InvoiceInput",
        "mediaType": "MediaTypeInput",
        "playlist": "PlaylistInput",
        "playlistTrack": "PlaylistTrackInput",
        "track": "TrackInput",
    },
    "AlbumInput": {"albumId": "Int", "title": "String", "artistId": "Int"},
    "Album": {
        "path": "ID!",
        "etag": "String!",
        "albumId": "Int!",
        "title": "String!",
        "artistId": "Int!",
        "artist": "Artist",
        "tracks": "TrackConnection",
    },
    "AlbumConnection": {
        "nodes": "[Album!]!",
        "edges": "[AlbumEdge!]!",
        "pageInfo": "PageInfo!",
        "totalCount": "Int!",
        "aggregate": "AlbumAggregate!",
        "groupBy": "[AlbumGroup!]!",
    },
    "AlbumAggregate": {"count": "Int!", "sum": "AlbumSum", "avg": "AlbumAvg", "min": "AlbumMin", "max": "AlbumMax"},
    "AlbumSum": {"albumId": "BigInt", "artistId": "BigInt"},
    "TrackSum": {
        **dict.fromkeys(["trackId", "albumId", "mediaTypeId", "milliseconds", "bytes"], "BigInt"),
        "unitPrice": "Decimal",
    },
    "AlbumAvg": {"albumId": "Float", "artistId": "Float"},
    "AlbumMin": {"albumId": "Int", "title": "String", "artistId": "Int"},
    "AlbumMax": {"albumId": "Int", "title": "String", "artistId": "Int"},
    "AlbumGroup": {"keys": "AlbumGroupKeys!", "aggregate": "AlbumAggregate!"},
    "AlbumGroupKeys": {"albumId": "Int", "title": "String", "artistId": "Int"},
    "AlbumEdge": {"node": "Album!", "cursor": "String!"},
    "PageInfo": {
        "hasNextPage": "Boolean!",
        "hasPreviousPage": "Boolean!",
        "startCursor": "String",
        "endCursor": "String",
    },
    "AlbumFilter": {
        "and": "[AlbumFilter!]",
        "or": "[AlbumFilter!]",
        "not": "AlbumFilter",
        "albumId": "IntFilter",
        "title": "StringFilter",
        "artistId": "IntFilter",
        "artist": "ArtistFilter",
        "tracks": "TrackListFilter",
    },
    "TrackListFilter": {"some": "TrackFilter", "none": "TrackFilter", "every": "TrackFilter"},
    "StringFilter": {
        **dict.fromkeys(["eq", "ne", "lt", "lte", "gt", "gte"], "String"),
        **dict.fromkeys(["in", "notIn"], "[String!]"),
        **dict.fromkeys(["like", "ilike", "startsWith", "endsWith", "contains"], "String"),
        "isNull": "Boolean",
    },
    "AlbumOrderBy": {
        "albumId": "Direction",
        "title": "Direction",
        "artistId": "Direction",
        "artist": "ArtistOrderBy",
    },
    "Resource": {
        "name": "String!",
        "description": "String",
        "collection": "String!",
        "field": "String",
        "path": "String!",
        "itemPath": "String",
        "key": "[String!]!",
        "uniqueKeys": "[[String!]!]!",
        "version": "String",
        "operations": "[Operation!]!",
        "attributes": "[ResourceAttribute!]!",
        "relations": "[ResourceRelation!]!",
    },
    "ResourceAttribute": {
        "name": "String!",
        "type": "String!",
        "required": "Boolean!",
        "nullable": "Boolean!",
        "readOnly": "Boolean!",
        "generated": "Boolean!",
        "default": "JSON",
        "minLength": "Int",
        "maxLength": "Int",
        "precision": "Int",
        "scale": "Int",
        "minimum": "JSON",
        "maximum": "JSON",
        "pattern": "String",
        "timeZone": "Boolean",
        "enum": "[String!]",
        "description": "String",
    },
    "ResourceRelation": {
        "name": "String!",
        "target": "String!",
        "many": "Boolean!",
        "attributes": "[String!]!",
        "targetAttributes": "[String!]!",
        "path": "String",
    },
}
QUERY_FIELDS = {
    "node": "Node",
    "resources": "[Resource!]!",
    "album": "Album",
    "albums": "AlbumConnection",
    "playlistTrack": "PlaylistTrack",
    "playlistTracks": "PlaylistTrackConnection",
}
ENUMS = {
    "Operation": "GET CREATE UPDATE REPLACE UPSERT DELETE",
    "BatchStatus": "COMMITTED REJECTED VALID",
    "Direction": "ASC DESC ASC_NULLS_FIRST ASC_NULLS_LAST DESC_NULLS_FIRST DESC_NULLS_LAST",
    "PartErrorCode": (
        "INVALID_PATH UNKNOWN_RESOURCE OPERATION_NOT_ALLOWED DUPLICATE_ID INVALID_PRECONDITION INVALID_REFERENCE INVALID_PAYLOAD "
        "UNKNOWN_ATTRIBUTE READ_ONLY REQUIRED INVALID_VALUE NOT_FOUND PRECONDITION_FAILED CONFLICT MISSING_TARGET STILL_REFERENCED "
        "CHECK_FAILED REFUSED_BY_DATABASE FORBIDDEN"
    ),
}


def _page_arguments(name: str) -> dict[str, tuple[str, str | None]]:
    which = {"filter": f"{name}Filter", "orderBy": f"[{name}OrderBy!]"}
    paging = {"first": "Int", "after": "String", "last": "Int", "before": "String", "offset": "Int"}
    return {argument: (type_, None) for argument, type_ in (which | paging).items()}


# field -> argument -> its type and default
ARGUMENTS: dict[tuple[str, str], dict[str, tuple[str, str | None]]] = {
    ("Mutation", "batch"): {
        "parts": ("[PartInput!]!", None),
        "dryRun": ("Boolean!", "false"),
        "idempotencyKey": ("String", None),
    },
    ("Query", "node"): {"path": ("ID!", None)},
    ("Query", "album"): {"albumId": ("Int!", None)},
    ("Query", "playlistTrack"): {"playlistId": ("Int!", None), "trackId": ("Int!", None)},
    ("Query", "albums"): _page_arguments("Album"),
    ("Album", "tracks"): _page_arguments("Track"),
}


def test_the_types_have_the_fields_and_the_nullability_of_the_contract(music: Api):
    schema = schema_of(music)
    for name, expected in TYPES.items():
        type_ = schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType)
        assert {field: str(each.type) for field, each in type_.fields.items()} == expected, name
    query = schema.query_type
    assert query is not None
    assert {field: str(each.type) for field, each in query.fields.items()}.items() >= QUERY_FIELDS.items()
    assert query.fields.keys() == {
        *(
            "node",
            "resources",
            "album",
            "albums",
            "artist",
            "artists",
            "customer",
            "customers",
            "employee",
            "employees",
        ),
        *("invoice", "invoices", "mediaType", "mediaTypes", "playlist", "playlists", "playlistTrack", "playlistTracks"),
        *("track", "tracks"),
    }


def test_the_catalog_describes_itself(music: Api):
    schema = schema_of(music)
    for name in ("Resource", "ResourceAttribute", "ResourceRelation"):
        type_ = schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        assert type_.description
        assert [field for field, each in type_.fields.items() if not each.description] == []


def test_the_enums_have_the_members_of_the_contract(music: Api):
    schema = schema_of(music)
    for name, members in ENUMS.items():
        type_ = schema.type_map[name]
        assert isinstance(type_, GraphQLEnumType)
        assert sorted(type_.values) == sorted(members.split()), name


@pytest.mark.parametrize(("type_name", "field"), ARGUMENTS)
def test_arguments_have_the_types_and_defaults_of_the_contract(sqlite: Backend, start: Serve, type_name, field):
    sqlite.run(SCRIPT)
    type_ = schema_of(start(sqlite)).type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    found = {name: (str(each.type), _default(each.ast_node)) for name, each in type_.fields[field].args.items()}
    assert found == ARGUMENTS[type_name, field]


def _default(node: InputValueDefinitionNode | None) -> str | None:
    assert node is not None
    return print_ast(node.default_value) if node.default_value else None


def test_an_item_of_a_batch_has_exactly_one_member(music: Api):
    schema = schema_of(music)
    item = schema.type_map["BatchItemInput"]
    assert isinstance(item, GraphQLInputObjectType)
    assert item.is_one_of
    one_of = {n for n, each in schema.type_map.items() if isinstance(each, GraphQLInputObjectType) and each.is_one_of}
    assert {name for name in one_of if not name.endswith("OrderBy")} == {"BatchItemInput"}


def test_every_item_with_a_key_is_a_node(music: Api):
    schema = schema_of(music)
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    assert {each.name for each in schema.get_possible_types(node)} == {
        *("Album", "Artist", "Customer", "Employee", "Invoice", "MediaType", "Playlist", "PlaylistTrack", "Track"),
    }


def test_an_input_has_every_attribute_and_none_is_required(music: Api):
    schema = schema_of(music)
    for name in TYPES["BatchItemInput"].values():
        input_, item = schema.type_map[name], schema.type_map[name.removesuffix("Input")]
        assert isinstance(input_, GraphQLInputObjectType)
        assert isinstance(item, GraphQLObjectType)
        scalars = {field: str(each.type).rstrip("!") for field, each in item.fields.items() if not each.args}
        attributes = {
            field: type_ for field, type_ in scalars.items() if type_ not in schema.type_map or _is_leaf(schema, type_)
        }
        assert {field: str(each.type) for field, each in input_.fields.items()} == {
            field: type_ for field, type_ in attributes.items() if field not in {"path", "etag"}
        }
        assert all(_default(each.ast_node) is None for each in input_.fields.values())


def _is_leaf(schema: GraphQLSchema, name: str) -> bool:
    return not isinstance(schema.type_map[name], GraphQLObjectType | GraphQLInterfaceType)


def test_the_schema_is_valid_as_served_and_as_printed(music: Api, backend: Backend):
    assert validate_schema(music.service.schema._schema) == []
    assert validate_schema(schema_of(music)) == []


def test_introspection_gives_the_schema_that_is_printed(music: Api):
    query = get_introspection_query(specified_by_url=True, schema_description=True, input_value_deprecation=True)
    seen = build_client_schema(music.query(query))
    printed = schema_of(music)
    assert validate_schema(seen) == []
    assert seen.type_map.keys() == printed.type_map.keys()
    for name, type_ in printed.type_map.items():
        other = seen.type_map[name]
        assert type(other) is type(type_)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType) and not name.startswith(
            "__"
        ):
            assert isinstance(other, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType)
            assert {f: str(each.type) for f, each in other.fields.items()} == {
                f: str(each.type) for f, each in type_.fields.items()
            }


def test_the_shop_has_enums_descriptions_and_the_names_of_its_relationships(sqlite: Backend, start: Serve):
    schema = schema_of(start(sqlite, models=SHOP, create_tables=True))
    status, order, product = (schema.type_map[name] for name in ("OrderStatus", "Order", "Product"))
    if (
        isinstance(status, GraphQLEnumType)
        and isinstance(order, GraphQLObjectType)
        and isinstance(product, GraphQLObjectType)
    ):
        assert [*status.values] == ["PLACED", "PAID", "SHIPPED", "DELIVERED", "CANCELLED"]
        assert {
            name: str(order.fields[name].type) for name in ("status", "placedAt", "customer", "lines", "version")
        } == {
            "status": "OrderStatus!",
            "placedAt": "DateTime!",
            "customer": "Customer",
            "lines": "OrderLineConnection",
            "version": "Int!",
        }
        assert product.fields["price"].description == "For one piece, in euros."
        assert {"stock", "orderLines"} <= product.fields.keys()
    else:
        pytest.fail("OrderStatus is an enum, Order and Product are objects")


def test_the_labels_of_an_enum_that_are_no_graphql_names_are_in_the_description(postgresql: Backend, start: Serve):
    labels = ["cash", "bank transfer", "card"]
    postgresql.run("CREATE TYPE method AS ENUM ('cash', 'bank transfer', 'card')")
    postgresql.run("CREATE TABLE payment (id {key}, method method NOT NULL)")
    query = '{ __type(name: "Payment") { fields { name description } } }'
    described = {each["name"]: each["description"] for each in start(postgresql).query(query)["__type"]["fields"]}
    assert described["method"] == f"One of: {', '.join(labels)}."
