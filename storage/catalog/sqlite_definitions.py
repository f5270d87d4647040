"""A parser of the CREATE statements in SQLite's schema, for facts that its pragmas do not report.

These are facts about checks, constraints, columns and indexes.

https://sqlite.org/lang_createtable.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from storage.catalog.checks import Token, depths, divided, tokenize, unquoted

_OF_TABLE = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_TIMES = frozenset({"BEFORE", "AFTER", "INSTEAD"})
_EVENTS = frozenset({"INSERT", "UPDATE", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDefinition:
    """A check: its name, if its author gave it one, and its expression."""

    name: str | None
    text: str


@dataclass(slots=True)
class TableDefinition:
    """The facts from the text of a CREATE TABLE."""

    checks: list[CheckDefinition] = field(default_factory=list)
    unique_names: dict[tuple[str, ...], str] = field(default_factory=dict)  # columns of named keys -> name
    foreign_names: dict[tuple[str, ...], str] = field(default_factory=dict)
    collations: dict[str, str] = field(default_factory=dict)  # column -> collation
    computed: dict[str, str] = field(default_factory=dict)  # generated column -> expression


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDefinition:
    """The expressions of a CREATE INDEX, and its condition on rows."""

    terms: tuple[str, ...]
    predicate: str | None


def read_table(sql: str) -> TableDefinition:
    """Parse a CREATE TABLE."""
    found = TableDefinition()
    tokens = tokenize(sql, "sqlite")
    opening = next((place for place, token in enumerate(tokens) if token.text == "("), None)
    if opening is None:  # SQLite stores CREATE TABLE … AS SELECT with brackets
        return found
    for part in divided(_inside(tokens, opening), ","):
        if not part:
            continue
        if part[0].word in _OF_TABLE:
            _read_constraints(sql, part, None, found)
        else:
            _read_constraints(sql, part[1:], unquoted(part[0].text), found)
    return found


def _read_constraints(sql: str, tokens: Sequence[Token], column: str | None, found: TableDefinition) -> None:
    """Parse the constraints of a table, or of one column, into `found`."""
    name: str | None = None
    place = 0
    while place < len(tokens):
        word, after = tokens[place].word, tokens[place + 1].text if place + 1 < len(tokens) else ""
        inside = _inside(tokens, place + 1) if after == "(" else []
        end = place + len(inside) + 2 if after == "(" else place
        match word:
            case "CONSTRAINT":
                name = unquoted(after)
                place += 2
                continue
            case "CHECK" if inside:
                found.checks.append(CheckDefinition(name=name, text=_text(sql, inside)))
                place = end
            case "UNIQUE" if name is not None:
                found.unique_names[_names(inside) if column is None else (column,)] = name
            case "KEY" if name is not None and tokens[place - 1].word == "PRIMARY":
                found.unique_names[_names(inside) if column is None else (column,)] = name
            case "KEY" if name is not None and tokens[place - 1].word == "FOREIGN":
                found.foreign_names[_names(inside)] = name
            case "REFERENCES" if name is not None and column is not None:
                found.foreign_names[column,] = name
            case "COLLATE" if column is not None:
                found.collations[column] = unquoted(after)
            case "AS" if column is not None and inside:
                found.computed[column] = _text(sql, inside)
                place = end
            case "DEFAULT" if inside:
                place = end
            case "PRIMARY" | "FOREIGN":
                place += 1
                continue
            case _:
                place += 1
                continue
        name = None
        place += 1


def _inside(tokens: Sequence[Token], opening: int) -> Sequence[Token]:
    """Return the tokens in the brackets that open at a position."""
    rest = tokens[opening:]
    levels = depths(rest)
    end = next((place for place in range(1, len(rest)) if levels[place] == 0), len(rest))
    return rest[1:end]


def _text(sql: str, tokens: Sequence[Token]) -> str:
    return sql[tokens[0].start : tokens[-1].end] if tokens else ""


def _names(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the columns of a key. Each may be followed by a collation and an order."""
    return tuple(unquoted(each[0].text) for each in divided(tokens, ",") if each)


def read_index(sql: str) -> IndexDefinition | None:
    """Parse a CREATE INDEX. Return None if the text is not one."""
    tokens = tokenize(sql, "sqlite")
    on = next((place for place, token in enumerate(tokens) if token.word == "ON"), None)
    opening = next((place for place, token in enumerate(tokens) if token.text == "(" and place > (on or 0)), None)
    if on is None or opening is None:
        return None
    inside = _inside(tokens, opening)
    terms = tuple(_text(sql, list(_without_order(each))) for each in divided(inside, ","))
    rest = tokens[opening + len(inside) + 2 :]
    predicate = sql[rest[0].end :].strip() if rest and rest[0].word == "WHERE" else None
    return IndexDefinition(terms=terms, predicate=predicate)


def _without_order(tokens: Sequence[Token]) -> Iterator[Token]:
    last = tokens[-1].word if tokens else ""
    yield from tokens[:-1] if last in {"ASC", "DESC"} else tokens


def runs_before_a_write(sql: str) -> bool:
    """Return True if a CREATE TRIGGER runs before a row is inserted or updated.

    That is the default if it specifies none of BEFORE, AFTER and INSTEAD OF.
    """
    words = [token.word for token in tokenize(sql, "sqlite")]
    event = next((place for place, word in enumerate(words) if word in _EVENTS and place > 1), None)
    if event is None or words[event] == "DELETE":
        return False
    times = [word for word in words[:event] if word in _TIMES]
    return not times or times[-1] == "BEFORE"
