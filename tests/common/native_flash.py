"""The native board with a file for its flash (docs/reference/keep.md)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limits import GENEROUS_S


@contextmanager
def native_board(flash: Path, image: Path) -> Iterator[str]:
    """Its URL; its power fails at the end."""
    command = [str(image), "--uid", "00" * 8, "--flash", str(flash)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGKILL)


def _is_kept(flash: Path, least_saves: int) -> bool:
    """Both slots begin with a header or with erased bytes; the generation is its second word (K2)."""
    data = flash.read_bytes()
    saves = [
        int.from_bytes(data[at + 4 : at + 8], "little") for at in (0, len(data) // 2) if data[at : at + 4] == b"JRKP"
    ]
    return max(saves, default=0) >= least_saves


async def until_kept(flash: Path, least_saves: int) -> None:
    """Until so many saves are in the file."""
    async with asyncio.timeout(GENEROUS_S):
        while not _is_kept(flash, least_saves):
            await asyncio.sleep(0.02)
