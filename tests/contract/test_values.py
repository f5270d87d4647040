"""Values on the wire (docs/contract.md, section 7): for every type what is taken, what is refused, and what comes back."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from resolvers.binding.serialization import to_json, to_text
from resolvers.binding.values import InvalidJsonValue, column_from_text, from_json, from_text, read_column, reader
from storage.catalog.types import (
    Array,
    Boolean,
    Bytes,
    Date,
    DateTime,
    Enumeration,
    ExactFloat,
    Float,
    Integer,
    JsonDocument,
    Numeric,
    Opaque,
    Text,
    Time,
    Unreadable,
    Uuid,
    ValueType,
)
from tests.support.wire_types import ALL_TYPES, KEY_TYPES, TEXT

STATE = Enumeration(name="state", labels=("new", "in work"))
NAIVE, AWARE = DateTime(aware=False), DateTime(aware=True)
PRICE, EXACT = Numeric(precision=10, scale=2), Numeric()
SINGLE, DOUBLE = Float(bits=32), Float(bits=64)
FORTY_DIGITS = "1234567890123456789012345678901234567890"
SOME_UUID = "0198c0de-0000-7000-8000-0000000000ff"
NO_INT: list[Any] = [
    True,
    False,
    "",
    "x",
    "1.0",
    "01",
    "+1",
    " 1",
    "1 ",
    "1_0",
    "\u0661",
    "1\u0662",
    1.0,
    1.5,
    math.nan,
    [],
    {},
    [1],
]

number = ExactFloat  # a JSON number with a fraction or an exponent, as the door reads it

ACCEPTED: list[tuple[ValueType, Any, Any]] = [  # type, JSON, value
    *((Integer(bits=16), raw, raw) for raw in (0, 1, -(2**15), 2**15 - 1)),
    *((Integer(bits=32), raw, raw) for raw in (0, -1, -(2**31), 2**31 - 1)),
    *((Integer(bits=64), raw, raw) for raw in (0, -(2**63), 2**63 - 1)),
    *((Integer(bits=64), str(value), value) for value in (0, 7, -(2**63), 2**63 - 1)),
    *((DOUBLE, raw, raw) for raw in (0, 1, -1.5, 2**53, 1.7976931348623157e308, 5e-324)),
    (DOUBLE, number("0.1"), 0.1),
    (DOUBLE, number("1e3"), 1_000.0),
    *((SINGLE, raw, raw) for raw in (0, 1, -1.5, 0.1, 2**24, 3.4028235e38)),
    (PRICE, 1, Decimal("1.00")),
    (PRICE, "1", Decimal("1.00")),
    (PRICE, "0.99", Decimal("0.99")),
    (PRICE, number("0.99"), Decimal("0.99")),
    (PRICE, "-99999999.99", Decimal("-99999999.99")),
    (PRICE, number("1e2"), Decimal("100.00")),
    (Numeric(precision=3, scale=0), 999, Decimal(999)),
    (Numeric(precision=3, scale=3), "0.999", Decimal("0.999")),
    (EXACT, FORTY_DIGITS, Decimal(FORTY_DIGITS)),
    (EXACT, int(FORTY_DIGITS), Decimal(FORTY_DIGITS)),
    (EXACT, number(f"0.{FORTY_DIGITS}"), Decimal(f"0.{FORTY_DIGITS}")),
    (Boolean(), True, True),
    (Boolean(), False, False),
    *((Text(), raw, raw) for raw in ("", " ", "é", "e\u0301", "😀", "\n\t\x01\x7f", "\ufeff", "\uffff", "NULL")),
    (Text(max_length=3), "😀😀😀", "😀😀😀"),
    (Text(max_length=3, padded=True), " ab", " ab"),
    (Bytes(), "", b""),
    (Bytes(), "AA==", b"\x00"),
    (Bytes(), "+/+/", b"\xfb\xff\xbf"),
    (Bytes(max_length=2), "AAA=", b"\x00\x00"),
    (Date(), "0001-01-01", date(1, 1, 1)),
    (Date(), "2024-02-29", date(2024, 2, 29)),
    (Date(), "9999-12-31", date(9999, 12, 31)),
    (Time(), "00:00:00", time(0, 0)),
    (Time(), "23:59:59.999999", time(23, 59, 59, 999_999)),
    (Time(), "12:30:00.5", time(12, 30, 0, 500_000)),
    (NAIVE, "2026-12-31T23:59:59", datetime(2026, 12, 31, 23, 59, 59)),  # noqa: DTZ001  # a reading without zone
    (NAIVE, "0001-01-01T00:00:00.000001", datetime(1, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001
    (AWARE, "2026-12-31T23:59:59Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (AWARE, "2026-01-01T00:30:00+02:00", datetime(2025, 12, 31, 22, 30, tzinfo=UTC)),
    (AWARE, "2026-01-01T00:30:00.25-05:30", datetime(2026, 1, 1, 6, 0, 0, 250_000, tzinfo=UTC)),
    (DateTime(aware=True, precision=0), "2026-01-01T00:30:00.000Z", datetime(2026, 1, 1, 0, 30, tzinfo=UTC)),
    (Uuid(), SOME_UUID, UUID(SOME_UUID)),
    (Uuid(), SOME_UUID.upper(), UUID(SOME_UUID)),
    (STATE, "in work", "in work"),
    *((JsonDocument(), raw, raw) for raw in (False, 0, "", [], {}, [None, {"a": [1, "b", None]}], {"": 1.5})),
    (Array(of=Integer()), [], []),
    (Array(of=Integer()), [1, None, -1], [1, None, -1]),
    (Array(of=Date()), ["2026-12-31"], [date(2026, 12, 31)]),
    (Opaque(), "192.0.2.1", "192.0.2.1"),
]

NOT_TEXT: list[Any] = [1, True, 1.5, [], {}, ["x"]]
BROKEN_TEXT = ["\x00", "a\x00b", "\ud800", "a\udfff", "\ud83d\ud83d"]


def each(type_: ValueType, *raws: Any) -> list[tuple[ValueType, Any]]:
    return [(type_, raw) for raw in raws]


REFUSED: list[tuple[ValueType, Any]] = [
    *each(Integer(bits=16), *NO_INT, "1", 2**15, -(2**15) - 1),
    *each(Integer(bits=32), *NO_INT, "1", number("1.0"), number("1e3"), 2**31, -(2**31) - 1, 2**63),
    *each(Integer(bits=64), *NO_INT, number("1.0"), 2**63, -(2**63) - 1, str(2**63), str(-(2**63) - 1)),
    (Integer(bits=64), "9" * 5_000),
    *each(DOUBLE, True, "1.5", "NaN", "", math.nan, math.inf, -math.inf, number("1e999"), 10**400, [], {}),
    (DOUBLE, 2**53 + 1),
    *each(SINGLE, 2**24 + 1, 1e39, number("0.123456789012"), "0.1", math.nan),
    *each(PRICE, True, "", "x", " 1", "1 ", "1,5", "1_0", "0x1", "NaN", "sNaN", "Infinity", "-inf", math.nan, math.inf),
    *each(PRICE, "0.999", number("0.999"), 10**8, "100000000", number("1e8"), FORTY_DIGITS, int(FORTY_DIGITS)),
    *each(PRICE, number("1e-3"), "1e999999999", "1e9999999999999999999", number("1e-9999999999999999999")),
    *each(PRICE, "\u0661", "1\u0662", "1.\u0663", [], {}, ["1"]),
    (Numeric(precision=3, scale=0), "0.5"),
    (EXACT, "1e9999999999999999999"),
    (EXACT, "9" * 100_000),
    (EXACT, number("1e1000000")),
    *each(Boolean(), 0, 1, "true", "false", "", 1.0, [], {}),
    *(case for type_ in (Text(), STATE, Bytes(), Opaque(), Uuid()) for case in each(type_, *NOT_TEXT, *BROKEN_TEXT)),
    (Text(max_length=3), "abcd"),
    (Text(max_length=3, padded=True), "ab "),
    (Text(max_length=3, padded=True), "abcd"),
    *each(Bytes(), "A", "AA", "AA=", "AAA", "A A=", "AA==\n", "-_-_", "AB==", "AA==AA==", "é", "===="),
    (Bytes(max_length=2), "AAAA"),
    *each(Date(), *NOT_TEXT, "", "2026-02-30", "2023-02-29", "2026-13-01", "2026-00-01", "0000-01-01"),
    *each(Date(), "10000-01-01", "-0001-01-01", "+2026-01-01", "2026-1-1", "20260101", "2026-W01-1", "31.12.2020"),
    *each(Date(), " 2026-01-01", "2026-01-01\n", "2026-01-01T00:00:00", "2026-01-01Z", "\uff12\uff10\uff12\uff16-01-01", "today"),
    *each(Time(), *NOT_TEXT, "", "24:00:00", "23:60:00", "23:59:60", "12:00:00Z", "12:00:00+02:00"),
    *each(Time(), "12:00:00.1234567", "12:00:00,5", "12:00:00.", "T12:00:00", "1:00:00", "noon"),
    (Time(precision=0), "12:00:00.5"),
    *each(NAIVE, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00+02:00", "2026-01-01T00:00:00-00:00"),
    *each(AWARE, "2026-01-01T00:00:00", "2026-01-01T00:00:00.5", "2026-01-01T00:00:00+24:00"),
    (AWARE, "0001-01-01T00:00:00+02:00"),
    (AWARE, "9999-12-31T23:59:59-02:00"),
    (AWARE, "2026-01-01T00:00:00+02:60"),
    *((type_, f"{text}{'Z' if type_.aware else ''}") for type_ in (NAIVE, AWARE) for text in (
        "", "2026-01-01", "2026-02-30T00:00:00", "0000-01-01T00:00:00", "10000-01-01T00:00:00", "2026-01-01T24:00:00",
        "2026-01-01T23:59:60", "2026-01-01T00:00:00.1234567", "20260101T000000", " 2026-01-01T00:00:00", "1767225600",
    )),
    *each(NAIVE, *NOT_TEXT),
    (DateTime(aware=True, precision=0), "2026-01-01T00:00:00.5Z"),
    (DateTime(aware=False, precision=3), "2026-01-01T00:00:00.0005"),
    *each(Uuid(), "", "x", SOME_UUID[:-1], f"{SOME_UUID}0", SOME_UUID.replace("-", ""), f"{{{SOME_UUID}}}"),
    *each(Uuid(), f"urn:uuid:{SOME_UUID}", f" {SOME_UUID}", SOME_UUID.replace("f", "g"), SOME_UUID.replace("1", "\u0661")),
    *each(STATE, "", "New", "new ", "old"),
    *each(JsonDocument(), math.nan, math.inf, *BROKEN_TEXT, ["\x00"], {"\x00": 1}, {"a": {"b": "\ud800"}}, [[-math.inf]]),
    *each(Array(of=Integer()), 1, "1", {}, "{1,2}", ["1"], [1, 2**31], [[1]], [True], [1.0]),
    (Array(of=Text()), ["ok", "\x00"]),
]  # fmt: skip


def named(cases: list[Any]) -> list[Any]:
    """Give each case an id that can be read: the type and the JSON, cut."""
    return [
        pytest.param(*case, id=f"{type(case[0]).__name__}-{number_}-{ascii(case[1])[:40]}")
        for number_, case in enumerate(cases)
    ]


@pytest.mark.parametrize(("type_", "raw", "value"), named(ACCEPTED))
def test_a_json_value_of_the_right_type_is_taken_exactly(type_, raw, value):
    found = from_json(type_, raw)

    assert found == value
    assert type(found) is type(value) or isinstance(type_, Float)
    if isinstance(found, Decimal):
        assert found.as_tuple() == value.as_tuple(), "with the digits that the scale asks for"


@pytest.mark.parametrize(("type_", "raw"), named(REFUSED))
def test_any_other_json_value_is_refused_with_the_rest_of_a_sentence(type_, raw):
    with pytest.raises(InvalidJsonValue, match=r"^(must|has|can|cannot) "):
        from_json(type_, raw)


HUNDREDS, THOUSANDTHS = Numeric(precision=3, scale=-2), Numeric(precision=2, scale=4)


@pytest.mark.parametrize(
    ("type_", "raw", "found"),
    [
        *((HUNDREDS, each, "100") for each in (100, "100", "100.00", "1e2", "0100", 100.0)),
        *((HUNDREDS, each, "0") for each in (0, "0.0", "-0")),
        (HUNDREDS, -99900, "-99900"),
        *((HUNDREDS, each, "must be a multiple of 100") for each in (1, "150", "99.9", "1000000001")),
        *((HUNDREDS, each, "can have at most 5 digits before the decimal point") for each in (100_000, "-1e6")),
        *((THOUSANDTHS, each, "0.0099") for each in ("0.0099", "0.00990", "99e-4")),
        (THOUSANDTHS, 0, "0.0000"),
        *((THOUSANDTHS, each, "must be more than -0.01 and less than 0.01") for each in (1, "0.01", "-0.0100", "5e9")),
        (THOUSANDTHS, "0.00001", "can have at most 4 decimal places"),
        *((PRICE, each, "can have at most 2 decimal places") for each in ("0.999", "100000000.999")),
        *((PRICE, each, "can have at most 8 digits before the decimal point") for each in ("100000000", 10**9)),
        (Numeric(precision=5), "1.5", "must be a whole number"),
    ],
)
def test_a_decimal_whose_digits_are_counted_from_elsewhere_than_the_point(type_: Numeric, raw: Any, found: str):
    """PostgreSQL's scales below zero, and above the precision (its manual, section 8.1.2)."""
    if found.startswith(("must", "can")):
        with pytest.raises(InvalidJsonValue, match=f"^{re.escape(found)}$"):
            from_json(type_, raw)
    else:
        assert str(from_json(type_, raw)) == found


