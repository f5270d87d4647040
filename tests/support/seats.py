"""Tables whose keys and names need escaping in paths."""

SEATS = """
CREATE TABLE seat (row TEXT, number INTEGER, PRIMARY KEY (row, number));
CREATE TABLE guest (name TEXT PRIMARY KEY, row TEXT, number INTEGER, FOREIGN KEY (row, number) REFERENCES seat (row, number));
CREATE VIEW number AS SELECT 1 AS n;
INSERT INTO seat VALUES ('A/B', 1), ('ü', 2)"""
