"""The types of filters, orders and pages (docs/contract.md, section 5): which inputs there are, and what they take."""

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from tests.conftest import Serve
from tests.support.described import fields
from tests.support.every_type import GRAPHQL_TYPES, TABLE
from tests.support.harness import Api, Backend, faults, part

AMONG = "eq ne in notIn isNull"
ORDERED = f"{AMONG} lt lte gt gte"
TEXT = f"{ORDERED} like ilike startsWith endsWith contains"
ARRAY = "eq ne contains containedIn overlaps isNull"
OPERATORS = {
    "String": TEXT,
    **dict.fromkeys(["Int", "BigInt", "Float", "Decimal", "Date", "Time", "DateTime"], ORDERED),
    "Boolean": "eq ne isNull",
    "UUID": AMONG,
    "Base64": AMONG,
}
OF_POSTGRESQL = """
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TYPE odd AS ENUM ('very happy', 'not so happy');
CREATE TABLE special (
  id {key}, mood mood, odd odd, address inet, span interval, words text[], moods mood[], odds odd[], numbers integer[],
  prices numeric(9,2)[], document jsonb, old json, documents jsonb[]
)
"""


def schema_of(api: Api) -> GraphQLSchema:
    return build_schema(api.service.schema.as_str())


def taken(arguments: dict[str, GraphQLArgument]) -> dict[str, str]:
    return {name: str(each.type) for name, each in arguments.items()}


def root_arguments(api: Api, field: str) -> dict[str, str]:
    query = schema_of(api).query_type
    assert query is not None
    return taken(query.fields[field].args)


def test_each_type_has_a_condition_with_the_operators_of_the_contract(backend: Backend, start: Serve):
    backend.run(TABLE)
    api = start(backend)

    found = fields(api, "EveryTypeFilter")

    assert found == {
        "and": "[EveryTypeFilter!]",
        "or": "[EveryTypeFilter!]",
        "not": "EveryTypeFilter",
        "id": "IntFilter",
        **{name: f"{type_}Filter" for name, type_ in GRAPHQL_TYPES.items()},
    }
    for type_, operators in OPERATORS.items():
        lists = {"in": f"[{type_}!]", "notIn": f"[{type_}!]", "isNull": "Boolean"}
        assert fields(api, f"{type_}Filter") == {each: lists.get(each, type_) for each in operators.split()}, type_


def test_json_is_compared_and_looked_into_on_postgresql_only(backend: Backend, start: Serve):
    backend.run(TABLE)

    found = fields(start(backend), "JSONFilter")

    into = dict.fromkeys(("eq", "ne", "contains", "containedIn"), "JSON") | {"hasKey": "String"}
    assert found == {**(into if backend.kind == "postgresql" else {}), "isNull": "Boolean"}


def test_enums_arrays_and_what_only_the_database_knows_have_conditions_of_their_own(postgresql: Backend, start: Serve):
    postgresql.run(OF_POSTGRESQL)
    api = start(postgresql)

    found = fields(api, "SpecialFilter")

    assert {name: type_ for name, type_ in found.items() if name not in {"and", "or", "not"}} == {
        "id": "IntFilter",
        "mood": "MoodFilter",
        "odd": "OpaqueFilter",
        "address": "OpaqueFilter",
        "span": "OpaqueFilter",
        "words": "StringArrayFilter",
        "moods": "MoodArrayFilter",
        "odds": "StringArrayFilter",
        "numbers": "IntArrayFilter",
        "prices": "DecimalArrayFilter",
        "document": "JSONFilter",
        "old": "JSONFilter",
        "documents": "JSONArrayFilter",
    }
    for name, type_ in {"MoodFilter": "Mood", "OpaqueFilter": "String"}.items():
        lists = {"in": f"[{type_}!]", "notIn": f"[{type_}!]", "isNull": "Boolean"}
        assert fields(api, name) == {each: lists.get(each, type_) for each in AMONG.split()}, name
    for type_ in ("String", "Mood", "Int", "Decimal", "JSON"):
        operands = dict.fromkeys(ARRAY.split(), f"[{type_}!]") | dict.fromkeys(("eq", "ne"), f"[{type_}]")
        assert fields(api, f"{type_}ArrayFilter") == {**operands, "isNull": "Boolean"}, type_


