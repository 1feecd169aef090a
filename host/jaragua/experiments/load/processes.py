"""Processes of a load measurement: started, told to go on by a line, and read line by line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def started(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process of this package, ready; ended with the block."""
    command = [sys.executable, "-m", f"jaragua.experiments.load.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            if line_of(process) != "ready":
                raise SystemExit(f"{module} did not start")
            yield process
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    return "" if process.stdout is None else process.stdout.readline().strip()


def say_to(process: subprocess.Popen[str]) -> None:
    """An empty line."""
    if process.stdin is not None:
        process.stdin.write("\n")
        process.stdin.flush()
