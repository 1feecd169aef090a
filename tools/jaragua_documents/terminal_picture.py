"""`python -m jaragua_documents.terminal_picture`: docs/images/terminal.svg, the monitor's interface beside a gateway.

A broker, a gateway with two native boards and a coordinator run for some rounds; the interface watches the gateway. The
picture is what textual exports, without the fonts that it would load from elsewhere.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from jaragua.emulate import EmulatedFleet, build_image
from jaragua.monitor.filters import filter_of
from jaragua.monitor.session import Watching
from jaragua.monitor.terminal.app import MonitorApp
from jaragua_broker import Broker

PICTURE: Final = Path(__file__).parents[2] / "docs" / "images" / "terminal.svg"
_SIZE: Final = (124, 34)
_SECONDS: Final = 180.0
_ROUNDS: Final = 8
_RUN: Final = """
[run]
seed = 3
rounds = {rounds}
fleet = "home"
directory = "{folder}/run"
[model]
name = "digits"
[strategy]
clients_per_round = 2
[client]
ways = 5
shots = 8
passes = 2
learning_rate = 0.1
[broker]
url = "{url}"
[devices]
minimum = 2
"""


def main() -> None:
    """Makes the picture."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jrg-")))
        url = stack.enter_context(Broker()).url
        boards = stack.enter_context(EmulatedFleet(build_image("native", "digits"), 2, links=folder))
        (folder / "run.toml").write_text(_RUN.format(rounds=_ROUNDS, folder=folder, url=url), encoding="utf-8")
        ports = [word for port in boards.urls for word in ("--port", port)]
        gateway = ["gateway", "--broker", url, "--fleet", "home", "--node", "gw", "--data-dir", str(folder), *ports]
        stack.enter_context(_Verb(gateway))
        picture = asyncio.run(_watch(boards.urls, ["run", str(folder / "run.toml")]))
    PICTURE.write_text(without_fonts(picture).replace(str(folder), "/dev"), encoding="utf-8")
    print(PICTURE)


class _Verb:
    """A verb as a process of its own, which ends with the block."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    def __enter__(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "jaragua.cli.main", *self._words]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self._process

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait()


async def _watch(ports: Sequence[str], run: Sequence[str]) -> str:
    app = MonitorApp(ports, Watching(), filter_of([], ["status,blob-state,job-state"], "debug", ""))
    async with asyncio.timeout(_SECONDS), app.run_test(size=_SIZE) as pilot:
        while not all(panel.identity for panel in app.panels):
            await pilot.pause(0.05)
        with _Verb(run):
            while not all(any(one.get("round") == _ROUNDS - 1 for one in panel.rounds) for panel in app.panels):
                await pilot.pause(0.05)
        await pilot.press("h", "e", "a", "l", "t", "h", "minus")
        await pilot.pause(0.2)
        return app.export_screenshot(title="jaragua monitor --tui")


def without_fonts(svg: str) -> str:
    """A picture that loads nothing from elsewhere: the reader's own fixed-width font is taken."""
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "monospace")


if __name__ == "__main__":
    main()
