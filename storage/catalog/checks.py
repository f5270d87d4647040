"""A parser of simple checks: comparisons, lists and patterns of one column with constants, joined by AND.

All other checks are left to the database: a term is read only if its meaning is certain. PostgreSQL rewrites
checks to its own form (https://www.postgresql.org/docs/current/functions-info.html, pg_get_expr). SQLite keeps
the author's text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

Dialect = Literal["sqlite", "postgresql"]

_COMMON = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])|\w+"""
_SIGNS = r"<=|>=|<>|!=|==|::|\S"
_TOKENS = {
    "postgresql": re.compile(rf"{_COMMON}|{_SIGNS}", re.DOTALL),
    # Also names in backticks and brackets (https://sqlite.org/lang_keywords.html).
    "sqlite": re.compile(rf"{_COMMON}|`(?:[^`]|``)*`|\[[^\]]*\]|{_SIGNS}", re.DOTALL),
}
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[^\W\d]\w*")
_OPENING, _CLOSING = frozenset({"(", "[", "CASE"}), frozenset({")", "]", "END"})
_LENGTHS = frozenset({"LENGTH", "CHAR_LENGTH", "CHARACTER_LENGTH"})
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "==": "=", "<>": "<>", "!=": "<>"}


class Token(NamedTuple):
    """A token of SQL, with its position in the text."""

    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The token as a keyword; a quoted name is never one."""
        return self.text.upper()


def tokenize(sql: str, dialect: Dialect) -> list[Token]:
    """Split SQL into strings, names, numbers and signs, without comments."""
    found = (Token(match[0], match.start(), match.end()) for match in _TOKENS[dialect].finditer(sql))
    return [token for token in found if not token.text.startswith(("--", "/*"))]


def depths(tokens: Sequence[Token]) -> list[int]:
    """Return the bracket depth of each token. A bracket has the depth outside of it."""
    found, depth = [], 0
    for token in tokens:
        depth -= token.word in _CLOSING
        found.append(depth)
        depth += token.word in _OPENING
    return found


def divided(tokens: Sequence[Token], by: str) -> list[list[Token]]:
    """Split tokens at a word or sign that is outside of brackets."""
    parts: list[list[Token]] = [[]]
    for token, depth in zip(tokens, depths(tokens), strict=True):
        if depth == 0 and token.word == by:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def unquoted(name: str) -> str:
    """Return a name without its quotes."""
    quote = name[:1]
    if quote == "[":
        return name[1:-1]
    return name[1:-1].replace(quote * 2, quote) if quote in {'"', "`", "'"} else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A column, or its length, with the types that it is cast to."""

    column: str
    of_length: bool = False
    casts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A number or a string, with the types that it is cast to."""

    text: str
    is_number: bool
    casts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A comparison of an operand with a constant: < <= > >= or <>."""

    operand: Operand
    operator: str
    constant: Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A test that an operand is one of some constants."""

    operand: Operand
    constants: tuple[Constant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A match of an operand with a pattern: a regular expression, or SQLite's GLOB."""

    operand: Operand
    pattern: str
    is_glob: bool


Term = Comparison | Listing | Match


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleCheck:
    """The terms of a check that could be parsed; all of them must be true."""

    terms: tuple[Term, ...] = ()
    complete: bool = False  # True if they are the whole check


_UNKNOWN = SimpleCheck()


def read_check(sql: str, dialect: Dialect) -> SimpleCheck:
    """Parse the expression of a check."""
    return _read(tokenize(sql, dialect))


def _read(tokens: Sequence[Token]) -> SimpleCheck:
    tokens = _without_brackets(tokens)
    alternatives = divided(tokens, "OR")
    if len(alternatives) > 1:
        return _one_of(alternatives)
    terms: list[Term] = []
    complete = True
    for each in _conjuncts(tokens):
        bare = _without_brackets(each)
        is_nested = len(divided(bare, "OR")) > 1 or len(_conjuncts(bare)) > 1
        found = _read(bare) if is_nested else _leaf(bare)
        terms += found.terms
        complete = complete and found.complete
    return SimpleCheck(terms=tuple(terms), complete=complete)


