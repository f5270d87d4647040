"""Random variables of batches as JSON text: mostly right, and wrong at any place of the input."""

import json
from typing import Any

from hypothesis import strategies as st

SCRIPT = """
CREATE TABLE shelf (id {key}, name VARCHAR(20) NOT NULL, city VARCHAR(10));
CREATE TABLE book (
  id {key}, shelf_id INTEGER REFERENCES shelf (id), title VARCHAR(20) NOT NULL UNIQUE, price NUMERIC(10,2),
  weight {double}, big BIGINT, flag BOOLEAN, day DATE, seen {aware}, token UUID, data {bytes}, notes {json},
  code VARCHAR(5) UNIQUE
);
CREATE TABLE airport (code VARCHAR(10) PRIMARY KEY, city VARCHAR(10));
INSERT INTO shelf (id, name, city) VALUES (1, 'Eins', NULL), (2, 'Zwei', 'Köln');
INSERT INTO book (id, shelf_id, title, price, weight, big, flag, day) VALUES
  (1, 1, 'Anfang', 12.5, 0.25, 9007199254740993, TRUE, '2026-01-31'), (2, NULL, 'Ende', NULL, NULL, NULL, NULL, NULL);
"""
ON_POSTGRESQL = """
CREATE TYPE mood AS ENUM ('happy', 'sad');
ALTER TABLE shelf ADD mood mood, ADD moods mood[], ADD tags TEXT[];
UPDATE shelf SET mood = 'sad', moods = ARRAY['happy', NULL]::mood[], tags = ARRAY['a', NULL] WHERE id = 2;
"""


class Raw(str):
    """JSON text that is written as it stands."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object whose members may come more than once."""


def write(value: Any) -> str:
    """Write JSON, or what only looks like it."""
    match value:
        case Raw():
            return str(value)
        case Members():
            return "{" + ", ".join(f"{write(name)}: {write(each)}" for name, each in value) + "}"
        case dict():
            return write(Members(value.items()))
        case list():
            return f"[{', '.join(map(write, value))}]"
        case _:
            return json.dumps(value)


_NUMBERS = [
    "0",
    "-0",
    "1",
    "1.0",
    "1.50",
    "-0",
    "-0.0",
    "1e2",
    "1E-2",
    "2147483648",
    "9007199254740993",
    "9223372036854775808",
]
_BROKEN = ["1e400", "01", ".5", "+1", "NaN", "-Infinity", "9" * 4_301, '"\\x"', '"\x01"', "\ufeff1", "", "tru"]
_TEXTS = ['"\\ud800"', '"\\u0000"', '"\\ud83d\\ude00"', '"\\u0041"', '"\x7f"']
ODD = [
    *map(Raw, [*_NUMBERS, "9" * 40, "9" * 4_300, *_TEXTS, "null", "true"]),
    *("", "x", "1", "é", "CREATE", "/books/1", "$p0", "2026-01-31", "2026-01-31T00:00:00Z", "AA==", "x" * 300),
    *([], ["x"], [None], [["x"]], {}, {"a": 1}, {"attribute": "shelf", "part": "p0"}, [{"attribute": "shelf"}]),
    *({"book": {}}, {"book": None}, {"book": {"title": "x"}, "shelf": {}}, {"nothing": {}}),
    Members([("a", 1), ("a", 2)]),
    Members([("book", {"title": "x"}), ("book", {"title": "y"})]),
    Raw("[" * 90 + "]" * 90),
    Raw("[" * 110 + "]" * 110),
]
VALUES: dict[str, dict[str, list[Any]]] = {
    "book": {
        "title": ["Neu", "Ende", "Anfang"],
        "price": ["1.50", "2", 3, Raw("4.50"), Raw("0.000"), None],
        "weight": [1, Raw("1.5"), Raw("1e2"), Raw("-0.0"), 9007199254740993, None],
        "big": [1, "9007199254740993", None],
        "flag": [True, False, None],
        "day": ["2026-01-31", None],
        "seen": ["2026-01-31T08:00Z", "2026-01-31T08:00:00+02:00", "2026-01-31T08:00", None],
        "notes": [None, 1, Raw("1.10"), {"a": [None, Raw("1.10")]}, "x"],
        "shelfId": [1, 2, None, Raw("1.0")],
        "code": ["a", "b", None],
    },
    "shelf": {
        "name": ["Drei", "Eins"],
        "city": ["Bonn", None],
        "mood": ["sad", None, "angry"],
        "moods": [["happy", None], None, [], "sad"],
        "tags": [["a", None], None],
    },
}
_PATHS = {
    "book": ["/books/1", "/books/1", "/books/2", "/books/7", "/books", "/shelves/1/books", "/shelves/1/books/1"],
    "shelf": ["/shelves/2", "/shelves/3", "/shelves"],
}
_ODD_PATHS = [
    "/books/title=Ende",
    "/books/$p0",
    "/books/01",
    "/books/%31",
    "/books/",
    "/books/1?limit=1",
    "/books?limit=1",
]