def test_a_list_with_nulls_is_found_by_what_is_read_of_it(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE TABLE thing (id {key}, words text[], moods mood[], numbers int[], prices numeric[], days date[]);
        INSERT INTO thing (words, moods, numbers, prices, days) VALUES
          (ARRAY['a', NULL], ARRAY['ok', NULL]::mood[], ARRAY[NULL, 1], ARRAY[NULL, 1.50], ARRAY[NULL, DATE '2024-05-06']),
          (ARRAY['a'], ARRAY['ok']::mood[], ARRAY[1], ARRAY[1.50], ARRAY[DATE '2024-05-06']), (NULL, NULL, NULL, NULL, NULL)""")
    api = start(postgresql)
    read = api.query("{ things { nodes { words moods numbers prices days } } }")["things"]["nodes"]

    for name in ("words", "moods", "numbers", "prices", "days"):
        for place in (0, 1):
            for operator, expected in (("eq", [place + 1]), ("ne", [2 - place])):
                found = api.query(
                    "query ($filter: ThingFilter) { things(filter: $filter) { nodes { id } } }",
                    filter={name: {operator: read[place][name]}},
                )
                assert [each["id"] for each in found["things"]["nodes"]] == expected, (name, operator, place)
    refused = api.post('{ things(filter: {words: {contains: ["a", null]}}) { totalCount } }')
    assert refused["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_the_schema_has_only_the_conditions_that_some_attribute_has(backend: Backend, start: Serve):
    backend.run("CREATE TABLE thing (id {key}, flag BOOLEAN)")

    inputs = {name for name in schema_of(start(backend)).type_map if name.endswith(("Filter", "OrderBy"))}

    assert inputs == {"ThingFilter", "ThingOrderBy", "IntFilter", "BooleanFilter"}


def test_filters_and_orders_follow_relations(music: Api):
    filter_ = fields(music, "EmployeeFilter")
    order = fields(music, "EmployeeOrderBy")

    assert filter_["employeeByReportsTo"] == "EmployeeFilter"
    assert filter_["employeesByReportsTo"] == "EmployeeListFilter"
    assert filter_["customersBySupportRep"] == "CustomerListFilter"
    assert fields(music, "CustomerListFilter") == dict.fromkeys(["some", "none", "every"], "CustomerFilter")
    assert order["employeeByReportsTo"] == "EmployeeOrderBy"
    assert order["employeeId"] == "Direction"
    assert not order.keys() & {"employeesByReportsTo", "customersBySupportRep"}, "there is no order by many"


def test_an_order_has_no_json_no_array_and_nothing_that_only_the_database_knows(postgresql: Backend, start: Serve):
    postgresql.run(OF_POSTGRESQL)

    assert fields(start(postgresql), "SpecialOrderBy") == dict.fromkeys(["id", "mood", "odd"], "Direction")


def test_what_has_nothing_to_be_ordered_by_has_no_order_unless_a_relation_leads_to_it(
    postgresql: Backend, start: Serve
):
    postgresql.run("""
        CREATE TABLE host (address inet PRIMARY KEY);
        CREATE TABLE twin (address inet PRIMARY KEY REFERENCES host (address), other inet REFERENCES twin (address));
        CREATE TABLE thing (id {key}, host_id inet REFERENCES host (address));
        CREATE TABLE note (words text[], about jsonb)""")
    api = start(postgresql)
    schema = schema_of(api)

    without = [name for name in ("Host", "Twin", "Note") if f"{name}OrderBy" in schema.type_map]

    assert without == []
    assert "orderBy" not in root_arguments(api, "hosts")
    assert fields(api, "ThingOrderBy") == {"id": "Direction"}


def test_a_relation_alone_makes_an_order(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE host (address inet PRIMARY KEY, name text);
        CREATE TABLE line (address inet PRIMARY KEY REFERENCES host (address));
        CREATE TABLE plug (address inet PRIMARY KEY REFERENCES line (address))""")
    api = start(postgresql)

    assert fields(api, "LineOrderBy") == {"hostByAddress": "HostOrderBy"}
    assert fields(api, "PlugOrderBy") == {"lineByAddress": "LineOrderBy"}


