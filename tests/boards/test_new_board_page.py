"""docs/how-to/new-board.md: a board is added to a copy of the project by its steps, and its image builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.on_demand import block_of
from jaragua.emulate import build_engine
from jaragua.emulate.elf import Image

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "new-board.md"
#: What the generator and a build need of the project.
NEEDED = ("host", "tools", "models", "broker", "firmware", "docs", "platformio.ini", "pyproject.toml", "README.md")
BOARD = "disco_f407vg"


def test_the_page_is_a_page() -> None:
    assert len(PAGE.read_text(encoding="utf-8").split()) <= 600


@pytest.mark.cross
@pytest.mark.skipif(os.environ.get("JARAGUA_ALL_BOARDS") != "1", reason="A BUILD IN A COPY: `make boards` runs it")
def test_a_board_is_added_by_the_steps_of_the_page(tmp_path: Path) -> None:
    """Steps 1 to 5."""
    copy_project(tmp_path)
    add(tmp_path / "host/jaragua/boards/environments.toml", block_of(PAGE, "1. The table of boards", "toml").body)
    add(tmp_path / "platformio.ini", block_of(PAGE, "2. PlatformIO", "ini").body)
    header = tmp_path / "firmware/ports/stm32" / BOARD / "jrg_board.h"
    header.parent.mkdir()
    header.write_text(block_of(PAGE, "3. A chip that exists: one header", "c").body, encoding="utf-8")
    run(tmp_path, "-m", "jaragua_documents")
    assert (tmp_path / "tools/platform/boards" / f"{BOARD}.json").is_file()
    assert f"`{BOARD}`" in (tmp_path / "docs/how-to/flash-a-board.md").read_text(encoding="utf-8")
    run(tmp_path, "-m", "platformio", "run", "-e", BOARD)
    symbols = Image(tmp_path / ".pio/build" / BOARD / "firmware.elf")
    assert symbols.text_at("jrg_port_board_name") == BOARD
    assert symbols.address("jrg_port_keep_start") == 0x080C0000


def copy_project(folder: Path) -> None:
    """Tracked files as they are now. The environment is the clone's: nothing is installed."""
    listed = subprocess.run(["git", "ls-files", "-z", *NEEDED], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    build_engine.ensure(ROOT)
    (folder / "core").mkdir()
    (folder / "core" / "packages").symlink_to(build_engine.core_folder(ROOT) / "packages")


def add(path: Path, text: str) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")


def run(folder: Path, *words: str) -> None:
    """A program of Python with the copy's sources in place of the clone's."""
    sources = os.pathsep.join(str(folder / name) for name in ("host", "tools", "models", "broker"))
    # PlatformIO keeps there which folder `platform` of platformio.ini is.
    core = {"PLATFORMIO_CORE_DIR": str(folder / "core")}
    environment = {**os.environ, "PYTHONPATH": sources, **core}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
