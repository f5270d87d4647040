"""Random batches over the family of tables of tests/support/worlds.py, full of the hard cases on purpose.

The pools of values are small, so that parts meet: the same item many times, unique values handed on, keys deleted and
made again, parents made and taken away inside the batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.support.worlds import ETAG_OF, Part

# Wild values meet each other and what is there; hopeful ones are mostly fine, so that good batches grow long too.
_IDS = st.sampled_from([1, 2, 3, 1, 2, 3, 4, 5])
_OLD_IDS = st.sampled_from([1, 2, 3])
_NEW_IDS = st.integers(4, 30)
_CODES = st.sampled_from(["a", "b", "c", "d", "e"])
_NAMES = st.sampled_from(["x", "y", "z"])
_NEW_TEXTS = st.sampled_from("defghijklm")


def _or_null(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


@dataclass(frozen=True)
class Kind:
    """One resource: what its parts can say."""

    collection: str
    wild: Mapping[str, st.SearchStrategy[Any]]  # attribute -> values
    hopeful: Mapping[str, st.SearchStrategy[Any]]
    required: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)  # attribute or relation -> collection
    below: tuple[str, ...] = ()  # the collections that it is a child collection of
    key: tuple[str, ...] = ("id",)
    start: tuple[str, ...] = ("1", "2", "3")  # the keys at the start


_RANK = {"rank": _or_null(st.integers(1, 3))}
_WEIGHT = {"weight": _or_null(st.integers(1, 3))}
_COLOR = {"color": _or_null(st.sampled_from(["red", "blue"]))}

KINDS = {
    kind.collection: kind
    for kind in (
        Kind(
            "parents",
            wild={"id": _IDS, "code": _CODES, "aboveId": _or_null(_IDS), **_RANK},
            hopeful={"id": _NEW_IDS, "code": _NEW_TEXTS, "aboveId": _or_null(_OLD_IDS), **_RANK},
            required=("code",),
            unique=("code",),
            references={"aboveId": "parents", "above": "parents"},
        ),
        Kind(
            "children",
            wild={"id": _IDS, "parentId": _IDS, "name": _NAMES, "amount": st.integers(0, 3)},
            hopeful={"id": _NEW_IDS, "parentId": _OLD_IDS, "name": _NEW_TEXTS, "amount": st.integers(1, 9)},
            required=("parentId", "name"),
            unique=("parentId", "name"),
            references={"parentId": "parents", "parent": "parents"},
            below=("parents",),
        ),
        Kind(
            "links",
            wild={"parentId": _IDS, "childId": _IDS, **_WEIGHT},
            hopeful={"parentId": _OLD_IDS, "childId": st.sampled_from([2, 2, 1, 3]), **_WEIGHT},
            references={"parent": "parents", "childId": "children"},
            below=("parents", "children"),
            key=("parentId", "childId"),
            start=("1,1", "2,1", "2,3"),
        ),
        Kind(
            "toys",
            wild={
                "id": _IDS,
                "childId": _or_null(_IDS),
                "label": _or_null(st.sampled_from("tuvw")),
                "parentCode": _or_null(_CODES),
            },
            hopeful={
                "id": _NEW_IDS,
                "childId": _or_null(_OLD_IDS),
                "label": _or_null(_NEW_TEXTS),
                "parentCode": _or_null(st.sampled_from("abc")),
            },
            unique=("label",),
            references={"childId": "children", "child": "children", "parentByParentCode": "parents"},
            below=("children",),
        ),
        Kind(
            "marks",
            wild={"id": _IDS, "nextId": _or_null(_IDS), **_COLOR},
            hopeful={"id": _NEW_IDS, "nextId": _or_null(_OLD_IDS), **_COLOR},
            references={"next": "marks"},
        ),
    )
}
_OPERATIONS = ["GET", *["CREATE"] * 3, *["UPDATE"] * 4, *["REPLACE"] * 2, *["UPSERT"] * 3, *["DELETE"] * 3]

# Parts that are in error whatever the tables hold, and whose effect, had they one, nothing else could meet.
HOPELESS: tuple[tuple[Part, tuple[str, str]], ...] = (
    ({"operation": "GET", "path": "/nowhere/1"}, ("UNKNOWN_RESOURCE", "/path")),
    ({"operation": "GET", "path": "/parents/01"}, ("INVALID_PATH", "/path")),
    ({"operation": "DELETE", "path": "/parents/1/"}, ("INVALID_PATH", "/path")),
    ({"operation": "GET", "path": "/parents/77"}, ("NOT_FOUND", "/path")),
    ({"operation": "UPDATE", "path": "/parents/77", "payload": {"rank": 1}}, ("NOT_FOUND", "/path")),
    ({"operation": "DELETE", "path": "/parents"}, ("OPERATION_NOT_ALLOWED", "/operation")),
    ({"operation": "GET", "path": "/parents/$nobody"}, ("INVALID_REFERENCE", "/path")),
    ({"operation": "GET", "path": "/parents/77", "ifMatch": None}, ("PRECONDITION_FAILED", "/ifMatch")),
    ({"operation": "GET", "path": "/parents/1", "ifMatch": []}, ("INVALID_PRECONDITION", "/ifMatch")),
    ({"operation": "GET", "path": "/parents/1", "payload": {}}, ("INVALID_PAYLOAD", "/payload")),
    ({"operation": "CREATE", "path": "/parents", "payload": {"rank": 1}}, ("REQUIRED", "/payload/code")),
    ({"operation": "CREATE", "path": "/parents", "payload": {"code": 5}}, ("INVALID_VALUE", "/payload/code")),
    ({"operation": "UPDATE", "path": "/toys/77", "payload": {"size": 5}}, ("UNKNOWN_ATTRIBUTE", "/payload/size")),
    (
        {"operation": "CREATE", "path": "/children", "payload": {"parentId": 77, "name": "x"}},
        ("MISSING_TARGET", "/payload/parentId"),
    ),
    (
        {"operation": "CREATE", "path": "/marks", "payload": {"id": 78, "nextId": 77}},  # found at COMMIT only
        ("MISSING_TARGET", "/payload/nextId"),
    ),
)
# Parts that are in error on their face, but whose effect others may count on.
PLAIN: tuple[tuple[Part, tuple[str, str]], ...] = (
    ({"operation": "UPDATE", "path": "/parents/1", "payload": {"rank": "x"}}, ("INVALID_VALUE", "/payload/rank")),
    ({"operation": "UPDATE", "path": "/parents/3", "payload": {"code": None}}, ("REQUIRED", "/payload/code")),
    (
        {"operation": "CREATE", "path": "/parents", "payload": {"id": 4, "code": "d", "colour": "red"}},
        ("UNKNOWN_ATTRIBUTE", "/payload/colour"),
    ),
    ({"operation": "CREATE", "path": "/parents/4", "payload": {}}, ("REQUIRED", "/payload/code")),
    (
        {"operation": "DELETE", "path": "/links/1,1", "ifMatch": None, "ifNoneMatch": None},
        ("INVALID_PRECONDITION", "/ifMatch"),
    ),
    ({"operation": "DELETE", "path": "/toys/3", "payload": {}}, ("INVALID_PAYLOAD", "/payload")),
    (
        {"operation": "UPSERT", "path": "/parents", "payload": {"code": "d"}, "ifMatch": []},
        ("INVALID_PRECONDITION", "/ifMatch"),
    ),
)
# Parts that are in error once they meet the tables.
_REFUSED: tuple[Part, ...] = (
    {"operation": "UPDATE", "path": "/parents/2", "payload": {"id": 4}},
    {"operation": "UPDATE", "path": "/children/1", "payload": {"amount": 0, "name": "z"}},
    {"operation": "CREATE", "path": "/parents/1/children", "payload": {"parentId": 2, "name": "z"}},
)


@st.composite
def batches(draw: st.DrawFn, *, deferred: bool = True, most: int = 9) -> list[Part]:
    """Draw a batch; without constraints that are checked at COMMIT where these would not fit."""
    collections = [name for name in KINDS if deferred or name != "marks"]
    hopeless = [part for part, _ in HOPELESS if deferred or "marks" not in part["path"]]
    faulty = [*_REFUSED, *(part for part, _ in PLAIN), *hopeless]
    parts: list[Part] = []
    items: dict[str, list[str]] = {name: [] for name in collections}  # collection -> parts with an item of it
    for number in range(draw(st.integers(1, most))):
        id_ = f"p{number}"
        way = draw(st.integers(0, 19))  # the simplest is a hopeful part
        if way == 19:
            parts.append({"id": id_, **draw(st.sampled_from(faulty))})
            continue
        kind = KINDS[draw(st.sampled_from(collections))]
        part = draw(_parts(kind, items, wild=way > 13))
        parts.append({"id": id_, **part})
        if part["operation"] != "DELETE":
            items[kind.collection].append(id_)
    return parts


@st.composite
def _parts(draw: st.DrawFn, kind: Kind, items: Mapping[str, list[str]], *, wild: bool) -> Part:
    operation = draw(st.sampled_from(_OPERATIONS))
    at_collection = operation in {"CREATE", "UPSERT"} and draw(st.integers(0, 3)) != 0
    if at_collection:
        path = draw(_collection_paths(kind, items, wild=wild))
    elif operation == "CREATE" and not wild:
        path = f"/{kind.collection}/{','.join(str(draw(kind.hopeful[name])) for name in kind.key)}"
    else:
        path = draw(_item_paths(kind, items, wild=wild))
    part: Part = {"operation": operation, "path": path}
    if operation not in {"GET", "DELETE"}:
        part |= draw(_contents(kind, items, path, operation, at_collection=at_collection, wild=wild))
    if not at_collection or operation == "UPSERT":
        part |= draw(_preconditions(path))
    return part


@st.composite
def _collection_paths(draw: st.DrawFn, kind: Kind, items: Mapping[str, list[str]], *, wild: bool) -> str:
    if kind.below and draw(st.integers(0, 2)) == 0:
        above = draw(st.sampled_from(kind.below))
        return f"{draw(_item_paths(KINDS[above], items, wild=wild))}/{kind.collection}"
    return f"/{kind.collection}"


@st.composite
def _item_paths(draw: st.DrawFn, kind: Kind, items: Mapping[str, list[str]], *, wild: bool) -> str:
    collection = f"/{kind.collection}"
    if wild and draw(st.integers(0, 2)) == 0:
        collection = draw(_collection_paths(kind, items, wild=wild))
    made = items.get(kind.collection)
    way = draw(st.sampled_from(["key", "unique", "part", "part", "part"]))
    if way == "part" and made:
        return f"{collection}/${draw(st.sampled_from(made))}"
    if way == "unique" and wild and kind.unique and collection.count("/") == 1:
        given = [f"{name}={draw(kind.wild[name].filter(lambda value: value is not None))}" for name in kind.unique]
        return f"{collection}/{','.join(given)}"
    if not wild:
        return f"{collection}/{draw(st.sampled_from(kind.start))}"
    return f"{collection}/{','.join(str(draw(kind.wild[name])) for name in kind.key)}"


@st.composite
def _contents(
    draw: st.DrawFn,
    kind: Kind,
    items: Mapping[str, list[str]],
    path: str,
    operation: str,
    *,
    at_collection: bool,
    wild: bool,
) -> Part:
    """Draw payload and references: what the operation asks for, and more."""
    values = kind.wild if wild else kind.hopeful
    by_path = {"parentId"} if "/parents/" in path and kind.collection != "parents" else set()
    by_path |= {"childId"} if "/children/" in path and kind.collection in {"links", "toys"} else set()
    wanted = set(kind.required) if operation in {"CREATE", "REPLACE", "UPSERT"} else set()
    if at_collection and (kind.collection == "links" or draw(st.integers(0, 3)) == 0):
        wanted |= set(kind.key)
    elif at_collection and operation == "UPSERT":
        wanted |= set(kind.unique or kind.key)
    wanted |= {name for name in values if name not in kind.key and draw(st.booleans())}
    references = []
    for name, target in kind.references.items():
        parts = items.get(target)
        own = _own_attribute(name)
        if parts and own in wanted - by_path and draw(st.booleans()):
            references.append({"attribute": name, "part": draw(st.sampled_from(parts))})
            wanted.discard(own)
    contents: Part = {"payload": {name: draw(values[name]) for name in values if name in wanted - by_path}}
    return {**contents, "references": references} if references else contents


def _own_attribute(name: str) -> str:
    """Name the attribute that a reference sets."""
    return {"parentByParentCode": "parentCode"}.get(name, name if name.endswith("Id") else f"{name}Id")


@st.composite
def _preconditions(draw: st.DrawFn, path: str) -> Part:
    match draw(st.sampled_from([*[None] * 20, "exists", "fresh", "stale", "absent", "other", "star"])):
        case "exists":
            return {"ifMatch": None}
        case "fresh":
            return {"ifMatch": [ETAG_OF + path]}
        case "stale":
            return {"ifMatch": ["stale"]}
        case "absent":
            return {"ifNoneMatch": None}
        case "other":
            return {"ifNoneMatch": [ETAG_OF + path]}
        case "star":
            return {"ifMatch": ["*"]}
        case _:
            return {}
