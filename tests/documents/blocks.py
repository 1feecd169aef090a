"""Fenced blocks of the pages, and how their commands are run.

The blocks of a page are one story: they run in its order, in one folder. A comment in the line above a block says more:
`<!-- file: NAME -->` writes the block into that file; `<!-- not run: REASON -->` leaves it out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Blocks of these languages are run, or carry the reason why not.
COMMANDS = ("sh", "console", "python")
#: Seconds that one block may take on a machine with other work.
LIMIT = 240

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\s*$")
_MARK = re.compile(r"^<!-- (?P<kind>file|not run):(?P<note>.*)-->$")
_PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    """One fenced block. mark: "file", "not run" or ""; note: the name or the reason; line: of its opening fence."""

    line: int
    language: str
    mark: str
    note: str
    body: str

    @property
    def is_run(self) -> bool:
        return self.language in COMMANDS and not self.mark


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in their order."""
    lines = text.splitlines()
    start = 0
    while start < len(lines):
        fence = _FENCE.match(lines[start])
        if fence is None:
            start += 1
            continue
        end = next(place for place in range(start + 1, len(lines)) if lines[place].strip() == "```")
        body = "\n".join(line.removeprefix(fence["indent"]) for line in lines[start + 1 : end])
        kind, note = _mark_above(lines[:start])
        yield Block(start + 1, fence["language"], kind, note, body)
        start = end + 1


def _mark_above(lines: list[str]) -> tuple[str, str]:
    above = next((line.strip() for line in reversed(lines) if line.strip()), "")
    mark = _MARK.match(above)
    return (mark["kind"], mark["note"].strip()) if mark else ("", "")


def run_all(found: list[Block], folder: Path, program: str = sys.executable, **variables: str) -> None:
    """Write the files and run the commands of a page's blocks. Raises: AssertionError with what went wrong.

    program: the Python of the environment with `jaragua`. variables: those of the process, unless given.
    """
    for block in found:
        if block.mark == "file":
            (folder / block.note).write_text(block.body + "\n", encoding="utf-8")
        elif block.is_run:
            _run(block, folder, program, variables or dict(os.environ))


def _run(block: Block, folder: Path, program: str, variables: Mapping[str, str]) -> None:
    if block.language == "python":
        words = [program, "-c", block.body]
    else:
        words = ["bash", "-e", "-o", "pipefail", "-c", _script(block)]
    path = os.pathsep.join((str(Path(program).parent), variables["PATH"]))
    done = subprocess.run(
        words,
        cwd=folder,
        env=dict(variables) | {"PATH": path, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, f"line {block.line}:\n{block.body}\n{done.stdout}\n{done.stderr}"
    missing = _missing(_promised(block), done.stdout)
    assert not missing, f"line {block.line}: not printed: {missing}\n{done.stdout}"


def _script(block: Block) -> str:
    if block.language == "sh":
        return block.body
    return "\n".join(line.removeprefix(_PROMPT) for line in block.body.splitlines() if line.startswith(_PROMPT))


def _promised(block: Block) -> list[str]:
    """The lines of output that a console block shows; … stands for any text."""
    if block.language != "console":
        return []
    return [line for line in block.body.splitlines() if line.strip() and not line.startswith(_PROMPT)]


def _missing(promised: list[str], printed: str) -> str:
    """The first promised line that does not come in its turn, or ""."""
    lines = iter(printed.splitlines())
    for wanted in promised:
        pattern = ".*".join(re.escape(part) for part in wanted.strip().split("…"))
        if not any(re.fullmatch(pattern, line.strip()) for line in lines):
            return wanted
    return ""
