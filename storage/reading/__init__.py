"""What is asked: read plans in, items out."""

from storage.reading.plan import (
    CollectionRead,
    Found,
    Item,
    ItemPage,
    ItemPlan,
    ItemRead,
    NodeRead,
    ReadPlan,
    RelationPlan,
    RootRead,
)
from storage.reading.run import relate, run_read

__all__ = [
    "CollectionRead",
    "Found",
    "Item",
    "ItemPage",
    "ItemPlan",
    "ItemRead",
    "NodeRead",
    "ReadPlan",
    "RelationPlan",
    "RootRead",
    "relate",
    "run_read",
]
