"""PlatformIO's output as a few lines for a person. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_COMPILED: Final = re.compile(r"^(Compiling|Archiving|Indexing|Generating|Building) ")
_MEMORY: Final = re.compile(r"^(RAM|Flash): +\[.*\] +([\d.]+)% \(used (\d+) bytes from (\d+) bytes\)")
_TOLD: Final = re.compile(r"^(Linking|Uploading|Downloading|Tool Manager|Platform Manager|Error|.*\berror\b)", re.I)
_WARNING: Final = re.compile(r"\bwarning:", re.I)


class BuildLog:
    """Takes each line of the output; tells what matters with `say`. `files`: that were compiled."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told_compiling = False
        self.files = 0

    def __call__(self, line: str) -> None:
        """One line, without its end."""
        if _COMPILED.match(line):
            self.files += 1
            if not self._told_compiling:
                self._told_compiling = True
                self._say("compiling")
        elif memory := _MEMORY.match(line):
            name, share, used, there = memory.groups()
            self._say(f"{name}: {int(used):,} of {int(there):,} bytes ({share} %)")
        elif _TOLD.match(line) or _WARNING.search(line):
            self._say(_short(line))


def _short(line: str) -> str:
    """Without the folder of the build."""
    return re.sub(r"\S*\.pio/build/", "", line.strip())
