"""A small library whose rows are hard to read: ties, nulls, empty texts, and texts that mean something to SQL.

The rows are Python values, for tests/support/evaluation.py, and a family of tables with the same rows, for the server.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

from tests.support.evaluation import Collection, Data, Relation, Row
from tests.support.worlds import Family

SCRIPT = """
CREATE TABLE authors (id {generated}, name {text} NOT NULL, country {text}, born DATE, rating {double});
CREATE TABLE books (
  id {generated}, author_id INTEGER REFERENCES authors (id), title {text} NOT NULL, price NUMERIC(8,2), pages INTEGER,
  published BOOLEAN, added {naive}, kind {text} NOT NULL, sequel_of INTEGER REFERENCES books (id)
);
CREATE TABLE chapters (
  book_id INTEGER NOT NULL REFERENCES books (id), number INTEGER NOT NULL, title {text}, words BIGINT,
  PRIMARY KEY (book_id, number)
);
CREATE TABLE quotes (
  id {generated}, book_id INTEGER, chapter INTEGER, words {text} NOT NULL,
  FOREIGN KEY (book_id, chapter) REFERENCES chapters (book_id, number)
);
CREATE TABLE tags (code {text} NOT NULL PRIMARY KEY, label {text});
CREATE TABLE book_tags (
  book_id INTEGER NOT NULL REFERENCES books (id), tag_code {text} NOT NULL REFERENCES tags (code), weight INTEGER,
  PRIMARY KEY (book_id, tag_code)
);
"""

# A name of GraphQL -> of the tables. The attributes' names differ as `authorId` and `author_id` do.
TABLES = {
    "authors": "authors",
    "books": "books",
    "chapters": "chapters",
    "quotes": "quotes",
    "tags": "tags",
    "bookTags": "book_tags",
}
TYPES = {
    "authors": "Author",
    "books": "Book",
    "chapters": "Chapter",
    "quotes": "Quote",
    "tags": "Tag",
    "bookTags": "BookTag",
}

_TEXT, _INT, _BIG, _FLOAT, _DECIMAL, _FLAG, _DAY, _MOMENT = (
    "text",
    "int",
    "big",
    "float",
    "decimal",
    "flag",
    "day",
    "moment",
)
KINDS_OF_VALUES: Mapping[str, Mapping[str, str]] = {
    "authors": {"id": _INT, "name": _TEXT, "country": _TEXT, "born": _DAY, "rating": _FLOAT},
    "books": {
        "id": _INT,
        "authorId": _INT,
        "title": _TEXT,
        "price": _DECIMAL,
        "pages": _INT,
        "published": _FLAG,
        "added": _MOMENT,
        "kind": _TEXT,
        "sequelOf": _INT,
    },
    "chapters": {"bookId": _INT, "number": _INT, "title": _TEXT, "words": _BIG},
    "quotes": {"id": _INT, "bookId": _INT, "chapter": _INT, "words": _TEXT},
    "tags": {"code": _TEXT, "label": _TEXT},
    "bookTags": {"bookId": _INT, "tagCode": _TEXT, "weight": _INT},
}
KEYS: Mapping[str, tuple[str, ...]] = {
    "authors": ("id",),
    "books": ("id",),
    "chapters": ("bookId", "number"),
    "quotes": ("id",),
    "tags": ("code",),
    "bookTags": ("bookId", "tagCode"),
}
_CHAPTER = (("bookId", "bookId"), ("chapter", "number"))
RELATIONS: Mapping[str, Mapping[str, Relation]] = {
    "authors": {"books": Relation("books", (("id", "authorId"),), many=True)},
    "books": {
        "author": Relation("authors", (("authorId", "id"),)),
        "bookBySequelOf": Relation("books", (("sequelOf", "id"),)),
        "booksBySequelOf": Relation("books", (("id", "sequelOf"),), many=True),
        "chapters": Relation("chapters", (("id", "bookId"),), many=True),
        "bookTags": Relation("bookTags", (("id", "bookId"),), many=True),
    },
    "chapters": {
        "book": Relation("books", (("bookId", "id"),)),
        "quotesByBookIdAndChapter": Relation("quotes", tuple((there, here) for here, there in _CHAPTER), many=True),
    },
    "quotes": {"chapterByBookIdAndChapter": Relation("chapters", _CHAPTER)},
    "tags": {"bookTagsByTagCode": Relation("bookTags", (("code", "tagCode"),), many=True)},
    "bookTags": {
        "book": Relation("books", (("bookId", "id"),)),
        "tagByTagCode": Relation("tags", (("tagCode", "code"),)),
    },
}

_AUTHORS: Sequence[tuple[Any, ...]] = (
    (1, "Ada", "DE", "1815-12-10", 4.5),
    (2, "ada", "DE", "1815-12-10", 0.1),
    (3, "Ödön", None, None, None),
    (4, "Ada", None, "1901-12-09", -0.5),
    (5, "", "", None, 4.5),
    (6, "O'Hara", "50%", "2000-02-29", 1e15),
    (7, "Zoë_😀", "d_", "1999-12-31", 0.30000000000000004),
    (8, 'back\\slash "x"', "DE", None, 0.0),
)
_BOOKS: Sequence[tuple[Any, ...]] = (
    (1, 1, "100%", "9.99", 100, True, "2024-01-01T10:00:00", "novel", None),
    (2, 1, "100 per cent", "9.99", 100, False, "2024-01-01T10:00:00", "novel", 1),
    (3, 1, "a_b", "10.00", None, None, None, "essay", 2),
    (4, 2, "axb", "10.00", 100, True, "2024-01-01T10:00:00.500000", "novel", None),
    (5, None, "", None, 0, None, "1970-01-01T00:00:00", "", None),
    (6, 3, "Ärger", "0.00", 312, True, None, "poems", 4),
    (7, 3, "ärger", "0.10", 312, False, "2024-02-29T23:59:59.999999", "Novel", None),
    (8, 4, "a\\b", "-1.50", None, True, "2024-01-01T10:00:00", "novel", 7),
    (9, None, "'; DROP TABLE books; --", "999999.99", 2147483647, False, None, "essay", None),
    (10, 5, "line\nbreak", "9.90", -1, True, "1999-12-31T00:00:00", "essay", 10),
    (11, 6, "😀", None, 100, None, "2024-01-01T10:00:00", "novel", 8),
    (12, 6, "AXB", "10.00", 101, True, "2024-01-01T10:00:00", "poems", None),
    (13, 1, "100%", "9.99", 100, True, "2024-01-01T10:00:00", "novel", 1),
    (14, 7, "\\", "1.00", 1, False, None, "%", 13),
)
_CHAPTERS: Sequence[tuple[Any, ...]] = (
    (1, 1, "One", 1000),
    (1, 2, "Two", None),
    (1, 3, None, 9007199254740993),
    (2, 1, "One", 1000),
    (3, 1, "", 0),
    (3, 2, None, None),
    (4, 1, "one", 9007199254740992),
    (6, 1, "Ö_%", 5),
    (8, 7, "\\%", -5),
    (9, 1, '"', 1000),
    (10, 1, "[a-b]*?^", None),
    (12, 1, "One", 1000),
    (12, 2, "One", 1000),
)
_QUOTES: Sequence[tuple[Any, ...]] = (
    (1, 1, 1, "To be"),
    (2, 1, 1, "to be"),
    (3, 1, None, "nowhere"),
    (4, None, 1, "nowhere"),
    (5, None, None, ""),
    (6, 3, 2, "50%"),
    (7, 12, 2, "To be"),
    (8, 8, 7, "a'b"),
)
_TAGS: Sequence[tuple[Any, ...]] = (("", "empty"), ("a,b/c", None), ("A", "letter"), ("a", "letter"), ("ß %", None))
_BOOK_TAGS: Sequence[tuple[Any, ...]] = (
    (1, "a", 1),
    (1, "A", 1),
    (1, "ß %", None),
    (2, "a", 2),
    (4, "a,b/c", None),
    (6, "ß %", 0),
    (8, "A", -1),
    (12, "a", 1),
    (13, "a", 1),
)
_ROWS = {
    "authors": _AUTHORS,
    "books": _BOOKS,
    "chapters": _CHAPTERS,
    "quotes": _QUOTES,
    "tags": _TAGS,
    "bookTags": _BOOK_TAGS,
}


def _row(collection: str, values: Sequence[Any]) -> Row:
    kinds = KINDS_OF_VALUES[collection]
    return {
        name: Decimal(value) if kind == _DECIMAL and value is not None else value
        for (name, kind), value in zip(kinds.items(), values, strict=True)
    }


_DATA: Data = {
    name: Collection(KEYS[name], [_row(name, values) for values in rows], RELATIONS[name])
    for name, rows in _ROWS.items()
}


def library_data() -> Data:
    """Copy the rows at the start."""
    return deepcopy(_DATA)


def _literal(kind: str, value: Any) -> str:
    """Write a value in SQL, as both databases read it."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case str() if kind == _DECIMAL:
            return value
        case str():
            text = value.replace("T", " ") if kind == _MOMENT else value
            return "'" + text.replace("'", "''") + "'"
        case _:
            return repr(value)


