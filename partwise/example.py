"""The example shop: what is served when no database is named, and what the terminal then shows."""

import json

import sqlalchemy as sa
from sqlmodel import Session

from partwise.examples.shop.data import fill
from partwise.examples.shop.models import Customer

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


def fill_if_empty(engine: sa.Engine) -> None:
    """Fill the shop the first time."""
    with Session(engine) as session:
        if session.exec(sa.select(Customer).limit(1)).first() is None:  # type: ignore[call-overload]  # SQLAlchemy's select, not SQLModel's
            fill(session)
            session.commit()


def invitation(address: str) -> str:
    """Show a batch to paste into GraphiQL, and the same as `curl`."""
    body = json.dumps({"query": " ".join(BATCH.split())}).replace("'", "'\\''")
    return (
        f"\nA batch to try: open {address} in a browser and paste\n\n{BATCH}\n\n"
        f"or the same in a terminal:\n\ncurl -s {address} -H 'Content-Type: application/json' -d '{body}'\n"
    )
