"""The code generators of docs/clients.md: what they make of the printed schema and of a server's, and what its types refuse."""

import fcntl
import filecmp
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.generated import DOCUMENTS, PARTS_OF, PRINTED, copy_clients, generate
from tests.support.node import CLIENTS, node
from tests.support.orders import Orders, serving_orders

COMPILER = ("--strict", "--noEmit", "--pretty", "false")

EXPECTED = "// @ts-expect-error "
WRONG_PARTS = 8  # in wrong-parts.ts
NOT_REFUSED = {"gql.tada": ["two resources"]}  # its type of a @oneOf input is a plain union

ARIADNE = "ariadne-codegen==0.19.0"  # needs graphql-core 3.2, so it has an environment of its own


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orders]:
    with serving_orders(tmp_path_factory.mktemp("orders")) as served:
        yield served


def test_a_server_gives_the_types_that_the_printed_schema_gives(orders: Orders, workshop: Path, tmp_path: Path):
    """Of graphql-codegen and gql.tada; relay-compiler reads schema files only."""
    folder = copy_clients(tmp_path / "clients")
    generate(folder, orders.url)

    compared = filecmp.dircmp(workshop / "generated", folder / "generated")
    assert {*compared.same_files} == {"gql.ts", "graphql.ts", "index.ts", "schema.ts"}
    assert (compared.diff_files, compared.left_only, compared.right_only) == (["tada.d.ts"], [], [])
    # gql.tada keeps the order of what it is given; what is printed is sorted, what a server gives is not.
    printed, given = (_types(each / "generated" / "tada.d.ts") for each in (workshop, folder))
    assert given == printed
    assert len(given) > len(DOCUMENTS)


def test_the_clients_and_what_is_generated_compile_strictly(workshop: Path):
    done = node("node_modules/.bin/tsc", *COMPILER, folder=workshop)

    assert (done.returncode, done.stdout) == (0, "")


def test_a_wrong_part_is_a_compile_error(workshop: Path):
    """With the comments that expect them, the errors are accepted; without, each is at its line."""
    folder = workshop / "parts"
    folder.mkdir()
    (folder / "tsconfig.json").write_text('{ "extends": "../tsconfig.json", "include": ["*.ts"] }')
    expected = set()
    for generator in PARTS_OF:
        lines = _parts_for(generator)
        name = generator.replace(".", "-")
        (folder / f"accepted-{name}.ts").write_text("\n".join(lines))
        (folder / f"refused-{name}.ts").write_text("\n".join("" if EXPECTED in line else line for line in lines))
        expected |= {(f"refused-{name}.ts", number + 2) for number, line in enumerate(lines) if EXPECTED in line}
    assert len(expected) == len(PARTS_OF) * WRONG_PARTS - sum(map(len, NOT_REFUSED.values()))

    done = node("../node_modules/.bin/tsc", *COMPILER, folder=folder)

    found = re.findall(r"^([\w-]+\.ts)\((\d+),\d+\): error", done.stdout, re.MULTILINE)
    assert {(file, int(line)) for file, line in found} == expected, done.stdout


def _parts_for(generator: str) -> list[str]:
    """The lines of wrong-parts.ts with this generator's types, and without what these do not refuse."""
    text = (CLIENTS / "wrong-parts.ts").read_text().replace(PARTS_OF["graphql-codegen"], f".{PARTS_OF[generator]}")
    for case in NOT_REFUSED.get(generator, []):
        text, left_out = re.subn(rf"^ *{EXPECTED}{case}\n.*\n", "", text, flags=re.MULTILINE)
        assert left_out == 1
    return text.splitlines()


@pytest.mark.costly
def test_ariadne_codegen_makes_a_client_with_types_that_works(orders: Orders, workshop: Path, tmp_path: Path):
    for name in (PRINTED, DOCUMENTS, "with_ariadne.py"):
        (tmp_path / name).write_text((workshop / name).read_text())
    configured = (CLIENTS / "ariadne.toml").read_text()
    (tmp_path / "printed.toml").write_text(configured)
    of_the_server = configured.replace(
        f'schema_path = "{PRINTED}"', f'remote_schema_url = "{orders.url}"\nintrospection_descriptions = true'
    )
    (tmp_path / "live.toml").write_text(of_the_server.replace("order_client", "live_client"))
    python = _ariadne()

    for configuration in ("printed.toml", "live.toml"):
        _run(tmp_path, python, "-m", "ariadne_codegen", "--config", configuration)
    _run(
        tmp_path,
        *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", python),
        *("order_client", "with_ariadne.py"),
    )
    paid = _run(tmp_path, python, "with_ariadne.py", orders.url, "1")
    again = _run(tmp_path, python, "-c", _STALE, orders.url, "1")

    assert _lines(tmp_path / "order_client") == _lines(tmp_path / "live_client")
    assert paid == "COMMITTED: /orders/1 is PAID"
    assert again == "412 PRECONDITION_FAILED /ifMatch [] 2\n"
    assert orders.rows(1)["orders"] == [("PAID", 2)]


_STALE = """
import sys
from order_client import BatchItemInput, Client, Operation, OrderInput, OrderStatus, PartInput

item = BatchItemInput(order=OrderInput(status=OrderStatus.CANCELLED))
part = PartInput(id="p", path="/orders/" + sys.argv[2], operation=Operation.UPDATE, if_match=["1"], item=item)
(result,) = Client(url=sys.argv[1]).save(parts=[part]).batch.parts
(error,) = result.errors
print(result.status, error.code.value, error.pointer, error.attributes, result.item.etag)
"""


def _types(declarations: Path) -> list[list[str]]:
    """The words of each type, which is a line, sorted."""
    return sorted(sorted(re.findall(r"\w+", line)) for line in declarations.read_text().splitlines())


def _lines(package: Path) -> dict[str, list[str]]:
    """The lines of each module, sorted: a server's types come in another order."""
    return {module.name: sorted(module.read_text().splitlines()) for module in package.glob("*.py")}


def _ariadne() -> str:
    """The Python of its environment, which is made the first time."""
    folder = CLIENTS / f".{ARIADNE}"
    with (CLIENTS / ".ariadne-codegen.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = folder / "bin" / "python"
        if not (folder / "made").exists():
            venv.create(folder, with_pip=True, clear=True)
            _run(CLIENTS, str(python), "-m", "pip", "install", "--quiet", ARIADNE)
            (folder / "made").touch()
    return str(python)


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
