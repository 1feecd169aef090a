"""How the C library hands out memory, for processes that run for weeks."""

from __future__ import annotations

import ctypes
from typing import Final

#: glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD (malloc.h), and their values in bytes.
_MMAP_THRESHOLD: Final = (-3, 1 << 16)
_TRIM_THRESHOLD: Final = (-1, 1 << 26)


def map_large_blocks() -> bool:
    """Blocks of 64 KiB and more are mapped by themselves, and given back when they are freed (R20.6).

    glibc begins with 128 KiB, and raises that to the size of each mapped block that is freed, up to 32 MiB. From then
    on a group of updates lies in the heap, and leaves holes there, which small blocks that live for a round divide. Up
    to 64 MiB at the end of the heap stay, or each round would give them back and ask for them again.

    Returns: False where the C library has no such setting (musl, macOS, Windows); nothing changes there.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # TypeError: Windows has no library without a name
        return False
    done = [mallopt(*setting) for setting in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    return all(done)
