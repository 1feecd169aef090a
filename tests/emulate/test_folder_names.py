"""The firmware is built in whatever folder the clone is in; `make test-paths` does the same for set-up and demo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from long_form import first_of

ROOT = Path(__file__).parents[2]
NAMES = ("firmware", "host", "models", "tools", "broker", "platformio.ini", "pyproject.toml", ".venv")
BUILD = "from jaragua.emulate.image import build_image; print(build_image({!r}, 'sine'))"


@pytest.mark.board
@pytest.mark.parametrize("environment", first_of(["qemu_m4", "native"], 1))
def test_an_image_is_built_in_a_folder_with_spaces_and_an_umlaut(environment: str, tmp_path: Path) -> None:
    clone = tmp_path / "a b ü"  # one space: PlatformIO itself loses the second of two
    clone.mkdir()
    for name in NAMES:
        (clone / name).symlink_to(ROOT / name)
    command = [sys.executable, "-c", BUILD.format(environment)]
    done = subprocess.run(command, cwd=clone, capture_output=True, encoding="utf-8", timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    image = Path(done.stdout.splitlines()[-1])
    assert image.is_file()
    assert image.is_relative_to(clone)
    assert list(clone.glob(".pio/build/*/*.map")), "the linker wrote its map beside the image"
