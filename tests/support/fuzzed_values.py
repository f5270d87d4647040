"""Values for tests/support/fuzzing.py: as JSON has them, for each type; some good, some at its edges, some of no type at all."""

import base64
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from storage.catalog.model import Attribute
from storage.catalog.types import (
    Anything,
    Array,
    Boolean,
    Bytes,
    Date,
    DateTime,
    Enumeration,
    Float,
    Integer,
    JsonDocument,
    Numeric,
    Opaque,
    Text,
    Time,
    Uuid,
    ValueType,
)

Json = Any

TEXTS = (
    "",
    " ",
    "a",
    "b",
    "A",
    "x ",
    "%",
    "_",
    "\\",
    "'",
    '"',
    "NULL",
    "é",
    "😀",
    "a,b/c=d?e&f$g%h",
    "\n",
    "$1",
    ":x",
    "{}",
)
WRONG: tuple[Json, ...] = (
    *(
        True,
        False,
        0,
        1,
        -1,
        1.5,
        -0.0,
        1e300,
        2**31,
        2**63,
        -(2**63) - 1,
        10**400,
        "",
        "1",
        "x",
        "null",
        "\x00",
        "\ud800",
    ),
    *([], {}, [None], [[1]], {"a": 1}, {"": None}, "2024-02-29", "1e5", "NaN", "Infinity", "x" * 5_000, [1, "a", None]),
)
_OPAQUE = {
    "INET": ("10.0.0.1", "::1", "10.0.0.0/8"),
    "CIDR": ("10.0.0.0/8",),
    "MACADDR": ("08:00:2b:01:02:03",),
    "INTERVAL": ("P1D", "PT24H", "1 day", "-P1Y2M"),
    "INT4RANGE": ("[1,5)", "empty", "(1,5]", "[5,9)"),
    "TSTZRANGE": ("[2020-01-01T00:00:00Z,)",),
    "POINT": ("(1,2)",),
    "TSVECTOR": ("'a' 'b'", "b a"),
    "BIT": ("101",),
    "MONEY": ("$1.50",),
    "OID": ("5",),
    "XML": ("<a/>", "<a>"),
}


def good(random: Random, type_: ValueType, sql_type: str = "") -> Json:
    """Draw a value that fits a type, of few: so that values meet."""
    match type_:
        case Integer():
            return random.choice((0, 1, 2, 3, 4, 5, 7, 9))
        case Float():
            return random.choice((0, 0.5, 1, 1.5, -2.25, 1e10))
        case Numeric():
            return random.choice((0, 1, "1.5", 2.5, "0", "9"))
        case Boolean():
            return random.choice((True, False))
        case Text(max_length=longest):
            return random.choice([text for text in TEXTS if longest is None or len(text) <= longest])
        case Bytes():
            return random.choice(("", "AA==", "AAEC", "/w=="))
        case Date():
            return random.choice(("2024-02-29", "1999-12-31", "0001-01-01"))
        case Time():
            return random.choice(("12:30:00", "00:00", "23:59:59"))
        case DateTime(aware=aware):
            return random.choice(("2026-01-01T00:00:00", "2024-02-29T12:30")) + ("Z" if aware else "")
        case Uuid():
            return str(UUID(int=random.randrange(3)))
        case Enumeration(labels=labels):
            return random.choice(labels)
        case JsonDocument():
            return random.choice(({"a": [1, None]}, [], "text", 0, 1.5, True, {}, "", [[[]]]))
        case Array(of=element):
            return [good(random, element, sql_type) for _ in range(random.choice((0, 1, 1, 2, 3)))]
        case Opaque():
            return random.choice(_OPAQUE.get(sql_type.upper(), ("x", "1", "a")))
        case Anything():
            return random.choice((0, 1, 2, 1.0, 2.5, "1", "x", "", {"base64": "AA=="}, {"int": str(2**53 + 1)}))


def fresh(number: int, type_: ValueType, sql_type: str = "") -> Json:
    """Make a value that fits a type and, as far as the type has so many, is no other number's."""
    match type_:
        case Integer():
            return 100 + number
        case Float():
            return number + 0.5
        case Numeric():
            return str(100 + number)
        case Boolean():
            return number % 2 == 0
        case Text(max_length=longest):
            return f"f{number}"[: longest or 20]
        case Bytes():
            return base64.b64encode(number.to_bytes(3, "big")).decode()
        case Date():
            return str(date(2001, 1, 1) + timedelta(days=number))
        case Time():
            return f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        case DateTime(aware=aware):
            return f"{date(2001, 1, 1) + timedelta(days=number)}T01:02:03{'Z' if aware else ''}"
        case Uuid():
            return str(UUID(int=number + 1000))
        case Enumeration(labels=labels):
            return labels[number % len(labels)]
        case JsonDocument():
            return {"n": number}
        case Array(of=element):
            return [fresh(number, element, sql_type)]
        case Opaque():
            texts = _OPAQUE.get(sql_type.upper(), ("x",))
            return texts[number % len(texts)]
        case Anything():
            forms: tuple[Json, ...] = (100 + number, f"f{number}", number + 0.5, str(100 + number))
            return forms[number % len(forms)]


