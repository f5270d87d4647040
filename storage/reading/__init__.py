"""What is asked: read plans in, items out."""

from storage.reading.cursors import BadCursor, decode_cursor, order_name
from storage.reading.found import Collection, Found, Item, ItemPage, Items, Many, One, Page, Pages, to_items
from storage.reading.plan import (
    CollectionRead,
    ItemPlan,
    ItemRead,
    NodeRead,
    ReadPlan,
    RelationPlan,
    RootRead,
    Selected,
)
from storage.reading.run import read_root, relate, run_read

__all__ = [
    "BadCursor",
    "Collection",
    "CollectionRead",
    "Found",
    "Item",
    "ItemPage",
    "ItemPlan",
    "ItemRead",
    "Items",
    "Many",
    "NodeRead",
    "One",
    "Page",
    "Pages",
    "ReadPlan",
    "RelationPlan",
    "RootRead",
    "Selected",
    "decode_cursor",
    "order_name",
    "read_root",
    "relate",
    "run_read",
    "to_items",
]