def _conjuncts(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split tokens at AND, except the AND of a BETWEEN."""
    parts: list[list[Token]] = [[]]
    waiting = 0
    for token, depth in zip(tokens, depths(tokens), strict=True):
        if depth == 0 and token.word == "AND" and waiting == 0:
            parts.append([])
            continue
        if depth == 0:
            waiting += (token.word == "BETWEEN") - (token.word == "AND")
        parts[-1].append(token)
    return parts


def _one_of(alternatives: Sequence[Sequence[Token]]) -> SimpleCheck:
    """Parse `column IS NULL OR …`, which is equivalent to the rest for values that are not null.

    No other OR is parsed.
    """
    nulls = [_null_test(each) for each in alternatives]
    columns = {column for column in nulls if column is not None}
    others = [each for each, column in zip(alternatives, nulls, strict=True) if column is None]
    if len(columns) != 1 or len(others) != 1:
        return _UNKNOWN
    (column,) = columns
    rest = _read(others[0])
    own = tuple(term for term in rest.terms if term.operand.column == column)
    return SimpleCheck(terms=own, complete=rest.complete and own == rest.terms)


def _null_test(tokens: Sequence[Token]) -> str | None:
    tokens = _without_brackets(tokens)
    if [token.word for token in tokens[-2:]] != ["IS", "NULL"]:
        return None
    operand = _operand(tokens[:-2])
    return None if operand is None or operand.of_length else operand.column


def _leaf(tokens: Sequence[Token]) -> SimpleCheck:
    """Parse one comparison."""
    terms = tuple(_terms(tokens))
    return SimpleCheck(terms=terms, complete=bool(terms))


def _terms(tokens: Sequence[Token]) -> Iterator[Term]:
    between = divided(tokens, "BETWEEN")
    if len(between) == 2:  # noqa: PLR2004  # the operand and its limits
        operand, edges = _operand(between[0]), [_constant(each) for each in divided(between[1], "AND")]
        if operand is not None and len(edges) == 2 and edges[0] is not None and edges[1] is not None:  # noqa: PLR2004
            yield Comparison(operand=operand, operator=">=", constant=edges[0])
            yield Comparison(operand=operand, operator="<=", constant=edges[1])
        return
    for word in ("IN", "~", "GLOB"):
        sides = divided(tokens, word)
        if len(sides) == 2:  # noqa: PLR2004
            yield from _of_word(word, *sides)
            return
    for operator in _MIRRORED:
        sides = divided(tokens, operator)
        if len(sides) == 2:  # noqa: PLR2004
            yield from _comparison(operator, *sides)
            return


def _of_word(word: str, left: Sequence[Token], right: Sequence[Token]) -> Iterator[Term]:
    operand = _operand(left)
    if operand is None:
        return
    if word == "IN":
        constants = _constants(right[1:-1]) if _is_bracketed(right) else None
        if constants:
            yield Listing(operand=operand, constants=constants)
        return
    constant = _constant(right)
    if constant is not None and not constant.is_number:
        yield Match(operand=operand, pattern=constant.text, is_glob=word == "GLOB")


def _comparison(operator: str, left: Sequence[Token], right: Sequence[Token]) -> Iterator[Term]:
    operand, constant = _operand(left), _constant(right)
    if operand is None:
        operand, constant, operator = _operand(right), _constant(left), _MIRRORED[operator]
    if operand is None:
        return
    operator = {"==": "=", "!=": "<>"}.get(operator, operator)
    if operator == "=":
        constants = (constant,) if constant is not None else _any_of(right)
        if constants:
            yield Listing(operand=operand, constants=constants)
    elif constant is not None:
        yield Comparison(operand=operand, operator=operator, constant=constant)


def _any_of(tokens: Sequence[Token]) -> tuple[Constant, ...] | None:
    """Parse `ANY (ARRAY[…])`, which is PostgreSQL's form of IN."""
    if len(tokens) < 2 or tokens[0].word != "ANY" or not _is_bracketed(tokens[1:]):  # noqa: PLR2004
        return None
    listed, casts = _uncast(_without_brackets(tokens[1:]))
    listed = _without_brackets(listed)
    if any(not cast.endswith("[]") for cast in casts) or len(listed) < 3 or listed[0].word != "ARRAY":  # noqa: PLR2004
        return None
    if listed[1].text != "[" or listed[-1].text != "]":
        return None
    found = _constants(listed[2:-1])
    outer = tuple(cast.removesuffix("[]") for cast in casts)
    return (
        None
        if found is None
        else tuple(Constant(text=each.text, is_number=each.is_number, casts=(*each.casts, *outer)) for each in found)
    )


def _constants(tokens: Sequence[Token]) -> tuple[Constant, ...] | None:
    found = [_constant(each) for each in divided(tokens, ",")]
    return tuple(each for each in found if each is not None) if None not in found else None


def _operand(tokens: Sequence[Token]) -> Operand | None:
    """Parse a column, or its length. Return None for any other expression."""
    base, casts = _uncast(_without_brackets(tokens))
    base = _without_brackets(base)
    if casts and len(base) > 1:
        inner = _operand(base)
        return (
            None
            if inner is None
            else Operand(column=inner.column, of_length=inner.of_length, casts=inner.casts + casts)
        )
    if len(base) == 1 and _is_name(base[0].text):
        return Operand(column=unquoted(base[0].text), casts=casts)
    if len(base) > 1 and base[0].word in _LENGTHS and not casts and _is_bracketed(base[1:]):
        measured = _operand(base[1:])
        if measured is not None and not measured.of_length:
            return Operand(column=measured.column, of_length=True, casts=measured.casts)
    return None


def _is_name(text: str) -> bool:
    return text[:1] in {'"', "`", "["} or bool(_WORD.fullmatch(text))


def _constant(tokens: Sequence[Token]) -> Constant | None:
    """Parse a number or a string. Return None for any other expression."""
    base, casts = _uncast(_without_brackets(tokens))
    base = _without_brackets(base)
    if casts and len(base) > 1:
        inner = _constant(base)
        return (
            None if inner is None else Constant(text=inner.text, is_number=inner.is_number, casts=inner.casts + casts)
        )
    words = [token.text for token in base]
    sign = ""
    if len(words) == 2 and words[0] in {"-", "+"}:  # noqa: PLR2004
        sign, words = words[0].strip("+"), words[1:]
    if len(words) != 1:
        return None
    (text,) = words
    if _NUMBER.fullmatch(text):
        return Constant(text=sign + text, is_number=True, casts=casts)
    return Constant(text=unquoted(text), is_number=False, casts=casts) if text.startswith("'") and not sign else None


def _uncast(tokens: Sequence[Token]) -> tuple[Sequence[Token], tuple[str, ...]]:
    """Split the casts from an expression: `(name)::text` becomes `(name)` and `text`."""
    base, *casts = divided(tokens, "::")
    return base, tuple(_type_name(each) for each in casts)


def _type_name(tokens: Sequence[Token]) -> str:
    """Return the name of a type: `character varying`, `numeric(10,2)`, `text[]`."""
    words = [token.text for token in tokens]
    spaced = (" " if _WORD.fullmatch(one) and _WORD.fullmatch(other) else "" for one, other in pairwise(words))
    return "".join(word + space for word, space in zip(words, [*spaced, ""], strict=True))


def _is_bracketed(tokens: Sequence[Token]) -> bool:
    """Return True if one pair of brackets encloses all tokens."""
    if len(tokens) < 2 or tokens[0].text != "(" or tokens[-1].text != ")":  # noqa: PLR2004
        return False
    return all(depth > 0 for depth in depths(tokens)[1:-1])


def _without_brackets(tokens: Sequence[Token]) -> Sequence[Token]:
    while _is_bracketed(tokens):
        tokens = tokens[1:-1]
    return tokens


# --- patterns

# The parts of regular expressions that have the same meaning in ECMAScript and in PostgreSQL
# (https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS): plain ASCII characters,
# escaped signs, classes of them, groups, alternatives and quantifiers.
_ATOM = (
    r"(?:[A-Za-z0-9 _,;:!@#%&=<>~\"'`/-]|\\[.*+?^$(){}\[\]|/\\]"
    r"|\[\^?(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9 _.,;:!@#%&=<>~\"'`+*?$])+-?\])"
)
_OFTEN = r"(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})?"
_PIECE = rf"{_ATOM}{_OFTEN}"
_GROUP = rf"\((?:\?:)?(?:{_PIECE})+(?:\|(?:{_PIECE})+)*\){_OFTEN}"
_SHARED = re.compile(rf"\^?(?:{_PIECE}|{_GROUP})+\$?", re.ASCII)
_GLOB_PIECE = re.compile(
    r"\[\^?(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9 _.,;:!@#%&=<>~+])+\]|[A-Za-z0-9 _,;:!@#%&=<>~/-]|(?P<sign>[.+(){}|$^])",
    re.ASCII,
)
_LONGEST_PATTERN = 500  # characters


def shared_pattern(match: Match) -> str | None:
    """Return a pattern as a regular expression of ECMAScript, or None if its meaning may differ there."""
    if len(match.pattern) > _LONGEST_PATTERN:
        return None
    if match.is_glob:
        return _from_glob(match.pattern)
    return match.pattern if _SHARED.fullmatch(match.pattern) else None


def _from_glob(glob: str) -> str | None:
    """Translate a pattern of GLOB whose only stars are at its ends. Return None for any other pattern."""
    start, end = glob.startswith("*"), glob.endswith("*") and len(glob) > 1
    middle = glob[start : len(glob) - end]
    pieces, place = [], 0
    while place < len(middle):
        piece = _GLOB_PIECE.match(middle, place)
        if piece is None:
            return None
        pieces.append(f"\\{piece[0]}" if piece["sign"] else piece[0])
        place = piece.end()
    return f"{'' if start else '^'}{''.join(pieces)}{'' if end else '$'}" if pieces else None
