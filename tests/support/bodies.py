"""Bodies that are made to hurt: of any shape and size, most of them to be rejected. The same seed makes the same bodies."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

SCRIPT = """
CREATE TABLE shelf (id {key}, name VARCHAR(20) NOT NULL, notes {json});
CREATE TABLE book (id {key}, shelf_id INTEGER REFERENCES shelf (id), title VARCHAR(20) NOT NULL, price NUMERIC(10,2), weight {double}, notes {json});
INSERT INTO shelf (id, name) VALUES (1, 'One');
"""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A request."""

    name: str
    route: str
    content: bytes


def bodies(seed: int, number: int, most: int, first: int = 0) -> Iterator[Body]:
    """Make so many bodies of at most so many bytes, from 200 bytes on; from the first, if not all are wanted."""
    for index in range(first, number):
        rnd = random.Random(f"{seed}/{index}")  # noqa: S311  # it shall be the same each time
        size = int(200 * (most / 400) ** rnd.random())
        if rnd.random() < 0.3:
            size = most - 2_000
        fill_name, place_name = rnd.choice(sorted(FILLS)), rnd.choice(sorted(PLACES))
        route, text = PLACES[place_name](FILLS[fill_name](size, rnd), rnd)
        content, spoilt = _spoilt(text.encode(errors="surrogatepass"), rnd)
        yield Body(
            name=f"{index}: {fill_name} in {place_name}{spoilt}, {len(content):,} bytes",
            route=route,
            content=content[:most],
        )


def _spoilt(content: bytes, rnd: random.Random) -> tuple[bytes, str]:
    """Break a tenth of them at their end."""
    match rnd.randrange(30):
        case 0:
            return content[:-1], ", cut"
        case 1:
            return content + b"}", ", too long"
        case 2:
            return content[:-2] + b"\xff" + content[-2:], ", not UTF-8"
        case _:
            return content, ""


# --- values of about so many bytes


