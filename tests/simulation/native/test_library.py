"""C is built anew when its text or a header's changes, and not otherwise."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from jaragua.simulation.native import library

SOURCE = {"answer.c": '#include "number.h"\n\nint answer(void);\n\nint answer(void)\n{\n    return NUMBER;\n}\n'}


def answer(headers: Path, cache: Path) -> int:
    found: int = ctypes.CDLL(str(library.build(SOURCE, headers, cache, (), ()))).answer()
    return found


def test_a_changed_header_is_seen_in_the_same_process(tmp_path: Path) -> None:
    header, cache = tmp_path / "number.h", tmp_path / "cache"
    for number, changed_at in ((4, 1_000_000_000), (5, 1_000_000_001), (5, 1_000_000_002), (4, 1_000_000_003)):
        header.write_text(f"#define NUMBER {number}\n", encoding="utf-8")
        os.utime(header, (changed_at, changed_at))
        assert answer(tmp_path, cache) == number
    assert len(list(cache.glob("*.so"))) == 2
