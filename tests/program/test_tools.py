"""What the tools say of the whole checkout: lint, format, types."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TOOLS = {
    "ruff finds nothing": ["ruff", "check", "--no-cache", "."],
    "the format is ruff's": ["ruff", "format", "--no-cache", "--check", "."],
    "the types are right, strictly": ["mypy"],
}


@pytest.mark.parametrize("arguments", TOOLS.values(), ids=TOOLS.keys())
def test_the_tools_are_content(arguments: list[str]):
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
