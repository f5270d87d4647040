"""Persisted documents as clients' own tools write and ask for them: Apollo Client, graphql-codegen, relay-compiler."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Backend, serve
from tests.support.music import SCRIPT
from tests.support.node import CLIENTS, node, run
from tests.support.program import free_port, serving

ARTIST = "query AppQuery($id: Int!) { artist(artistId: $id) { name } }"
ANSWER = {"artist": {"name": "Nordlicht"}}


@pytest.fixture
def schema(sqlite: Backend, tmp_path: Path) -> Path:
    """The schema of the music shop, in a file."""
    sqlite.run(SCRIPT)
    api = serve(sqlite)
    (tmp_path / "schema.graphql").write_text(api.service.schema.as_str())
    api.close()
    return tmp_path / "schema.graphql"


def test_apollo_client_sends_a_query_once_and_then_its_hash_alone(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)

    with serving([sqlite.url], tmp_path, port=free_port()) as program:
        done = node("persisted.mjs", f"{program.url}/graphql")

    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout)
    # [method, status, whether the query was sent]: Apollo Client accepts application/graphql-response+json
    assert asked["post"]["sent"] == [["POST", 400, False], ["POST", 200, True], ["POST", 200, False]]
    assert asked["get"]["sent"] == [["GET", 400, False], ["POST", 200, True], ["GET", 200, False]]
    assert asked["mutation"]["sent"] == [["POST", 400, False], ["POST", 200, True], ["POST", 200, False]]
    assert [each["artist"]["name"] for each in asked["post"]["data"]] == ["Nordlicht"] * 2
    assert [each["artist"]["name"] for each in asked["get"]["data"]] == ["Os Gêmeos"] * 2
    assert [each["batch"]["status"] for each in asked["mutation"]["data"]] == ["COMMITTED"] * 2
    assert sqlite.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" = 3') == [("Drei",)]


def ask(url: str, folder: Path, manifest: Path, member: str) -> Any:
    """Serve a manifest and nothing else; ask for its only document by its id."""
    (folder / "partwise.toml").write_text(f'persisted_documents = "{manifest}"\nonly_persisted = true\n')
    (found,) = json.loads(manifest.read_text())
    with serving([url], folder, port=free_port()) as program:
        answer = program.send({member: found, "variables": {"id": 1}})
        refused = program.send({"query": "{ __typename }"})
    assert refused["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_REQUIRED"
    return answer["data"]


def test_a_manifest_of_graphql_codegen_is_served(sqlite: Backend, schema: Path, tmp_path: Path):
    node("--version")  # has the tools installed
    (tmp_path / "queries.graphql").write_text(ARTIST)
    (tmp_path / "codegen.json").write_text(
        json.dumps(
            {
                "schema": str(schema),
                "documents": [str(tmp_path / "queries.graphql")],
                "generates": {f"{tmp_path}/gql/": {"preset": "client", "presetConfig": {"persistedDocuments": True}}},
            }
        )
    )

    done = run("npx", "graphql-codegen", "--config", str(tmp_path / "codegen.json"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert ask(sqlite.url, tmp_path, tmp_path / "gql" / "persisted-documents.json", "documentId") == ANSWER


def test_a_manifest_of_relay_compiler_is_served(sqlite: Backend, schema: Path, tmp_path: Path):
    node("--version")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "App.js").write_text(f"import {{ graphql }} from 'relay-runtime';\ngraphql`{ARTIST}`;\n")
    (tmp_path / "persisted.json").write_text("{}")
    (tmp_path / "relay.config.json").write_text(
        json.dumps(
            {
                "src": "src",
                "schema": schema.name,
                "language": "javascript",
                "schemaConfig": {"nodeInterfaceIdField": "path"},
                "persistConfig": {"file": "persisted.json"},
            }
        )
    )

    done = run("node", str(CLIENTS / "node_modules/relay-compiler/cli.js"), "relay.config.json", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    answer = ask(sqlite.url, tmp_path, tmp_path / "persisted.json", "id")
    assert answer == {"artist": {**ANSWER["artist"], "path": "/artists/1"}}  # which Relay asks for by itself
