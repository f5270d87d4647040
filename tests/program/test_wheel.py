"""The wheel: one name outside, and it starts from anywhere."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import hatch_build
from tests.support.program import environment, serving

ROOT = Path(__file__).parents[2]
PAGES = {"graphql.html", "console.html", "LICENSES.md", "NOTICES.md"}


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


def test_the_wheel_carries_the_pages_and_their_licences(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"partwise/static/{name}" for name in PAGES} <= names
    assert any(name.startswith("partwise/static/page/console-") for name in names)
    assert not any(name.startswith("web/") or "node_modules" in name for name in names)


def test_an_sdist_carries_the_pages_and_needs_no_node(tmp_path: Path):
    hatch_build.build(ROOT)
    done = _hatchling("sdist", ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (root,) = (folder for folder in tmp_path.iterdir() if folder.is_dir())

    assert {path.name for path in (root / "partwise" / "static").iterdir()} >= PAGES
    assert hatch_build.is_fresh(root)
    assert not (root / "web" / "node_modules").exists()


def test_without_npms_registry_all_but_the_pages_is_built(tmp_path: Path):
    root, out = tmp_path / "checkout", tmp_path / "out"
    left_out = shutil.ignore_patterns(".git", ".venv", ".*_cache", "node_modules", "static", "build", "__pycache__")
    shutil.copytree(ROOT, root, ignore=left_out)
    unreachable = {
        "npm_config_registry": "http://127.0.0.1:9/",
        "npm_config_cache": str(tmp_path / "cache"),
        "npm_config_fetch_retry_mintimeout": "10",
    }
    done = _hatchling("wheel", root, out, **unreachable)

    assert done.returncode == 0, done.stderr
    assert "GraphiQL and the console are not built" in done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "partwise/server/pages.py" in names
    assert not any("static" in name for name in names)


def _hatchling(target: str, root: Path, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)],
        cwd=root,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_wheel_starts_in_a_fresh_environment_from_another_folder(
    wheel: Path, tmp_path: Path, port: int
):  # the fixture
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    install = [str(home / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, env=environment())
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    with serving([], folder, command=[str(home / "bin/partwise")], port=port) as program:
        answer = program.post("{ products(first: 1) { totalCount } }")
        page = program.get("/console")

    assert answer["data"]["products"]["totalCount"] > 100
    assert "<title>Console · Partwise</title>" in page


def test_no_installed_distribution_claims_our_names():
    claimed = packages_distributions()

    assert not {"schema", "resolvers", "storage"} & set(claimed)
