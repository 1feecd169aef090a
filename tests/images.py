"""Images of boards, built once in a test run: nothing they are made from changes meanwhile.

PlatformIO takes seconds of processor time to find that an image is up to date.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from jaragua.emulate import build_image
from run_folder import run_folder


def built_image(environment: str, model: str = "digits", accumulate: bool = False, prototypes: int = 0) -> Path:
    """The image as build_image returns it, built by the first test of the run that asks for it."""
    built = run_folder() / f"{environment}-{model}-{accumulate}-{prototypes}"
    with built.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            built.write_text(str(build_image(environment, model, accumulate, prototypes)))
    return Path(built.read_text())
