"""Filters (docs/contract.md, section 5): each operator, what null does, what is refused and where, and hostile operands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from storage.connections.transaction import Transaction
from tests.conftest import Serve
from tests.support import renamed
from tests.support.evaluation import find, path_of
from tests.support.every_type import GRAPHQL_TYPES, TABLE
from tests.support.harness import Api, Backend, Json
from tests.support.library import TYPES, library_data
from tests.support.worlds import World

BOOKS = [*range(1, 15)]
AUTHORS = [*range(1, 9)]

# collection, filter, keys of what is found
FOUND: Sequence[tuple[str, dict[str, Any], Sequence[int | str]]] = (
    # Texts.
    ("books", {"title": {"eq": "100%"}}, [1, 13]),
    ("books", {"title": {"eq": ""}}, [5]),
    ("books", {"title": {"ne": "100%"}}, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14]),
    ("books", {"title": {"in": ["a_b", "", "nothing"]}}, [3, 5]),
    ("books", {"kind": {"notIn": ["novel", "essay"]}}, [5, 6, 7, 12, 14]),
    ("books", {"title": {"lt": "a"}}, [1, 2, 5, 9, 12, 13, 14]),
    ("books", {"title": {"lte": "a_b"}}, [1, 2, 3, 5, 8, 9, 12, 13, 14]),
    ("books", {"title": {"gt": "axb"}}, [6, 7, 10, 11]),
    ("books", {"title": {"gte": "axb"}}, [4, 6, 7, 10, 11]),
    ("books", {"title": {"like": "100%"}}, [1, 2, 13]),
    ("books", {"title": {"like": "100\\%"}}, [1, 13]),
    ("books", {"title": {"like": "a_b"}}, [3, 4, 8]),
    ("books", {"title": {"like": "a\\_b"}}, [3]),
    ("books", {"title": {"like": "axb"}}, [4]),
    ("books", {"title": {"like": "\\a\\x\\b"}}, [4]),
    ("books", {"title": {"like": "\\\\"}}, [14]),
    ("books", {"title": {"like": "%\\\\%"}}, [8, 14]),
    ("books", {"title": {"like": "line_break"}}, [10]),
    ("books", {"title": {"like": "_"}}, [11, 14]),
    ("books", {"title": {"like": ""}}, [5]),
    ("books", {"title": {"like": "%"}}, BOOKS),
    ("books", {"title": {"ilike": "A_B"}}, [3, 4, 8, 12]),
    ("books", {"title": {"ilike": "a\\_B"}}, [3]),
    ("books", {"title": {"ilike": "ÄRGER"}}, [6]),
    ("books", {"title": {"startsWith": "a_"}}, [3]),
    ("books", {"title": {"startsWith": "A"}}, [12]),
    ("books", {"title": {"startsWith": "100%"}}, [1, 13]),
    ("books", {"title": {"endsWith": "%"}}, [1, 13]),
    ("books", {"title": {"endsWith": "\\"}}, [14]),
    ("books", {"title": {"contains": "_"}}, [3]),
    ("books", {"title": {"contains": "\\"}}, [8, 14]),
    ("books", {"title": {"contains": "'"}}, [9]),
    ("books", {"title": {"contains": "rop"}}, []),
    ("books", {"title": {"contains": ""}}, BOOKS),
    ("chapters", {"title": {"like": "[a-b]%"}}, ["10,1"]),
    ("chapters", {"title": {"like": "%*?_"}}, ["10,1"]),
    ("chapters", {"title": {"like": "*"}}, []),
    ("chapters", {"title": {"like": "[O]ne"}}, []),
    ("chapters", {"title": {"like": "O?e"}}, []),
    ("chapters", {"title": {"ilike": "[A-B]*\\?^"}}, ["10,1"]),
    # Numbers.
    ("books", {"pages": {"eq": 100}}, [1, 2, 4, 11, 13]),
    ("books", {"pages": {"ne": 100}}, [5, 6, 7, 9, 10, 12, 14]),
    ("books", {"pages": {"in": [0, 1]}}, [5, 14]),
    ("books", {"pages": {"notIn": [100, 312]}}, [5, 9, 10, 12, 14]),
    ("books", {"pages": {"lt": 0}}, [10]),
    ("books", {"pages": {"lte": 0}}, [5, 10]),
    ("books", {"pages": {"gt": 312}}, [9]),
    ("books", {"pages": {"gte": 312}}, [6, 7, 9]),
    ("books", {"pages": {"gte": 100, "lt": 312}}, [1, 2, 4, 11, 12, 13]),
    ("books", {"price": {"eq": "9.9"}}, [10]),
    ("books", {"price": {"eq": 10}}, [3, 4, 12]),
    ("books", {"price": {"eq": 9.99}}, [1, 2, 13]),
    ("books", {"price": {"gt": "9.99"}}, [3, 4, 9, 12]),
    ("books", {"price": {"lte": "0"}}, [6, 8]),
    ("books", {"price": {"in": ["9.99", 1]}}, [1, 2, 13, 14]),
    ("authors", {"rating": {"eq": 0.30000000000000004}}, [7]),
    ("authors", {"rating": {"eq": 0.3}}, []),
    ("authors", {"rating": {"eq": 0}}, [8]),
    ("authors", {"rating": {"gte": 4.5}}, [1, 5, 6]),
    ("authors", {"rating": {"lt": 0}}, [4]),
    ("chapters", {"words": {"gt": "9007199254740992"}}, ["1,3"]),
    ("chapters", {"words": {"in": [9007199254740993, "-5"]}}, ["1,3", "8,7"]),
    # Dates and times.
    ("authors", {"born": {"lt": "1900-01-01"}}, [1, 2]),
    ("authors", {"born": {"eq": "2000-02-29"}}, [6]),
    ("authors", {"born": {"notIn": ["1815-12-10"]}}, [4, 6, 7]),
    ("books", {"added": {"eq": "2024-01-01T10:00:00"}}, [1, 2, 8, 11, 12, 13]),
    ("books", {"added": {"gt": "2024-01-01T10:00:00"}}, [4, 7]),
    ("books", {"added": {"lte": "1999-12-31T00:00:00"}}, [5, 10]),
    # Booleans.
    ("books", {"published": {"eq": True}}, [1, 4, 6, 8, 10, 12, 13]),
    ("books", {"published": {"ne": True}}, [2, 7, 9, 14]),
    ("books", {"published": {"isNull": True}}, [3, 5, 11]),
    # Null is unknown, and so is what is said of it, but for isNull and empty lists.
    ("authors", {"country": {"eq": "DE"}}, [1, 2, 8]),
    ("authors", {"country": {"ne": "DE"}}, [5, 6, 7]),
    ("authors", {"not": {"country": {"eq": "DE"}}}, [5, 6, 7]),
    ("authors", {"not": {"not": {"country": {"eq": "DE"}}}}, [1, 2, 8]),
    ("authors", {"country": {"notIn": ["DE"]}}, [5, 6, 7]),
    ("authors", {"not": {"country": {"in": ["DE"]}}}, [5, 6, 7]),
    ("authors", {"not": {"country": {"contains": "D"}}}, [5, 6, 7]),
    ("authors", {"country": {"isNull": True}}, [3, 4]),
    ("authors", {"country": {"isNull": False}}, [1, 2, 5, 6, 7, 8]),
    ("authors", {"not": {"country": {"isNull": True}}}, [1, 2, 5, 6, 7, 8]),
    ("authors", {"country": {"in": []}}, []),
    ("authors", {"not": {"country": {"in": []}}}, AUTHORS),
    ("authors", {"country": {"notIn": []}}, AUTHORS),
    ("authors", {"name": {"isNull": True}}, []),
    # Connectives.
    ("books", {}, BOOKS),
    ("books", {"title": {}}, BOOKS),
    ("books", {"and": []}, BOOKS),
    ("books", {"or": []}, []),
    ("books", {"not": {}}, []),
    ("books", {"not": {"or": []}}, BOOKS),
    ("books", {"or": [{}, {"title": {"eq": "nothing"}}]}, BOOKS),
    ("books", {"published": {"eq": True}, "kind": {"eq": "novel"}}, [1, 4, 8, 13]),
    ("books", {"and": [{"published": {"eq": True}}, {"kind": {"eq": "novel"}}]}, [1, 4, 8, 13]),
    ("books", {"or": [{"title": {"eq": ""}}], "pages": {"eq": 100}}, []),
    ("books", {"or": [{"pages": {"gt": 0}}, {"title": {"eq": ""}}]}, [1, 2, 4, 5, 6, 7, 9, 11, 12, 13, 14]),
    ("books", {"not": {"and": [{"pages": {"gt": 0}}, {"kind": {"eq": "none"}}]}}, BOOKS),
    ("books", {"not": {"or": [{"pages": {"gt": 1000}}, {"kind": {"eq": "poems"}}]}}, [1, 2, 4, 5, 7, 10, 11, 13, 14]),
    # To one.
    ("books", {"author": {"name": {"eq": "Ada"}}}, [1, 2, 3, 8, 13]),
    ("books", {"author": {}}, [1, 2, 3, 4, 6, 7, 8, 10, 11, 12, 13, 14]),
    ("books", {"not": {"author": {}}}, [5, 9]),
    ("books", {"author": {"country": {"isNull": True}}}, [6, 7, 8]),
    ("books", {"author": {"country": {"ne": "DE"}}}, [10, 11, 12, 14]),
    ("books", {"author": {"not": {"country": {"eq": "DE"}}}}, [10, 11, 12, 14]),
    ("books", {"not": {"author": {"country": {"eq": "DE"}}}}, [5, 6, 7, 8, 9, 10, 11, 12, 14]),
    ("books", {"bookBySequelOf": {"bookBySequelOf": {"title": {"eq": "100%"}}}}, [3, 14]),
    ("quotes", {"chapterByBookIdAndChapter": {"words": {"gt": "100"}}}, [1, 2, 7]),
    ("quotes", {"not": {"chapterByBookIdAndChapter": {}}}, [3, 4, 5]),
    # To many.
    ("authors", {"books": {"some": {"published": {"eq": True}}}}, [1, 2, 3, 4, 5, 6]),
    ("authors", {"books": {"none": {"published": {"eq": True}}}}, [7, 8]),
    ("authors", {"books": {"every": {"published": {"eq": True}}}}, [2, 4, 5, 8]),
    ("authors", {"not": {"books": {"every": {"published": {"eq": True}}}}}, [1, 3, 6, 7]),
    ("authors", {"books": {"some": {"pages": {"isNull": True}}}}, [1, 4]),
    ("authors", {"books": {"some": {}}}, [1, 2, 3, 4, 5, 6, 7]),
    ("authors", {"books": {"none": {}}}, [8]),
    ("authors", {"books": {"every": {}}}, AUTHORS),
    ("authors", {"books": {}}, AUTHORS),
    ("authors", {"books": {"some": {"kind": {"eq": "novel"}}, "none": {"published": {"eq": False}}}}, [2, 4, 6]),
    ("books", {"booksBySequelOf": {"some": {}}}, [1, 2, 4, 7, 8, 10, 13]),
    ("chapters", {"quotesByBookIdAndChapter": {"some": {"words": {"ilike": "to BE"}}}}, ["1,1", "12,2"]),
    (
        "tags",
        {"bookTagsByTagCode": {"some": {"book": {"author": {"country": {"eq": "DE"}}}}}},
        ["A", "a", "a%2Cb%2Fc", "%C3%9F%20%25"],
    ),
)


def ask(api: Api, collection: str, filter_: Json) -> Json:
    query = f"query ($filter: {TYPES[collection]}Filter) {{ {collection}(filter: $filter, first: 1000) {{ totalCount nodes {{ path }} }} }}"
    return api.query(query, filter=filter_)[collection]


def test_a_filter_finds_what_it_says(library: World):
    for collection, filter_, keys in FOUND:
        paths = [f"/{collection}/{key}" for key in keys]
        answer = ask(library.api, collection, filter_)
        assert (filter_, [node["path"] for node in answer["nodes"]]) == (filter_, paths)
        assert (filter_, answer["totalCount"]) == (filter_, len(paths))


def test_the_evaluation_finds_what_the_table_says():
    data = library_data()
    for collection, filter_, keys in FOUND:
        rows = find(data, collection, filter_=filter_).rows
        found = [path_of(data, collection, row) for row in rows]
        assert (filter_, found) == (filter_, [f"/{collection}/{key}" for key in keys])


def test_no_filter_and_a_filter_that_is_null_find_everything(library: World):
    assert library.api.query("{ a: books { totalCount } b: books(filter: null) { totalCount } }") == {
        "a": {"totalCount": 14},
        "b": {"totalCount": 14},
    }


def test_a_filter_can_be_written_with_literals_and_variables_in_them(library: World):
    query = """query ($title: String, $kinds: [String!], $absent: String) {
        literal: books(filter: { title: { startsWith: "100" }, or: [{ pages: { eq: 100 } }, { price: { eq: "1" } }] }) { nodes { id } }
        inner: books(filter: { title: { eq: $title }, kind: { in: $kinds } }) { nodes { id } }
        absent: books(filter: { title: { eq: $absent, like: "a_b" } }) { nodes { id } }
        one: books(filter: { or: { id: { in: 3 } } }) { nodes { id } }
    }"""
    found = library.api.query(query, title="100%", kinds=["novel"])
    assert {name: [node["id"] for node in each["nodes"]] for name, each in found.items()} == {
        "literal": [1, 2, 13],
        "inner": [1, 13],
        "absent": [3, 4, 8],
        "one": [3],
    }


def test_a_filter_of_children_is_each_fields_own(library: World):
    found = library.api.query("""{ authors(filter: { id: { in: [1, 6, 8] } }) { nodes {
        novels: books(filter: { kind: { eq: "novel" } }) { totalCount nodes { id } }
        others: books(filter: { not: { kind: { eq: "novel" } } }) { totalCount nodes { id chapters(filter: { title: { eq: "One" } }) { totalCount } } }
    } } }""")
    assert found["authors"]["nodes"] == [
        {
            "novels": {"totalCount": 3, "nodes": [{"id": 1}, {"id": 2}, {"id": 13}]},
            "others": {"totalCount": 1, "nodes": [{"id": 3, "chapters": {"totalCount": 0}}]},
        },
        {
            "novels": {"totalCount": 1, "nodes": [{"id": 11}]},
            "others": {"totalCount": 1, "nodes": [{"id": 12, "chapters": {"totalCount": 2}}]},
        },
        {"novels": {"totalCount": 0, "nodes": []}, "others": {"totalCount": 0, "nodes": []}},
    ]


def test_alternatives_among_the_children_of_one_parent_stay_among_them(library: World):
    found = library.api.query("""{ author(id: 6) {
        books(first: 1, filter: { or: [{ kind: { eq: "novel" } }, { pages: { gte: 0 } }] }) {
            totalCount nodes { id } pageInfo { hasNextPage }
        }
        all: books(filter: { or: [{ kind: { eq: "novel" } }, { pages: { gte: 0 } }] }) { totalCount nodes { id } }
        count: books(filter: { or: [{ kind: { eq: "novel" } }, { pages: { gte: 0 } }] }) { totalCount }
    } }""")
    assert found["author"] == {
        "books": {"totalCount": 2, "nodes": [{"id": 11}], "pageInfo": {"hasNextPage": True}},
        "all": {"totalCount": 2, "nodes": [{"id": 11}, {"id": 12}]},
        "count": {"totalCount": 2},
    }


def test_filters_of_a_mutation_see_the_rows_as_the_batch_left_them(library: World):
    found = library.api.query("""mutation { batch(parts: [
        { id: "a", path: "/books/5", operation: UPDATE, payload: { title: "new", authorId: 8 } }
        { id: "b", path: "/books", operation: CREATE, payload: { title: "newer", kind: "novel", authorId: 8 } }
    ], dryRun: true) {
        parts { item { ... on Book { author { books(filter: { title: { startsWith: "new" } }, orderBy: [{ title: DESC }]) { nodes { title } } } } } }
        query { books(filter: { author: { id: { eq: 8 } } }, orderBy: [{ title: ASC }]) { nodes { title } } }
    } }""")["batch"]
    newer_first = {"author": {"books": {"nodes": [{"title": "newer"}, {"title": "new"}]}}}
    assert [each["item"] for each in found["parts"]] == [newer_first, newer_first]
    assert found["query"]["books"]["nodes"] == [{"title": "new"}, {"title": "newer"}]


# What is refused, and the place that the message names.
REFUSED: Sequence[tuple[str, Json, str]] = (
    ("books", {"title": None}, "filter.title"),
    ("books", {"title": {"eq": None}}, "filter.title.eq"),
    ("books", {"title": {"eq": "x", "isNull": None}}, "filter.title.isNull"),
    ("books", {"title": {"in": None}}, "filter.title.in"),
    ("books", {"and": None}, "filter.and"),
    ("books", {"or": None}, "filter.or"),
    ("books", {"not": None}, "filter.not"),
    ("books", {"not": {"not": {"pages": {"lt": None}}}}, "filter.not.not.pages.lt"),
    ("books", {"or": [{}, {"title": {"eq": None}}]}, "filter.or[1].title.eq"),
    ("books", {"author": None}, "filter.author"),
    ("books", {"author": {"name": {"like": None}}}, "filter.author.name.like"),
    ("authors", {"books": None}, "filter.books"),
    ("authors", {"books": {"some": None}}, "filter.books.some"),
    ("authors", {"books": {"every": {"and": [{"price": {"gt": None}}]}}}, "filter.books.every.and[0].price.gt"),
    ("books", {"title": {"eq": "a\0b"}}, "filter.title.eq"),
    ("books", {"title": {"contains": "\0"}}, "filter.title.contains"),
    ("books", {"title": {"in": ["a", "\ud800"]}}, "filter.title.in"),
)


def test_what_is_no_condition_is_refused_with_its_place(library: World):
    for collection, filter_, place in REFUSED:
        query = f"""query ($filter: {TYPES[collection]}Filter) {{
            bad: {collection}(filter: $filter) {{ totalCount }} good: books(first: 1) {{ nodes {{ id }} }}
        }}"""
        answer = library.api.post(query, {"filter": filter_})

        (error,) = answer["errors"]
        assert (place, error["extensions"]["code"]) == (place, "BAD_REQUEST")
        assert place in error["message"]
        assert (place, answer["data"]) == (place, {"bad": None, "good": {"nodes": [{"id": 1}]}})


def test_what_is_wrong_below_an_item_is_refused_with_its_place(library: World):
    answer = library.api.post(
        """{ bad: authors { nodes { books(filter: { or: [{}, { title: { eq: null } }] }) { totalCount } } } }"""
    )

    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["path"][0]) == ("BAD_REQUEST", "bad")
    assert "filter.or[1].title.eq" in error["message"]


# Operands that are no values of the attribute's type: refused, wherever that is found out.
MISFITS: Sequence[tuple[str, Json]] = (
    ("books", {"price": {"eq": "ten"}}),
    ("books", {"price": {"eq": "NaN"}}),
    ("books", {"price": {"in": ["1", "Infinity"]}}),
    ("books", {"price": {"eq": "1; DROP TABLE books"}}),
    ("books", {"pages": {"eq": 2**31}}),
    ("books", {"pages": {"eq": "1"}}),
    ("books", {"pages": {"eq": 1.5}}),
    ("books", {"published": {"eq": 1}}),
    ("books", {"added": {"eq": "yesterday"}}),
    ("books", {"added": {"eq": "2024-01-01T10:00:00Z"}}),
    ("authors", {"born": {"eq": "31.12.2020"}}),
    ("authors", {"born": {"eq": "2023-02-29"}}),
    ("authors", {"rating": {"eq": "1"}}),
    ("chapters", {"words": {"eq": "9223372036854775808"}}),
    ("chapters", {"words": {"eq": "1.0"}}),
    ("books", {"title": {"eq": 1}}),
    ("books", {"title": {"in": [None]}}),
    ("books", {"title": {"between": ["a", "b"]}}),
    ("books", {"published": {"in": [True]}}),
    ("books", {"published": {"lt": True}}),
    ("books", {"pages": {"like": "1"}}),
    ("books", {"and": [None]}),
    ("books", {"nothing": {"eq": 1}}),
    ("books", {"author": {"some": {}}}),
    ("authors", {"books": {"title": {"eq": "x"}}}),
)


def test_what_is_no_value_of_the_type_is_refused(library: World):
    for collection, filter_ in MISFITS:
        query = f"query ($filter: {TYPES[collection]}Filter) {{ {collection}(filter: $filter) {{ totalCount }} }}"
        answer = library.api.post(query, {"filter": filter_})

        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert (filter_, codes) == (filter_, ["BAD_REQUEST"])
        assert (filter_, (answer.get("data") or {}).get(collection)) == (filter_, None)


# Filters that try a database's limits: an answer or a refusal, never a failure inside.
def _nested(times: int, wrap: Callable[[Json], Json]) -> Json:
    filter_: Json = {"id": {"eq": 1}}
    for _ in range(times):
        filter_ = wrap(filter_)
    return filter_


EXTREMES: Mapping[str, Json] = {
    "a pattern that ends in its escape": {"title": {"like": "abc\\"}},
    "a pattern that is an escape": {"title": {"ilike": "\\"}},
    "a long pattern": {"title": {"like": "x" * 60_000}},
    "a long pattern of wildcards": {"title": {"like": "%" * 60_000}},
    "a long pattern of brackets": {"title": {"like": "[*?" * 15_000}},
    "a long text": {"title": {"contains": "x" * 100_000}},
    "a long beginning": {"title": {"startsWith": "[" * 100_000}},
    "many values": {"id": {"in": [*range(100_000)]}},
    "many conditions": {"or": [{"id": {"eq": number}} for number in range(2_000)]},
    "many conditions that hold": {"and": [{"id": {"ne": -number}} for number in range(1, 1_500)]},
    "many questions": {"or": [{"id": {"isNull": True}} for _ in range(1_500)]},
    "many relations": {"and": [{"author": {}} for _ in range(1_500)]},
    "many filters without conditions": {"and": [{} for _ in range(5_000)]},
    "more digits than a column has": {"price": {"lt": "1" + "0" * 60 + "." + "1" * 60}},
    "a decimal with a large exponent": {"price": {"lt": "1e300"}},
    "a decimal with more places than the column": {"price": {"gt": "9.9899999999999999999"}},
    **{f"{times} deep, not": _nested(times, lambda inner: {"not": inner}) for times in (17, 400)},
    **{f"{times} deep, and": _nested(times, lambda inner: {"and": [inner, {}]}) for times in (17, 400)},
    **{f"{times} deep, to one": _nested(times, lambda inner: {"bookBySequelOf": inner}) for times in (9, 12, 17, 400)},
    **{
        f"{times} deep, some": _nested(times, lambda inner: {"booksBySequelOf": {"some": inner}})
        for times in (7, 9, 200)
    },
    **{
        f"{times} deep, every": _nested(times, lambda inner: {"booksBySequelOf": {"every": inner}})
        for times in (5, 6, 9)
    },
}


def test_an_extreme_filter_is_answered_or_refused(library: World):
    query, failed = "query ($filter: BookFilter) { books(filter: $filter) { totalCount } }", {}
    data = library_data()
    for name, filter_ in EXTREMES.items():
        answer = library.api.post(query, {"filter": filter_})
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        if not codes <= {"BAD_REQUEST", "QUERY_TOO_COMPLEX"}:
            failed[name] = codes
        elif not codes:
            assert (name, answer["data"]["books"]["totalCount"]) == (name, find(data, "books", filter_=filter_).total)
    assert failed == {}


# Hostile operands.
MARK = "zqzq"
HOSTILE = (
    f"{MARK}'; DROP TABLE books; --",
    f'{MARK}"; DROP TABLE books; --',
    f"{MARK}') OR ('1'='1",
    f"\\' OR 1=1 -- {MARK}",
    f"{MARK}%' ESCAPE '' OR 1=1 --",
    f"{MARK} ? ?1 :name $1 %s %(x)s %% {{0}}",
    f"{MARK}/* */ UNION SELECT * FROM authors",
    f"$${MARK}$$",
    f"E'\\x27' {MARK}",
)
TEXT_OPERATORS = (
    "eq",
    "ne",
    "in",
    "notIn",
    "lt",
    "lte",
    "gt",
    "gte",
    "like",
    "ilike",
    "startsWith",
    "endsWith",
    "contains",
)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL of every statement from now on."""
    found: list[str] = []
    execute = Transaction.execute

    def noting(self: Transaction, statement: Any) -> Any:
        found.append(statement.sql)
        return execute(self, statement)

    monkeypatch.setattr(Transaction, "execute", noting)
    return found