def test_what_has_no_key_has_no_cursors(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE album (id {key}, title VARCHAR(20));
        CREATE VIEW titles AS SELECT title FROM album""")
    api = start(backend)

    assert root_arguments(api, "titles") == {
        "filter": "TitleFilter",
        "orderBy": "[TitleOrderBy!]",
        "first": "Int",
        "offset": "Int",
    }
    assert fields(api, "TitleConnection").keys() == {"nodes", "pageInfo", "totalCount", "aggregate", "groupBy"}
    assert "TitleEdge" not in schema_of(api).type_map
    assert fields(api, "AlbumEdge") == {"node": "Album!", "cursor": "String!"}


def test_a_former_collection_and_a_relation_take_what_the_collection_takes(music: Api):
    album = schema_of(music).type_map["Album"]
    assert isinstance(album, GraphQLObjectType)

    assert taken(album.fields["tracks"].args) == root_arguments(music, "tracks")


def test_columns_named_as_the_logic_of_a_filter_are_attributes_with_another_name(backend: Backend, start: Serve):
    backend.run(
        'CREATE TABLE word (id {key}, "and" INTEGER, "or" BOOLEAN, "not" VARCHAR(9), "some" INTEGER, eq INTEGER)'
    )
    api = start(backend)

    assert fields(api, "WordFilter") == {
        "and": "[WordFilter!]",
        "or": "[WordFilter!]",
        "not": "WordFilter",
        "id": "IntFilter",
        "and_": "IntFilter",
        "or_": "BooleanFilter",
        "not_": "StringFilter",
        "some": "IntFilter",
        "eq": "IntFilter",
    }
    assert fields(api, "WordOrderBy") == dict.fromkeys(["id", "and_", "or_", "not_", "some", "eq"], "Direction")


def test_a_relation_and_a_column_of_one_name_each_have_a_member(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE artist (id {key});
        CREATE TABLE album (id {key}, artist VARCHAR(20), artist_id INTEGER REFERENCES artist (id))""")

    found = fields(start(backend), "AlbumFilter")

    assert (found["artist"], found["artist_"]) == ("StringFilter", "ArtistFilter")


def test_a_list_filter_makes_room_for_the_filter_of_a_resource(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE good (id {key});
        CREATE TABLE price (id {key}, good_id INTEGER REFERENCES good (id));
        CREATE TABLE price_list (id {key}, name VARCHAR(9), good_id INTEGER REFERENCES good (id))""")
    api = start(backend)

    found = fields(api, "GoodFilter")

    assert (found["prices"], found["priceLists"]) == ("PriceListFilter_", "PriceListListFilter")
    assert fields(api, "PriceListFilter")["name"] == "StringFilter"
    assert fields(api, "PriceListFilter_")["some"] == "PriceFilter"


def test_the_condition_on_an_enum_makes_room_for_those_that_have_the_name(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TYPE string_array AS ENUM ('a');
        CREATE TYPE word AS ENUM ('b');
        CREATE TYPE word_array AS ENUM ('c');
        CREATE TYPE opaque AS ENUM ('d');
        CREATE TABLE thing (
          id {key}, strings text[], one string_array, word word, words word[], other word_array, odd opaque, address inet
        )""")
    found = fields(start(postgresql), "ThingFilter")

    assert found["strings"] == "StringArrayFilter"
    assert found["one"] == "StringArrayFilter_"
    assert (found["word"], found["words"], found["other"]) == ("WordFilter", "WordArrayFilter", "WordArrayFilter_")
    assert (found["odd"], found["address"]) == ("OpaqueFilter_", "OpaqueFilter")


