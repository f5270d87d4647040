"""How many statements a read takes (docs/contract.md, section 5): as its shape wants, whatever the number of rows."""

import re

import pytest

from tests.support.harness import Api
from tests.support.transactions import count_statements
from tests.support.worlds import World

FEW, MANY = 1, 50  # authors, each with as many books, chapters and quotes as the others
FIRST = 1_000  # key of the first of them

# Five levels, and on each what makes statements more: a filter, an order through relations, a page, a count.
SHAPES = {
    "down and up again": """books(first: 50, filter: { title: { eq: "B" } }) { nodes { title author { name books(first: 5) { nodes {
        title author { name books(first: 5) { nodes { title } } } } } } } }""",
    "down": """authors(first: 50, filter: { name: { eq: "A" } }) { nodes { name books(first: 5) { nodes { title chapters(first: 5) { nodes {
        title quotesByBookIdAndChapter(first: 5) { nodes { words chapterByBookIdAndChapter { number } } } } } } } } }""",
    "with counts": """authors(first: 50, filter: { name: { eq: "A" } }) { totalCount nodes { name books(first: 5) { totalCount nodes {
        title chapters(first: 5) { totalCount nodes { title quotesByBookIdAndChapter(first: 5) { totalCount nodes { words } } } } } } } }""",
    "with arguments": """authors(first: 50, filter: { name: { eq: "A" }, books: { some: { kind: { eq: "k" } } } }) { nodes {
        books(filter: { chapters: { some: { title: { startsWith: "C" } } } }, orderBy: [{ author: { name: DESC } }], last: 2) {
          totalCount pageInfo { hasPreviousPage startCursor } edges { cursor node {
            chapters(filter: { book: { kind: { ne: "x" } } }, orderBy: [{ title: DESC_NULLS_FIRST }], first: 1) { totalCount edges { cursor node {
              quotesByBookIdAndChapter(orderBy: [{ chapterByBookIdAndChapter: { book: { title: ASC } } }], first: 5, offset: 0) { edges { node { words
                chapterByBookIdAndChapter { book { title author { name } } } } } } } } } } } } } }""",
    "edges and nodes": """authors(first: 50, filter: { name: { eq: "A" } }) { nodes { books(first: 5) { nodes { chapters(first: 5) { nodes { title } } }
        edges { node { chapters(first: 5) { edges { node { title } } } } } } } }""",
}
# Collections and relations of a shape: each is one statement, and each count of a collection one more.
LEVELS = {"down and up again": 5, "down": 5, "with counts": 4 + 4, "with arguments": 7 + 2, "edges and nodes": 4}


def fill(library: World, authors: int) -> None:
    """Add authors, each with a book that has a chapter with a quote."""
    numbers = range(FIRST, FIRST + authors)
    for statement in (
        f"INSERT INTO authors (id, name) VALUES {', '.join(f'''({n}, 'A')''' for n in numbers)}",
        f"INSERT INTO books (id, author_id, title, kind) VALUES {', '.join(f'''({n}, {n}, 'B', 'k')''' for n in numbers)}",
        f"INSERT INTO chapters (book_id, number, title) VALUES {', '.join(f'''({n}, 1, 'C')''' for n in numbers)}",
        f"INSERT INTO quotes (id, book_id, chapter, words) VALUES {', '.join(f'''({n}, {n}, 1, 'Q')''' for n in numbers)}",
    ):
        library.connection.exec_driver_sql(statement)


def shown(answer: str, word: str) -> int:
    return len(re.findall(f"'{word}'", answer))


def read(api: Api, shape: str, sent: list[str]) -> tuple[int, str]:
    """Run a query; give the number of its statements, and its answer as text."""
    sent.clear()
    answer = api.query(f"{{ {SHAPES[shape]} }}")
    return len(sent), str(answer)


@pytest.mark.parametrize("shape", SHAPES)
def test_five_levels_take_as_many_statements_for_one_item_as_for_fifty(
    library: World, shape: str, monkeypatch: pytest.MonkeyPatch
):
    sent = count_statements(monkeypatch)
    fill(library, FEW)
    with_few, few = read(library.api, shape, sent)
    library.reset()
    fill(library, MANY)
    with_many, many = read(library.api, shape, sent)

    for word in "ABCQ":
        assert shown(many, word) == shown(few, word) * MANY
    assert re.findall("'[ABCQ]'", few), "something was read"
    assert with_few == with_many


