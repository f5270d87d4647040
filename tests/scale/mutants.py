"""Changes one line of each rule of a part in its one place, and checks that tests of every strategy then fail.

    python -m tests.scale.mutants [RULE ...]

A rule that survives in a strategy stands twice. Each mutant is tried in a copy of the checkout. Prints a Markdown table.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".ariadne*")
_PASSED, _FAILED = 0, 1  # exit codes of pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed line, and for each strategy the test that must fail."""

    file: str
    before: str
    after: str
    tests: Mapping[str, str]


_FILE = "tests/contract/test_rules_by_strategy.py"
_REFUSED, _WRITTEN = "test_a_part_that_breaks_a_rule_is_refused", "test_a_part_that_keeps_the_rules_is_written"


def _tests(test: str, case: str) -> Mapping[str, str]:
    """Return the test of a case for each strategy."""
    return {name: f"{_FILE}::{test}[{name}-sqlite-{case}]" for name in ("bulk", "grouped", "sequential")}


MUTANTS: Mapping[str, Mutant] = {
    "etag comparison: quotes": Mutant(
        file="storage/rows/etags.py",
        before="return sent[1:-1] if len(sent) > 1",
        after="return sent if len(sent) > 1",
        tests=_tests(_WRITTEN, "a quoted etag"),
    ),
    "etag comparison: weak etags": Mutant(
        file="storage/rows/etags.py",
        before="return None if sent.startswith(_WEAK) else _unquoted(sent)",
        after="return _unquoted(sent.removeprefix(_WEAK))",
        tests=_tests(_REFUSED, "a weak etag"),
    ),
    "etag comparison: any version": Mutant(
        file="resolvers/binding/preconditions.py",
        before="return given is None or (given is not UNSET and _ANY in given)",
        after="return given is None",
        tests=_tests(_WRITTEN, "any version"),
    ),
    "required at creation": Mutant(
        file="storage/catalog/model.py",
        before="may_be_null = self.nullable and not self.default_denied",
        after="may_be_null = False",
        tests=_tests(_WRITTEN, "a new item"),
    ),
    "what may be written: a change": Mutant(
        file="storage/catalog/model.py",
        before="return self.updatable and not self.read_only",
        after="return self.updatable",
        tests=_tests(_REFUSED, "an attribute that is closed"),
    ),
    "what may be written: a new item": Mutant(
        file="storage/catalog/model.py",
        before="return self.insertable and not self.read_only",
        after="return self.insertable",
        tests=_tests(_REFUSED, "an attribute that is closed in a new item"),
    ),
    "status of a verb: CREATE": Mutant(
        file="storage/batch/plan/decisions.py",
        before="status: ClassVar[int] = 201",
        after="status: ClassVar[int] = 200",
        tests=_tests(_WRITTEN, "a new item"),
    ),
    "status of a verb: DELETE": Mutant(
        file="storage/batch/plan/decisions.py",
        before="status: ClassVar[int] = 204",
        after="status: ClassVar[int] = 200",
        tests=_tests(_WRITTEN, "a deletion"),
    ),
    "statuses that show an item": Mutant(
        file="storage/batch/plan/operations.py",
        before="SHOWS_ITEM = frozenset({200, 201})",
        after="SHOWS_ITEM = frozenset({201})",
        tests=_tests(_WRITTEN, "a change"),
    ),
    "part ids: length": Mutant(
        file="resolvers/binding/requests.py",
        before="MAX_ID_LENGTH = 255",
        after="MAX_ID_LENGTH = 1",
        tests=_tests(_WRITTEN, "a change"),
    ),
    "path length": Mutant(
        file="resolvers/binding/path_grammar.py",
        before="if length > limits.path:",
        after="if length > limits.path - 39:",
        tests=_tests(_WRITTEN, "a change"),
    ),
    "canonical keys of paths: reserved characters": Mutant(
        file="resolvers/binding/path_grammar.py",
        before='_RESERVED_CHARACTERS = ",?&=$"',
        after='_RESERVED_CHARACTERS = ",?=$"',
        tests=_tests(_REFUSED, "a reserved character in a key"),
    ),
    "readers: the range of integers": Mutant(
        file="resolvers/binding/values.py",
        before="if not type_.smallest <= raw <= type_.largest:",
        after="if not type_.smallest <= raw:",
        tests=_tests(_REFUSED, "an integer that is too large"),
    ),
    "readers: characters of texts": Mutant(
        file="resolvers/binding/values.py",
        before='if "\\x00" in raw:',
        after="if not raw.isprintable() and False:",
        tests=_tests(_REFUSED, "a text with a null character"),
    ),
    "readers: the length of texts": Mutant(
        file="resolvers/binding/values.py",
        before="len(text) > type_.max_length:",
        after="len(text) > type_.max_length + 100:",
        tests=_tests(_REFUSED, "a text that is too long"),
    ),
    "readers: booleans": Mutant(
        file="resolvers/binding/values.py",
        before="if not isinstance(raw, bool):",
        after="if not isinstance(raw, bool | int):",
        tests=_tests(_REFUSED, "a boolean that is a number"),
    ),
    "null": Mutant(
        file="storage/batch/plan/rules.py",
        before="return Null.WRITTEN if attribute.nullable or",
        after="return Null.WRITTEN if",
        tests=_tests(_WRITTEN, "null"),
    ),
    "first version": Mutant(
        file="storage/catalog/versions.py",
        before="FIRST = 1  #",
        after="FIRST = 7  #",
        tests=_tests(_WRITTEN, "a new item"),
    ),
}


def main() -> None:
    """Try the mutants that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rules", nargs="*", default=[*MUTANTS])
    rules = parser.parse_args().rules
    survived = 0
    print("| rule | place | strategies whose tests fail |\n|---|---|---|")
    for rule in rules:
        mutant = MUTANTS[rule]
        found = _try(mutant)
        survived += not all(found.values())
        told = ", ".join(name if fails else f"**not {name}**" for name, fails in found.items())
        print(f"| {rule} | `{mutant.file}` | {told} |", flush=True)
    sys.exit(1 if survived else 0)


def _try(mutant: Mutant) -> Mapping[str, bool]:
    """Return for each strategy whether a test fails."""
    with tempfile.TemporaryDirectory(prefix="partwise-mutant-") as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(ROOT, copy, ignore=_NOT_COPIED)
        if _run(copy, *mutant.tests.values()) != _PASSED:
            sys.exit(f"The tests fail without the mutant: {' '.join(mutant.tests.values())}")
        path = copy / mutant.file
        text = path.read_text()
        if text.count(mutant.before) != 1:
            sys.exit(f"{mutant.file} does not contain this once: {mutant.before}")
        path.write_text(text.replace(mutant.before, mutant.after))
        return {name: _run(copy, test) == _FAILED for name, test in mutant.tests.items()}


def _run(checkout: Path, *tests: str) -> int:
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests)
    return subprocess.run(command, cwd=checkout, capture_output=True, check=False).returncode


if __name__ == "__main__":
    main()