@pytest.mark.parametrize("table", ["Opaque", "OpaqueFilter", "StringArray", "StringArrayFilter", "Direction"])
def test_a_table_named_as_a_type_of_filters_gets_a_trailing_underscore(backend: Backend, start: Serve, table):
    backend.run(f'CREATE TABLE "{table}" (id {{key}}, name VARCHAR(9))')
    api = start(backend)

    assert fields(api, f"{table}_Filter")["name"] == "StringFilter"
    assert fields(api, f"{table}_OrderBy")["name"] == "Direction"


def test_every_type_of_filters_orders_and_pages_and_all_they_have_is_described(postgresql: Backend, start: Serve):
    postgresql.run(OF_POSTGRESQL)
    postgresql.run("CREATE TABLE note (id {key}, special_id INTEGER REFERENCES special (id))")
    schema = schema_of(start(postgresql))

    missing = [
        place
        for name, type_ in schema.type_map.items()
        if name == "Direction" or name.endswith(("Filter", "OrderBy", "Edge", "Connection", "PageInfo"))
        for place, description in _described(name, type_)
        if not description
    ]

    assert missing == []
    query = schema.query_type
    assert query is not None
    assert all(each.description for each in query.fields["notes"].args.values())


def _described(name: str, type_: GraphQLNamedType) -> list[tuple[str, str | None]]:
    members: dict[str, str | None] = {}
    if isinstance(type_, GraphQLEnumType):
        members = {member: each.description for member, each in type_.values.items()}
    elif isinstance(type_, GraphQLInputObjectType | GraphQLObjectType | GraphQLInterfaceType):
        members = {member: each.description for member, each in type_.fields.items()}
    return [(name, type_.description), *((f"{name}.{member}", text) for member, text in members.items())]


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        ("[{ title: ASC, albumId: ASC }]", "exactly one"),
        ("[{}]", "exactly one"),
        ("[{ title: null }]", "non-null"),
        ("[{ tracks: { name: ASC } }]", "tracks"),
        ("[{ title: UP }]", "UP"),
    ],
)
def test_a_term_of_an_order_has_exactly_one_member(music: Api, order, wrong):
    answer = music.post(f"{{ albums(orderBy: {order}) {{ totalCount }} }}")

    assert wrong in answer["errors"][0]["message"]
    assert answer["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


def test_filters_and_orders_are_taken_as_literals_and_as_variables(music: Api):
    filter_ = {"artist": {"albums": {"some": {"not": {"and": [{"title": {"eq": "no such title"}}]}}}}}
    order = [{"artist": {"name": "DESC_NULLS_FIRST"}}, {"title": "ASC"}]

    found = music.query(
        """query ($filter: AlbumFilter, $order: [AlbumOrderBy!]) {
          given: albums(filter: $filter, orderBy: $order) { totalCount }
          written: albums(
            filter: { artist: { albums: { some: { not: { and: [{ title: { eq: "no such title" } }] } } } } }
            orderBy: [{ artist: { name: DESC_NULLS_FIRST } }, { title: ASC }]
          ) { totalCount }
        }""",
        filter=filter_,
        order=order,
    )

    assert found["given"] == found["written"]


def test_a_text_that_is_no_search_vector_is_a_bad_value(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TABLE page (id {key}, words tsvector);\nINSERT INTO page (words) VALUES ('a')")
    api = start(postgresql)
    before = postgresql.dump()

    asked = api.post('{ pages(filter: {words: {eq: "\\\\"}}) { nodes { id } } }')
    alone = api.batch(part("p", "CREATE", "/pages", {"words": "\\"}))
    many = api.batch(*(part(f"p{n}", "CREATE", "/pages", {"words": "\\"}) for n in range(3)))

    assert [each["extensions"]["code"] for each in asked["errors"]] == ["BAD_REQUEST"]
    assert {code for code, _ in faults(alone)["p"]} == {"INVALID_VALUE"}
    assert faults(many).keys() == {"p0", "p1", "p2"}
    assert postgresql.dump() == before