def test_a_list_is_told_which_of_its_values_does_not_fit():
    with pytest.raises(InvalidJsonValue, match=re.escape("has a value at index 1 that must be a whole number")):
        from_json(Array(of=Integer()), [1, "2", 3])


def test_json_that_is_nested_without_end_is_refused():
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InvalidJsonValue):
        from_json(JsonDocument(), deep)


WRITTEN: list[tuple[ValueType, Any, Any]] = [  # type, value, JSON
    (Integer(), 7, 7),
    (Integer(bits=64), 7, "7"),
    (Integer(bits=64), -(2**63), "-9223372036854775808"),
    (DOUBLE, 0.5, 0.5),
    (PRICE, Decimal("0.50"), "0.50"),
    (EXACT, Decimal("1E+3"), "1000"),
    (EXACT, Decimal(FORTY_DIGITS), FORTY_DIGITS),
    (Boolean(), False, False),
    (Text(), "é", "é"),
    (Bytes(), b"\xfb\xff\xbf", "+/+/"),
    (Date(), date(1, 1, 1), "0001-01-01"),
    (Time(), time(12, 30), "12:30:00"),
    (NAIVE, datetime(2026, 12, 31, 23, 59, 59), "2026-12-31T23:59:59"),  # noqa: DTZ001  # a reading without zone
    (AWARE, datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "2026-12-31T23:59:59Z"),
    (Uuid(), UUID(SOME_UUID), SOME_UUID),
    (STATE, "new", "new"),
    (JsonDocument(), {"a": [1, None]}, {"a": [1, None]}),
    (Array(of=Integer(bits=64)), [1, None], ["1", None]),
    (Array(of=PRICE), [Decimal("1.00")], ["1.00"]),
    *((type_, None, None) for type_ in (Integer(), Text(), JsonDocument(), Array(of=Text()))),
]


