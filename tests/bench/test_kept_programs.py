"""What is unchanged is compiled once: by the bench, by its tests, and by two programs of one model."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from jaragua_bench.emulated import board, toolchain
from jaragua_compiler import Plan

pytestmark = pytest.mark.board


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return toolchain.cache_folder()


def _kinds(folder: Path) -> dict[str, int]:
    return dict(Counter(path.suffix for path in folder.iterdir()))


def test_the_two_programs_of_a_footprint_share_their_objects(kept: Path, mlp_plan: Plan) -> None:
    """The board, the main file that does nothing, the model: each compiled once, linked twice."""
    sizes = board.footprint(mlp_plan)
    assert _kinds(kept) == {".o": 3, ".elf": 2}
    built = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert board.footprint(mlp_plan) == sizes
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == built


def test_another_model_flag_or_header_is_compiled_anew(kept: Path, tmp_path: Path) -> None:
    main, header = tmp_path / "main.c", tmp_path / "value.h"
    main.write_text('#include "value.h"\nint main(void)\n{\n    return VALUE;\n}\n')
    header.write_text("#define VALUE 1\n")
    files = (toolchain.bench_folder() / "bench_board.c", main)
    program = toolchain.Program(files, (toolchain.bench_folder(), tmp_path), toolchain.c_flags(toolchain.CORTEX_M4))
    found = {toolchain.build(program)}
    main.write_text(main.read_text() + "\n")
    found.add(toolchain.build(program))
    found.add(toolchain.build(replace(program, flags=(*program.flags, "-DOTHER"))))
    assert _kinds(kept) == {".o": 2 + 1 + 2, ".elf": 3}
    header.write_text("#define VALUE 2\n")
    found.add(toolchain.build(program))
    assert _kinds(kept) == {".o": 5 + 2, ".elf": 4}
    assert len(found) == 4
    assert all(os.access(elf, os.X_OK) for elf in found)
