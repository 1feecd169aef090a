"""`python -m jaragua.experiments.load`: updates a second that a coordinator commits, beside what the broker carries.

One mosquitto, one coordinator (`jaragua run` in a process of its own), simulated devices in another. First the broker
alone carries the same payloads to and from as many connections: its ceilings (`ceiling.py`). Then every device trains
in every round. At the end the database is compared with what the devices were told: no update may be lost. The memory
of the coordinator is read once a second after the first round; its slope is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaragua.config import parse
from jaragua.models import model_named
from jaragua.store import Store
from jaragua_broker import Broker
from jaragua_compiler import plan

_HEADER_BYTES: Final = 330  # of an update, about
_LAST_WORDS_SECONDS: Final = 30.0
_CONFIGURATION = """
[run]
name = "load"
seed = 1
rounds = {rounds}
fleet = "load"
directory = "{directory}"
[model]
name = "{model}"
[strategy]
name = "fedavg"
clients_per_round = {devices}
[broker]
url = "{url}"
[round]
quorum = {devices}
deadline_s = 600
[devices]
minimum = {devices}
wait_s = 600
"""


@dataclass(frozen=True)
class Asked:
    """What is measured. nodes: connections; each: devices of one."""

    nodes: int = 5000
    each: int = 1
    rounds: int = 3
    model: str = "digits"
    ceiling_seconds: float = 10.0

    @property
    def devices(self) -> int:
        """Of the fleet."""
        return self.nodes * self.each


@dataclass
class Measured:
    """What came out. Rates are updates a second."""

    one_way: float
    whole_round: float
    committed: float
    rounds_s: list[float]
    updates: int
    lost: int
    resent: int
    other_answers: int
    memory_mb: list[tuple[float, float]] = field(default_factory=list)

    @property
    def slope_mb_a_minute(self) -> float:
        """Of the coordinator's memory after the first round, by least squares; 0 with fewer than three readings."""
        if len(self.memory_mb) < 3:
            return 0.0
        seconds, sizes = np.array(self.memory_mb).T
        return float(np.polyfit(seconds / 60, sizes, 1)[0])


@contextmanager
def _process(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process of this package, ready; ended with the block."""
    command = [sys.executable, "-m", f"jaragua.experiments.load.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            if _line(process) != "ready":
                raise SystemExit(f"{module} did not start")
            yield process
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    return "" if process.stdout is None else process.stdout.readline().strip()


def _say(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.write("\n")
        process.stdin.flush()


def ceiling(asked: Asked, what: str) -> float:
    """Updates a second that the broker carries with nothing behind it; what: "one-way" or "round"."""
    payload_bytes = plan(model_named(asked.model).network).blob_bytes + _HEADER_BYTES
    with (
        Broker() as broker,
        _process("ceiling", "read", what, broker.port, asked.nodes, asked.ceiling_seconds) as reader,
        _process("ceiling", "send", what, broker.port, asked.nodes, payload_bytes) as sender,
    ):
        _say(sender)
        _say(reader)
        return float(json.loads(_line(reader))["a_second"])


def committed(asked: Asked, one_way: float, whole_round: float, folder: Path) -> Measured:
    """A run of all devices."""
    with Broker() as broker:
        path = folder / "load.toml"
        text = _CONFIGURATION.format(
            rounds=asked.rounds,
            directory=folder / "run",
            model=asked.model,
            devices=asked.devices,
            url=broker.url,
        )
        path.write_text(text, encoding="utf-8")
        config = parse(text, path)
        samples = config.client.ways * config.client.shots
        arguments = (broker.port, "load", asked.model, samples, asked.nodes, asked.each)
        with _process("devices", *arguments) as devices:
            memory = _run(path, devices)
            told = _figures(devices, asked.devices * asked.rounds)
    with Store(folder / "run" / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        rows = store.stored_keys(record.run)
        seconds = [one.metrics["seconds"] for one in store.rounds(record.run) if one.metrics]
    wanted = asked.devices * asked.rounds
    lost = wanted - len(rows) + max(0, len(rows) - told["stored"] - told["other_answers"])
    rate = wanted / sum(seconds)
    others = told["resent"], told["other_answers"]
    return Measured(one_way, whole_round, rate, seconds, len(rows), lost, *others, memory)


def _figures(devices: subprocess.Popen[str], wanted: int) -> dict[str, int]:
    """What the devices were told, once the last acknowledgements have come, or do not come."""
    until_s = time.monotonic() + _LAST_WORDS_SECONDS
    while True:
        _say(devices)
        found: dict[str, int] = json.loads(_line(devices))
        if found["stored"] + found["other_answers"] >= wanted or time.monotonic() > until_s:
            return found
        time.sleep(0.1)


def _run(path: Path, devices: subprocess.Popen[str]) -> list[tuple[float, float]]:
    """`jaragua run` to its end; the readings of its memory after the first round: seconds, megabytes."""
    command = [sys.executable, "-m", "jaragua.cli.main", "run", str(path), "--json"]
    readings: list[tuple[float, float]] = []
    metrics = path.parent / "run" / "metrics.jsonl"
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        began_s = time.monotonic()
        while process.poll() is None:
            time.sleep(1)
            _say(devices)
            _line(devices)
            if metrics.exists() and metrics.stat().st_size:
                readings.append((time.monotonic() - began_s, _megabytes(process.pid)))
        if process.returncode:
            raise SystemExit(f"the coordinator failed: {process.stderr.read() if process.stderr else ''}")
    return [one for one in readings if one[1]]


def _megabytes(pid: int) -> float:
    """Resident, 0 of a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS")), 0.0)


def measure(asked: Asked) -> Measured:
    """The ceiling, then the run."""
    one_way, whole_round = (ceiling(asked, what) for what in ("one-way", "round"))
    with tempfile.TemporaryDirectory(prefix="jaragua-load-") as folder:
        return committed(asked, one_way, whole_round, Path(folder))


def told(asked: Asked, found: Measured) -> dict[str, Any]:
    """The document that is printed."""
    return {
        "devices": asked.devices,
        "connections": asked.nodes,
        "rounds": asked.rounds,
        "model": asked.model,
        "broker_one_way_a_second": round(found.one_way, 1),
        "broker_rounds_a_second": round(found.whole_round, 1),
        "committed_a_second": round(found.committed, 1),
        "share_of_one_way": round(found.committed / found.one_way, 3),
        "share_of_rounds": round(found.committed / found.whole_round, 3),
        "seconds_of_rounds": [round(one, 2) for one in found.rounds_s],
        "updates": found.updates,
        "lost": found.lost,
        "resent": found.resent,
        "other_answers": found.other_answers,
        "memory_mb": [round(size, 1) for _, size in found.memory_mb[:1] + found.memory_mb[-1:]],
        "memory_slope_mb_a_minute": round(found.slope_mb_a_minute, 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON; 1 if an update was lost."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--nodes", type=int, default=Asked.nodes, help="connections, each a node")
    options.add_argument("--each", type=int, default=Asked.each, help="devices of a node")
    options.add_argument("--rounds", type=int, default=Asked.rounds)
    options.add_argument("--model", default=Asked.model)
    options.add_argument("--ceiling-seconds", type=float, default=Asked.ceiling_seconds)
    asked = Asked(**vars(options.parse_args(arguments)))
    found = measure(asked)
    print(json.dumps(told(asked, found), indent=2))
    return 1 if found.lost else 0


if __name__ == "__main__":
    sys.exit(main())