@pytest.mark.costly
def test_an_operand_never_becomes_sql(library: World, sent: list[str]):
    before = library.tables()
    data = library_data()
    for operator in TEXT_OPERATORS:
        for text in HOSTILE:
            condition = {operator: [text, text] if operator in {"in", "notIn"} else text}
            for collection, filter_ in (
                ("books", {"title": condition}),
                ("books", {"author": {"name": condition}}),
                ("authors", {"books": {"some": {"not": {"title": condition}}}}),
                ("authors", {"or": [{"books": {"none": {"kind": condition}}}, {"country": condition}]}),
            ):
                paths = [path_of(data, collection, row) for row in find(data, collection, filter_=filter_).rows]
                found = ask(library.api, collection, filter_)["nodes"]
                assert (filter_, [node["path"] for node in found]) == (filter_, paths)
            below = "query ($filter: BookFilter) { authors { nodes { books(filter: $filter) { totalCount nodes { id } } } } }"
            assert len(library.api.query(below, filter={"title": condition})["authors"]["nodes"]) == len(AUTHORS)
    assert sent
    assert not [sql for sql in sent if MARK in sql]
    assert library.tables() == before


def test_operands_of_other_types_never_become_sql(library: World, sent: list[str]):
    for collection, filter_ in (
        ("books", {"pages": {"eq": 77077}}),
        ("books", {"pages": {"in": [77077, 1]}}),
        ("books", {"price": {"lt": "77.07", "ne": 77077}}),
        ("authors", {"rating": {"gt": 77077.5}}),
        ("authors", {"born": {"gte": "7707-07-07"}}),
        ("books", {"added": {"gte": "7707-07-07T07:07:07"}}),
        ("chapters", {"words": {"gt": "77077"}}),
    ):
        ask(library.api, collection, filter_)
    assert sent
    assert not [sql for sql in sent if "770" in sql or "77.07" in sql]


