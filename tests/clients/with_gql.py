from pathlib import Path
from typing import Any
from uuid import uuid4

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXTransport

DOCUMENTS = (Path(__file__).parent / "shop.graphql").read_text()


def make_client(url: str) -> Client:
    return Client(transport=HTTPXTransport(url=url, timeout=30))


def run(client: Client, operation: str, variables: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    request = GraphQLRequest(DOCUMENTS, operation_name=operation, variable_values=variables)
    try:
        return client.execute(request, extra_args={"headers": headers})
    except TransportQueryError as error:
        if error.data and error.data.get("batch"):  # it ran, though some field of its result could not be read
            return error.data
        raise


def read_order(client: Client, number: int) -> Any:
    return run(client, "OrderForm", {"id": number})


def save(client: Client, parts: list[dict[str, Any]], key: str | None = None) -> Any:
    return run(client, "Save", {"parts": parts}, {"Idempotency-Key": key or str(uuid4())})["batch"]


def save_order(client: Client, number: int, parts: list[dict[str, Any]]) -> Any:
    return run(client, "SaveOrder", {"id": number, "parts": parts})["batch"]


def code_of(error: TransportQueryError) -> str | None:
    return error.errors[0]["extensions"]["code"] if error.errors else None
