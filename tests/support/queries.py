"""Random questions to the library (tests/support/library.py): filters, orders, pages, and connections below connections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.support.evaluation import DIRECTIONS, Data, Filter, Found, Page, Row, Term, find, path_of, related
from tests.support.harness import Json
from tests.support.library import KINDS_OF_VALUES, RELATIONS, TYPES, to_json, values_of

EQUALITIES = ("eq", "ne", "in", "notIn")
COMPARISONS = ("lt", "lte", "gt", "gte")
PATTERNS = ("like", "ilike", "startsWith", "endsWith", "contains")
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "text": (*EQUALITIES, *COMPARISONS, *PATTERNS, "isNull"),
    "flag": ("eq", "ne", "isNull"),
    **dict.fromkeys(("int", "big", "float", "decimal", "day", "moment"), (*EQUALITIES, *COMPARISONS, "isNull")),
}
# What a text is made of that is hard to find: wildcards, escapes, quotes, letters that have cases.
_PIECES = (
    "%",
    "_",
    "\\",
    "'",
    '"',
    "a",
    "A",
    "ä",
    "Ä",
    "o",
    "x",
    "100",
    "One",
    "\n",
    "😀",
    "b; --",
    " ",
    "[a-b]",
    "*",
    "?",
    "[",
    "^",
    "",
)
_PATTERN_PIECES = (*(piece for piece in _PIECES if piece != "\\"), "\\%", "\\_", "\\\\", "%", "_")
_MORE: Mapping[str, tuple[Any, ...]] = {
    "text": _PIECES,
    "int": (-(2**31), -1, 0, 1, 99, 2**31 - 1),
    "big": (-1, 0, "9007199254740992", "9223372036854775807", 9007199254740994),
    "float": (0, -1, 0.2, 4.5, 1e300),
    "decimal": ("10", 10, "9.9", 9.99, "-1.5", "0", "1000000"),
    "flag": (True, False),
    "day": ("1900-01-01", "2000-02-29", "9999-12-31"),
    "moment": ("2024-01-01T10:00:00.000001", "2024-01-01T09:59:59", "0001-01-01T00:00:00"),
}


def _operands(collection: str, attribute: str, operator: str) -> st.SearchStrategy[Any]:
    if operator == "isNull":
        return st.booleans()
    kind = KINDS_OF_VALUES[collection][attribute]
    own = [to_json(value) for value in values_of(collection, attribute)]
    if operator in {"like", "ilike"}:
        return st.lists(st.sampled_from(_PATTERN_PIECES), max_size=4).map("".join)
    if operator in {"startsWith", "endsWith", "contains"}:
        cut = st.tuples(st.sampled_from(own), st.integers(0, 3), st.integers(1, 4))
        return st.sampled_from(_PIECES) | cut.map(lambda it: str(it[0][it[1] : it[1] + it[2]]))
    one = st.sampled_from(own) | st.sampled_from(_MORE[kind])
    return st.lists(one, max_size=3) if operator in {"in", "notIn"} else one


@st.composite
def _conditions(draw: st.DrawFn, collection: str, attribute: str) -> dict[str, Any]:
    kind = KINDS_OF_VALUES[collection][attribute]
    chosen = draw(st.lists(st.sampled_from(OPERATORS[kind]), min_size=1, max_size=2, unique=True))
    return {operator: draw(_operands(collection, attribute, operator)) for operator in chosen}


@st.composite
def filters(draw: st.DrawFn, collection: str, depth: int = 3) -> dict[str, Any]:
    """Draw a filter that goes through so many relations and connectives at most."""
    found: dict[str, Any] = {}
    words = ["attribute", "attribute", "attribute", "relation", "and", "or", "not"] if depth else ["attribute"]
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 2, 0, 3]))):
        word = draw(st.sampled_from(words))
        below = filters(collection, depth - 1)
        match word:
            case "and" | "or":
                found[word] = draw(st.lists(below, max_size=3))
            case "not":
                found["not"] = draw(below)
            case "relation":
                name = draw(st.sampled_from(sorted(RELATIONS[collection])))
                found[name] = draw(_related_filters(collection, name, depth - 1))
            case _:
                name = draw(st.sampled_from(sorted(KINDS_OF_VALUES[collection])))
                found[name] = draw(_conditions(collection, name))
    return found


@st.composite
def _related_filters(draw: st.DrawFn, collection: str, name: str, depth: int) -> dict[str, Any]:
    relation = RELATIONS[collection][name]
    if not relation.many:
        return draw(filters(relation.target, depth))
    words = draw(st.lists(st.sampled_from(["some", "none", "every"]), max_size=2, unique=True))
    return {word: draw(filters(relation.target, depth)) for word in words}


@st.composite
def terms(draw: st.DrawFn, collection: str, depth: int = 2) -> Term:
    """Draw a term of an order."""
    to_one = [name for name, relation in RELATIONS[collection].items() if not relation.many]
    if to_one and depth and draw(st.integers(0, 2)) == 0:
        name = draw(st.sampled_from(to_one))
        return {name: draw(terms(RELATIONS[collection][name].target, depth - 1))}
    return {draw(st.sampled_from(sorted(KINDS_OF_VALUES[collection]))): draw(st.sampled_from(DIRECTIONS))}


def orders(collection: str) -> st.SearchStrategy[list[Term]]:
    """Draw an order."""
    return st.lists(terms(collection), max_size=3) | st.lists(terms(collection), min_size=10, max_size=10)


@dataclass(frozen=True)
class Arguments:
    """What a connection is asked for. A cursor comes into a query as the text that it was, into `page` as a position."""

    filter_: Filter | None = None
    order_by: Sequence[Term] = ()
    page: Page = field(default_factory=Page)
    cursor: str | None = None
    nulls: bool = False  # absent arguments are sent as null

    def variables(self) -> dict[str, Any]:
        """Write them as variables of a query."""
        given = {
            "filter": self.filter_,
            "orderBy": [*self.order_by] or None,
            "first": self.page.first,
            "last": self.page.last,
            "offset": self.page.offset,
            "after": self.cursor if self.page.last is None else None,
            "before": self.cursor if self.page.last is not None else None,
        }
        return {name: value for name, value in given.items() if self.nulls or value is not None}


@st.composite
def pages(draw: st.DrawFn) -> Page:
    """Draw a page without cursors."""
    size = draw(st.integers(0, 6))
    if draw(st.booleans()):
        return Page(last=size)
    first = draw(st.sampled_from([size, size, None]))
    return Page(first=first, offset=draw(st.sampled_from([None, None, 0, 1, 2, 5, 50])))


@st.composite
def arguments(draw: st.DrawFn, collection: str, filter_depth: int = 3) -> Arguments:
    """Draw what a connection is asked for."""
    return Arguments(
        filter_=draw(st.none() | filters(collection, filter_depth)),
        order_by=draw(orders(collection)),
        page=draw(pages()),
        nulls=draw(st.booleans()),
    )


@dataclass(frozen=True)
class Branch:
    """A connection, or the one item that a to-one relation leads to (without arguments), and what is asked for below."""

    collection: str
    arguments: Arguments | None
    below: Mapping[str, "Branch"]  # relation -> what is asked for there


@st.composite
def branches(draw: st.DrawFn, collection: str, depth: int = 2, *, many: bool = True) -> Branch:
    """Draw a tree of connections."""
    relations = RELATIONS[collection]
    names = draw(st.lists(st.sampled_from(sorted(relations)), max_size=2, unique=True)) if depth else []
    return Branch(
        collection,
        draw(arguments(collection, filter_depth=2)) if many else None,
        {name: draw(branches(relations[name].target, depth - 1, many=relations[name].many)) for name in names},
    )


VARIABLES = {"first": "Int", "last": "Int", "offset": "Int", "after": "String", "before": "String"}


def variable_types(collection: str) -> dict[str, str]:
    """Name the GraphQL types of a connection's arguments."""
    name = TYPES[collection]
    return {"filter": f"{name}Filter", "orderBy": f"[{name}OrderBy!]", **VARIABLES}


