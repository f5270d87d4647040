"""References to rows by the values of a key (storage/rows/key_refs.py)."""

from typing import Any

import pytest

from storage.catalog.model import Attribute, Resource, UniqueKey
from storage.catalog.types import Integer, Unreadable
from storage.rows.key_refs import KeyRef, key_ref, row_ref

LINK = Resource(
    name="Link",
    collection="links",
    field="link",
    table="links",
    key=("left", "right"),
    unique_keys=(UniqueKey(attributes=("place",)),),
    attributes={
        name: Attribute(name=name, column=name, type=Integer(), sql_type="") for name in ("left", "right", "place", "n")
    },
    relations={},
)


def test_the_attributes_of_a_key_have_the_order_of_the_catalog():
    found = key_ref(LINK, ("right", "left"), (2, 1))

    assert found == key_ref(LINK, ("left", "right"), (1, 2)) == row_ref(LINK, (1, 2))
    assert found == KeyRef("Link", ("left", "right"), (1, 2))
    assert key_ref(LINK, ("left", "right"), (2, 1)) != found


def test_values_that_are_no_key_have_one_order_too():
    assert key_ref(LINK, ("place", "n"), (1, 2)) == key_ref(LINK, ("n", "place"), (2, 1))


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, Unreadable(reason="no")])
def test_values_that_do_not_identify_a_row(value: Any):
    assert key_ref(LINK, ("left", "right"), (1, value)) is None
    assert key_ref(LINK, (), ()) is None