def edge(random: Random, type_: ValueType, sql_type: str = "") -> Json:
    """Draw a value from the edges of a type, on either side."""
    match type_:
        case Integer(bits=bits):
            limit = 1 << (bits - 1)
            return random.choice((limit - 1, -limit, limit, -limit - 1, str(limit - 1), 1.0, 1e2, "-0", "0", 10**30))
        case Float():
            whole = (10**308, 10**400, 2**24 + 1, 2**53 + 1)
            return random.choice((1.7976931348623157e308, 5e-324, -0.0, 3.4028235e38, 3.5e38, 0.1, 1e-46, *whole))
        case Numeric(precision=precision, scale=scale):
            top = 10 ** (precision or 40)
            small = Decimal(1).scaleb(-(scale or 0))
            numbers = (
                str(Decimal(top - 1) * small),
                str(Decimal(-top) * small),
                str(small),
                str(small / 10),
                "-0",
                "1e400",
                "1E+5",
            )
            return random.choice((*numbers, top, 1e-7, "1.", ".5", "0x1", "1_0", "1e1000000", "NaN", "-Infinity"))
        case Boolean():
            return random.choice((0, 1, "true", "t"))
        case Text(max_length=longest):
            most = longest or 100
            texts = ("x" * most, "x" * (most + 1), "😀" * most, "\x00", "a\x00", "\ud800", " " * most, "a" + " " * most)
            return random.choice((*texts, "y" * 100_000, "\u202e", "\ufeff", "e\u0301", "\x7f", "\U0010ffff"))
        case Bytes():
            return random.choice(("AA", "AA=", "A A=", "-_==", "é", "AAAA" * 10_000, "\n", "AB=="))
        case Date():
            days = (
                "0001-01-01",
                "9999-12-31",
                "10000-01-01",
                "0000-01-01",
                "2023-02-29",
                "-0001-01-01",
                "2024-1-1",
                "20240101",
            )
            return random.choice((*days, "2024-W01-1", "2024-02-29T00:00:00", "infinity", "today"))
        case Time():
            times = ("23:59:60", "24:00:00", "23:59:59.999999", "23:59:59.9999999", "00:00", "1:00", "12", "12:30Z")
            return random.choice((*times, "12:30:00.000", "123000", "T12:30", "12:30:00,5"))
        case DateTime():
            edges = (
                "0001-01-01T00:00:00",
                "9999-12-31T23:59:59.999999",
                "2023-02-29T00:00:00",
                "2024-06-30T23:59:60",
                "infinity",
            )
            zone = random.choice(
                ("", "Z", "z", "+14:00", "-12:00", "+00", "+23:59", "+24:00", "-00:00:30", "[Europe/Berlin]")
            )
            return (
                random.choice((*edges, "2024-02-29 12:00:00", "2024-02-29t12:00", "20240229T120000", "2024-02-29"))
                + zone
            )
        case Uuid():
            uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
            return random.choice(
                (uuid, uuid.upper(), f"{{{uuid}}}", uuid.replace("-", ""), f"urn:uuid:{uuid}", uuid[1:])
            )
        case Enumeration(labels=labels):
            return random.choice((labels[0].lower(), labels[0].upper(), f"{labels[0]} ", "", "x" * 70))
        case JsonDocument():
            deep: Json = None
            for _ in range(random.choice((5, 90, 150))):
                deep = [deep] if random.random() < 0.5 else {"d": deep}
            return random.choice(
                (deep, {"\x00": 1}, ["\x00"], "\ud800", 10**30, 1e300, {"": {"": None}}, [None], -0.0, "x" * 70_000)
            )
        case Array(of=element):
            one = edge(random, element, sql_type)
            return random.choice(
                ([None], [one], [[one]], [one, None] * 3, [[], []], one, {"0": one}, [good(random, element)] * 500)
            )
        case Opaque():
            return random.choice(
                (*_OPAQUE.get(sql_type.upper(), ()), "", "'", "x" * 300, "\x00", "{}", "NULL", "infinity")
            )
        case Anything():
            large: tuple[Json, ...] = (
                2**53,
                2**63 - 1,
                2**63,
                -(2**63),
                10**20,
                2**60,
                1152921504606847000,
                1e300,
                -0.0,
                5e-324,
                1e20,
            )
            like = ("'", "''", "'1'", "1.0", "1e5", "Infinity", "x'00'", "X'zz'", "007", ".5", "x" * 300)
            real: tuple[Json, ...] = ({"real": "Infinity"}, {"real": "-Infinity"}, {"real": "NaN"})
            other: tuple[Json, ...] = ({"int": "1"}, {"int": 1}, {"base64": "A"}, {}, True, [1], "\x00", "\ud800")
            return random.choice((*large, *like, *real, *other))


def text_of(value: Json) -> str:
    """Write a JSON value as it stands in a path, before it is percent-encoded."""
    if isinstance(value, bool):
        return "true" if value else "false"
    match value:
        case {"base64": str(text)} if len(value) == 1:
            with suppress(ValueError):
                return f"X'{base64.b64decode(text).hex().upper()}'"
        case {"int": str(text)} | {"real": str(text)} if len(value) == 1:
            return text
    return str(value)


def value_of(random: Random, attribute: Attribute, how: str, number: int) -> Json:
    """Draw a value of an attribute: fresh, good, edge, wrong or null."""
    match how:
        case "fresh":
            return fresh(number, attribute.type, attribute.sql_type)
        case "good":
            return good(random, attribute.type, attribute.sql_type)
        case "edge":
            return edge(random, attribute.type, attribute.sql_type)
        case "wrong":
            return random.choice(WRONG)
        case "null":
            return None
    raise ValueError(how)
