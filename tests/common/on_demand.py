"""Programs beside a test that runs on demand, with patience for an emulated or a loaded machine."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from documents.blocks import Block, blocks

SECONDS = 3600.0


def block_of(page: Path, heading: str, language: str, place: int = 0) -> Block:
    """The block of that language and place below a heading of a page."""
    text = page.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [block for block in blocks(text) if block.language == language][place]


@contextlib.contextmanager
def running(words: Sequence[str | Path], ready: str, log: Path) -> Iterator[None]:
    """A program until the block ends; the block begins when its stderr has said that it is ready."""
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE, stdout=output, text=True)
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if ready in line:
                break
        else:
            raise AssertionError(f"{words} ended before it said {ready!r}: {''.join(said)}")
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=SECONDS)[1]
        assert process.returncode == 0, f"{words}: {''.join(said)}{rest}"
