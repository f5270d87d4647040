"""What holds for every read (docs/contract.md, section 5), tried on random questions (tests/support/queries.py) to a library.

Every answer is compared with a plain evaluation in Python (tests/support/evaluation.py): where both databases agree with that,
they agree with each other. PARTWISE_EXAMPLES=5000 tries longer.
"""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import event, given
from hypothesis import strategies as st

from tests.support.evaluation import Page, Position, Term, find, path_of, position, related
from tests.support.examples import tried_with
from tests.support.harness import Json
from tests.support.library import KINDS_OF_VALUES, RELATIONS, TYPES, library_data, to_json
from tests.support.queries import (
    Arguments,
    Branch,
    arguments,
    branches,
    evaluate,
    filters,
    orders,
    pages,
    without_cursors,
    write_query,
)
from tests.support.worlds import World

# Nothing is written: one served database serves all examples of a test.
tried = tried_with(60, draws_much=True)

DATA = library_data()
COLLECTIONS = st.sampled_from(sorted(TYPES))
ALL = 1_000  # more than there are


def ask(world: World, branch: Branch) -> Json:
    """Ask for a tree of connections."""
    query, variables = write_query(branch)
    return world.api.query(query, **variables)[branch.collection]


def cursors_of(world: World, collection: str, order_by: Sequence[Term]) -> list[tuple[str, Position]]:
    """Read the cursor of every item of a collection, each with the position that it stands for."""
    everything = Arguments(order_by=order_by, page=Page(first=ALL))
    answer = ask(world, Branch(collection, everything, {}))
    rows = find(DATA, collection, order_by=order_by, page=everything.page).rows
    assert [edge["node"]["path"] for edge in answer["edges"]] == [path_of(DATA, collection, row) for row in rows]
    positions = [position(DATA, collection, row, order_by) for row in rows]
    return [(edge["cursor"], place) for edge, place in zip(answer["edges"], positions, strict=True)]


def from_cursor(asked: Arguments, cursor: str, place: Position) -> Arguments:
    """Let a page begin behind a cursor, or end before it where it goes backward."""
    own = asked.page
    page = replace(own, before=place) if own.last is not None else replace(own, after=place)
    return replace(asked, page=page, cursor=cursor)


def test_the_library_is_served_as_the_evaluation_has_it(library: World):
    for name, kinds in KINDS_OF_VALUES.items():
        relations = RELATIONS[name]
        below = " ".join(f"{each} {{ {'nodes { path }' if it.many else 'path'} }}" for each, it in relations.items())
        found = library.api.query(f"{{ {name} {{ nodes {{ path {' '.join(kinds)} {below} }} }} }}")[name]["nodes"]
        assert len(found) == len(DATA[name].rows)
        for node, row in zip(found, find(DATA, name).rows, strict=True):
            assert node["path"] == path_of(DATA, name, row)
            for attribute, kind in kinds.items():
                value = to_json(row[attribute])
                assert node[attribute] == (str(value) if kind == "big" and value is not None else value)
            for each, relation in relations.items():
                others = find(DATA, relation.target, among=related(DATA, name, row, each)).rows
                paths = [{"path": path_of(DATA, relation.target, other)} for other in others]
                assert node[each] == ({"nodes": paths} if relation.many else paths[0] if paths else None)


@tried
@given(branch=COLLECTIONS.flatmap(branches))
def test_connections_and_those_below_them_answer_what_the_evaluation_finds(library: World, branch: Branch):
    expected = evaluate(DATA, branch)

    assert without_cursors(ask(library, branch)) == expected
    event(f"{min(len(expected['nodes']), 3)} items or more of {expected['totalCount'] > 0}")


