"""From an empty environment and the wheel to a learning result, and from a table to a board (`make test-wheel`).

Installs the wheel of this tree with pip into an empty environment, with an empty home and far from the repository, and
measures the seconds of each step. Then it follows README and the tutorials. Ends with an error if a step fails or a
road takes longer than promised.
"""

from __future__ import annotations

import json
import sys
import time
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from documents.blocks import blocks, run_all
from wheel.wheels import ROOT, Road, build_wheel, empty_environment

#: Bars: the first learning result, and from a table to an emulated board.
FIRST_RESULT_SECONDS = 300.0
TABLE_TO_BOARD_SECONDS = 600.0
_ROUNDS = 5


def first_result(road: Road, jaragua: Path) -> None:
    """A project of one's own learns on simulated devices."""
    road.step("jaragua new", [jaragua, "new", "plant"])
    words = ["simulate", "--task", "plant/plant.toml", "--save", "plant.safetensors", "--json"]
    found = json.loads(road.step("jaragua simulate", [jaragua, *words]))["data"]
    assert found["accuracy_mean"] > 0.7, found["accuracy_mean"]  # of three classes


def to_a_board(road: Road, jaragua: Path) -> None:
    """Each answer of the emulated board is compared with the simulator's; then C for a product."""
    task = str(road.folder / "plant" / "plant.toml")
    road.step("jaragua data", [jaragua, "data", task])
    checked = ["emulate", "--model", task, "--start", "plant.safetensors", "--check"]
    said = road.step("jaragua emulate --check", [jaragua, *checked])
    assert "the board's answers equal the simulator's" in said, said
    board = ["--board", "nano33ble", "--start", "plant.safetensors", "--out", "plant-c"]
    road.step("jaragua compile", [jaragua, "compile", task, *board])


def demonstrate(road: Road, jaragua: Path) -> None:
    """A short one: two boards and a client learn; a board that nobody has seen adapts."""
    words = ["demo", "--rounds", str(_ROUNDS), "--boards", "2", "--tasks", "4", "--directory", "run", "--json"]
    found = json.loads(road.step("jaragua demo", [jaragua, *words]))["data"]
    held_out = found["held_out"]
    assert all(device["updates"] == _ROUNDS for device in found["devices"]), found["devices"]
    assert held_out["accuracy_after"] > held_out["accuracy_before"] + 0.2, held_out


def follow_tutorials(road: Road, environment: Path) -> None:
    """Each tutorial, and README, word for word, in a folder of its own."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md"))):
        folder = road.folder / page.stem
        folder.mkdir()
        found = list(blocks(page.read_text(encoding="utf-8")))
        began = time.monotonic()
        run_all(found, folder, str(environment / "bin" / "python"), **road.variables)
        print(f"{time.monotonic() - began:7.1f} s  {page.relative_to(ROOT)}", flush=True)


def main() -> int:
    """Returns the exit code."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build_wheel(folder / "dist")
        (folder / "work").mkdir()
        road = Road(folder / "work", empty_environment(folder / "home"))
        venv.create(folder / "env", with_pip=True)
        road.step("pip install jaragua", [folder / "env/bin/pip", "install", "--quiet", "--no-input", wheel])
        jaragua = folder / "env/bin/jaragua"
        first_result(road, jaragua)
        first = road.total
        to_a_board(road, jaragua)
        table = road.total
        demonstrate(road, jaragua)
        follow_tutorials(road, folder / "env")
        assert not list((folder / "env").rglob(".pio")), "images are built in the cache, not in site-packages"
    print(f"first learning result after {first:.0f} s of {FIRST_RESULT_SECONDS:.0f}")
    print(f"from a table to an emulated board in {table:.0f} s of {TABLE_TO_BOARD_SECONDS:.0f}, with the installation")
    return 0 if first < FIRST_RESULT_SECONDS and table < TABLE_TO_BOARD_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
