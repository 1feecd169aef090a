"""Builds the wheel of this tree, and runs what it holds far from the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Where Debian has programs and daemons; the environment of the tests (`.venv`) is not in it.
SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
#: How pip reaches its index, and how long a loaded machine may take: a user has them in the environment, too.
_KEPT = ("PIP_", "JARAGUA_BOARD_PATIENCE", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


def build_wheel(folder: Path) -> Path:
    """With the build back end of pyproject.toml, without an environment of its own."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def empty_environment(home: Path, **more: str) -> dict[str, str]:
    """Variables of a new user: an empty home, Debian's PATH, nothing of this process."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    return kept | {"HOME": str(home), "PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"} | more


def run(words: Sequence[str | Path], folder: Path, variables: Mapping[str, str], seconds: float) -> str:
    """What a command prints on stdout. AssertionError, with all it said, if it fails."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=dict(variables),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass
class Road:
    """Steps of one user, with the wall time of each."""

    folder: Path
    variables: dict[str, str]
    seconds_per_step: float = 900.0
    steps: list[tuple[str, float]] = field(default_factory=list)

    def step(self, name: str, words: Sequence[str | Path]) -> str:
        """Run a command; its output."""
        began = time.monotonic()
        said = run(words, self.folder, self.variables, self.seconds_per_step)
        self.steps.append((name, time.monotonic() - began))
        print(f"{self.steps[-1][1]:7.1f} s  {name}", flush=True)
        return said

    @property
    def total(self) -> float:
        """Seconds of all steps so far."""
        return sum(seconds for _, seconds in self.steps)