@tried
@given(data=st.data(), collection=COLLECTIONS)
def test_a_page_begins_at_the_cursor_of_any_item_and_goes_on_from_its_own(
    library: World, data: st.DataObject, collection: str
):
    asked = data.draw(arguments(collection))
    cursor, place = data.draw(st.sampled_from(cursors_of(library, collection, asked.order_by)))
    first = Branch(collection, from_cursor(asked, cursor, place), {})

    answer = ask(library, first)

    assert without_cursors(answer) == evaluate(DATA, first)
    if not answer["edges"]:
        return
    assert first.arguments is not None
    shown = find(DATA, collection, filter_=asked.filter_, order_by=asked.order_by, page=first.arguments.page).rows
    chosen = data.draw(st.integers(0, len(shown) - 1))
    there = position(DATA, collection, shown[chosen], asked.order_by)
    then = replace(asked, page=data.draw(pages()))
    second = Branch(collection, from_cursor(then, answer["edges"][chosen]["cursor"], there), {})
    assert without_cursors(ask(library, second)) == evaluate(DATA, second)


MANY = st.sampled_from(
    [(name, each) for name, ways in sorted(RELATIONS.items()) for each, way in sorted(ways.items()) if way.many]
)


@tried
@given(data=st.data(), way=MANY)
def test_alternatives_among_the_children_of_one_item_alone_find_what_the_evaluation_finds(
    library: World, data: st.DataObject, way: tuple[str, str]
):
    parent, relation = way
    target = RELATIONS[parent][relation].target
    number = data.draw(st.integers(0, len(DATA[parent].rows) - 1))
    alone = Arguments(page=Page(first=1, offset=number))
    either = data.draw(st.lists(filters(target, 1), min_size=2, max_size=3))
    asked = replace(data.draw(arguments(target)), filter_={"or": either})
    branch = Branch(parent, alone, {relation: Branch(target, asked, {})})

    assert without_cursors(ask(library, branch)) == evaluate(DATA, branch)


@tried
@given(data=st.data(), way=MANY)
def test_the_children_of_an_item_have_cursors_too(library: World, data: st.DataObject, way: tuple[str, str]):
    parent, relation = way
    target = RELATIONS[parent][relation].target
    asked = data.draw(arguments(target))
    everything = Branch(target, Arguments(order_by=asked.order_by, page=Page(first=ALL)), {})
    answer = ask(library, Branch(parent, Arguments(), {relation: everything}))
    parents = find(DATA, parent).rows
    with_children = [n for n, node in enumerate(answer["nodes"]) if node[relation]["edges"]]
    number = data.draw(st.sampled_from(with_children))
    edges = answer["nodes"][number][relation]["edges"]
    children = find(DATA, target, order_by=asked.order_by, among=related(DATA, parent, parents[number], relation)).rows
    chosen = data.draw(st.integers(0, len(edges) - 1))
    place = position(DATA, target, children[chosen], asked.order_by)

    again = Branch(target, from_cursor(asked, edges[chosen]["cursor"], place), {})
    answer = ask(library, Branch(parent, Arguments(), {relation: again}))["nodes"][number][relation]

    assert without_cursors(answer) == evaluate(DATA, again, related(DATA, parent, parents[number], relation))


@tried
@given(data=st.data(), collection=COLLECTIONS)
def test_a_walk_by_pages_meets_every_item_once_in_order(library: World, data: st.DataObject, collection: str):
    order_by = data.draw(orders(collection))
    filter_ = data.draw(st.none() | filters(collection, 2))
    backward = data.draw(st.booleans())
    met: list[str] = []
    cursor: str | None = None
    more = True
    while more:
        size = data.draw(st.integers(1, 5))
        asked = Arguments(filter_=filter_, order_by=order_by, cursor=cursor)
        asked = replace(asked, page=Page(last=size) if backward else Page(first=size))
        answer = ask(library, Branch(collection, asked, {}))
        page = [node["path"] for node in answer["nodes"]]
        met = page + met if backward else met + page
        cursor = answer["pageInfo"]["startCursor" if backward else "endCursor"]
        more = answer["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]
        assert len(page) == size or not more

    rows = find(DATA, collection, filter_=filter_, order_by=order_by, page=Page(first=ALL)).rows
    assert met == [path_of(DATA, collection, row) for row in rows]