NO_ORDERS: Sequence[Json] = (
    [{"title": "ASC; DROP TABLE books"}],
    [{"title; DROP TABLE books": "ASC"}],
    [{"title": {"ASC": "ASC"}}],
    [{"author": "ASC"}],
    [{"author": {"name": "ASC, 1"}}],
    [{"chapters": {"title": "ASC"}}],
    [{"title": "ASC", "pages": "ASC"}],
    [{"title": None}],
    [{}],
    [None],
    ["title"],
    [{"id": "ASC"}] * 11,
)


def test_an_order_takes_nothing_but_attributes_and_directions(library: World):
    query = "query ($orderBy: [BookOrderBy!]) { books(orderBy: $orderBy) { totalCount } }"
    for order_by in NO_ORDERS:
        answer = library.api.post(query, {"orderBy": order_by})
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert (order_by, codes) == (order_by, ["BAD_REQUEST"])


# The operators of each type.
EQUAL = {"eq", "ne", "in", "notIn", "isNull"}
COMPARED = EQUAL | {"lt", "lte", "gt", "gte"}
OF_TEXT = COMPARED | {"like", "ilike", "startsWith", "endsWith", "contains"}
OPERATORS = {
    **dict.fromkeys(("Int", "BigInt", "Float", "Decimal", "Date", "Time", "DateTime"), COMPARED),
    "String": OF_TEXT,
    "Boolean": {"eq", "ne", "isNull"},
    "UUID": EQUAL,
    "Base64": EQUAL,
}
OF_JSON = {
    "sqlite": {"isNull"},
    "postgresql": {"eq", "ne", "contains", "containedIn", "hasKey", "isNull"},
}


