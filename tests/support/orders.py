"""The example shop with one small order for each client, and the steps that every client takes with its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from partwise.example import MODULE
from tests.support.harness import Backend, Json, sqlite_backend
from tests.support.program import Program, free_port, serving

ORDERS = range(1, 9)  # order 7 is of customer 7, its two lines are of products 71 and 72


@dataclass(frozen=True)
class Orders:
    """A server of these orders, and its tables."""

    program: Program
    backend: Backend

    @property
    def url(self) -> str:
        """Where GraphQL is."""
        return f"{self.program.url}/graphql"

    def rows(self, number: int) -> dict[str, list[tuple[Any, ...]]]:
        """Read what the tables hold of one order, behind the server's back."""
        rows = self.backend.rows
        return {
            "orders": rows(f"SELECT status, version FROM orders WHERE id = {number}"),
            "order_lines": rows(
                f"SELECT number, product_id, quantity FROM order_lines WHERE order_id = {number} ORDER BY number"
            ),
            "products": rows(f"SELECT id, name, price FROM products WHERE sku LIKE 'S-{number}-%' ORDER BY id"),
            "customers": rows(f"SELECT name FROM customers WHERE email = 'c{number}@example.org' OR name = 'X'"),
        }


@contextmanager
def serving_orders(folder: Path) -> Iterator[Orders]:
    """Serve them until the block ends."""
    backend = sqlite_backend(folder)
    arguments = [backend.url, "--models", MODULE, "--create-tables"]
    with serving(arguments, folder, port=free_port()) as program:
        _fill(backend)
        yield Orders(program, backend)


def _fill(backend: Backend) -> None:
    engine = backend.engine()
    with engine.begin() as connection:
        for number in ORDERS:
            values = {"n": number, "name": f"Customer {number}", "email": f"c{number}@example.org"}
            connection.execute(sa.text("INSERT INTO customers VALUES (:n, :name, :email, '2026-01-01')"), values)
            connection.execute(
                sa.text("INSERT INTO orders VALUES (:n, :n, 'PLACED', '2026-01-02 03:04:05', 1)"), values
            )
            for line in (1, 2, 3, 4):
                values = {"n": number, "line": line, "product": number * 10 + line, "sku": f"S-{number}-{line}"}
                values["price"] = "cheap" if line == 4 else line  # no number: it cannot be read
                connection.execute(
                    sa.text("INSERT INTO products VALUES (:product, :sku, 'Product ' || :product, :price, NULL, '[]')"),
                    values,
                )
                if line < 3:
                    connection.execute(
                        sa.text("INSERT INTO order_lines VALUES (:n, :line, :product, :line, 5)"), values
                    )
    engine.dispose()


def steps(number: int) -> dict[str, Json]:
    """Say what a client sends, in this order; `elsewhere` is another client's."""
    order, product = f"/orders/{number}", f"/products/{number}1"

    def part(id_: str, operation: str, path: str, **members: Json) -> Json:
        return {"id": id_, "operation": operation, "path": path, **members}

    def line(line_number: int, product_id: int) -> Json:
        return {"orderLine": {"number": line_number, "productId": product_id, "quantity": 1, "unitPrice": "3.00"}}

    return {
        "id": number,
        "committed": [
            part("order", "UPDATE", order, item={"order": {"status": "PAID"}}, ifMatch=["1"]),
            part("line", "UPDATE", f"/orderLines/{number},1", item={"orderLine": {"quantity": 7}}),
            part("price", "UPDATE", product, payload={"price": "12.50"}),
        ],
        "elsewhere": [part("order", "UPDATE", order, payload={"status": "SHIPPED"})],
        "rejected": [
            part("order", "UPDATE", order, item={"order": {"status": "CANCELLED"}}, ifMatch=["2"]),
            part("price", "UPDATE", product, item={"product": {"price": "1.999"}}),
            part("fine", "UPDATE", f"/products/{number}2", item={"product": {"price": "9.00"}}),
            part("new", "CREATE", "/products", payload={"sku": f"S-{number}-1", "colour": "red", "price": "1.00"}),
            part("nameless", "CREATE", "/products", payload={"sku": f"S-{number}-9", "price": "1.00"}),
            part("taken", "CREATE", "/customers", item={"customer": {"name": "X", "email": "c1@example.org"}}),
        ],
        "saved": [
            part("gone", "DELETE", f"/orderLines/{number},1"),
            part("third", "CREATE", f"{order}/lines", item=line(3, number * 10 + 3)),
            part("fourth", "CREATE", f"{order}/lines", item=line(4, number * 10 + 1)),
        ],
        "unreadable": [
            part("renamed", "UPDATE", f"/products/{number}3", payload={"name": "Renamed"}),
            part("cheap", "GET", f"/products/{number}4"),
        ],
        "failures": [[], [part("p", "UPDATE", product, item={"product": {"colour": "red"}})]],
    }
