"""The firmware's C unit tests (firmware/test/): link L1 to L3, node L4, SHA-256."""

from __future__ import annotations

import re
import subprocess

import pytest
from firmware_builds import TESTS, CPrograms


def _test_names(pattern: str) -> list[str]:
    return sorted(
        name for file in TESTS.glob(pattern) for name in re.findall(r"^TEST\((\w+)\)", file.read_text(), re.M)
    )


@pytest.mark.parametrize("name", _test_names("test_*.c"))
def test_c_unit(c_programs: CPrograms, name: str) -> None:
    """Each carries the number of the rule it tests in its name."""
    done = subprocess.run([c_programs.tests, name], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", _test_names("one_buffer/test_*.c"))
def test_c_unit_of_a_board_with_one_buffer(c_programs: CPrograms, name: str) -> None:
    """L4.3 where two buffers do not fit."""
    done = subprocess.run([c_programs.one_buffer, name], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