def input_fields(api: Api, name: str) -> dict[str, str]:
    """Read the fields of an input type: name -> its type's name, without lists and non-nulls."""
    found = api.query(
        "query ($name: String!) { __type(name: $name) { inputFields { name type { name ofType { name ofType { name } } } } } }",
        name=name,
    )["__type"]["inputFields"]

    def named(type_: Json) -> str:
        return str(type_["name"] or named(type_["ofType"]))

    return {each["name"]: named(each["type"]) for each in found}


def test_every_type_has_the_operators_of_the_contract(backend: Backend, start: Serve):
    backend.run(TABLE)
    api = start(backend)
    attributes = input_fields(api, "EveryTypeFilter")

    assert attributes.keys() == {*GRAPHQL_TYPES, "id", "and", "or", "not"}
    expected = {**OPERATORS, "JSON": OF_JSON[backend.kind]}
    for attribute, type_ in GRAPHQL_TYPES.items():
        assert (attribute, {*input_fields(api, attributes[attribute])}) == (attribute, expected[type_])


def test_everything_that_has_an_order_can_be_ordered_by(backend: Backend, start: Serve):
    backend.run(TABLE)
    assert input_fields(start(backend), "EveryTypeOrderBy").keys() == {*GRAPHQL_TYPES, "id"} - {"document"}


