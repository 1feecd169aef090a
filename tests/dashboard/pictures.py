"""`make pictures`: the pictures of dashboard and report in these documents, of a real fleet over a real broker.

Three native boards behind a gateway and a Pi client train for some rounds, and adapt to held-out tasks afterwards.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from browsers import Watched, chromium
from jaragua.emulate import EmulatedFleet, build_image
from jaragua_broker import Broker

IMAGES = Path(__file__).parents[2] / "docs" / "images"
#: A picture in the documents is smaller than this.
MOST_BYTES = 200_000
_SECONDS = 240.0
_BOARDS = ("board-1", "board-2", "board-3")
_RUN = """
[run]
name = "digits"
rounds = 40
fleet = "home"
directory = "{folder}"
[model]
name = "digits"
[strategy]
clients_per_round = 4
[broker]
url = "{url}"
[devices]
minimum = 4
"""


def jaragua(*words: str) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "jaragua.cli.main", *words]


@contextmanager
def at_work(*words: str, said: Any = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with the block."""
    process = subprocess.Popen(jaragua(*words), stderr=said, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_SECONDS)


@contextmanager
def live_dashboard(folder: Path, url: str) -> Iterator[str]:
    """The address of a dashboard of broker and folder."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        with at_work("dashboard", str(folder), "--broker", url, "--port", "0", said=said) as process:
            deadline = time.monotonic() + _SECONDS
            while time.monotonic() < deadline and process.poll() is None:
                said.seek(0)
                address = next((line for line in said if line.startswith("dashboard: ")), "")
                if address:
                    yield address.removeprefix("dashboard: ").strip()
                    return
                time.sleep(0.1)
        raise TimeoutError("the dashboard did not begin")


def fleet_run(folder: Path) -> bytes:
    """A picture of the dashboard beside a fleet that has trained and adapted."""
    with Broker() as broker, ExitStack() as stack:
        path = folder / "digits.toml"
        path.write_text(_RUN.format(folder=folder / "digits", url=broker.url), encoding="utf-8")
        boards = stack.enter_context(EmulatedFleet(build_image("native", "digits"), len(_BOARDS)))
        where = ("--broker", broker.url, "--fleet", "home", "--model", "digits")
        ports = [word for port in boards.urls for word in ("--port", port)]
        names = [word for name in _BOARDS for word in ("--id", name)]
        for node, words in (("gateway-1", ["gateway", *ports, *names]), ("pi-1", ["client"])):
            stack.enter_context(at_work(*words, *where, "--node", node, "--data-dir", str(folder / node)))
        subprocess.run(jaragua("run", str(path)), check=True, timeout=_SECONDS, stdout=subprocess.DEVNULL)
        with live_dashboard(folder / "digits", broker.url) as address, chromium() as browser:
            watched = Watched(browser, width=1180, height=1230)
            watched.page.goto(address)
            subprocess.run(jaragua("evaluate", str(folder / "digits"), "--tasks", "6"), check=True, timeout=_SECONDS)
            watched.page.wait_for_function("document.body.innerText.match(/pi-1\\s+6\\s/)", timeout=1000 * _SECONDS)
            return bytes(watched.page.screenshot())


def report_page(folder: Path) -> bytes:
    """A picture of the report of a simulation."""
    words = ("--rounds", "150", "--set", "evaluation.tasks=60", "--directory", str(folder / "simulated"))
    subprocess.run(
        jaragua("simulate", "--task", "digits", *words, "--set", "simulation.checkpoints=[10,30,70]"),
        check=True, timeout=_SECONDS, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    out = folder / "report.html"
    subprocess.run(jaragua("report", str(folder / "simulated"), "--title", "digits", "--out", str(out)), check=True)
    with chromium() as browser:
        watched = Watched(browser, width=1180, height=1500)
        watched.page.goto(out.as_uri())
        return bytes(watched.page.screenshot())


def write(name: str, picture: bytes) -> dict[str, object]:
    """Write a picture as WebP. Raises: ValueError if it is too large."""
    target = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(target, "WEBP", quality=80, method=6)
    content = target.getvalue()
    if len(content) > MOST_BYTES:
        raise ValueError(f"{name} has {len(content)} bytes, more than {MOST_BYTES}")
    (IMAGES / name).write_bytes(content)
    return {"file": name, "bytes": len(content)}


def main() -> None:
    """Make both pictures."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(json.dumps(write("dashboard.webp", fleet_run(folder))))
        print(json.dumps(write("report.webp", report_page(folder))))


if __name__ == "__main__":
    main()
