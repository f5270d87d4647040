"""What is asked: read plans in, items out."""

from storage.reading.cursors import BadCursor, decode_cursor, order_name
from storage.reading.found import (
    Aggregate,
    Collection,
    Found,
    Group,
    Item,
    ItemPage,
    Items,
    Many,
    One,
    Page,
    Pages,
    Summary,
    to_items,
)
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
    "Aggregate",
    "BadCursor",
    "Collection",
    "CollectionRead",
    "Found",
    "Group",
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
    "Summary",
    "decode_cursor",
    "order_name",
    "read_root",
    "relate",
    "run_read",
    "to_items",
]