SHOWCASE = """
CREATE TABLE showcase (
  id {key}, small SMALLINT, clock TIME, instant {aware}, token UUID, bytes {bytes}, single REAL, short VARCHAR(5)
);
INSERT INTO showcase (id, small, clock, token, single, short) VALUES
  (1, 7, '10:30:00', '0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c', 0.5, 'a'),
  (2, -7, '10:30:00.25', '1f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c', 0.25, ''),
  (3, NULL, NULL, NULL, NULL, NULL);
"""
SHOWN: Sequence[tuple[Json, list[int]]] = (
    ({"small": {"lt": 0}}, [2]),
    ({"clock": {"gt": "10:30:00"}}, [2]),
    ({"clock": {"in": ["10:30:00"]}}, [1]),
    ({"instant": {"eq": "2024-01-01T10:00:00Z"}}, [1]),
    ({"instant": {"eq": "2024-01-01T12:00:00+02:00"}}, [1]),
    ({"instant": {"gt": "2024-01-01T10:00:00Z"}}, [2]),
    ({"instant": {"lte": "2024-01-01T09:00:01-01:00"}}, [1, 2]),
    ({"token": {"eq": "0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c"}}, [1]),
    ({"token": {"eq": "0F5B8A5C-7D3E-4F1A-9B2C-3D4E5F6A7B8C"}}, [1]),
    ({"token": {"notIn": ["0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c"]}}, [2]),
    ({"bytes": {"eq": "AP8="}}, [1]),
    ({"bytes": {"in": ["", "AQ=="]}}, [2]),
    ({"bytes": {"ne": "AP8="}}, [2]),
    ({"bytes": {"isNull": True}}, [3]),
    ({"single": {"eq": 0.5}}, [1]),
    ({"short": {"eq": "a text longer than the column"}}, []),
    ({"short": {"lt": "a text longer than the column"}}, [1, 2]),
    ({"short": {"startsWith": "a text longer than the column"}}, []),
)


