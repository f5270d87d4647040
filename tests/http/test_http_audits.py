"""GraphQL over HTTP as graphql-http's audits see it (https://github.com/graphql/graphql-http#audits), at a server that listens."""

import json
from pathlib import Path

from tests.support.harness import Backend
from tests.support.music import SCRIPT
from tests.support.node import node
from tests.support.program import free_port, serving


def test_every_audit_is_content(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)

    with serving([sqlite.url], tmp_path, port=free_port()) as program:
        done = node("audit.mjs", f"{program.url}/graphql")

    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [each for each in results if each["status"] != "ok"] == []
    assert len(results) == 61
