"""A network of namespaces (Linux, root): a broker in the middle, and a line to each of the others (`wire.py`).

Each place has an address of its own, 10.77.N.2; it reaches the broker at 10.77.N.1. Nothing of it is seen outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PORT = 1883


@dataclass(frozen=True)
class Quality:
    """What a line is like, one way."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0


#: Of a mobile network.
LOSSY = Quality(30, 10, 0.03)
CUT = Quality(loss=1.0)


def require_namespaces() -> None:
    """Skip, loudly, where they cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("NO NETWORK NAMESPACES: this test needs root")
    if shutil.which("ip") is None:
        pytest.skip("NO NETWORK NAMESPACES: `ip` is missing (apt-get install iproute2)")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("NO TUN DEVICES: /dev/net/tun is missing")
    probe = f"jrg{os.getpid()}-probe"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode:
        pytest.skip("NO NETWORK NAMESPACES: the kernel refuses them")
    subprocess.run(["ip", "netns", "del", probe], check=True)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=30)


@dataclass(frozen=True)
class Place:
    """A namespace, and its line to the broker."""

    name: str
    number: int
    wire: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Of the broker, from here."""
        return f"mqtt://10.77.{self.number}.1:{PORT}"

    def command(self, *words: str) -> list[str]:
        """What runs a command here."""
        return ["ip", "netns", "exec", self.name, *words]

    def set_line(self, quality: Quality) -> None:
        """What both directions of its line are like from now on."""
        assert self.wire.stdin is not None
        assert self.wire.stdout is not None
        self.wire.stdin.write(f"{self.number} {quality.delay_ms} {quality.jitter_ms} {quality.loss}\n")
        self.wire.stdin.flush()
        assert self.wire.stdout.readline() == "set\n"


@contextmanager
def network(places: Sequence[str], folder: Path) -> Iterator[dict[str, Place]]:
    """The places by their names, each with a line to a running mosquitto."""
    prefix = f"jrg{os.getpid()}"
    broker = f"{prefix}-broker"
    with ExitStack() as stack:
        names = {place: f"{prefix}-{place}" for place in places}
        for name in (broker, *names.values()):
            _run("ip", "netns", "add", name)
            stack.callback(subprocess.run, ["ip", "netns", "del", name], check=False)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        lines = [f"{number}:{name}:{broker}" for number, name in enumerate(names.values(), 1)]
        wire = stack.enter_context(_wire(lines))
        found = {place: Place(name, number, wire) for number, (place, name) in enumerate(names.items(), 1)}
        for place in found.values():
            for namespace, end in ((broker, 1), (place.name, 2)):
                device = f"line{place.number}"
                _run("ip", "-n", namespace, "addr", "add", f"10.77.{place.number}.{end}/24", "dev", device)
                _run("ip", "-n", namespace, "link", "set", device, "up")
        stack.enter_context(_mosquitto(broker, folder))
        yield found


@contextmanager
def _wire(lines: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name("wire.py")), *lines]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@contextmanager
def _mosquitto(namespace: str, folder: Path) -> Iterator[None]:
    path = folder / "mosquitto.conf"
    path.write_text(f"listener {PORT} 0.0.0.0\nallow_anonymous true\nuser root\n", encoding="utf-8")
    command = ["ip", "netns", "exec", namespace, shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)