def test_other_types_compare_as_their_values(backend: Backend, start: Serve):
    backend.run(SHOWCASE)
    api = start(backend)
    for key, instant, data in ((1, "2024-01-01T10:00:00Z", "AP8="), (2, "2024-01-01T11:00:01+01:00", "")):
        assert api.one("UPDATE", f"/showcases/{key}", {"instant": instant, "bytes": data})["status"] == 200

    for filter_, ids in SHOWN:
        query = "query ($filter: ShowcaseFilter) { showcases(filter: $filter) { nodes { id } } }"
        found = api.query(query, filter=filter_)["showcases"]["nodes"]
        assert (filter_, [node["id"] for node in found]) == (filter_, ids)


ONLY_POSTGRESQL = """
CREATE TYPE mood AS ENUM ('glad', 'sad', 'so-so');
CREATE TYPE level AS ENUM ('low', 'high', 'absurd');
CREATE TABLE specials (
  id {key}, level level, mood mood, numbers INTEGER[], words TEXT[], levels level[], document JSONB, address INET, plain JSON
);
INSERT INTO specials (id, level, mood, numbers, words, levels, document, address, plain) VALUES
  (1, 'low', 'so-so', '{1,2,3}', '{a,"b, c",""}', '{low,high}', '{"a": 1, "b": [1, 2]}', '10.0.0.1', '{"a": 1.0}'),
  (2, 'absurd', 'glad', '{}', '{}', '{}', '[1, "a"]', '::1', '[]'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 'high', 'sad', '{3,NULL}', NULL, NULL, '"a"', '10.0.0.0/8', '1')
"""
SPECIALS: Sequence[tuple[Json, list[int]]] = (
    ({"level": {"eq": "low"}}, [1]),
    ({"level": {"in": ["low", "absurd"]}}, [1, 2]),
    ({"level": {"ne": "low"}}, [2, 4]),
    ({"mood": {"eq": "so-so"}}, [1]),
    ({"mood": {"notIn": ["so-so", "sad"]}}, [2]),
    ({"numbers": {"eq": [1, 2, 3]}}, [1]),
    ({"numbers": {"eq": []}}, [2]),
    ({"numbers": {"ne": [1, 2, 3]}}, [2, 4]),
    ({"numbers": {"contains": [3]}}, [1, 4]),
    ({"numbers": {"contains": []}}, [1, 2, 4]),
    ({"numbers": {"containedIn": [1, 2, 3, 4]}}, [1, 2]),
    ({"numbers": {"overlaps": [2, 9]}}, [1]),
    ({"numbers": {"isNull": True}}, [3]),
    ({"not": {"numbers": {"overlaps": [2, 9]}}}, [2, 4]),
    ({"words": {"contains": ["b, c"]}}, [1]),
    ({"words": {"overlaps": ["", "x"]}}, [1]),
    ({"levels": {"contains": ["high"]}}, [1]),
    ({"levels": {"eq": ["low", "high"]}}, [1]),
    ({"document": {"eq": {"b": [1, 2], "a": 1.0}}}, [1]),
    ({"document": {"ne": {"a": 1}}}, [1, 2, 4]),
    ({"document": {"contains": {"b": [2]}}}, [1]),
    ({"document": {"contains": [1]}}, [2]),
    ({"document": {"containedIn": [1, "a", "b"]}}, [2, 4]),
    ({"document": {"hasKey": "a"}}, [1, 2, 4]),
    ({"document": {"hasKey": "b"}}, [1]),
    ({"not": {"document": {"hasKey": "b"}}}, [2, 4]),
    ({"document": {"isNull": False}}, [1, 2, 4]),
    ({"plain": {"isNull": True}}, [3]),
    ({"address": {"eq": "10.0.0.1"}}, [1]),
    ({"address": {"in": ["10.0.0.1", "::1"]}}, [1, 2]),
    ({"address": {"ne": "10.0.0.1"}}, [2, 4]),
)


