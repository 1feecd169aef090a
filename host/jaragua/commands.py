"""How to type, on this machine, the programs that hints name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def pio() -> str:
    """PlatformIO: `pio` if a shell would find it, else where it lies beside this Python (`make` sets it up there)."""
    beside = Path(sys.executable).with_name("pio")
    if shutil.which("pio") or not beside.exists():
        return "pio"
    here = Path.cwd()
    return str(beside.relative_to(here) if beside.is_relative_to(here) else beside)
