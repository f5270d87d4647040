"""The first batch that `serve` prints: for the example shop, served if no database is given, or for any database."""

import json

from storage.catalog.model import Catalog
from storage.connections.database import Database

_ITEMS = 3  # read by the first batch for any other database
URL = "sqlite:///partwise-shop.db"
MODULE = "partwise.examples.shop.models"

BATCH = """mutation {
  batch(parts: [
    { id: "ada", path: "/customers", operation: CREATE, payload: { name: "Ada King", email: "ada@example.org" } }
    { id: "home", path: "/customers/$ada/addresses", operation: CREATE,
      payload: { kind: "SHIPPING", street: "12 St James's Square", city: "London", postalCode: "SW1Y 4JH", country: "GB" } }
    { id: "price", path: "/products/1", operation: UPDATE, payload: { price: "12.50" }, ifMatch: null }
  ]) {
    status
    parts { id path status errors { code message pointer } }
  }
}"""


def fill_if_empty(database: Database) -> None:
    """Insert the rows of the shop, if it has no customers."""
    # Imported here, because only the shop needs SQLModel, which takes half a second.
    from sqlmodel import Session, select  # noqa: PLC0415

    from partwise.examples.shop.data import fill  # noqa: PLC0415
    from partwise.examples.shop.models import Customer  # noqa: PLC0415

    with database.connection() as connection, Session(connection) as session:
        if session.exec(select(Customer).limit(1)).first() is None:
            fill(session)
            session.flush()


def first_batch(server: str, catalog: Catalog, max_page: int) -> str:
    """Return a batch that only reads, as a `curl` command.

    It uses the endpoint /batch, which accepts it even if only persisted documents run.
    """
    resource = max(catalog.resources.values(), key=lambda each: bool(each.key))  # the first with a key, if there is one
    part = {"id": "a", "path": f"/{resource.collection}?limit={min(_ITEMS, max_page)}", "operation": "get"}
    return (
        "\nA batch to begin with, which only reads:\n\n"
        f"curl -s {server}/batch -H 'Content-Type: application/json' -d '{json.dumps({'parts': [part]})}'\n"
    )


def invitation(address: str) -> str:
    """Return a batch to paste into GraphiQL, and the same batch as a `curl` command."""
    body = json.dumps({"query": " ".join(BATCH.split())}).replace("'", "'\\''")
    return (
        f"\nA batch to try: open {address} in a browser and paste\n\n{BATCH}\n\n"
        f"or the same in a terminal:\n\ncurl -s {address} -H 'Content-Type: application/json' -d '{body}'\n"
    )