@pytest.fixture
def specials(postgresql: Backend, start: Serve) -> Api:
    postgresql.run(ONLY_POSTGRESQL)
    return start(postgresql)


def test_types_of_postgresql_have_operators_of_their_own(specials: Api):
    attributes = input_fields(specials, "SpecialFilter")
    of_arrays = {"eq", "ne", "contains", "containedIn", "overlaps", "isNull"}
    expected = {"level": EQUAL, "mood": EQUAL, "numbers": of_arrays, "levels": of_arrays, "address": EQUAL}
    assert {name: {*input_fields(specials, attributes[name])} for name in expected} == expected
    assert input_fields(specials, "SpecialOrderBy").keys() == {"id", "level", "mood"}


def test_types_of_postgresql_compare_as_it_does(specials: Api):
    query = "query ($filter: SpecialFilter) { specials(filter: $filter) { nodes { id } } }"
    for filter_, ids in SPECIALS:
        found = specials.query(query, filter=filter_)["specials"]["nodes"]
        assert (filter_, [node["id"] for node in found]) == (filter_, ids)


NO_SPECIALS: Sequence[Json] = (
    {"level": {"eq": "none"}},
    {"mood": {"eq": "none"}},
    {"address": {"eq": "no address"}},
    {"address": {"eq": "1'); DROP TABLE specials; --"}},
    {"numbers": {"contains": ["1"]}},
    {"numbers": {"contains": 2**40}},
    {"document": {"eq": None}},
    {"document": {"hasKey": "\0"}},
    {"document": {"contains": {"a": "\0"}}},
)


