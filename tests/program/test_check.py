"""`partwise check`: what is served, attribute by attribute, and (asked for) which values cannot be read."""

from pathlib import Path

from tests.conftest import Serve
from tests.support.harness import Backend
from tests.support.program import run_here

SHOP = "partwise.examples.shop.models"
SCRIPT = """
CREATE TABLE product (
  id {key}, name VARCHAR(40) NOT NULL, price NUMERIC(10,2) NOT NULL DEFAULT 0.5, made DATE DEFAULT CURRENT_DATE,
  weight {double}, twice {double} GENERATED ALWAYS AS (weight * 2) STORED
);
CREATE VIEW cheap AS SELECT name, made FROM product WHERE price < 1
"""
PRODUCT = """
  attributes id      Int!      made by the database where it is not given
             name    String!   required
             price   Decimal!  default "0.50"
             made    Date      made by the database where it is not given
             weight  Float
             twice   Float     made by the database
"""
CHEAP = """
  attributes name  String
             made  Date
"""
MANY = """
INSERT INTO product (id, name) WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 5003)
  SELECT n, 'x' FROM number
"""


def test_it_lists_attributes_with_type_and_what_a_create_has_to_give(backend: Backend, tmp_path: Path):
    backend.run(SCRIPT)

    done = run_here("check", backend.url, folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert PRODUCT in done.stdout
    assert CHEAP in done.stdout
    assert "Values" not in done.stdout


def test_what_a_model_gives_is_said_to_be_made_by_the_server(backend: Backend, start: Serve, tmp_path: Path):
    start(backend, models=SHOP, create_tables=True)
    said = run_here("check", backend.url, "--models", SHOP, folder=tmp_path).stdout

    order = said.partition("\nOrder  /orders ")[2].partition("\n\n")[0].splitlines()
    found = {words[0]: " ".join(words[2:]) for words in (line.removeprefix("  attributes").split() for line in order)}
    expected = {
        "status": 'one of PLACED, PAID, SHIPPED, DELIVERED, CANCELLED, default "PLACED"',
        "placedAt": "with a time zone, made by the server where it is not given",
        "version": "made by the server",
    }
    assert {name: found[name] for name in expected} == expected


def test_it_says_which_times_have_a_zone(backend: Backend, tmp_path: Path):
    backend.run("CREATE TABLE slot (id {key}, seen {aware} NOT NULL, planned {naive})")

    said = run_here("check", backend.url, folder=tmp_path).stdout

    assert "             seen     DateTime!  with a time zone, required\n" in said
    assert "             planned  DateTime   without a time zone\n" in said


def test_the_labels_of_an_enum_are_listed(postgresql: Backend, tmp_path: Path):
    postgresql.run("""
        CREATE TYPE mood AS ENUM ('happy', 'sad');
        CREATE TABLE day (id {key}, mood mood NOT NULL, moods mood[])""")

    said = run_here("check", postgresql.url, folder=tmp_path).stdout

    assert "             mood   enum!     one of happy, sad, required\n" in said
    assert "             moods  [String]  one of happy, sad\n" in said


def test_values_that_can_all_be_read(backend: Backend, tmp_path: Path):
    (tmp_path / "partwise.toml").write_text("max_answer = 1024")  # which is for answers
    backend.run(SCRIPT + ";" + MANY)
    before = backend.dump()

    done = run_here("check", backend.url, "--values", folder=tmp_path)

    assert done.returncode == 0
    assert done.stdout == "Values: those of all 10006 rows can be read.\n"
    assert backend.dump() == before


UNREADABLE = {
    "sqlite": """
        UPDATE product SET price = 'twelve' WHERE id IN (1, 5002);
        UPDATE product SET made = '31.12.2020', price = 0.5 WHERE id = 5003""",
    "postgresql": """
        UPDATE product SET price = 'NaN' WHERE id IN (1, 5002);
        UPDATE product SET made = 'infinity' WHERE id = 5003""",
}


def test_values_that_cannot_be_read_are_named_and_counted(backend: Backend, tmp_path: Path):
    backend.run(SCRIPT + ";" + MANY + ";\n" + UNREADABLE[backend.kind])

    plain, done = (run_here("check", backend.url, *flag, folder=tmp_path) for flag in ([], ["--values"]))

    assert plain.returncode == 0  # they are looked for only when asked
    assert (done.returncode, done.stderr) == (1, "")
    head, *lines = done.stdout.splitlines()  # and nothing of the catalog
    assert head.startswith("Values that cannot be read, in 100")
    assert [line.partition(":")[0].strip() for line in lines] == [
        "Cheap.made  1 value",
        "Product.made  1 value",
        "Product.price  2 values",
    ]
    is_open = backend.kind == "sqlite"  # PostgreSQL's types are its own
    assert all(("partwise.toml" in line) is is_open for line in lines)


def test_nulls_in_keys_are_among_them(sqlite: Backend, tmp_path: Path):
    sqlite.run("CREATE TABLE place (code TEXT PRIMARY KEY, n INTEGER);\nINSERT INTO place VALUES (NULL, 1), (NULL, 2)")

    done = run_here("check", sqlite.url, "--values", folder=tmp_path)

    assert done.returncode == 1
    assert "Place.code  2 values: The database holds a null for code" in done.stdout


COLLATED = """
CREATE TABLE tag (name TEXT COLLATE NOCASE PRIMARY KEY);
CREATE TABLE post (id INTEGER PRIMARY KEY, tag TEXT REFERENCES tag (name));
CREATE TABLE note (id INTEGER PRIMARY KEY, tag TEXT COLLATE NOCASE REFERENCES tag);
CREATE TABLE plain (id INTEGER PRIMARY KEY, tag TEXT REFERENCES tag, post INTEGER REFERENCES post);
CREATE INDEX tag_name ON tag (name COLLATE BINARY);
CREATE INDEX post_tag ON post (tag);
CREATE INDEX note_tag ON note (tag);
CREATE INDEX plain_post ON plain (post)"""
HELP = 'CREATE INDEX "post_tag_collated" ON "post" ("tag" COLLATE NOCASE)'


def test_an_index_that_compares_otherwise_than_the_key_is_told_with_one_that_helps(sqlite: Backend, tmp_path: Path):
    sqlite.run(COLLATED)

    said = run_here("check", sqlite.url, folder=tmp_path).stdout
    sqlite.run(HELP)
    after = run_here("check", sqlite.url, folder=tmp_path).stdout

    (line,) = [each for each in said.splitlines() if "CREATE INDEX" in each]
    assert line.strip().startswith("Post: no index serves the relation over tag")
    assert line.endswith(f"This one would: {HELP}")
    assert "CREATE INDEX" not in after
