"""Processes that end with the block in which a test needs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

#: Parts of the command lines of what this project starts.
OWN_PROGRAMS = ("qemu-system-arm", "mosquitto", "jaragua", "bin/postgres -D")


@contextlib.asynccontextmanager
async def process_of(
    *command: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, with its standard error to read. environment: None for that of the test."""
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def own_programs(commands: Iterable[str], root: Path) -> list[str]:
    """Command lines of OWN_PROGRAMS. root: of the clone, whose name says nothing of a program in it.

    Python's own helpers (multiprocessing's resource tracker) run with the clone's interpreter until a worker ends.
    """
    return [command for command in commands if any(name in command.replace(str(root), "") for name in OWN_PROGRAMS)]


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended and that nobody has waited for is a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
