"""A query reads the columns that somebody asked for, the key, and what relations and orders need; only an etag takes all."""

import re
from typing import Any

import pytest

from storage.connections.transaction import Transaction
from tests.conftest import Serve
from tests.support.harness import Api, Backend
from tests.support.library import TABLES
from tests.support.worlds import World

Read = list[tuple[str, set[str]]]  # of each statement: the table that it begins at, and the columns of which it speaks
_SELECT = re.compile(r"SELECT (?P<columns>.*?) FROM [`\"](?P<table>\w+)[`\"](?P<rest>.*)", re.DOTALL)
_QUOTED = re.compile(r"[`\"](\w+)[`\"]")

KEY = {"id"}
BOOKS = {"id", "author_id", "title", "price", "pages", "published", "added", "kind", "sequel_of"}
CASES: dict[str, Read] = {
    "{ books { nodes { title price } } }": [("books", {"id", "title", "price"})],
    "{ books { nodes { a: title b: title ... on Book { pages } } edges { node { kind } } } }": [
        ("books", {"id", "title", "pages", "kind"})
    ],
    "{ books { nodes { __typename } } }": [("books", KEY)],
    "{ books { nodes { path } } }": [("books", KEY)],
    "{ books { pageInfo { hasNextPage } } }": [("books", KEY)],
    "{ books { nodes { title @skip(if: true) id } } }": [("books", KEY)],
    "{ books { totalCount } }": [("books", set())],
    "{ books(orderBy: [{pages: ASC}]) { edges { cursor } } }": [("books", {"id", "pages"})],
    '{ books(filter: {kind: {eq: "novel"}}) { nodes { title } } }': [("books", {"id", "title", "kind"})],
    "{ books { nodes { etag } } }": [("books", BOOKS)],
    "{ books { nodes { title } edges { node { etag } } } }": [("books", BOOKS)],
    "{ book(id: 1) { title } }": [("books", {"id", "title"})],
    "{ book(id: 1) { etag } }": [("books", BOOKS)],
    '{ node(path: "/books/1") { ... on Book { title } } }': [("books", {"id", "title"})],
    '{ node(path: "/books/1") { path ... on Author { name } } }': [("books", KEY)],
    '{ node(path: "/chapters/1,2") { ... on Chapter { words } } }': [("chapters", {"book_id", "number", "words"})],
    '{ node(path: "/books/1") { etag } }': [("books", BOOKS)],
    # On the way of a path: the key, and what relates an item to the one before and to the next.
    '{ node(path: "/authors/1/books/2") { ... on Book { title } } }': [
        ("authors", KEY),
        ("books", {"id", "author_id", "title"}),
    ],
    '{ node(path: "/authors/1/books/1/chapters/1,2") { ... on Chapter { words } } }': [
        ("authors", KEY),
        ("books", {"id", "author_id"}),
        ("chapters", {"book_id", "number", "words"}),
    ],
    '{ node(path: "/books/1/booksBySequelOf/2") { path ... on Book { author { country } } } }': [
        ("books", KEY),
        ("books", {"id", "sequel_of", "author_id"}),
        ("authors", {"id", "country"}),
    ],
    '{ node(path: "/chapters/12,2/quotesByBookIdAndChapter/7") { ... on Quote { words } } }': [
        ("chapters", {"book_id", "number"}),
        ("quotes", {"id", "book_id", "chapter", "words"}),
    ],
    '{ node(path: "/tags/a/bookTagsByTagCode/1,a") { path } }': [
        ("tags", {"code"}),
        ("book_tags", {"book_id", "tag_code"}),
    ],
    '{ node(path: "/authors/1/books/2") { etag } }': [("authors", KEY), ("books", BOOKS)],
    '{ node(path: "/authors/2/books/2/chapters/1,2") { path } }': [  # another author's
        ("authors", KEY),
        ("books", {"id", "author_id"}),
    ],
    '{ node(path: "/authors/99/books/2") { path } }': [("authors", KEY)],
    "{ books { nodes { author { name } } } }": [("books", {"id", "author_id"}), ("authors", {"id", "name"})],
    "{ books { nodes { author { etag } } } }": [
        ("books", {"id", "author_id"}),
        ("authors", {"id", "name", "country", "born", "rating"}),
    ],
    "{ authors { nodes { name books { nodes { title } } } } }": [
        ("authors", {"id", "name"}),
        ("books", {"id", "author_id", "title"}),
    ],
    "{ authors { nodes { books { totalCount } } } }": [("authors", KEY), ("books", {"author_id"})],
    "{ chapters { nodes { quotesByBookIdAndChapter { nodes { words } } } } }": [
        ("chapters", {"book_id", "number"}),
        ("quotes", {"id", "book_id", "chapter", "words"}),
    ],
}


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Listen to what is sent to the database."""
    sent: list[str] = []
    execute = Transaction.execute

    def listen(self: Transaction, statement: Any) -> object:
        sent.append(statement.sql)
        return execute(self, statement)

    monkeypatch.setattr(Transaction, "execute", listen)
    return sent


def columns_of(statements: list[str]) -> Read:
    found = (_SELECT.fullmatch(each.strip()) for each in statements if each.startswith("SELECT"))
    return [
        (
            each["table"],
            {*_QUOTED.findall(each["columns"]), *_QUOTED.findall(each["rest"])} - {"C", "public", each["table"]},
        )
        for each in found
        if each is not None
    ]


def test_a_query_reads_only_the_columns_that_it_asks_for(library: World, monkeypatch: pytest.MonkeyPatch):
    assert {table for read in CASES.values() for table, _ in read} <= {*TABLES.values()}
    sent = watch(monkeypatch)
    for query, expected in CASES.items():
        for _ in range(2):  # the ordinary way, and then the fast one
            sent.clear()
            library.api.query(query)

            assert columns_of(sent) == expected, query


def test_a_node_by_a_unique_key_is_read_once_too(backend: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch):
    backend.run(
        "CREATE TABLE customer (id {key}, email VARCHAR(20) UNIQUE, name VARCHAR(20));\n"
        "INSERT INTO customer VALUES (1, 'a@b', 'A'), (2, 'c@d', 'C'), (3, NULL, NULL)"
    )
    api: Api = start(backend)
    sent = watch(monkeypatch)
    query = "query($p: ID!) { node(path: $p) { path ... on Customer { name } } }"
    for _ in range(2):
        sent.clear()
        assert api.query(query, p="/customers/email=c%40d")["node"] == {"path": "/customers/2", "name": "C"}
        assert columns_of(sent) == [("customer", {"id", "email", "name"})]
        assert api.query(query, p="/customers/email=x")["node"] is None


def test_a_view_is_read_by_what_is_asked_of_it(backend: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch):
    backend.run("CREATE TABLE town (id {key}, name VARCHAR(20));\nCREATE VIEW large AS SELECT id, name FROM town")
    api = start(backend)
    collection = next(each.collection for each in api.service.engine.catalog.resources.values() if not each.key)
    sent = watch(monkeypatch)

    api.query(f"{{ {collection} {{ nodes {{ name }} }} }}")

    ((table, columns),) = columns_of(sent)
    assert table == "large"
    assert "name" in columns
