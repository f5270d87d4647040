"""JSON with the digits of its numbers: what Python's own decoder would make doubles of."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.harness import Api


class Digits(str):
    """A JSON number, as it is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Digits({super().__repr__()})"


def digits(text: str) -> Any:
    """Read JSON; each number is the text that it is written with."""
    return json.loads(text, parse_float=Digits, parse_int=Digits)


def body(query: str, variables: str = "{}") -> str:
    """Write a GraphQL request whose variables are JSON text."""
    return f'{{"query": {json.dumps(query)}, "variables": {variables}}}'


def ask(api: Api, query: str, variables: str = "{}", headers: Mapping[str, str] | None = None) -> Any:
    """Send a GraphQL request whose variables are JSON text; give back the answer with all digits."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    answer = api.http.post("/graphql", content=body(query, variables), headers=sent)
    assert answer.status_code == 200, answer.text
    return digits(answer.text)


def ask_batch(api: Api, parts: str, url: str = "/batch", headers: Mapping[str, str] | None = None) -> Any:
    """Send parts, which are JSON text, to /batch; give back the answer with all digits."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    return digits(api.http.post(url, content=f'{{"parts": {parts}}}', headers=sent).text)
