"""The wheel: one name outside, and it starts from anywhere."""

import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.program import environment, serving
from tests.test_program import port  # noqa: F401  # a fixture

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_owns_one_name_only(wheel: Path):
    names = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {name for name in names if not name.endswith(".dist-info")} == {"partwise"}


def test_the_wheel_starts_in_a_fresh_environment_from_another_folder(wheel: Path, tmp_path: Path, port: int):  # noqa: F811  # the fixture
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    install = [str(home / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, env=environment())
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    with serving([], folder, command=[str(home / "bin/partwise")], port=port) as program:
        answer = program.post("{ products(first: 1) { totalCount } }")

    assert answer["data"]["products"]["totalCount"] > 100


def test_no_installed_distribution_claims_our_names():
    claimed = packages_distributions()

    assert not {"schema", "resolvers", "storage"} & set(claimed)
