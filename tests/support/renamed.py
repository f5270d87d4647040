"""Tables with unusual names, and settings that rename them."""

from typing import Any

SCRIPT = """
CREATE TABLE tbl_author (author_id {key}, nm VARCHAR(20) NOT NULL, secret VARCHAR(20), made_by VARCHAR(20));
CREATE TABLE tbl_book (
  book_id {key}, title VARCHAR(20) NOT NULL, written_by INTEGER REFERENCES tbl_author (author_id), revision INTEGER NOT NULL DEFAULT 1
);
INSERT INTO tbl_author (nm, secret, made_by) VALUES ('Ada', 'hidden', 'script');
INSERT INTO tbl_book (title, written_by) VALUES ('Eins', 1)
"""

RENAMED: dict[str, Any] = {
    "tbl_author": {
        "name": "Author",
        "collection": "writers",
        "former_collection": "authors",
        "attributes": {"nm": {"name": "name", "former_name": "nm"}},
        "relations": {"booksByWrittenBy": "books"},
    },
    "tbl_book": {"name": "Book", "relations": {"authorByWrittenBy": "author"}},
}
