"""Random queries over the library (tests/support/library.py), mostly right."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.support.documents import Asked
from tests.support.library import KINDS_OF_VALUES, RELATIONS, TYPES, attributes_of
from tests.support.queries import arguments, variable_types

PATHS = ["/books/1", "/authors/3", "/chapters/1,2", "/tags/code=", "/bookTags/1,a", "/books/99", "/authors/1/books/2"]
WRONG_PATHS = ["/books", "x", "/books/x"]


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """Draw a query over the library, mostly right, with its variables."""
    return Composer(draw).query()


class Composer:
    """Composes one query."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._fragments: list[str] = []
        self._types: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._aliases = 0
        self._is_wrong = self._dice(6)

    def query(self) -> Asked:
        text = self._several("Query", 4)
        declared = ", ".join(f"${name}: {type_}" for name, type_ in self._types.items())
        return f"query Q{f'({declared})' if declared else ''} {{ {text} }} {' '.join(self._fragments)}", self._values

    def _dice(self, sides: int) -> bool:
        return self._draw(st.integers(1, sides)) == (sides + 1) // 2  # Hypothesis likes the ends

    def _several(self, type_: str, depth: int) -> str:
        """Select something of a type: fields, and fragments of them."""
        pieces = []
        for _ in range(self._draw(st.integers(1, 4))):
            field = self._field(type_, depth)
            match self._draw(st.sampled_from([*["field"] * 8, "inline", "named"])):
                case "inline":
                    field = f"... {self._draw(st.sampled_from(['', f'on {type_}']))} {self._directive()} {{ {field} }}"
                case "named":
                    self._fragments.append(f"fragment F{len(self._fragments)} on {type_} {{ {field} }}")
                    field = f"...F{len(self._fragments) - 1} {self._directive()}"
            pieces.append(field)
        return " ".join(pieces)

    def _directive(self) -> str:
        return self._draw(st.sampled_from([*[""] * 9, "@include(if: true)", "@skip(if: true)", "@skip(if: false)"]))

    def _field(self, type_: str, depth: int) -> str:
        if self._is_wrong and self._dice(20):
            return "nothing"
        if self._dice(12):
            return f"{self._alias()}__typename"
        collection = next(
            (name for name, each in TYPES.items() if type_.removesuffix("Connection").removesuffix("Edge") == each), ""
        )
        if type_ == "Query":
            return self._root(depth)
        if type_ == "PageInfo":
            return self._draw(st.sampled_from(["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"]))
        if type_.endswith("Connection"):
            return self._member(collection, depth)
        if type_.endswith("Edge"):
            if self._dice(3):
                return "cursor"
            return f"{self._draw(st.sampled_from(['', 'e: ']))}node {{ {self._several(TYPES[collection], depth)} }}"
        return self._of_item(collection, depth)

    def _alias(self) -> str:
        self._aliases += 1
        return self._draw(st.sampled_from(["", f"a{self._aliases}: "]))

    def _root(self, depth: int) -> str:
        collection = self._draw(st.sampled_from(sorted(TYPES)))
        match self._draw(st.sampled_from(["collection", "collection", "item", "node"])):
            case "collection":
                return self._connection(collection, collection, depth)
            case "item":
                self._aliases += 1
                of = self._draw(st.sampled_from(["author", "book", "quote"]))
                key = self._variable(
                    "Int!", self._draw(st.sampled_from([1, 2, 3, 8, 99, *(["x"] if self._is_wrong else [])]))
                )
                return f"a{self._aliases}: {of}(id: {key}) {{ {self._several(of.title(), depth - 1)} }}"
            case _:
                self._aliases += 1
                path = self._variable(
                    "ID!", self._draw(st.sampled_from([*PATHS, *WRONG_PATHS] if self._is_wrong else PATHS))
                )
                some = self._draw(st.lists(st.sampled_from(["Book", "Author", "Chapter"]), max_size=2))
                below = "path " + " ".join(f"... on {each} {{ {self._several(each, depth - 1)} }}" for each in some)
                return f"a{self._aliases}: node(path: {path}) {{ {below} }}"

    def _variable(self, type_: str, value: Any) -> str:
        """Write a value as it stands, or as a variable, or as a variable's default."""
        if isinstance(value, str | int) and self._dice(2):
            return json.dumps(value)
        name = f"v{len(self._types)}"
        if isinstance(value, str | int) and self._dice(4):
            self._types[name] = f"{type_} = {json.dumps(value)}"
        else:
            self._types[name], self._values[name] = type_, value
        return f"${name}"

    def _connection(self, name: str, collection: str, depth: int) -> str:
        self._aliases += 1
        below = f"{{ {self._several(f'{TYPES[collection]}Connection', depth - 1)} }}"
        if self._dice(4):
            return f"{name} {below}"
        given_ = self._draw(arguments(collection, filter_depth=1)).variables() if not self._dice(3) else {}
        if self._is_wrong and self._dice(4):
            given_["first"] = self._draw(st.sampled_from([-1, "x", 10**6, 1.5, True]))
        if self._is_wrong and self._dice(4):
            given_["after"] = "x"
        types = variable_types(collection)
        written = ", ".join(f"{each}: {self._variable(types[each], value)}" for each, value in given_.items())
        return f"a{self._aliases}: {name}{f'({written})' if written else ''} {self._directive()} {below}"

    def _member(self, collection: str, depth: int) -> str:
        type_, alias = TYPES[collection], self._draw(st.sampled_from(["", "", "a: ", "b: "]))
        match self._draw(
            st.sampled_from(["nodes", "nodes", "edges", "pageInfo", "totalCount", "aggregate", "groupBy"])
        ):
            case "nodes":
                return f"{alias and 'n' + alias}nodes {{ {self._several(type_, depth)} }}"
            case "edges":
                return f"{alias and 'e' + alias}edges {{ {self._several(f'{type_}Edge', depth)} }}"
            case "pageInfo":
                return f"pageInfo {{ {self._several('PageInfo', depth)} }}"
            case "aggregate":
                return f"{alias and 's' + alias}{self._aggregate(collection)}"
            case "groupBy":
                return self._groups(collection)
            case _:
                return f"{alias and 't' + alias}totalCount"

    def _aggregate(self, collection: str) -> str:
        said = []
        for function in self._draw(st.lists(st.sampled_from(["count", "sum", "avg", "min", "max"]), min_size=1)):
            names = attributes_of(collection, function)
            if function == "count" or not names:
                said.append(f"{self._alias()}count")
                continue
            some = self._draw(st.lists(st.sampled_from([*names, "__typename"]), min_size=1, max_size=3))
            said.append(f"{self._alias()}{function} {{ {' '.join(f'{self._alias()}{each}' for each in some)} }}")
        return f"aggregate {self._directive()} {{ {' '.join(said)} }}"

    def _groups(self, collection: str) -> str:
        self._aliases += 1
        names = st.sampled_from(sorted(KINDS_OF_VALUES[collection]))
        by = self._draw(st.lists(names, min_size=0 if self._is_wrong else 1, max_size=3))
        first = self._draw(st.sampled_from([0, 1, 2, 100, *([-1, 1001] if self._is_wrong else [])]))
        given_ = [f"by: {self._variable(f'[{TYPES[collection]}Attribute!]!', by)}"]
        if not self._dice(3):
            given_.append(f"first: {self._variable('Int', first)}")
        keys = " ".join(f"{self._alias()}{each}" for each in self._draw(st.lists(names, min_size=1, max_size=3)))
        below = self._draw(st.sampled_from([f"keys {{ {keys} }}", "__typename", self._aggregate(collection)]))
        return f"g{self._aliases}: groupBy({', '.join(given_)}) {{ keys {{ {keys} }} {below} }}"

    def _of_item(self, collection: str, depth: int) -> str:
        if depth > 0 and self._dice(3):
            name = self._draw(st.sampled_from(sorted(RELATIONS[collection])))
            relation = RELATIONS[collection][name]
            if relation.many:
                return self._connection(name, relation.target, depth)
            return f"{self._alias()}{name} {{ {self._several(TYPES[relation.target], depth - 1)} }}"
        name = self._draw(st.sampled_from(["path", "etag", *KINDS_OF_VALUES[collection]]))
        return f"{self._alias()}{name} {self._directive()}"
