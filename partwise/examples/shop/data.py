"""Sample rows for the tables of the shop: the same rows for the same seed."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random

from sqlmodel import Session, col, insert

from partwise.examples.shop.models import Address, AddressKind, Customer, Order, OrderLine, OrderStatus, Product, Stock

Row = dict[str, object]

CUSTOMERS = 300
SHIPPING_ADDRESSES = 100  # in addition to the billing address of each customer
PRODUCTS = 150
ORDERS = 800
MAX_LINES = 4  # per order; 2.5 on average
START = datetime(2026, 1, 1, tzinfo=UTC)
JOINING = 90  # days from START in which all customers join
ORDERING = 90  # days after joining in which a customer orders
MINUTES = 24 * 60  # per day

_FIRST_NAMES = (
    *("Ada", "Amir", "Anna", "Ben", "Carla", "Chen", "David", "Elena", "Emil", "Fatima"),
    *("Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lina", "Marta", "Nora", "Omar", "Priya"),
)
_LAST_NAMES = (
    *("Adler", "Berg", "Costa", "Dahl", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jansen"),
    *("Kowalski", "Lind", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber"),
)
_STREETS = ("Station Road", "Market Street", "Mill Lane", "Garden Row", "Harbour Street", "Church Lane", "Hill Street")
_CITIES = (  # city, country, pattern of its postal codes: each 0 is replaced by a random digit
    ("Berlin", "DE", "10000"),
    ("Graz", "AT", "8000"),
    ("Kraków", "PL", "30-000"),
    ("Lyon", "FR", "69000"),
    ("Malmö", "SE", "210 00"),
    ("Porto", "PT", "4000-000"),
    ("Utrecht", "NL", "3500 AB"),
    ("Zürich", "CH", "8000"),
)
_MATERIALS = ("oak", "steel", "linen", "cork", "glass", "wool", "paper", "stoneware")
_THINGS = (  # name, letters of its SKU, tag of its place
    ("basket", "BSK", "home"),
    ("bowl", "BWL", "kitchen"),
    ("box", "BOX", "office"),
    ("candle holder", "CND", "home"),
    ("coaster", "CST", "kitchen"),
    ("cushion", "CSH", "home"),
    ("frame", "FRM", "home"),
    ("jug", "JUG", "kitchen"),
    ("lamp", "LMP", "office"),
    ("mug", "MUG", "kitchen"),
    ("notebook", "NTB", "office"),
    ("pencil case", "PNC", "office"),
    ("plant pot", "PLT", "garden"),
    ("plate", "PLA", "kitchen"),
    ("stool", "STL", "home"),
    ("tray", "TRY", "kitchen"),
    ("vase", "VAS", "home"),
)
_SIZES = ("Small", "Large")
_WAREHOUSES = ("north", "south", "harbour")
_STATUS_WEIGHTS = {
    OrderStatus.PLACED: 2,
    OrderStatus.PAID: 2,
    OrderStatus.SHIPPED: 3,
    OrderStatus.DELIVERED: 12,
    OrderStatus.CANCELLED: 1,
}


def fill(session: Session, *, seed: int = 1) -> None:
    """Insert all rows into the empty tables of the shop. The caller commits.

    About 4,000 rows: 300 customers, 400 addresses, 150 products, their stock, 800 orders, 2,000 order lines.
    """
    random = Random(seed)  # noqa: S311  # sample data, not secret
    names = random.sample(list(product(_FIRST_NAMES, _LAST_NAMES)), CUSTOMERS)
    joined = [START.date() + timedelta(days=random.randrange(JOINING)) for _ in names]
    customers = _insert(session, Customer, map(_customer, names, joined))
    shipped_to = random.sample(customers, SHIPPING_ADDRESSES)
    session.exec(insert(Address), params=[_address(random, each, AddressKind.BILLING) for each in customers])
    session.exec(insert(Address), params=[_address(random, each, AddressKind.SHIPPING) for each in shipped_to])
    prices = [Decimal(random.randrange(295, 12_000, 5)) / 100 for _ in range(PRODUCTS)]
    products = _insert(session, Product, _products(random, prices))
    session.exec(insert(Stock), params=[row for each in products for row in _stock(random, each)])
    orders = _insert(session, Order, _orders(random, list(zip(customers, joined, strict=True))))
    priced = list(zip(products, prices, strict=True))
    session.exec(insert(OrderLine), params=[row for each in orders for row in _lines(random, each, priced)])


def _insert(session: Session, class_: type[Customer | Product | Order], rows: Iterable[Row]) -> list[int]:
    """Insert rows; return the keys that the database generated, in the order of the rows.

    The keys are not chosen here, because a PostgreSQL sequence does not take account of keys that it did not generate.
    """
    statement = insert(class_).returning(col(class_.id), sort_by_parameter_order=True)
    return [key for (key,) in session.exec(statement, params=list(rows))]


def _customer(name: tuple[str, str], joined_on: date) -> Row:
    first, last = name
    return {"name": f"{first} {last}", "email": f"{first}.{last}@example.org".lower(), "joined_on": joined_on}


def _address(random: Random, customer: int, kind: AddressKind) -> Row:
    city, country, form = random.choice(_CITIES)
    return {
        "customer_id": customer,
        "kind": kind,
        "street": f"{random.choice(_STREETS)} {random.randint(1, 120)}",
        "postal_code": "".join(str(random.randrange(10)) if each == "0" else each for each in form),
        "city": city,
        "country": country,
    }


def _products(random: Random, prices: Sequence[Decimal]) -> list[Row]:
    kinds = random.sample(list(product(_SIZES, _MATERIALS, _THINGS)), len(prices))
    return [
        {
            "sku": f"{letters}-{number:03}",
            "name": f"{size} {material} {thing}",
            "price": price,
            "description": random.choice([None, f"A {thing} made of {material}."]),
            "tags": [place, material],
        }
        for number, (price, (size, material, (thing, letters, place))) in enumerate(zip(prices, kinds, strict=True), 1)
    ]


def _stock(random: Random, product_id: int) -> list[Row]:
    rows: list[Row] = []
    for warehouse in random.sample(_WAREHOUSES, random.randint(1, len(_WAREHOUSES))):
        on_hand = random.randint(0, 200)
        reserved = random.randint(0, on_hand // 4)
        rows.append({"product_id": product_id, "warehouse": warehouse, "on_hand": on_hand, "reserved": reserved})
    return rows


def _orders(random: Random, customers: Sequence[tuple[int, date]]) -> list[Row]:
    """Create the orders, the oldest first."""
    found = []
    for _ in range(ORDERS):
        customer, joined_on = random.choice(customers)
        after = joined_on - START.date() + timedelta(minutes=random.randrange(ORDERING * MINUTES))
        found.append((START + after, customer))
    statuses = random.choices(list(_STATUS_WEIGHTS), list(_STATUS_WEIGHTS.values()), k=ORDERS)
    return [
        {"customer_id": customer, "status": status, "placed_at": placed_at, "version": 1}
        for (placed_at, customer), status in zip(sorted(found), statuses, strict=True)
    ]


def _lines(random: Random, order: int, products: Sequence[tuple[int, Decimal]]) -> list[Row]:
    bought = random.sample(products, random.randint(1, MAX_LINES))
    return [
        {
            "order_id": order,
            "number": number,
            "product_id": product_id,
            "quantity": random.randint(1, 5),
            "unit_price": price,
        }
        for number, (product_id, price) in enumerate(bought, start=1)
    ]
