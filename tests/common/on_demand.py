"""For tests that run on demand: programs beside them, blocks of a page, and how this machine's pip reaches its index.

`python -m common.on_demand FILE` writes a pip.conf for a system that is made on this machine.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from documents.blocks import Block, blocks

#: An emulated or a loaded machine takes long.
SECONDS = 3600.0
#: The certificates of a Debian system, below its root.
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
_KEYS = ("index-url", "proxy", "trusted-host", "timeout")


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


def pip_configuration() -> str:
    """Text of a pip.conf, with the certificates where Debian has them."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    said = dict(line.partition("=")[::2] for line in listed.stdout.splitlines())
    found = {name.partition(".")[2]: value.strip("'\"") for name, value in said.items()}
    kept = {name: found[name] for name in _KEYS if name in found} | {"cert": f"/{CERTIFICATES}"}
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in kept.items())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(pip_configuration(), encoding="utf-8")
