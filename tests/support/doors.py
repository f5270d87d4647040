"""One service behind two doors, the ordinary one and the fast one: the same request is answered at both, and compared."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

from partwise.server.app import make_app
from partwise.settings import Settings
from tests.support.examples import tried_with
from tests.support.harness import Api

tried = tried_with(60)

HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    media_type: str
    body: bytes
    headers: dict[str, str]  # all but how long it took


class Doors:
    """One service behind two doors."""

    def __init__(self, api: Api, own: Settings) -> None:
        self.api = api
        apps = [make_app(api.service, own, compiled=compiled) for compiled in (False, True)]
        self._ordinary, self._fast = (TestClient(app, base_url="http://127.0.0.1") for app in apps)
        self.executed = 0  # requests that Strawberry has executed
        execute = api.service.schema.execute

        def counted(*arguments: Any, **others: Any) -> Any:
            self.executed += 1
            return execute(*arguments, **others)

        api.service.schema.execute = counted  # type: ignore[method-assign]  # only counted

    def ask(self, body: str | bytes, **headers: str) -> tuple[Answer, bool]:
        """Ask at both doors, compare, and say whether the fast one has done without Strawberry."""
        ordinary = _answer(self._ordinary.post("/graphql", content=body, headers=HEADERS | headers))
        before = self.executed
        fast = _answer(self._fast.post("/graphql", content=body, headers=HEADERS | headers))
        was_fast = self.executed == before and fast.status == 200  # what is refused at the door is not executed, either
        assert fast == ordinary, body
        again = _answer(self._fast.post("/graphql", content=body, headers=HEADERS | headers))
        assert again == ordinary
        return fast, was_fast

    def ask_by_url(self, **params: str) -> Answer:
        """Ask at both doors by GET, and compare."""
        ordinary, fast = (_answer(door.get("/graphql", params=params)) for door in (self._ordinary, self._fast))
        assert fast == ordinary, params
        return fast


def _answer(answer: Any) -> Answer:
    assert b"INTERNAL" not in answer.content, answer.text
    headers = {name: value for name, value in answer.headers.items() if name != "server-timing"}
    return Answer(answer.status_code, answer.headers["content-type"], answer.content, headers)


def body_of(query: str, variables: Any, **others: Any) -> str:
    return json.dumps({"query": query, "variables": variables, **others})
