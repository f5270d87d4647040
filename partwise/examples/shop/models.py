"""The tables of the shop: who buys, what is sold, where it lies, and the orders."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import field_validator
from sqlalchemy import JSON, CheckConstraint, Column, Enum, Integer, UniqueConstraint
from sqlmodel import Field, Relationship, SQLModel


class AddressKind(StrEnum):
    """What an address is for."""

    BILLING = "BILLING"
    SHIPPING = "SHIPPING"


class OrderStatus(StrEnum):
    """How far an order has come."""

    PLACED = "PLACED"
    PAID = "PAID"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"


# SQLModel would name these types `addresskind` and `orderstatus`; clients see the names, so they are written in words.
_ADDRESS_KIND = Enum(AddressKind, name="address_kind")
_ORDER_STATUS = Enum(OrderStatus, name="order_status")


def _today() -> date:
    return _now().date()


def _now() -> datetime:
    return datetime.now(UTC)


class Customer(SQLModel, table=True):
    """Someone who buys in the shop."""

    __tablename__ = "customers"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(min_length=1, max_length=100, description="The full name.")
    email: str = Field(unique=True, max_length=254, description="The e-mail address, kept in lower case.")
    joined_on: date = Field(default_factory=_today, description="The day of the first visit.")

    addresses: list["Address"] = Relationship(back_populates="customer", cascade_delete=True, passive_deletes=True)
    orders: list["Order"] = Relationship(back_populates="customer", passive_deletes="all")

    @field_validator("email")
    @classmethod
    def _is_address(cls, email: str) -> str:
        user, at, host = email.partition("@")
        if not (user and at and host) or "@" in host:
            raise ValueError("must have exactly one @, with something before and after it")
        return email.lower()


class Address(SQLModel, table=True):
    """Where a customer gets bills or parcels."""

    __tablename__ = "addresses"
    __table_args__ = (UniqueConstraint("customer_id", "kind", name="one_address_of_a_kind"),)

    id: int | None = Field(default=None, primary_key=True)
    customer_id: int = Field(foreign_key="customers.id", ondelete="CASCADE")
    kind: AddressKind = Field(
        sa_type=_ADDRESS_KIND, description="What the address is for; a customer has at most one of each kind."
    )
    street: str = Field(min_length=1, max_length=100, description="Street and number.")
    postal_code: str = Field(min_length=1, max_length=12, description="The postal code, as the country writes it.")
    city: str = Field(min_length=1, max_length=60)
    country: str = Field(max_length=2, description="Two capital letters (ISO 3166-1 alpha-2).")

    customer: Customer = Relationship(back_populates="addresses")

    @field_validator("country")
    @classmethod
    def _is_country(cls, country: str) -> str:
        if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):  # noqa: PLR2004  # as the message says
            raise ValueError("must be two capital letters, such as DE")
        return country


class Product(SQLModel, table=True):
    """Something that the shop sells."""

    __tablename__ = "products"
    __table_args__ = (CheckConstraint("price >= 0", name="price_is_not_negative"),)

    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True, min_length=1, max_length=20, description="The stock-keeping unit, as on the shelf.")
    name: str = Field(min_length=1, max_length=100)
    price: Decimal = Field(max_digits=10, decimal_places=2, ge=0, description="For one piece, in euros.")
    description: str | None = Field(default=None, max_length=1_000)
    tags: list[str] = Field(default_factory=list, sa_type=JSON, description="Words to find the product by.")

    stock: list["Stock"] = Relationship(back_populates="product", cascade_delete=True, passive_deletes=True)
    order_lines: list["OrderLine"] = Relationship(back_populates="product", passive_deletes="all")


class Stock(SQLModel, table=True):
    """How many pieces of a product lie in a warehouse."""

    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("reserved BETWEEN 0 AND on_hand", name="reserved_is_on_hand"),)

    product_id: int = Field(primary_key=True, foreign_key="products.id", ondelete="CASCADE")
    warehouse: str = Field(primary_key=True, min_length=1, max_length=20)
    on_hand: int = Field(default=0, ge=0, description="Pieces on the shelf.")
    reserved: int = Field(default=0, ge=0, description="Pieces of those on the shelf that are sold already.")

    product: Product = Relationship(back_populates="stock")


_order_version = Column("version", Integer, nullable=False)  # the mapper wants the column itself, not its name


class Order(SQLModel, table=True):
    """What a customer has ordered at one time."""

    __tablename__ = "orders"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _order_version}

    id: int | None = Field(default=None, primary_key=True)
    customer_id: int = Field(foreign_key="customers.id", index=True)
    status: OrderStatus = Field(
        default=OrderStatus.PLACED, sa_type=_ORDER_STATUS, description="How far the order has come."
    )
    placed_at: datetime = Field(default_factory=_now, description="When the customer placed the order.")
    version: int = Field(default=1, sa_column=_order_version, description="Counts the changes of the order.")

    customer: Customer = Relationship(back_populates="orders")
    lines: list["OrderLine"] = Relationship(back_populates="order", cascade_delete=True, passive_deletes=True)


class OrderLine(SQLModel, table=True):
    """One product of an order, how many pieces of it, and at which price."""

    __tablename__ = "order_lines"
    __table_args__ = (
        UniqueConstraint("order_id", "product_id", name="product_once_in_an_order"),
        CheckConstraint("quantity > 0", name="quantity_is_positive"),
    )

    order_id: int = Field(primary_key=True, foreign_key="orders.id", ondelete="CASCADE")
    number: int = Field(primary_key=True, ge=1, description="The line's place in its order, from 1.")
    product_id: int = Field(foreign_key="products.id", index=True)
    quantity: int = Field(default=1, gt=0, description="Pieces.")
    unit_price: Decimal = Field(
        max_digits=10, decimal_places=2, ge=0, description="For one piece, in euros, as it was when ordered."
    )

    order: Order = Relationship(back_populates="lines")
    product: Product = Relationship(back_populates="order_lines")
