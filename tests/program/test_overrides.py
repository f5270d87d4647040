"""What an operator sets: names, former names, hiding, read-only, versions and types; and where settings come from."""

from pathlib import Path
from typing import Any

import pytest

from partwise.service import open_service
from partwise.settings import Settings, SettingsError, load_settings
from tests.conftest import Serve
from tests.support.described import fields, relations, resources
from tests.support.harness import Api, Backend, faults, part
from tests.support.renamed import RENAMED, SCRIPT


def settings(backend: Backend, **given: Any) -> Settings:
    """Settings as partwise.toml would give them."""
    return Settings(database_url=backend.url, **given)


@pytest.fixture
def renamed(backend: Backend, start: Serve) -> Api:
    """A shelf whose tables, columns and relations have names of the operator's."""
    backend.run(SCRIPT)
    return start(backend, resources=RENAMED)


def test_renames_hold_everywhere(renamed: Api):
    found = resources(renamed)

    assert {name: each["path"] for name, each in found.items()} == {"Author": "/writers", "Book": "/books"}
    assert found["Author"]["attributes"].keys() == {"authorId", "name", "secret", "madeBy"}
    assert relations(renamed) == {
        "Author": {"books": ("Book", True, ["authorId"])},
        "Book": {"author": ("Author", False, ["writtenBy"])},
    }
    assert renamed.query("{ author(authorId: 1) { path name books { nodes { title author { name } } } } }")[
        "author"
    ] == {
        "path": "/writers/1",
        "name": "Ada",
        "books": {"nodes": [{"title": "Eins", "author": {"name": "Ada"}}]},
    }
    created = renamed.batch(
        part("a", "CREATE", "/writers", {"name": "Bea"}),
        part("b", "CREATE", "/writers/$a/books", {"title": "Zwei"}),
        part(
            "c", "CREATE", "/books", item={"book": {"title": "Drei"}}, references=[{"attribute": "author", "part": "a"}]
        ),
    )
    assert created["parts"][0]["path"] == "/writers/2"
    assert created["parts"][1]["payload"]["writtenBy"] == created["parts"][2]["payload"]["writtenBy"] == 2


def test_former_names_still_work_and_are_deprecated(renamed: Api):
    result = renamed.batch(
        part("payload", "CREATE", "/authors", {"nm": "Bea"}),
        part("item", "CREATE", "/writers", item={"author": {"nm": "Cid"}}),
        part("path", "UPDATE", "/authors/1", {"nm": "Eva"}),
        part("filter", "GET", "/authors?nm=Bea&orderBy=nm"),
    )
    assert result["status"] == "COMMITTED", faults(result)
    assert result["parts"][0]["path"] == "/writers/2", "the canonical path has the new name"
    assert result["parts"][0]["payload"] == {"authorId": 2, "name": "Bea", "secret": None, "madeBy": None}
    assert result["parts"][1]["payload"]["name"] == "Cid"
    assert [each["name"] for each in result["parts"][3]["payload"]["items"]] == ["Bea"]
    read = renamed.query('{ authors { nodes { nm name } } node(path: "/authors/1") { path } }')
    assert read["authors"]["nodes"] == [{"nm": each, "name": each} for each in ("Eva", "Bea", "Cid")]
    assert read["node"] == {"path": "/writers/1"}
    shown = renamed.query("""{
        author: __type(name: "Author") { fields(includeDeprecated: true) { name isDeprecated deprecationReason } }
        query: __type(name: "Query") { fields(includeDeprecated: true) { name isDeprecated deprecationReason } }
        input: __type(name: "AuthorInput") { inputFields(includeDeprecated: true) { name isDeprecated deprecationReason } }
    }""")
    for members, old, new in [
        (shown["author"]["fields"], "nm", "name"),
        (shown["query"]["fields"], "authors", "writers"),
        (shown["input"]["inputFields"], "nm", "name"),
    ]:
        found = {each["name"]: each for each in members}
        assert found[old]["isDeprecated"] is True
        assert new in found[old]["deprecationReason"]
        assert found[new]["isDeprecated"] is False


