"""Paths at random: what is written is read back, and what nobody would write is refused in order (contract, section 3)."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resolvers.binding.path_binding import PathNotBound, Place, bind_path
from resolvers.binding.path_grammar import KeyValues, PathError, Text, are_plain_keys, format_path, parse_path
from resolvers.documents.limits import Scope
from storage.catalog.model import Catalog
from storage.errors import Fault
from storage.rows.locate import ByKey
from storage.rows.row import Row
from tests.support.path_catalog import bind, resource
from tests.support.wire_types import KEY_TYPES, Typed

COMPOSITE = st.lists(st.sampled_from(sorted(KEY_TYPES)), min_size=2, max_size=4).map(
    lambda names: [KEY_TYPES[n] for n in names]
)


def check_round_trip(types: list[Typed], data: st.DataObject) -> None:
    named = {f"k{place}": type_ for place, (type_, _) in enumerate(types)}
    thing = resource("Thing", "things", " ".join(named), (), "", **named)
    values = tuple(data.draw(strategy) for _, strategy in types)

    path = format_path(thing, Row(resource=thing, values=dict(zip(named, values, strict=True)), etag=""))
    place = bind_path(parse_path(path), Scope(catalog=Catalog(resources={"Thing": thing})))

    assert place.address[-1].selector == ByKey(attributes=tuple(named), values=values)
    assert set(path.removeprefix("/things/")) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%,="
    )


@pytest.mark.parametrize("name", KEY_TYPES)
@given(data=st.data())
def test_the_canonical_path_of_a_key_leads_back_to_the_key(name, data):
    check_round_trip([KEY_TYPES[name]], data)


@given(types=COMPOSITE, data=st.data())
def test_the_canonical_path_of_a_composite_key_leads_back_to_the_key(types, data):
    check_round_trip(types, data)


PIECES = st.sampled_from(
    [
        *("/", "/", "/", ",", "=", "?", "&", "$", "%", "+", "-", ".", "..", "~", "0", "7", "07", "1e9", "2147483648"),
        *("albums", "artists", "customers", "employees", "reports", "playlistTracks", "airports", "flights"),
        *("albumId", "title", "email", "code", "limit", "offset", "orderBy", "playlistId", "trackId", "$a"),
        *(
            "%00",
            "%2F",
            "%2f",
            "%C3%A9",
            "%FF",
            "%ED%A0%80",
            "\x00",
            "\ud800",
            "é",
            "e\u0301",
            "\u0667",
            "\r\n",
            " ",
            "'",
        ),
    ]
)
PATHS = st.text(max_size=60) | st.text(max_size=60).map(lambda text: f"/{text}") | st.lists(PIECES).map("".join)


def fault_of(path: str, bind: Callable[[str], Place]) -> Fault | None:
    """Bind a path: why it is refused, if it is."""
    try:
        bind(path)
    except (PathError, PathNotBound) as refused:
        return refused.fault
    return None


@settings(max_examples=2_000)
@given(path=PATHS | PATHS.map(lambda text: f"/airports/{text}") | PATHS.map(lambda text: f"/albums?{text}"))
def test_random_text_is_a_path_or_refused_with_a_sentence(path):
    fault = fault_of(path, bind)

    if fault is not None:
        assert fault.code in {"INVALID_PATH", "UNKNOWN_RESOURCE", "INVALID_REFERENCE"}
        assert fault.pointer == "/path"
        assert fault.message[-1] in ".?"


@settings(max_examples=1_000)
@given(texts=st.lists(st.text(max_size=10) | PIECES, min_size=1, max_size=3))
def test_texts_are_plain_keys_if_each_is_parsed_as_it_is(texts):
    try:
        keys = [parse_path(f"/x/{text}").segments[-1].key for text in texts]
    except PathError:
        keys = []

    assert are_plain_keys(texts) == (keys == [KeyValues(values=(Text(text=text, offset=3),)) for text in texts])


NUMBERS = st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,30})?", fullmatch=True)


@given(text=NUMBERS)
@example(text="1e9999999999999999999")
@example(text="0e-9999999999999999999")
@example(text="9" * 2_000)
@pytest.mark.parametrize("name", sorted(KEY_TYPES))
def test_a_random_number_as_a_key_of_any_type_is_refused_unless_it_is_canonical(name, text):
    thing = resource("Thing", "things", "key", key=KEY_TYPES[name][0])
    found: list[Any] = []

    def bind_thing(path: str) -> Place:
        place = bind_path(parse_path(path), Scope(catalog=Catalog(resources={"Thing": thing})))
        found.append(place.address[-1].selector)
        return place

    fault = fault_of(f"/things/{text}", bind_thing)

    if fault is not None:
        assert fault.code == "INVALID_PATH"
    else:
        (key,) = found[0].values
        assert unquote(format_path(thing, Row(resource=thing, values={"key": key}, etag=""))) == f"/things/{text}"