def _repeated(piece: Callable[[int], str], size: int, brackets: str) -> str:
    each = len(piece(10**6)) + 1
    return brackets[0] + ",".join(map(piece, range(max(size // each, 1)))) + brackets[1]


def _chains(depth: int, size: int) -> str:
    return _repeated(lambda _: "[" * depth + "]" * depth, size, "[]")


def _long_numbers(digits: int, size: int) -> str:
    return _repeated(lambda _: "9" * digits, size, "[]")


def _member(number: int) -> str:
    return f'"n{number:07}":{number % 10}'


FILLS: Mapping[str, Callable[[int, random.Random], str]] = {
    "deep lists": lambda size, _: "[" * (size // 2) + "]" * (size // 2),
    "deep objects": lambda size, _: '{"a":' * (size // 6) + "1" + "}" * (size // 6),
    "open lists": lambda size, _: "[" * size,
    "chains of lists": lambda size, rnd: _chains(rnd.choice([3, 7, 30]), size),
    "small numbers": lambda size, _: _repeated(lambda n: str(n % 10), size, "[]"),
    "numbers": lambda size, _: _repeated(lambda n: str(n * 7919), size, "[]"),
    "fractions": lambda size, _: _repeated(lambda n: f"{n % 100}.5", size, "[]"),
    "negative zeros": lambda size, _: _repeated(lambda _: "-0", size, "[]"),
    "long numbers": lambda size, rnd: _long_numbers(rnd.choice([300, 4_000, 5_000]), size),
    "one number": lambda size, _: "9" * size,
    "one fraction": lambda size, _: "0." + "9" * size,
    "short texts": lambda size, _: _repeated(lambda n: f'"{n % 10}"', size, "[]"),
    "texts with brackets": lambda size, _: _repeated(lambda _: '"[,{\\"\\\\"', size, "[]"),
    "empty lists": lambda size, _: _repeated(lambda _: "[]", size, "[]"),
    "empty objects": lambda size, _: _repeated(lambda _: "{}", size, "[]"),
    "small objects": lambda size, _: _repeated(lambda n: f'{{"a":{n},"b":"x","c":[1]}}', size, "[]"),
    "small objects of other names": lambda size, _: _repeated(lambda n: f'{{"a{n}":{n}}}', size, "[]"),
    "a wide object": lambda size, _: _repeated(_member, size, "{}"),
    "one name many times": lambda size, _: _repeated(lambda n: f'"a":{n % 10}', size, "{}"),
    "doubled names": lambda size, _: _repeated(lambda n: _member(n // 2), size, "{}"),
    "a wide object of lists": lambda size, _: _repeated(lambda n: f'"n{n}":[{n}]', size, "{}"),
    "a long name": lambda size, _: f'{{"{"a" * size}":1}}',
    "a long text": lambda size, _: f'"{"a" * size}"',
    "a text of quotes": lambda size, _: '"' + '\\"' * (size // 2) + '"',
    "a text of escapes": lambda size, _: '"' + "\\u0041" * (size // 6) + '"',
    "a text of surrogates": lambda size, _: '"' + "\\ud83d\\ude00" * (size // 12) + '"',
    "half surrogates": lambda size, _: '"' + "\\ud83d" * (size // 6) + '"',
    "a text of letters": lambda size, _: '"' + "é€" * (size // 5) + '"',
    "blanks": lambda size, _: "[" + " \n" * (size // 2) + "]",
    "blanks between": lambda size, _: _repeated(lambda _: "1" + " " * 500, size, "[]"),
    "parts": lambda size, _: _repeated(lambda n: _part(n, "CREATE", "/shelves", '{"name":"x"}'), size, "[]"),
    "wrong parts": lambda size, _: _repeated(
        lambda n: _part(n, "CREATE", f"/shelfs{n}", f'{{"nam{n}":"x"}}'), size, "[]"
    ),
    "parts with unknown members": lambda size, _: _repeated(lambda n: f'{{"id":"{n}","x{n}":1}}', size, "[]"),
    "parts with unknown attributes": lambda size, _: _repeated(
        lambda n: _part(n, "CREATE", "/books", "{" + ",".join(f'"x{n}_{m}":1' for m in range(200)) + "}"), size, "[]"
    ),
}


def _part(number: int, operation: str, path: str, payload: str) -> str:
    return f'{{"id":"{number}","operation":"{operation}","path":"{path}","payload":{payload}}}'


# --- where they stand

Place = tuple[str, str]

BATCH = "mutation($parts: [PartInput!]!) { batch(parts: $parts) { status parts { id status errors { code message pointer } } } }"
FILTER = "query($filter: BookFilter, $order: [BookOrderBy!]) { books(filter: $filter, orderBy: $order, first: 1) { nodes { title } } }"


def _graphql(query: str, variables: str, more: str = "") -> Place:
    return "/graphql", f'{{"query":{json.dumps(query)},"variables":{variables}{more}}}'


def _parts(parts: str, rnd: random.Random) -> Place:
    """Put parts into one of the ways: the batch as JSON, a mutation that is known, one that is not."""
    match rnd.randrange(3):
        case 0:
            return "/batch", f'{{"parts":{parts}}}'.replace('"CREATE"', '"create"')
        case 1:
            return _graphql(BATCH, f'{{"parts":{parts}}}')
        case _:
            return _graphql(
                BATCH.replace("status parts", f"x{rnd.random()}: status parts".replace(".", "")), f'{{"parts":{parts}}}'
            )


def _in_part(members: str, rnd: random.Random) -> Place:
    return _parts(f'[{{"id":"p","operation":"CREATE","path":"/books",{members}}}]', rnd)


PLACES: Mapping[str, Callable[[str, random.Random], Place]] = {
    "the body": lambda value, rnd: (rnd.choice(["/graphql", "/batch"]), value),
    "the parts": _parts,
    "a part": lambda value, rnd: _parts(f"[{value}]", rnd),
    "an unknown member of a part": lambda value, rnd: _in_part(f'"x":{value}', rnd),
    "a path": lambda value, rnd: _parts(f'[{{"id":"p","operation":"CREATE","path":{value}}}]', rnd),
    "an id": lambda value, rnd: _parts(f'[{{"id":{value},"operation":"CREATE","path":"/books"}}]', rnd),
    "a payload": lambda value, rnd: _in_part(f'"payload":{value}', rnd),
    "a title": lambda value, rnd: _in_part(f'"payload":{{"title":{value}}}', rnd),
    "a price": lambda value, rnd: _in_part(f'"payload":{{"title":"t","price":{value}}}', rnd),
    "a document": lambda value, rnd: _in_part(f'"payload":{{"title":1,"notes":{value}}}', rnd),
    "an item": lambda value, rnd: _in_part(f'"item":{{"book":{value}}}', rnd),
    "a value of an item": lambda value, rnd: _in_part(f'"item":{{"book":{{"title":{value}}}}}', rnd),
    "etags": lambda value, rnd: _in_part(f'"ifMatch":{value}', rnd),
    "references": lambda value, rnd: _in_part(f'"references":{value}', rnd),
    "an unknown variable": lambda value, _: _graphql(BATCH, f'{{"parts":[],"x":{value}}}'),
    "variables": lambda value, _: _graphql(BATCH, value),
    "a filter": lambda value, _: _graphql(FILTER, f'{{"filter":{value}}}'),
    "a value of a filter": lambda value, _: _graphql(FILTER, f'{{"filter":{{"title":{{"in":{value}}}}}}}'),
    "an order": lambda value, _: _graphql(FILTER, f'{{"order":{value}}}'),
    "extensions": lambda value, _: _graphql(BATCH, '{"parts":[]}', f',"extensions":{value}'),
    "an unknown member": lambda value, _: _graphql(BATCH, '{"parts":[]}', f',"x":{value}'),
    "an operation name": lambda value, _: _graphql(BATCH, '{"parts":[]}', f',"operationName":{value}'),
    "a query": lambda value, _: ("/graphql", f'{{"query":{value}}}'),
}