def _insert(collection: str, rows: Sequence[Sequence[Any]]) -> str:
    kinds = list(KINDS_OF_VALUES[collection].values())
    written = (", ".join(map(_literal, kinds, row)) for row in rows)
    return f"INSERT INTO {TABLES[collection]} VALUES {', '.join(f'({row})' for row in written)}"


LIBRARY = Family(
    script=SCRIPT,
    tables=("book_tags", "tags", "quotes", "chapters", "books", "authors"),
    counted=("quotes", "books", "authors"),
    start=tuple(_insert(name, rows) for name, rows in _ROWS.items()),
    items=("/authors/1", "/books/1"),
    settings={"max_cost": 10**12},  # connections below each other multiply, though the tables are small
)


def values_of(collection: str, attribute: str) -> list[Any]:
    """List the values that an attribute has at the start, each once, without null."""
    return list(dict.fromkeys(row[attribute] for row in _DATA[collection].rows if row[attribute] is not None))


def to_json(value: Any) -> Any:
    """Write a value as a query sends it, and as an answer has it."""
    return str(value) if isinstance(value, Decimal) else value


NUMBERS = frozenset({"int", "big", "float", "decimal"})


def attributes_of(collection: str, function: str) -> list[str]:
    """List the attributes of a collection that an aggregate function applies to."""
    kinds = KINDS_OF_VALUES[collection]
    return [name for name, kind in kinds.items() if kind in NUMBERS or function in {"min", "max"}]
