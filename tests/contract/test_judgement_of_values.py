"""What cannot be judged is left out: unique values, checks, cascades, deferred constraints (section 2, rule 2)."""

from tests.conftest import Serve
from tests.support.harness import Backend, part
from tests.support.trying import tried_all

THINGS = """
CREATE TABLE things (
  id {key}, name VARCHAR(20) NOT NULL, code VARCHAR(9), tag VARCHAR(9), x INTEGER, y INTEGER, low INTEGER, high INTEGER,
  CONSTRAINT one_code UNIQUE (code), CONSTRAINT one_tag UNIQUE (tag), CONSTRAINT one_place UNIQUE (x, y),
  CONSTRAINT in_order CHECK (low <= high)
);
CREATE TABLE owners (id INTEGER PRIMARY KEY, name VARCHAR(20));
CREATE TABLE cards (
  id INTEGER PRIMARY KEY, number INTEGER, owner_id INTEGER REFERENCES owners (id) ON DELETE CASCADE,
  thing_id INTEGER REFERENCES things (id), CONSTRAINT one_number UNIQUE (number)
);
CREATE TABLE boxes (id INTEGER PRIMARY KEY, name VARCHAR(20), thing_id INTEGER REFERENCES things (id) {deferred});
INSERT INTO things (id, name, code, tag, x, y, low, high) VALUES
  (1, 'one', 'a', 's', 1, 1, 0, 10), (2, 'two', 'b', 't', 2, 2, 0, 10), (3, 'three', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO owners (id, name) VALUES (1, 'Ada');
INSERT INTO cards (id, number, owner_id, thing_id) VALUES (1, 7, 1, 3);
INSERT INTO boxes (id, name, thing_id) VALUES (1, 'box', 1)
"""

TYPE = "INVALID_VALUE /payload/name"
STALE = "PRECONDITION_FAILED /ifMatch"
CODE, TAG, PLACE = "CONFLICT /payload/code", "CONFLICT /payload/tag", "CONFLICT /payload/x"
IN_ORDER = "CHECK_FAILED /payload/low"
N = {"name": "N"}


def create(id_, payload, path="/things", **others):
    return part(id_, "CREATE", path, payload, **others)


def update(id_, path, payload, **others):
    return part(id_, "UPDATE", path, payload, **others)


def upsert(id_, payload, path="/things", **others):
    return part(id_, "UPSERT", path, payload, **others)


BAD_GIVES_CODE = update("bad", "/things/1", {"code": "z", "name": 5})
BAD_GIVES_NOTHING = update("bad", "/things/1", {"name": 5})
BAD_DELETE = part("bad", "DELETE", "/things/2", ifMatch=["x"])
BAD_MAKES_CODE = create("bad", {"code": "n", "name": 5})