@pytest.mark.parametrize(("type_", "value", "json"), named(WRITTEN))
def test_a_value_is_written_as_the_contract_says(type_, value, json):
    found = to_json(type_, value)

    assert found == json
    assert type(found) is type(json)


def test_what_a_database_holds_against_its_own_type_is_an_error_of_the_field():
    with pytest.raises(GraphQLError, match="Price holds text"):
        to_json(PRICE, Unreadable(reason="Price holds text."))


@pytest.mark.parametrize("name", ALL_TYPES)
@given(data=st.data())
def test_what_is_written_as_json_is_read_as_the_same_value(name, data):
    type_, values = ALL_TYPES[name]
    value = data.draw(values)

    found = from_json(type_, to_json(type_, value))

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("name", KEY_TYPES)
@given(data=st.data())
def test_what_is_written_as_text_of_a_path_is_read_as_the_same_value(name, data):
    type_, values = KEY_TYPES[name]
    value = data.draw(values)

    assert from_text(type_, to_text(type_, value)) == value


JSON_OF_ANY_KIND = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"[0-9:.TZ+eE-]{1,30}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
).filter(lambda raw: raw is not None)


@pytest.mark.parametrize("name", ALL_TYPES)
@given(raw=JSON_OF_ANY_KIND)
def test_any_json_is_taken_and_comes_back_the_same_or_is_refused(name, raw):
    type_ = ALL_TYPES[name][0]
    try:
        value = from_json(type_, raw)
    except InvalidJsonValue:
        return
    assert from_json(type_, to_json(type_, value)) == value