def test_an_attribute_given_by_both_its_names_is_refused(renamed: Api, backend: Backend):
    before = backend.dump()
    result = renamed.batch(part("a", "CREATE", "/writers", {"nm": "old", "name": "new"}))
    assert [code for code, _ in faults(result)["a"]] == ["INVALID_VALUE"]
    assert backend.dump() == before


def test_a_hidden_table_is_absent(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, resources={"tbl_author": {"hidden": True}})

    assert resources(api).keys() == {"TblBook"}
    assert relations(api)["TblBook"] == {}
    assert api.one("GET", "/tblAuthors/1")["errors"][0]["code"] == "UNKNOWN_RESOURCE"
    assert "author" not in api.service.schema.as_str().lower()
    result = api.batch(part("b", "CREATE", "/tblBooks", {"title": "T", "writtenBy": 99}))
    assert [each["code"] for each in result["parts"][0]["errors"]] == ["MISSING_TARGET"]


def test_a_hidden_column_is_absent_and_keeps_its_value(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, resources={"tbl_author": {"attributes": {"secret": {"hidden": True}}}})

    assert "secret" not in api.service.schema.as_str()
    assert api.one("GET", "/tblAuthors/1")["payload"] == {"authorId": 1, "nm": "Ada", "madeBy": "script"}
    assert api.one("GET", "/tblAuthors?secret=hidden")["errors"][0]["code"] == "INVALID_PATH"
    refused = api.batch(part("a", "UPDATE", "/tblAuthors/1", {"secret": "x"}))
    assert faults(refused) == {"a": [("UNKNOWN_ATTRIBUTE", "/payload/secret")]}
    assert "hidden" not in str(refused)
    assert api.one("REPLACE", "/tblAuthors/1", {"nm": "Bea"})["status"] == 200
    assert backend.rows("SELECT nm, secret FROM tbl_author") == [("Bea", "hidden")]


def test_a_read_only_table_is_read_and_not_written(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, resources={"tbl_author": {"read_only": True}})
    before = backend.dump()

    assert resources(api)["TblAuthor"]["operations"] == ["GET"]
    assert "tblAuthor" not in fields(api, "BatchItemInput")
    assert api.one("GET", "/tblAuthors/1")["status"] == 200
    assert api.query("{ tblAuthor(authorId: 1) { path nm } }")["tblAuthor"] == {"path": "/tblAuthors/1", "nm": "Ada"}
    result = api.batch(
        part("create", "CREATE", "/tblAuthors", {"nm": "x"}),
        part("update", "UPDATE", "/tblAuthors/1", {"nm": "x"}),
        part("replace", "REPLACE", "/tblAuthors/1", {"nm": "x"}),
        part("upsert", "UPSERT", "/tblAuthors/1", {"nm": "x"}),
        part("delete", "DELETE", "/tblAuthors/1"),
        part("absent", "DELETE", "/tblAuthors/99"),
    )
    assert {id_: found[0][0] for id_, found in faults(result).items()} == dict.fromkeys(
        ["create", "update", "replace", "upsert", "delete", "absent"], "OPERATION_NOT_ALLOWED"
    )
    assert backend.dump() == before


def test_a_read_only_column_is_not_written_and_not_required(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, resources={"tbl_author": {"attributes": {"made_by": {"read_only": True}}}})
    before = backend.dump()

    assert resources(api)["TblAuthor"]["attributes"]["madeBy"]["readOnly"] is True
    result = api.batch(
        part("create", "CREATE", "/tblAuthors/7", {"nm": "x", "madeBy": "me"}),
        part("update", "UPDATE", "/tblAuthors/1", {"madeBy": "me"}),
    )
    assert faults(result) == {
        "create": [("READ_ONLY", "/payload/madeBy")],
        "update": [("READ_ONLY", "/payload/madeBy")],
    }
    assert backend.dump() == before
    assert api.one("REPLACE", "/tblAuthors/1", {"nm": "Bea"})["payload"]["madeBy"] == "script"


