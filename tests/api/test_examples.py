"""The scripts and the notebook of examples/ run, each in an empty folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from images import built_image

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
#: Seconds that one may take on a machine with other work.
LIMIT = 120

#: What a notebook does with its cells: one namespace, and the value of a last expression is shown, as HTML or picture.
RUNNER = """
import ast, json, sys

names = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] != "code":
        continue
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, cell["id"], "exec"), names)
    value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names) if last else None
    if value is not None:
        print(repr(value))
        for form in ("_repr_html_", "_repr_png_"):
            if hasattr(value, form):
                print(form, len(getattr(value, form)() or ""))
"""


def run(folder: Path, *words: str | Path) -> str:
    """What it prints."""
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_three_scripts_and_a_notebook() -> None:
    assert [path.name for path in SCRIPTS] == ["compare_strategies.py", "own_data.py", "own_strategy.py"]
    assert [path.name for path in NOTEBOOKS] == ["from_task_to_board.ipynb"]


def test_two_strategies_are_compared_in_a_picture(tmp_path: Path) -> None:
    printed = run(tmp_path, EXAMPLES / "compare_strategies.py", "12")
    assert "12 rounds of fedavg" in printed
    assert "95 % interval" in printed
    assert (tmp_path / "compare_strategies.svg").stat().st_size > 5000


def test_a_table_becomes_c_that_passes_its_own_test(tmp_path: Path) -> None:
    printed = run(tmp_path, EXAMPLES / "own_data.py")
    assert "written to valves-nano33ble" in printed
    folder = tmp_path / "valves-nano33ble"
    assert json.loads((folder / "jaragua.json").read_text(encoding="utf-8"))["weights"] == "start"
    flags = ("-std=c99", "-O1", "-DVALVES_SELFTEST_MAIN")
    subprocess.run(["cc", *flags, *folder.glob("*.c"), "-o", folder / "selftest"], check=True)
    subprocess.run([folder / "selftest"], check=True, stdout=subprocess.DEVNULL)


def test_a_strategy_of_ones_own_is_compared_over_seeds(tmp_path: Path) -> None:
    printed = run(tmp_path, EXAMPLES / "own_strategy.py")
    assert [line.split(":")[0] for line in printed.splitlines()] == ["seed 1", "seed 2", "seed 3"]


@pytest.mark.board
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: str(path.name))
def test_the_cells_of_a_notebook_run_in_order(notebook: Path, tmp_path: Path) -> None:
    built_image("qemu_m4", "digits")
    printed = run(tmp_path, "-c", RUNNER, notebook)
    assert "_repr_png_" in printed
    assert "instructions a sample" in printed
    assert "'layers.1.weight': (10, 32)" in printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: str(path.name))
def test_a_notebook_is_stored_without_outputs(notebook: Path) -> None:
    content: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    codes = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in codes)
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
