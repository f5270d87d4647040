"""Fills the tables of the shop with made-up rows: the same ones for the same seed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random

from sqlmodel import Session

from partwise.examples.shop.models import Address, AddressKind, Customer, Order, OrderLine, OrderStatus, Product, Stock

CUSTOMERS = 300
SHIPPING_ADDRESSES = 100  # beside the billing address that every customer has
PRODUCTS = 150
ORDERS = 800
MAX_LINES = 4  # of an order; 2.5 on average
START = datetime(2026, 1, 1, tzinfo=UTC)
JOINING = 90  # days from START in which all customers join
ORDERING = 90  # days from joining in which a customer orders
MINUTES = 24 * 60  # of a day

_FIRST_NAMES = (
    *("Ada", "Amir", "Anna", "Ben", "Carla", "Chen", "David", "Elena", "Emil", "Fatima"),
    *("Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lina", "Marta", "Nora", "Omar", "Priya"),
)
_LAST_NAMES = (
    *("Adler", "Berg", "Costa", "Dahl", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jansen"),
    *("Kowalski", "Lind", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber"),
)
_STREETS = ("Station Road", "Market Street", "Mill Lane", "Garden Row", "Harbour Street", "Church Lane", "Hill Street")
_CITIES = (  # city, country, the form of its postal codes: each 0 becomes a digit
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
_THINGS = (  # name, letters of its SKU, where it belongs
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
    """Add all rows to the empty tables of the shop and flush them; to commit is the caller's.

    About 4,000 rows: 300 customers, 400 addresses, 150 products, their stock, 800 orders, 2,000 order lines.
    """
    random = Random(seed)  # noqa: S311  # sample data, no secrets
    customers = _customers(random)
    _add_addresses(random, customers)
    products = _products(random)
    session.add_all(customers)
    session.add_all(products)
    session.add_all(_orders(random, customers, products))
    session.flush()


def _customers(random: Random) -> list[Customer]:
    names = random.sample(list(product(_FIRST_NAMES, _LAST_NAMES)), CUSTOMERS)
    return [
        Customer(
            name=f"{first} {last}",
            email=f"{first}.{last}@example.org".lower(),
            joined_on=START.date() + timedelta(days=random.randrange(JOINING)),
        )
        for first, last in names
    ]


def _add_addresses(random: Random, customers: Sequence[Customer]) -> None:
    for customer in customers:
        customer.addresses.append(_address(random, AddressKind.BILLING))
    for customer in random.sample(customers, SHIPPING_ADDRESSES):
        customer.addresses.append(_address(random, AddressKind.SHIPPING))


def _address(random: Random, kind: AddressKind) -> Address:
    city, country, postal_code = random.choice(_CITIES)
    return Address(
        kind=kind,
        street=f"{random.choice(_STREETS)} {random.randint(1, 120)}",
        postal_code="".join(str(random.randrange(10)) if each == "0" else each for each in postal_code),
        city=city,
        country=country,
    )


def _products(random: Random) -> list[Product]:
    kinds = random.sample(list(product(_SIZES, _MATERIALS, _THINGS)), PRODUCTS)
    return [
        Product(
            sku=f"{letters}-{number:03}",
            name=f"{size} {material} {thing}",
            price=Decimal(random.randrange(295, 12_000, 5)) / 100,
            description=random.choice([None, f"A {thing} made of {material}."]),
            tags=[place, material],
            stock=_stock(random),
        )
        for number, (size, material, (thing, letters, place)) in enumerate(kinds, start=1)
    ]


def _stock(random: Random) -> list[Stock]:
    found = []
    for warehouse in random.sample(_WAREHOUSES, random.randint(1, len(_WAREHOUSES))):
        on_hand = random.randint(0, 200)
        found.append(Stock(warehouse=warehouse, on_hand=on_hand, reserved=random.randint(0, on_hand // 4)))
    return found


def _orders(random: Random, customers: Sequence[Customer], products: Sequence[Product]) -> list[Order]:
    orders = [_order(random, random.choice(customers), products) for _ in range(ORDERS)]
    return sorted(orders, key=lambda order: order.placed_at)


def _order(random: Random, customer: Customer, products: Sequence[Product]) -> Order:
    after = timedelta(days=(customer.joined_on - START.date()).days, minutes=random.randrange(ORDERING * MINUTES))
    bought = random.sample(products, random.randint(1, MAX_LINES))
    return Order(
        customer=customer,
        status=random.choices(list(_STATUS_WEIGHTS), list(_STATUS_WEIGHTS.values()))[0],
        placed_at=START + after,
        lines=[
            OrderLine(number=number, product=each, quantity=random.randint(1, 5), unit_price=each.price)
            for number, each in enumerate(bought, start=1)
        ],
    )
