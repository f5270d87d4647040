"""After calibre: triggers and views that call the program's own functions, times with +00:00, an index by its own tokenizer."""

import sqlite3

from tests.real_shapes.shape import TIMES, Shape


class _Concatenated:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def step(self, _: object, text: str) -> None:
        """Take one row."""
        self.texts.append(text)

    def finalize(self) -> str:
        """Give all of them."""
        return " & ".join(self.texts)


def as_calibre(connection: sqlite3.Connection) -> None:
    """Give the connection the program's functions."""
    connection.create_function("title_sort", 1, lambda title: title, deterministic=True)
    connection.create_function("uuid4", 0, lambda: "8a3b5c1e-0000-4000-8000-000000000000")
    connection.create_aggregate("sortconcat", 2, _Concatenated)  # type: ignore[arg-type]  # its finalize gives a text


CALIBRE = Shape(
    kind="sqlite",
    prepare=as_calibre,
    script="""
CREATE TABLE books (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL DEFAULT 'Unknown' COLLATE NOCASE, sort TEXT COLLATE NOCASE,
  timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, pubdate TIMESTAMP DEFAULT CURRENT_TIMESTAMP, series_index REAL NOT NULL DEFAULT 1.0,
  author_sort TEXT COLLATE NOCASE, path TEXT NOT NULL DEFAULT '', flags INTEGER NOT NULL DEFAULT 1, uuid TEXT, has_cover BOOL DEFAULT 0,
  last_modified TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00+00:00');
CREATE INDEX books_by_sort ON books (sort COLLATE NOCASE);
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE, sort TEXT COLLATE NOCASE, link TEXT NOT NULL DEFAULT '', UNIQUE (name));
CREATE TABLE books_authors_link (id INTEGER PRIMARY KEY, book INTEGER NOT NULL, author INTEGER NOT NULL, UNIQUE (book, author));
CREATE TABLE ratings (id INTEGER PRIMARY KEY, rating INTEGER CHECK (rating > -1 AND rating < 11), UNIQUE (rating));
CREATE TABLE comments (id INTEGER PRIMARY KEY, book INTEGER NOT NULL, text TEXT NOT NULL COLLATE NOCASE, UNIQUE (book));
CREATE TABLE data (id INTEGER PRIMARY KEY, book INTEGER NOT NULL, format TEXT NOT NULL COLLATE NOCASE, uncompressed_size INTEGER NOT NULL,
  name TEXT NOT NULL, UNIQUE (book, format));
CREATE TABLE identifiers (id INTEGER PRIMARY KEY, book INTEGER NOT NULL, type TEXT NOT NULL DEFAULT 'isbn' COLLATE NOCASE,
  val TEXT NOT NULL COLLATE NOCASE, UNIQUE (book, type));
CREATE TABLE conversion_options (id INTEGER PRIMARY KEY, format TEXT NOT NULL COLLATE NOCASE, book INTEGER, data BLOB NOT NULL, UNIQUE (format, book));
CREATE TABLE preferences (id INTEGER PRIMARY KEY, key TEXT NOT NULL, val TEXT NOT NULL, UNIQUE (key));
CREATE TABLE custom_columns (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, datatype TEXT NOT NULL, mark_for_delete BOOL DEFAULT 0 NOT NULL,
  display TEXT DEFAULT '{}' NOT NULL, is_multiple BOOL DEFAULT 0 NOT NULL, UNIQUE (label));
CREATE TABLE custom_column_1 (id INTEGER PRIMARY KEY AUTOINCREMENT, book INTEGER, value timestamp NOT NULL, UNIQUE (book));
CREATE TABLE notes (id INTEGER PRIMARY KEY, item INTEGER NOT NULL, doc TEXT NOT NULL DEFAULT '', searchable_text TEXT NOT NULL DEFAULT '',
  mtime REAL DEFAULT (julianday('now')));
INSERT INTO books VALUES
  (1, 'The Book', 'Book, The', '2011-09-22 09:29:52+00:00', '0101-01-01 00:00:00+00:00', 1.0, 'Lovelace, Ada', 'Ada/Book', 1,
   '8a3b5c1e-1111-4000-8000-000000000000', 1, '2024-05-06 07:08:09.123456+00:00'),
  (2, 'the book', NULL, '2011-09-22 09:29:52.100000+00:00', NULL, 0.1, NULL, '', 1, NULL, NULL, '2000-01-01 00:00:00+00:00');
INSERT INTO authors VALUES (1, 'Ada Lovelace', 'Lovelace, Ada', ''), (2, 'Ünïcode', NULL, 'https://example.org');
INSERT INTO books_authors_link VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1);
INSERT INTO ratings VALUES (1, 0), (2, 10), (3, NULL);
INSERT INTO comments VALUES (1, 1, '<p>Good</p>');
INSERT INTO data VALUES (1, 1, 'EPUB', 123456, 'Book'), (2, 1, 'pdf', 0, '');
INSERT INTO identifiers VALUES (1, 1, 'isbn', '9780306406157'), (2, 1, 'url', 'https://example.org/?a=1,2');
INSERT INTO conversion_options VALUES (1, 'PIPE', NULL, x'7b7d'), (2, 'PIPE', NULL, x'00ff');
INSERT INTO preferences VALUES (1, 'field_metadata', '{"a": 1.0}'), (2, 'n', '2');
INSERT INTO custom_columns VALUES (1, 'read_on', 'datetime', 0, '{"date_format": null}', 0);
INSERT INTO custom_column_1 VALUES (1, 1, '2024-05-06 00:00:00+02:00');
INSERT INTO notes VALUES (1, 7, '<div>x</div>', 'x', 1714979289.125), (2, 8, '', '', 1714979289.0);
CREATE TRIGGER books_inserted AFTER INSERT ON books BEGIN
  UPDATE books SET sort = title_sort(NEW.title), uuid = uuid4() WHERE id = NEW.id;
END;
CREATE TRIGGER books_renamed AFTER UPDATE ON books BEGIN
  UPDATE books SET sort = title_sort(NEW.title) WHERE id = NEW.id AND OLD.title <> NEW.title;
END;
CREATE TRIGGER links_have_a_book BEFORE UPDATE OF book ON books_authors_link BEGIN
  SELECT CASE WHEN (SELECT id FROM books WHERE id = NEW.book) IS NULL THEN RAISE(ABORT, 'book is not in books') END;
END;
CREATE VIEW meta AS SELECT id, title, (SELECT sortconcat(l.id, name) FROM books_authors_link AS l JOIN authors ON authors.id = author
  WHERE book = books.id) AS authors, timestamp FROM books;
CREATE VIEW tag_browser_authors AS SELECT id, name, (SELECT count(id) FROM books_authors_link WHERE author = authors.id) AS count,
  (SELECT avg(series_index) FROM books JOIN books_authors_link AS l ON l.book = books.id WHERE l.author = authors.id) AS avg_rating,
  sort FROM authors;
CREATE VIRTUAL TABLE notes_fts USING fts5(searchable_text, content='notes', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER notes_changed AFTER UPDATE ON notes BEGIN
  INSERT INTO notes_fts (notes_fts, rowid, searchable_text) VALUES ('delete', OLD.id, OLD.searchable_text);
  INSERT INTO notes_fts (rowid, searchable_text) VALUES (NEW.id, NEW.searchable_text);
END;
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = replace(sql, 'unicode61', 'calibre') WHERE name = 'notes_fts';
""",
    columns={
        "books": {"timestamp": TIMES, "pubdate": TIMES, "last_modified": TIMES},
        "custom_column_1": {"value": TIMES},
    },
    not_served=frozenset(
        {"meta", "notes_fts", "notes_fts_data", "notes_fts_idx", "notes_fts_docsize", "notes_fts_config"}
    ),
    refuses={"books": frozenset({"*"}), "notes": frozenset({"*"})},
)

SHAPES = {"calibre": CALIBRE}
