"""Documents over the library (tests/support/library.py): those that are compiled, and others."""

from typing import Any

Asked = tuple[str, Any]  # a document, and its variables

PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename }"
PLAIN: dict[str, Asked] = {
    "attributes": ("{ books { nodes { id authorId title price pages published added kind sequelOf path etag } } }", {}),
    "aliases of everything": (
        (
            "{ x: books(first: 3) { a: nodes { b: id c: id d: title e: author { f: name g: path h: etag i: __typename } }"
            " j: edges { k: cursor l: node { m: id } n: __typename } o: totalCount p: pageInfo { q: endCursor r: hasNextPage } } }"
        ),
        {},
    ),
    "two nodes and two edges": (
        (
            "{ books { a: nodes { id author { name } } b: nodes { title author { id country } chapters { totalCount } }"
            " c: edges { node { author { born } } } d: edges { cursor e: node { author { rating } } f: node { author { books { totalCount } } } } } }"
        ),
        {},
    ),
    "two nodes and two edges below": (
        (
            "{ authors { nodes { x: books { a: nodes { id author { name } } b: nodes { title author { id } }"
            " c: edges { node { author { born } } } d: edges { cursor e: node { author { rating } } } } } } }"
        ),
        {},
    ),
    "one relation twice": (
        "{ authors { nodes { a: books(first: 1) { nodes { id } } b: books(last: 1) { nodes { id } } c: books { totalCount } } } }",
        {},
    ),
    "merged": (
        (
            "{ books { nodes { id } } books { nodes { title author { id } } totalCount } ...F }"
            " fragment F on Query { books { nodes { author { name } } } }"
        ),
        {},
    ),
    "fragments": (
        (
            "{ ...Q } fragment Q on Query { books { ...C } ...R } fragment R on Query { authors { nodes { ...A ...N } } }"
            " fragment C on BookConnection { edges { ...E } ...T } fragment E on BookEdge { cursor node { ...B } }"
            " fragment T on BookConnection { totalCount } fragment B on Book { title author { ...A } ...N }"
            " fragment A on Author { name } fragment N on Node { path etag __typename }"
        ),
        {},
    ),
    "inline fragments": (
        "{ ... on Query { books { ... on BookConnection { ... { nodes { ... on Node { path } ... on Book { title } ... { id } } } } } } }",
        {},
    ),
    "typenames": (
        (
            "{ __typename books(first: 2) { __typename nodes { __typename author { __typename books { __typename nodes { __typename }"
            " edges { __typename node { __typename } } pageInfo { __typename } } } } edges { __typename } } }"
        ),
        {},
    ),
    "only a typename": ("{ __typename t: __typename }", {}),
    "page info without cursors": ("{ books(first: 2) { pageInfo { hasNextPage hasPreviousPage } } }", {}),
    "page info with cursors": (f"{{ books(last: 2) {{ {PAGE_INFO} }} }}", {}),
    "page info of an empty page": (f"{{ books(first: 0) {{ {PAGE_INFO} nodes {{ id }} edges {{ cursor }} }} }}", {}),
    "page info below": (f"{{ authors {{ nodes {{ id books(first: 1) {{ {PAGE_INFO} edges {{ cursor }} }} }} }} }}", {}),
    "page info below, alone": (f"{{ authors {{ nodes {{ books(offset: 1) {{ {PAGE_INFO} }} }} }} }}", {}),
    "total count alone": ("{ books { totalCount } }", {}),
    "total count alone below": ("{ authors { nodes { books(first: 1, offset: 2) { totalCount } } } }", {}),
    "total count of nothing": ("{ books(filter: {id: {in: []}}) { totalCount nodes { id } } }", {}),
    "arguments from variables below": (
        (
            "query($n: Int, $by: [BookOrderBy!], $where: BookFilter, $o: Int! = 1, $d: Direction! = DESC) { authors(orderBy: {name: $d}) {"
            " nodes { name books(first: $n, orderBy: $by, filter: $where, offset: $o) { totalCount nodes { title } } } } }"
        ),
        {"n": 2, "by": [{"title": "DESC"}], "where": {"or": [{"kind": {"eq": "novel"}}, {"pages": {"isNull": True}}]}},
    ),
    "a variable inside a literal": (
        "query($t: String!, $x: [Int!]) { books(filter: {or: [{title: {eq: $t}}, {id: {in: $x}}]}) { nodes { id } } }",
        {"t": "100%", "x": [5, 6]},
    ),
    "a variable that is absent": (
        "query($n: Int, $f: BookFilter) { books(first: $n, filter: $f) { totalCount nodes { id } } }",
        {},
    ),
    "a variable that is null": (
        "query($n: Int, $f: BookFilter) { books(first: $n, filter: $f) { nodes { id } } }",
        {"n": None, "f": None},
    ),
    "a default that is used": ("query($n: Int = 2) { books(first: $n) { nodes { id } } }", {}),
    "a default that is not": ("query($n: Int! = 2) { books(first: $n) { nodes { id } } }", {"n": 3}),
    "a default that is overruled by null": ("query($n: Int = 2) { books(first: $n) { nodes { id } } }", {"n": None}),
    "a float for an Int": ("query($n: Int) { books(first: $n) { nodes { id } } }", {"n": 2.0}),
    "one value for a list": ("query($x: [Int!]) { books(filter: {id: {in: $x}}) { nodes { id } } }", {"x": 5}),
    "a variable too many": ("query($n: Int) { books(first: $n) { nodes { id } } }", {"n": 1, "other": 1}),
    "to one, null": ("{ books { nodes { id author { name } bookBySequelOf { bookBySequelOf { title } } } } }", {}),
    "to one, composite": ("{ quotes { nodes { id chapterByBookIdAndChapter { path book { title } } } } }", {}),
    "to many, composite": ("{ chapters { nodes { quotesByBookIdAndChapter { totalCount nodes { words } } } } }", {}),
    "an item": ("{ book(id: 3) { id author { name } chapters { nodes { words } } } }", {}),
    "an item that is not there": ("{ book(id: 999) { id chapters { nodes { words } } } }", {}),
    "an item by a composite key": (
        "query($n: Int!) { chapter(bookId: 1, number: $n) { path words book { title } } }",
        {"n": 3},
    ),
    "an item by a text": (
        '{ a: tag(code: "") { path label } b: tag(code: "ß %") { path } c: tag(code: "a,b/c") { path etag } }',
        {},
    ),
    "nodes of several types": (
        (
            '{ a: node(path: "/books/1") { ...N } b: node(path: "/authors/3") { ...N } c: node(path: "/chapters/1,2") { ...N }'
            ' d: node(path: "/tags/code=") { ...N } e: node(path: "/books/999") { ...N } f: node(path: "/quotes/1") { ...N } }'
            " fragment N on Node { __typename path etag ... on Book { t: title author { name } chapters { nodes { title } } }"
            " ... on Author { t: name books(first: 1) { totalCount } } ... on Chapter { words } }"
        ),
        {},
    ),
    "a node by a variable": (
        "query($p: ID!) { node(path: $p) { ... on Author { books { edges { cursor node { title } } } } } }",
        {"p": "/authors/1"},
    ),
    "a node of nothing that is asked": ('{ node(path: "/books/1") { ... on Author { name } } }', {}),
    "a node below its parent": (
        '{ node(path: "/authors/1/books/2") { path } x: node(path: "/authors/2/books/2") { path } }',
        {},
    ),
    "a node by a number": ("query($p: ID!) { node(path: $p) { path } }", {"p": "/books/2"}),
    "several roots": (
        "{ b: books { totalCount } a: authors(first: 1) { nodes { id } } book(id: 1) { id } c: books(first: 1) { nodes { id } } }",
        {},
    ),
    "nothing left": ("{ books { nodes { id @skip(if: true) } totalCount } }", {}),
    "nothing left of edges": ("{ books { edges { cursor @include(if: false) node { id @skip(if: true) } } } }", {}),
    "nothing left of an item": ("{ book(id: 1) { id @skip(if: true) } }", {}),
    "nothing left of a connection": ("{ books { totalCount @skip(if: true) } }", {}),
    "literal directives": (
        (
            "{ books @include(if: true) { nodes @skip(if: false) { id title @skip(if: true) ... @include(if: false) { kind }"
            " author @skip(if: true) { name } } totalCount @include(if: false) } x: book(id: 1) @skip(if: true) { id } }"
        ),
        {},
    ),
    "deep": (
        (
            "{ authors(first: 9) { nodes { books(first: 9) { nodes { chapters { nodes { quotesByBookIdAndChapter { nodes { chapterByBookIdAndChapter"
            " { book { author { books { totalCount nodes { bookTags { edges { cursor node { tagByTagCode { label } } } } } } } } } } } } } } } } } }"
        ),
        {},
    ),
    "aggregates": (
        (
            "{ books { aggregate { count sum { id pages price } avg { id pages price } min { title price pages added published kind }"
            " max { title price pages added published kind } } } authors { aggregate { sum { rating } avg { rating } min { born rating } max { name } } }"
            " chapters { aggregate { sum { words } avg { words } min { words } } } }"
        ),
        {},
    ),
    "aggregates of nothing": (
        "{ books(filter: {id: {in: []}}) { aggregate { count sum { price } avg { pages } min { title } max { added } } } }",
        {},
    ),
    "aggregates with aliases, fragments and type names": (
        (
            "{ books { a: aggregate { n: count s: sum { p: price __typename } t: sum { price id } } b: aggregate { ...C __typename } } }"
            " fragment C on BookAggregate { max { ... on BookMax { title } __typename } avg { __typename } }"
        ),
        {},
    ),
    "aggregates below": (
        (
            "{ authors { nodes { id books(first: 1, filter: {pages: {gt: 0}}) { totalCount aggregate { count sum { price } max { title } }"
            " nodes { chapters { aggregate { count max { words } } } } } } edges { node { books { aggregate { __typename } } } } } }"
        ),
        {},
    ),
    "aggregates of which nothing is left": (
        "{ books { aggregate { count @skip(if: true) } x: aggregate { sum { id @skip(if: true) } } } }",
        {},
    ),
    "groups": (
        (
            "{ books { groupBy(by: [kind]) { keys { kind } aggregate { count sum { price } min { title } } }"
            " a: groupBy(by: [authorId, published], first: 5) { __typename k: keys { authorId published kind __typename } x: aggregate { count }"
            " y: aggregate { avg { pages } } } } authors { groupBy(by: [born]) { keys { born } } } chapters { groupBy(by: [words]) { keys { words } } } }"
        ),
        {},
    ),
    "groups by prices and times": (
        "{ books { groupBy(by: [price, added]) { keys { price added } } } authors { groupBy(by: [rating]) { keys { rating } } } }",
        {},
    ),
    "groups of nothing": (
        '{ books(filter: {title: {eq: "none"}}) { groupBy(by: [kind]) { keys { kind } } } a: books { groupBy(by: [kind], first: 0) { keys { kind } } } }',
        {},
    ),
    "groups below": (
        (
            "{ authors { nodes { books { groupBy(by: [kind], first: 1) { keys { kind } aggregate { count } }"
            " flags: groupBy(by: [published]) { aggregate { sum { price } } } nodes { id } } } } }"
        ),
        {},
    ),
    "groups by a variable": (
        (
            "query($by: [BookAttribute!]!, $n: Int = 3, $f: BookFilter) { authors { nodes { books(filter: $f) { groupBy(by: $by, first: $n)"
            " { keys { kind pages } aggregate { count } } } } } }"
        ),
        {"by": ["kind", "pages"], "f": {"id": {"lt": 9}}},
    ),
    "groups of which nothing is left": (
        "{ books { groupBy(by: [kind]) { keys @skip(if: true) { kind } } x: groupBy(by: kind) { keys { kind @skip(if: true) } } } }",
        {},
    ),
}
DIRECTIVES = "query($d: Boolean!) { books { nodes { id title @skip(if: $d) } totalCount @include(if: $d) } }"
OTHER: dict[str, Asked] = {
    "a directive with a variable": (DIRECTIVES, {"d": True}),
    "the same with the other value": (DIRECTIVES, {"d": False}),
    "the same without one": (DIRECTIVES, {}),
    "a directive with a default": ("query($d: Boolean! = true) { books { totalCount @skip(if: $d) __typename } }", {}),
    "a directive in a fragment": (
        "query($d: Boolean!) { books { ...F } } fragment F on BookConnection { nodes { id ... @include(if: $d) { title } } }",
        {"d": True},
    ),
    "the catalog": ("{ resources { name } }", {}),
    "the catalog and more": ("{ books { totalCount } resources { name } }", {}),
    "introspection": ('{ __type(name: "Book") { name } books { totalCount } }', {}),
    "a required variable that is absent": ("query($i: Int!) { book(id: $i) { id } }", {}),
    "a required variable that is null": ("query($i: Int!) { book(id: $i) { id } }", {"i": None}),
    "a variable of another type": ("query($i: Int!) { book(id: $i) { id } books { totalCount } }", {"i": "1"}),
    "a variable out of range": ("query($i: Int!) { book(id: $i) { id } }", {"i": 1 << 31}),
    "an unknown member": ("query($f: BookFilter) { books(filter: $f) { totalCount } }", {"f": {"nothing": {"eq": 1}}}),
    "a null in a filter": (
        "query($f: BookFilter) { books(filter: $f) { totalCount } }",
        {"f": {"title": {"eq": None}}},
    ),
    "two members of a term": (
        "query($o: [BookOrderBy!]) { books(orderBy: $o) { totalCount } }",
        {"o": [{"id": "ASC", "title": "ASC"}]},
    ),
    "a size below zero": ("query($n: Int) { a: books(first: $n) { totalCount } b: books { totalCount } }", {"n": -1}),
    "a size too large": ("{ books(first: 1000000) { totalCount } }", {}),
    "first and last": ("{ books(first: 1, last: 1) { totalCount } }", {}),
    "a cursor of nothing": ('{ books(after: "x") { totalCount } a: authors { totalCount } }', {}),
    "a size below zero below": ("{ authors { nodes { id books(first: -1) { totalCount } } } }", {}),
    "groups by nothing": ("{ books { groupBy(by: []) { keys { kind } } } authors { totalCount } }", {}),
    "too many groups": ("query($n: Int) { books { groupBy(by: [kind], first: $n) { keys { kind } } } }", {"n": 1001}),
    "groups by nothing below": ("{ authors { nodes { id books { groupBy(by: []) { keys { kind } } } } } }", {}),
    "groups by what is not there": (
        "query($by: [BookAttribute!]!) { books { groupBy(by: $by) { keys { kind } } } }",
        {"by": ["author"]},
    ),
    "a path of no item": ('{ a: node(path: "/books") { path } b: node(path: "/books/1") { path } }', {}),
    "a path of nothing": ('{ node(path: "/nowhere/1") { path } }', {}),
    "a path of another grammar": ('{ node(path: "books") { path } }', {}),
    "a path with a query": ('{ node(path: "/books/1?limit=1") { path } }', {}),
    "variables that are a list": ("{ books { totalCount } }", [1]),
    "variables that are a text": ("{ books { totalCount } }", "{}"),
    "an unknown field": ("{ books { nothing } }", {}),
    "a conflict": ("{ books(first: 1) { totalCount } books(first: 2) { totalCount } }", {}),
}
