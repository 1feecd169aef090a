"""The layers that docs/design/architecture.md draws are the contracts that `make lint` checks."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "design" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda one: one["name"].partition(":")[0])
def test_the_page_draws_the_layers_of_each_contract(contract: dict[str, list[str]]) -> None:
    assert "```\n" + "\n".join(contract["layers"]) + "\n```\n" in PAGE


@pytest.mark.parametrize("contract", CONTRACTS[1:], ids=lambda one: one["name"].partition(":")[0])
def test_the_page_has_a_line_for_every_room(contract: dict[str, list[str]]) -> None:
    rooms = [room for layer in contract["layers"] for room in layer.split(" | ")]
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    missing = [room for room in rooms if not any(f"{room}/`" in row or f"{room}.py`" in row for row in rows)]
    assert set(missing) <= {"errors", "command_line"}


def test_an_import_that_goes_up_breaks_a_contract(tmp_path: Path) -> None:
    """The check can fail: a package whose lower room imports the upper one."""
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "upper.py").write_text("")
    (package / "lower.py").write_text("import house.upper\n")
    contract = "[[tool.importlinter.contracts]]\nname = 'x'\ntype = 'layers'\nlayers = ['house.upper', 'house.lower']\n"
    (tmp_path / "pyproject.toml").write_text("[tool.importlinter]\nroot_package = 'house'\n" + contract)
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert "house.lower is not allowed to import house.upper" in done.stdout