@st.composite
def parts(draw: st.DrawFn, number: int) -> Any:
    """Draw a part that GraphQL takes; it may be in error."""
    operation = draw(st.sampled_from(["GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE"]))
    kind = draw(st.sampled_from(["book", "book", "shelf"]))
    path = draw(st.sampled_from(_PATHS[kind]) | st.sampled_from([*_PATHS[kind], *_ODD_PATHS]))
    found = Members([("id", f"p{number}"), ("path", path), ("operation", operation)])
    if operation not in {"GET", "DELETE"} or draw(st.integers(0, 9)) == 0:
        names = draw(st.lists(st.sampled_from(sorted(VALUES[kind])), max_size=3, unique=True))
        values = Members((name, draw(st.sampled_from(VALUES[kind][name]))) for name in names)
        if operation in {"CREATE", "UPSERT", "REPLACE"}:
            values.append(("id", draw(st.sampled_from([7, 7, 8, None]))))
        source = draw(st.sampled_from(["payload", "payload", "item", "none"]))
        if source != "none":
            member = draw(st.sampled_from([kind, kind, kind, "shelf"]))
            found.append((source, values if source == "payload" else {member: values}))
    for name, choices in (
        ("ifMatch", [None, ["*"], ["x"], []]),
        ("ifNoneMatch", [None, ["x"]]),
        ("references", [None, [], [{"attribute": "shelf", "part": "p0"}]]),
    ):
        if draw(st.integers(0, 7)) == 0:
            found.append((name, draw(st.sampled_from(choices))))
    return found


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """Make one place of a value wrong, or only odd."""
    if not isinstance(value, Members | dict | list) or not value or draw(st.integers(0, 7)) == 7:
        return draw(st.sampled_from(ODD) if draw(st.integers(0, 5)) else st.sampled_from(_BROKEN).map(Raw))
    pairs = Members(value.items()) if isinstance(value, dict) else value
    place = len(pairs) - 1 - draw(st.integers(0, len(pairs) - 1))  # rather what comes last: the values
    if not isinstance(pairs, Members):
        return [draw(spoilt(each)) if number == place else each for number, each in enumerate(pairs)]
    name, inner = pairs[place]
    changed: list[tuple[str, Any]] = []
    match draw(st.sampled_from([*["inside"] * 7, "drop", "rename", "twice"])):
        case "inside":
            changed = [(name, draw(spoilt(inner)))]
        case "rename":
            changed = [(draw(st.sampled_from(["nothing", name.upper(), f"{name}_", ""])), inner)]
        case "twice":
            changed = [(name, draw(st.sampled_from(ODD))), (name, inner)]
    return Members([*pairs[:place], *changed, *pairs[place + 1 :]])


def variables(most: int = 3) -> st.SearchStrategy[Any]:
    """Draw variables whose parts GraphQL takes; written as JSON they may still be refused for a value."""
    counted = st.integers(1, most).flatmap(lambda count: st.tuples(*(parts(number) for number in range(count))))
    return counted.map(lambda found: Members([("parts", list(found))]))