CASES = {
    "a value given up by an update": ([BAD_GIVES_CODE, create("p", N | {"code": "a"})], {"bad": TYPE}),
    "a value given up by an update, for an update": ([BAD_GIVES_CODE, update("p", "/things/2", {"code": "a"})], {"bad": TYPE}),
    "a value given up for null": (
        [update("bad", "/things/1", {"code": None, "name": 5}), create("p", N | {"code": "a"})],
        {"bad": TYPE},
    ),
    "a value given up for one that is wrong itself": (
        [update("bad", "/things/1", {"code": 5}), create("p", N | {"code": "a"})],
        {"bad": "INVALID_VALUE /payload/code"},
    ),
    "a value given up by an upsert": (
        [upsert("bad", {"code": "z", "name": 5}, "/things/1"), create("p", N | {"code": "a"})],
        {"bad": TYPE},
    ),
    "a value given up by a replacement": (
        [part("bad", "REPLACE", "/things/1", {"name": 5}), create("p", N | {"code": "a", "tag": "s"})],
        {"bad": TYPE},
    ),
    "a value given up by a deletion": ([BAD_DELETE, create("p", N | {"code": "b", "x": 2, "y": 2})], {"bad": STALE}),
    "a key given up by a deletion": ([BAD_DELETE, create("p", N, "/things/2")], {"bad": STALE}),
    "one value of two given up": (
        [update("bad", "/things/1", {"x": 9, "name": 5}), create("p", N | {"x": 1, "y": 1})],
        {"bad": TYPE},
    ),
    "a value given up by one that the database refuses": (
        [update("bad", "/things/1", {"code": "z", "low": 99}), create("p", N | {"code": "a"})],
        {"bad": IN_ORDER},
    ),
    "an item that it would have made, by a unique key": (
        [BAD_MAKES_CODE, part("p", "GET", "/things/code=n"), update("q", "/things/code=n", N)],
        {"bad": TYPE},
    ),
    "an item that would have taken the value": (
        [BAD_GIVES_CODE, part("p", "GET", "/things/code=z")],
        {"bad": TYPE},
    ),
    "required of an upsert by a unique key": ([BAD_MAKES_CODE, upsert("p", {"code": "n"})], {"bad": TYPE}),
    "required of an upsert at a unique path": ([BAD_MAKES_CODE, upsert("p", {}, "/things/code=n")], {"bad": TYPE}),
    "several items of an upsert, one of them deleted": ([BAD_DELETE, upsert("p", {"code": "a", "tag": "t"})], {"bad": STALE}),
    "several items of an upsert, one of them changed": (
        [update("bad", "/things/2", {"tag": "z", "name": 5}), upsert("p", {"code": "a", "tag": "t"})],
        {"bad": TYPE},
    ),
    "a check with a value that it would have changed": (
        [update("bad", "/things/1", {"high": 99, "name": 5}), update("p", "/things/1", {"low": 50})],
        {"bad": TYPE},
    ),
    "a value that a cascade would have taken away": (
        [part("bad", "DELETE", "/owners/1", ifMatch=["x"]), create("p", {"id": 9, "number": 7}, "/cards")],
        {"bad": STALE},
    ),
    "a holder that a cascade would have taken away": (
        [part("bad", "DELETE", "/owners/1", ifMatch=["x"]), part("p", "DELETE", "/things/3")],
        {"bad": STALE},
    ),
    "a deferred target that it would have made": (
        [create("bad", {"name": 5}, "/things/9"), create("p", {"id": 9, "thingId": 9}, "/boxes")],
        {"bad": TYPE},
    ),
    "a deferred target that it makes later": (
        [create("p", {"id": 9, "thingId": 9}, "/boxes"), create("bad", {"name": 5}, "/things/9")],
        {"bad": TYPE},
    ),
    "a deferred holder that would have gone": (
        [part("p", "DELETE", "/things/1"), part("bad", "DELETE", "/boxes/1", ifMatch=["x"])],
        {"bad": STALE},
    ),
    "a chain of values": (
        [BAD_GIVES_CODE, update("p", "/things/2", {"code": "a"}), update("q", "/things/3", {"code": "b"})],
        {"bad": TYPE},
    ),
    "a swap over a third value": (
        [
            update("bad", "/things/1", {"code": "free", "name": 5}),
            update("p", "/things/2", {"code": "a"}),
            update("q", "/things/1", {"code": "b"}),
        ],
        {"bad": TYPE},
    ),
    # and what stands anyway
    "an update that gives up nothing": ([BAD_GIVES_NOTHING, create("p", N | {"code": "a"})], {"bad": TYPE, "p": CODE}),
    "an update to the value that it has": (
        [update("bad", "/things/1", {"code": "a", "name": 5}), create("p", N | {"code": "a"})],
        {"bad": TYPE, "p": CODE},
    ),
    "another value than was given up": ([BAD_GIVES_CODE, create("p", N | {"code": "b"})], {"bad": TYPE, "p": CODE}),
    "another unique key than was given up": (
        [BAD_GIVES_CODE, create("p", N | {"code": "a", "tag": "s", "x": 2, "y": 2})],
        {"bad": TYPE, "p": f"{TAG} + {PLACE}"},
    ),
    "a value given up later": ([create("p", N | {"code": "a"}), BAD_GIVES_CODE], {"p": CODE, "bad": TYPE}),
    "the key of an item that stays": ([BAD_GIVES_CODE, create("p", N, "/things/1")], {"bad": TYPE, "p": "CONFLICT /path"}),
    "several items of an upsert, unchanged in these": (
        [update("bad", "/things/2", {"name": 5}), upsert("p", {"code": "a", "tag": "t"})],
        {"bad": TYPE, "p": "CONFLICT /payload"},
    ),
    "a check with values of its own": (
        [update("bad", "/things/1", {"high": 99, "name": 5}), update("p", "/things/1", {"low": 50, "high": 40})],
        {"bad": TYPE, "p": IN_ORDER},
    ),
    "a check beside another change": (
        [BAD_GIVES_NOTHING, update("p", "/things/1", {"low": 50})],
        {"bad": TYPE, "p": IN_ORDER},
    ),
    "a deferred target of another key": (
        [create("bad", {"name": 5}, "/things/9"), create("p", {"id": 9, "thingId": 8}, "/boxes")],
        {"bad": TYPE, "p": "MISSING_TARGET /payload/thingId"},
    ),
}  # fmt: skip


def test_verdicts_on_values_are_left_out_only_where_an_errored_part_would_have_changed_them(
    backend: Backend, start: Serve
):
    backend.run(THINGS)
    if backend.kind == "postgresql":
        backend.run("SELECT setval(pg_get_serial_sequence('things', 'id'), 3)")
    api = start(backend)
    before = backend.dump()

    found = {name: tried_all(api, *parts) for name, (parts, _) in CASES.items()}

    assert found == {name: said for name, (_, said) in CASES.items()}
    assert backend.dump() == before