CONNECTION = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { path } }"


def write_query(branch: Branch) -> tuple[str, dict[str, Any]]:
    """Write a tree of connections as a query with its variables."""
    types: dict[str, str] = {}
    values: dict[str, Any] = {}
    text = _selection(branch, branch.collection, types, values)
    declared = ", ".join(f"${name}: {type_}" for name, type_ in types.items())
    return f"query {f'({declared})' if declared else ''} {{ {text} }}", values


def _selection(branch: Branch, name: str, types: dict[str, str], values: dict[str, Any]) -> str:
    given = [] if branch.arguments is None else [*branch.arguments.variables().items()]
    written = []
    for argument, value in given:
        variable = f"v{len(types)}"
        types[variable], values[variable] = variable_types(branch.collection)[argument], value
        written.append(f"{argument}: ${variable}")
    below = " ".join(_selection(inner, relation, types, values) for relation, inner in branch.below.items())
    call = f"{name}({', '.join(written)})" if written else name
    if branch.arguments is None:
        return f"{call} {{ path {below} }}"
    return f"{call} {{ {CONNECTION} nodes {{ path {below} }} }}"


def evaluate(data: Data, branch: Branch, among: Sequence[Row] | None = None) -> Json:
    """Say what a connection of a tree has to answer, but for its cursors."""
    assert branch.arguments is not None
    own = branch.arguments
    found = find(data, branch.collection, filter_=own.filter_, order_by=own.order_by, page=own.page, among=among)
    return {**to_answer(data, branch.collection, found), "nodes": [_node(data, branch, row) for row in found.rows]}


def to_answer(data: Data, collection: str, found: Found) -> Json:
    """Write what is found as a connection answers it."""
    return {
        "totalCount": found.total,
        "pageInfo": {"hasNextPage": found.has_next, "hasPreviousPage": found.has_previous},
        "nodes": [{"path": path_of(data, collection, row)} for row in found.rows],
    }


def _node(data: Data, branch: Branch, row: Row) -> Json:
    answer: dict[str, Any] = {"path": path_of(data, branch.collection, row)}
    for name, inner in branch.below.items():
        others = related(data, branch.collection, row, name)
        if inner.arguments is not None:
            answer[name] = evaluate(data, inner, others)
        else:
            answer[name] = _node(data, inner, others[0]) if others else None
    return answer


def without_cursors(answer: Json) -> Json:
    """Leave cursors out of an answer, and look whether edges and nodes, cursors and pages fit together."""
    if isinstance(answer, list):
        return [without_cursors(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    if "edges" not in answer:
        return {name: without_cursors(value) for name, value in answer.items()}
    edges, page_info = answer["edges"], answer["pageInfo"]
    cursors = [edge["cursor"] for edge in edges]
    assert [edge["node"]["path"] for edge in edges] == [node["path"] for node in answer["nodes"]]
    assert (page_info["startCursor"], page_info["endCursor"]) == (
        (cursors[0], cursors[-1]) if cursors else (None, None)
    )
    assert len({*cursors}) == len(cursors)
    rest = {name: value for name, value in answer.items() if name != "edges"}
    rest["pageInfo"] = {name: value for name, value in page_info.items() if name.startswith("has")}
    return {name: without_cursors(value) for name, value in rest.items()}