COLUMN_TYPES = {
    **ALL_TYPES,
    "short text": (Text(max_length=3), TEXT),
    "padded text": (Text(max_length=3, padded=True), TEXT),
}
ODD_TEXTS = ["abc", "abcd", "ab ", "", "\x00", "\ud800", "\udc00", "é"]
ODD_INTEGERS = [0, -1, 2**15, -(2**15), -(2**15) - 1, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 2**64]
ODD_VALUES = [True, 1.0, number("1e2"), number("-0"), *ODD_INTEGERS, *ODD_TEXTS]
ODD_KEYS = ["-0", "01", "+1", " 1", "1_0", "1.0", "1,2", "[1]", "1]", "\u0661", "-1", str(2**63), str(2**64), "9" * 30]


def outcome(read: Callable[[], Any]) -> Any:
    """Return the values with their classes, or the fact that they are refused."""
    try:
        return [(type(each), repr(each)) for each in read()]
    except InvalidJsonValue:
        return InvalidJsonValue


def check_column(type_: ValueType, raws: list[Any]) -> None:
    assert outcome(lambda: read_column(type_, raws)) == outcome(lambda: list(map(reader(type_), raws)))


def check_keys(type_: ValueType, texts: list[str]) -> None:
    assert outcome(lambda: column_from_text(type_, texts)) == outcome(lambda: [from_text(type_, t) for t in texts])