@pytest.mark.parametrize("shape", SHAPES)
def test_a_level_takes_one_statement_at_most(library: World, shape: str, monkeypatch: pytest.MonkeyPatch):
    sent = count_statements(monkeypatch)
    fill(library, MANY)

    read(library.api, shape, sent)

    assert 0 < len([sql for sql in sent if "FROM" in sql]) <= LEVELS[shape]


def test_more_children_than_a_page_shows_take_no_statement_for_each_of_them(
    library: World, monkeypatch: pytest.MonkeyPatch
):
    """Where there are more than pages show, the database numbers them: that may be one statement more, once for a level."""
    sent = count_statements(monkeypatch)
    fill(library, 3)
    query = """{ authors(filter: { name: { eq: "A" } }) { nodes { books(first: 1, filter: { title: { eq: "B" } }) {
        totalCount pageInfo { hasNextPage } nodes { id chapters { nodes { number } } } } } } }"""

    def read_with(more: int) -> int:
        for number in range(more):
            own = 10 * FIRST + 1_000 * more + number
            statement = f"INSERT INTO books (id, author_id, title, kind) VALUES ({own}, {FIRST + number % 3}, 'B', 'k')"
            library.connection.exec_driver_sql(statement)
        sent.clear()
        found = library.api.query(query)["authors"]["nodes"]
        books = [each["books"] for each in found]
        assert [each["nodes"] for each in books] == [
            [{"id": FIRST + n, "chapters": {"nodes": [{"number": 1}]}}] for n in range(3)
        ]
        assert sum(each["totalCount"] for each in books) == 3 + more
        assert {each["pageInfo"]["hasNextPage"] for each in books} == {more > 0}
        return len(sent)

    alone = read_with(0)
    some = read_with(6)
    library.connection.exec_driver_sql(f"DELETE FROM books WHERE id > {10 * FIRST}")
    many = read_with(300)

    assert some == many
    assert some <= alone + 1


def test_many_parents_have_their_own_children_each(library: World):
    """More of them than one statement takes."""
    authors, books = 1_000, 3
    numbers = range(FIRST, FIRST + authors)
    written = ", ".join(f"({n}, 'A')" for n in numbers)
    library.connection.exec_driver_sql(f"INSERT INTO authors (id, name) VALUES {written}")
    keys = [(n, n * 10 + place) for n in numbers for place in range(books)]
    for table, values in (
        ("books (id, author_id, title, kind)", [f"({book}, {author}, 'B', 'k')" for author, book in keys]),
        ("chapters (book_id, number, title)", [f"({book}, {n}, 'C')" for _, book in keys for n in (1, 2)]),
    ):
        library.connection.exec_driver_sql(f"INSERT INTO {table} VALUES {', '.join(values)}")

    for page, shown in (("first: 2", [1, 2]), ("first: 1", [1]), ("last: 1", [2]), ("offset: 1", [2])):
        found = library.api.query(
            f"""{{ authors(first: 1000, filter: {{ name: {{ eq: "A" }} }}) {{ nodes {{ id books(first: 4) {{ totalCount nodes {{
                id author {{ id }} chapters({page}) {{ totalCount nodes {{ bookId number }} }} }} }} }} }} }}"""
        )["authors"]["nodes"]
        assert [each["id"] for each in found] == [*numbers]
        assert [[book["id"] for book in each["books"]["nodes"]] for each in found] == [
            [n * 10 + place for place in range(books)] for n in numbers
        ]
        assert {each["books"]["totalCount"] for each in found} == {books}
        for each in found:
            for book in each["books"]["nodes"]:
                chapters = [{"bookId": book["id"], "number": number} for number in shown]
                assert book == {
                    "id": book["id"],
                    "author": {"id": each["id"]},
                    "chapters": {"totalCount": 2, "nodes": chapters},
                }