def test_a_version_column_is_the_etag_and_moves_on_with_every_write(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, resources={"tbl_book": {"version": "revision"}})

    read = api.one("GET", "/tblBooks/1")
    result = api.batch(
        part("first", "UPDATE", "/tblBooks/1", {"title": "a"}, ifMatch=[read["etag"]]),
        part("second", "REPLACE", "/tblBooks/1", {"title": "b"}),
    )
    assert result["status"] == "COMMITTED"
    assert [each["payload"]["revision"] for each in result["parts"]] == [2, 3]
    assert len({read["etag"], *(each["etag"] for each in result["parts"])}) == 3
    stale = api.one("UPDATE", "/tblBooks/1", {"title": "c"}, ifMatch=[read["etag"]])
    assert (stale["errors"][0]["code"], stale["payload"]["title"]) == ("PRECONDITION_FAILED", "b")
    refused = api.batch(part("v", "UPDATE", "/tblBooks/1", {"revision": 7}))
    assert faults(refused) == {"v": [("READ_ONLY", "/payload/revision")]}
    assert api.one("CREATE", "/tblBooks/2", {"title": "new"})["payload"]["revision"] == 1


def test_the_type_of_a_column_can_be_set_on_sqlite(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE thing (id INTEGER PRIMARY KEY, big INTEGER, day TEXT, flags TEXT);\nINSERT INTO thing VALUES (1, 1099511627776, '2020-01-31', '[1]')"
    )
    types = {"big": {"type": "BigInt"}, "day": {"type": "Date"}, "flags": {"type": "JSON"}}
    api = start(sqlite, resources={"thing": {"attributes": types}})

    assert {name: fields(api, "Thing")[name] for name in types} == {"big": "BigInt", "day": "Date", "flags": "JSON"}
    values = {"big": "1099511627776", "day": "2020-01-31", "flags": [1]}
    assert api.query("{ thing(id: 1) { big day flags } }")["thing"] == values
    assert faults(api.batch(part("a", "UPDATE", "/things/1", {"day": "soon"}))) == {
        "a": [("INVALID_VALUE", "/payload/day")]
    }


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such table": ({"nothing": {"name": "A"}}, "'nothing'"),
    "no such column": ({"tbl_book": {"attributes": {"nothing": {"name": "a"}}}}, "'nothing'"),
    "no such relation": ({"tbl_book": {"relations": {"nothing": "a"}}}, "'nothing'"),
    "type name taken by another": ({"tbl_book": {"name": "TblAuthor"}}, "TblAuthor"),
    "type name taken by the schema": ({"tbl_book": {"name": "PartInput"}}, "'PartInput'"),
    "type name that derives a taken one": ({"tbl_book": {"name": "Part"}}, "'Part'"),
    "type name no name": ({"tbl_book": {"name": "My Book"}}, "'My Book'"),
    "type name of introspection": ({"tbl_book": {"name": "__Book"}}, "'__Book'"),
    "type name taken by an earlier table": ({"tbl_author": {"name": "TblBook"}}, "TblBook"),
    "collection taken by a later table": ({"tbl_author": {"collection": "tblBooks"}}, "'tblBooks'"),
    "collection taken": ({"tbl_book": {"collection": "tblAuthors"}}, "'tblAuthors'"),
    "collection taken by the schema": ({"tbl_book": {"collection": "resources"}}, "'resources'"),
    "collection no name": ({"tbl_book": {"collection": "my/books"}}, "'my/books'"),
    "former collection taken": ({"tbl_book": {"former_collection": "tblAuthors"}}, "'tblAuthors'"),
    "two renamed to one": ({"tbl_book": {"name": "A"}, "tbl_author": {"name": "A"}}, "'A'"),
    "attribute taken": ({"tbl_book": {"attributes": {"title": {"name": "bookId"}}}}, "'bookId'"),
    "attribute of Node": ({"tbl_book": {"attributes": {"title": {"name": "etag"}}}}, "'etag'"),
    "attribute no name": ({"tbl_book": {"attributes": {"title": {"name": "the title"}}}}, "'the title'"),
    "former attribute taken": ({"tbl_book": {"attributes": {"title": {"former_name": "bookId"}}}}, "'bookId'"),
    "relation taken": ({"tbl_book": {"relations": {"tblAuthorByWrittenBy": "title"}}}, "'title'"),
    "key hidden": ({"tbl_book": {"attributes": {"book_id": {"hidden": True}}}}, "'book_id'"),
    "version no column": ({"tbl_book": {"version": "nothing"}}, "'nothing'"),
    "version no number": ({"tbl_book": {"version": "title"}}, "'title'"),
    "type unknown": ({"tbl_book": {"attributes": {"title": {"type": "Colour"}}}}, "'Colour'"),
    "all hidden": ({"tbl_book": {"hidden": True}, "tbl_author": {"hidden": True}}, "hidden"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_settings_stop_the_start_with_a_sentence_that_says_which(sqlite: Backend, wrong):
    given, named = WRONG[wrong]
    sqlite.run(SCRIPT)
    with pytest.raises(SettingsError) as stopped:
        open_service(settings(sqlite, resources=given))
    assert named in str(stopped.value)
    assert str(stopped.value).endswith(".")


def test_the_type_of_a_column_cannot_be_set_on_postgresql(postgresql: Backend):
    postgresql.run(SCRIPT)
    wrong = {"tbl_book": {"attributes": {"title": {"type": "Date"}}}}
    with pytest.raises(SettingsError, match=r"tbl_book\.title"):
        open_service(settings(postgresql, resources=wrong))


# --- where settings come from


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own current folder, where partwise.toml is looked for."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_flag_goes_before_a_variable_before_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    assert (load_settings().port, load_settings().host) == (8000, "127.0.0.1")
    (folder / "partwise.toml").write_text('port = 1\nhost = "file"\nmax_parts = 3\n')
    monkeypatch.setenv("PARTWISE_PORT", "2")
    monkeypatch.setenv("PARTWISE_HOST", "variable")

    loaded = load_settings(port=4, host=None, database_url=None)

    assert (loaded.port, loaded.host, loaded.max_parts) == (4, "variable", 3)


def test_the_resources_of_the_file_are_served(folder: Path, sqlite: Backend):
    sqlite.run(SCRIPT)
    (folder / "partwise.toml").write_text("""
        [resources.tbl_book]
        name = "Book"
        version = "revision"
        [resources.tbl_book.attributes.title]
        name = "heading"
    """)
    service = open_service(load_settings(database_url=sqlite.url))
    service.engine.database.close()
    assert "heading" in service.engine.catalog.resources["Book"].attributes
    assert service.engine.catalog.resources["Book"].version == "revision"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour"),
        ("port = 70000", "port"),
        ('port = "many"', "port"),
        ("port = ", "partwise.toml"),
        ('log_level = "loud"', "log_level"),
        ('[resources.a]\ncolour = "red"', "resources.a.colour"),
        ("[resources.a.attributes.b]\nhidden = 7", "resources.a.attributes.b.hidden"),
        ("max_parts = 0", "max_parts"),
        ("# \xfc", "partwise.toml is not valid UTF-8 at byte 2"),
    ],
)
def test_a_wrong_file_is_said_in_a_sentence(folder: Path, text, named):
    (folder / "partwise.toml").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError) as stopped:
        load_settings()
    assert named in str(stopped.value)
    assert str(stopped.value).endswith(".")


def test_a_wrong_variable_is_said_in_a_sentence_without_its_value(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARTWISE_ETAG_SECRET", "s3cret" * 100)
    monkeypatch.setenv("PARTWISE_PORT", "s3cret")
    with pytest.raises(SettingsError) as stopped:
        load_settings()
    assert "port" in str(stopped.value)
    assert "etag_secret" in str(stopped.value)
    assert "s3cret" not in str(stopped.value)