@pytest.mark.parametrize("name", COLUMN_TYPES)
def test_a_column_with_one_odd_value_is_read_as_each_of_its_values_is(name):
    type_ = COLUMN_TYPES[name][0]

    for plain in (1, "abc", True):
        for odd in ODD_VALUES:
            check_column(type_, [plain, odd, plain])
    for text in ("1", "abc"):
        for odd in (*ODD_KEYS, *ODD_TEXTS):
            check_keys(type_, [text, odd, text])


@pytest.mark.parametrize("name", COLUMN_TYPES)
@given(data=st.data())
def test_a_column_is_read_as_each_of_its_values_is(name, data):
    type_, values = COLUMN_TYPES[name]
    json = values.map(lambda value: to_json(type_, value))
    odd = st.sampled_from(ODD_INTEGERS), st.sampled_from(ODD_TEXTS), st.sampled_from(ODD_VALUES) | JSON_OF_ANY_KIND
    raws = data.draw(st.lists(json) | st.one_of(*[st.lists(each | json, max_size=3) for each in odd]))

    check_column(type_, raws)


@pytest.mark.parametrize("name", COLUMN_TYPES)
@given(data=st.data())
def test_a_column_of_keys_is_read_as_each_of_its_texts_is(name, data):
    type_, values = COLUMN_TYPES[name]
    key = (values if name not in ALL_TYPES or name in KEY_TYPES else st.text()).map(lambda value: to_text(type_, value))
    odd = st.sampled_from(ODD_KEYS), st.sampled_from(ODD_TEXTS), st.text()
    texts = data.draw(st.lists(key) | st.one_of(*[st.lists(each | key, max_size=3) for each in odd]))

    check_keys(type_, texts)


@pytest.mark.parametrize("type_", [JsonDocument(), Array(of=Integer())])
@pytest.mark.parametrize("text", ["1", "[]", "{}", "null", ""])
def test_json_and_lists_cannot_stand_in_a_path(type_, text):
    with pytest.raises(InvalidJsonValue):
        from_text(type_, text)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        *((Integer(), text) for text in ("07", "+7", "-0", "7.0", "7e0", " 7", "", "\u0667", "1\u0662", "9" * 5_000)),
        *((PRICE, text) for text in ("01.00", "+1.00", "1e2", "1.000", "-0.00", "\u0661.00", "")),
        *((DOUBLE, text) for text in ("01.5", "+1.5", "nan", "inf", "1e999", "1_0.0", "")),
        *((Boolean(), text) for text in ("True", "TRUE", "1", "0", "yes", "")),
    ],
)
def test_a_number_or_boolean_of_a_path_has_one_form_only(type_, text):
    with pytest.raises(InvalidJsonValue):
        from_text(type_, text)
