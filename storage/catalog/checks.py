"""Checks of tables: found in the text of SQLite's, and read where they list what a column may have."""

import re
from collections.abc import Iterator
from itertools import accumulate

_TEXT = r"'(?:[^']|'')*'"
_CAST = r"(?:::[\w ]+)?"
_LISTS = (
    rf"\s+IN\s*\(\s*(?P<texts>{_TEXT}(?:\s*,\s*{_TEXT})*)\s*\)",
    # As PostgreSQL writes it again (https://www.postgresql.org/docs/current/functions-info.html, pg_get_constraintdef).
    rf"{_CAST}\s*=\s*ANY\s*\(\(?ARRAY\[(?P<texts>{_TEXT}{_CAST}(?:,\s*{_TEXT}{_CAST})*)\]\)?(?:::[\w ]+\[\])?\)",
)

# Texts, quoted names, comments, words, and signs (https://sqlite.org/lang_keywords.html).
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|\w+|\S""", re.DOTALL)


def checks_of(sql: str) -> Iterator[tuple[str, str]]:
    """Find the checks of an SQLite table: the name by which SQLite speaks of each, which may be its text, and the text."""
    tokens = [token for token in _TOKEN.finditer(sql) if not token[0].startswith(("--", "/*"))]
    words = [token[0] for token in tokens]
    for place, word in enumerate(words[:-1]):
        if word.upper() != "CHECK" or words[place + 1] != "(":
            continue
        depths = accumulate((each == "(") - (each == ")") for each in words[place + 1 :])
        end = next((n for n, depth in enumerate(depths, place + 1) if depth == 0), place + 1)
        text = sql[tokens[place + 1].end() : tokens[end].start()].strip()
        is_named = place > 1 and words[place - 2].upper() == "CONSTRAINT"
        yield (words[place - 1].strip("\"`[]'") if is_named else text), text


def choices_of(check: str, column: str) -> tuple[str, ...]:
    """Read the texts that a check of one column lists; none where it says anything else."""
    name = rf"""(?:{re.escape(column)}|["`\[]{re.escape(column)}["`\]])"""
    for form in _LISTS:
        found = re.fullmatch(rf"\s*\(*\s*{name}{form}\s*\)*\s*", check, re.IGNORECASE)
        if found is not None and check.count("(") == check.count(")"):
            return tuple(text[1:-1].replace("''", "'") for text in re.findall(_TEXT, found["texts"]))
    return ()