def test_what_is_no_value_of_a_type_of_postgresql_is_refused(specials: Api):
    query = "query ($filter: SpecialFilter) { specials(filter: $filter) { totalCount } }"
    for filter_ in NO_SPECIALS:
        answer = specials.post(query, {"filter": filter_})
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert (filter_, codes) == (filter_, ["BAD_REQUEST"])


def test_what_only_the_database_finds_wrong_is_an_error_of_its_field_alone(specials: Api):
    answer = specials.post("""{
        bad: specials(filter: { address: { eq: "no address" } }) { totalCount }
        good: specials(filter: { address: { eq: "10.0.0.1" } }) { totalCount }
    }""")
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [(["bad"], "BAD_REQUEST")]
    assert answer["data"] == {"bad": None, "good": {"totalCount": 1}}


def test_attributes_with_the_names_of_connectives_have_filters(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE word (id {key}, "and" INTEGER, "or" INTEGER, "not" INTEGER, "some" INTEGER, "in" INTEGER, "select" INTEGER);
        INSERT INTO word VALUES (1, 1, 1, 1, 1, 1, 1), (2, 2, 2, 2, 2, 2, 2)""")
    api = start(backend)
    filter_ = {name: {"eq": 2} for name in ("and_", "or_", "not_", "some", "in", "select")}
    query = "query ($filter: WordFilter, $orderBy: [WordOrderBy!]) { words(filter: $filter, orderBy: $orderBy) { nodes { id } } }"
    assert api.query(query, filter={**filter_, "not": {"and_": {"eq": 1}}})["words"]["nodes"] == [{"id": 2}]
    found = api.query(query, orderBy=[{"or_": "DESC"}, {"in": "ASC"}])["words"]["nodes"]
    assert found == [{"id": 2}, {"id": 1}]


def test_a_view_has_filters_and_orders(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE song (id {key}, title VARCHAR(20));
        CREATE VIEW short_songs AS SELECT id, title FROM song WHERE length(title) < 4;
        INSERT INTO song VALUES (1, 'abc'), (2, 'abcdef'), (3, 'b'), (4, NULL)""")
    found = start(backend).query("""{
        a: shortSongs(filter: { title: { gt: "abc" } }) { totalCount nodes { id } }
        b: shortSongs(orderBy: [{ title: DESC }]) { totalCount nodes { id } }
    }""")
    assert found == {
        "a": {"totalCount": 1, "nodes": [{"id": 3}]},
        "b": {"totalCount": 2, "nodes": [{"id": 3}, {"id": 1}]},
    }


def test_filters_and_orders_take_former_names_as_reads_and_writes_do(backend: Backend, start: Serve):
    backend.run(renamed.SCRIPT)
    api = start(backend, resources=renamed.RENAMED)
    found = api.query("""{
        new: writers(filter: { name: { eq: "Ada" } }, orderBy: [{ name: DESC }]) { totalCount }
        collection: authors(filter: { books: { some: { title: { eq: "Eins" } } } }, first: 1) { edges { node { name } } }
        attribute: writers(filter: { nm: { eq: "Ada" } }, orderBy: [{ nm: DESC }]) { nodes { name } }
    }""")
    assert found == {
        "new": {"totalCount": 1},
        "collection": {"edges": [{"node": {"name": "Ada"}}]},
        "attribute": {"nodes": [{"name": "Ada"}]},
    }
