"""`python -m jaragua.experiments.load`: updates a second that a coordinator commits, beside what the broker carries.

One mosquitto, one coordinator (`jaragua run` in a process of its own), simulated devices in another. First the broker
alone carries the same payloads to and from as many connections: its ceilings (`ceiling.py`). Then every device trains
in every round, once for each number of aggregators. The exchanges are measured before and after, each time for half as
long, and their mean counts: other work on the machine may change meanwhile. At the end the database is compared with
what the devices were told: no update may be lost. The memory of the coordinator is read twice a second after the first
round; its slope is printed, and that of the second half. The bar is half of the broker's exchanges. Processor time is
that of all processes of a kind, for each update or exchange.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaragua.experiments.load import processor
from jaragua.experiments.load.processes import line_of, say_to, started
from jaragua.experiments.load.run_file import written
from jaragua.models import model_named
from jaragua.store import Store
from jaragua_broker import Broker
from jaragua_compiler import plan

_HEADER_BYTES: Final = 330  # of an update, about
_LAST_WORDS_SECONDS: Final = 30.0
_SECONDS_BETWEEN_READINGS: Final = 0.5
#: What `processor.seconds` calls the processes that stand in for coordinator and devices.
_CEILING_NAMES: Final = {"broker": "broker", "coordinator": "reader", "aggregators": "aggregators", "devices": "sender"}


@dataclass(frozen=True)
class Asked:
    """What is measured. nodes: connections; each: devices of one."""

    nodes: int = 5000
    each: int = 1
    rounds: int = 3
    model: str = "digits"
    ceiling_seconds: float = 10.0
    aggregators: tuple[int, ...] = (0,)

    @property
    def devices(self) -> int:
        """Of the fleet."""
        return self.nodes * self.each


@dataclass(frozen=True)
class Ceiling:
    """What the broker carries with nothing behind it, updates a second.

    measured: exchanges before and after the runs. cpu_us: processor time of an exchange by process, of each of both.
    """

    one_way: float
    measured: tuple[float, ...]
    cpu_us: tuple[dict[str, float], ...]

    @property
    def exchanges(self) -> float:
        """Mean of those before and after."""
        return sum(self.measured) / len(self.measured)

    @property
    def mean_cpu_us(self) -> dict[str, float]:
        """By process."""
        return {name: sum(one[name] for one in self.cpu_us) / len(self.cpu_us) for name in self.cpu_us[0]}


@dataclass
class Measured:
    """What came out of one run. committed: updates a second. cpu_us: processor time of an update, by process."""

    aggregators: int
    committed: float
    rounds_s: list[float]
    updates: int
    lost: int
    resent: int
    other_answers: int
    cpu_us: dict[str, float]
    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    most_mb: float = 0.0

    @property
    def slope_mb_a_minute(self) -> float:
        """Of the coordinator's memory after the first round, by least squares; 0 with fewer than three readings."""
        return _slope(self.memory_mb)

    @property
    def later_slope_mb_a_minute(self) -> float:
        """The same of the second half of the readings: what is bounded has mostly been filled by then."""
        return _slope(self.memory_mb[len(self.memory_mb) // 2 :])


def _slope(readings: Sequence[tuple[float, float]]) -> float:
    """Of seconds and megabytes: megabytes a minute."""
    if len(readings) < 3:
        return 0.0
    seconds, sizes = np.array(readings).T
    return float(np.polyfit(seconds / 60, sizes, 1)[0])


def ceiling(asked: Asked, what: str, seconds_fraction: float = 1.0) -> tuple[float, dict[str, float]]:
    """Updates a second that the broker carries with nothing behind it, and processor time of one, µs by process.

    what: "one-way" or "round". seconds_fraction: of those that were asked for. Connecting is left out of both.
    """
    seconds = seconds_fraction * asked.ceiling_seconds
    payload_bytes = plan(model_named(asked.model).network).blob_bytes + _HEADER_BYTES
    with (
        Broker() as broker,
        started("ceiling", "read", what, broker.port, asked.nodes, seconds) as reader,
        started("ceiling", "send", what, broker.port, asked.nodes, payload_bytes) as sender,
    ):
        before = processor.seconds(reader.pid, sender.pid)
        say_to(sender)
        say_to(reader)
        told = json.loads(line_of(reader))
        used = processor.seconds(reader.pid, sender.pid)
    each = {name: 1e6 * (used[name] - before[name]) / told["messages"] for name in used}
    return float(told["a_second"]), {_CEILING_NAMES[name]: found for name, found in each.items() if found}


def committed(asked: Asked, aggregators: int, folder: Path) -> Measured:
    """A run of all devices."""
    with Broker() as broker:
        path, config = written(folder, devices=asked.devices, rounds=asked.rounds, model=asked.model, url=broker.url)
        samples = config.client.ways * config.client.shots
        arguments = (broker.port, "load", asked.model, samples, asked.nodes, asked.each)
        with started("devices", *arguments) as devices:
            readings = _run(path, devices, aggregators, asked.devices * asked.rounds)
            told = _figures(devices, asked.devices * asked.rounds)
    with Store(folder / "run" / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        rows = store.stored_keys(record.run)
        seconds = [figures["seconds"] for figures in store.closed_rounds(record.run)]
    wanted = asked.devices * asked.rounds
    lost = wanted - len(rows) + max(0, len(rows) - told["stored"] - told["other_answers"])
    others = told["resent"], told["other_answers"]
    used, memory = readings.processor_us(), readings.memory_mb
    most = readings.most_mb
    return Measured(aggregators, wanted / sum(seconds), seconds, len(rows), lost, *others, used, memory, most)


def _figures(devices: subprocess.Popen[str], wanted: int) -> dict[str, int]:
    """What the devices were told, once the last acknowledgements have come, or do not come."""
    until_s = time.monotonic() + _LAST_WORDS_SECONDS
    while True:
        say_to(devices)
        found: dict[str, int] = json.loads(line_of(devices))
        if found["stored"] + found["other_answers"] >= wanted or time.monotonic() > until_s:
            return found
        time.sleep(0.1)


@dataclass
class Readings:
    """What was read while a run lasted. memory_mb: seconds, megabytes, from the first round to the last update.

    most_mb: also of what comes after it, when the figures of all rounds are read for the result.
    """

    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    most_mb: float = 0.0
    used: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """Updates that were acknowledged, and the processor time by then; the first once there were some."""

    def take(self, stored: int, used: dict[str, float]) -> None:
        """A reading; left out before the first update, and after a process has ended, whose time then reads 0."""
        before = self.used[-1][1] if self.used else dict.fromkeys(used, 0.0)
        if stored and used["coordinator"] and all(used[name] >= before[name] for name in used):
            self.used.append((stored, used))

    def processor_us(self) -> dict[str, float]:
        """Of an update, by process; empty for a run that was over too soon."""
        if len(self.used) < 2 or self.used[-1][0] == self.used[0][0]:
            return {}
        (few, before), (many, after) = self.used[0], self.used[-1]
        return {name: 1e6 * (after[name] - before[name]) / (many - few) for name in before}


def _run(path: Path, devices: subprocess.Popen[str], aggregators: int, wanted: int) -> Readings:
    """`jaragua run` to its end. wanted: updates of all rounds."""
    command = [sys.executable, "-m", "jaragua.cli.main", "run", str(path), "--json", "--aggregators", str(aggregators)]
    readings = Readings()
    metrics = path.parent / "run" / "metrics.jsonl"
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        began_s = time.monotonic()
        while process.poll() is None:
            time.sleep(_SECONDS_BETWEEN_READINGS)
            say_to(devices)
            stored = json.loads(line_of(devices))["stored"]
            used = processor.seconds(process.pid, devices.pid)
            readings.take(stored, used)
            size = _megabytes(process.pid)
            readings.most_mb = max(readings.most_mb, size)
            if size and stored < wanted and metrics.exists() and metrics.stat().st_size:
                readings.memory_mb.append((time.monotonic() - began_s, size))
        if process.returncode:
            raise SystemExit(f"the coordinator failed: {process.stderr.read() if process.stderr else ''}")
    return readings


def _megabytes(pid: int) -> float:
    """Resident, 0 of a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS")), 0.0)


def measure(asked: Asked) -> tuple[Ceiling, list[Measured]]:
    """The ceilings, and a run for each number of aggregators."""
    one_way, before = ceiling(asked, "one-way")[0], ceiling(asked, "round", 0.5)
    runs = []
    for aggregators in asked.aggregators:
        with tempfile.TemporaryDirectory(prefix="jaragua-load-") as folder:
            runs.append(committed(asked, aggregators, Path(folder)))
    after = ceiling(asked, "round", 0.5)
    return Ceiling(one_way, (before[0], after[0]), (before[1], after[1])), runs


def told(asked: Asked, found: Ceiling, runs: Sequence[Measured]) -> dict[str, Any]:
    """The document that is printed."""
    return {
        "devices": asked.devices,
        "connections": asked.nodes,
        "rounds": asked.rounds,
        "model": asked.model,
        "one_way_a_second": round(found.one_way, 1),
        "exchanges_a_second": round(found.exchanges, 1),
        "exchanges_before_and_after": [round(one, 1) for one in found.measured],
        "bar_a_second": round(found.exchanges / 2, 1),
        "processor_us_an_exchange": _rounded(found.mean_cpu_us),
        "runs": [_run_told(found, one) for one in runs],
    }


def _run_told(found: Ceiling, one: Measured) -> dict[str, Any]:
    return {
        "aggregators": one.aggregators,
        "committed_a_second": round(one.committed, 1),
        "share_of_exchanges": round(one.committed / found.exchanges, 3),
        "share_of_bar": round(2 * one.committed / found.exchanges, 3),
        "share_of_one_way": round(one.committed / found.one_way, 3),
        "seconds_of_rounds": [round(seconds, 2) for seconds in one.rounds_s],
        "updates": one.updates,
        "lost": one.lost,
        "resent": one.resent,
        "other_answers": one.other_answers,
        "processor_us_an_update": _rounded(one.cpu_us),
        "memory_mb": [round(size, 1) for _, size in one.memory_mb[:1] + one.memory_mb[-1:]],
        "most_memory_mb": round(one.most_mb, 1),
        "memory_slope_mb_a_minute": round(one.slope_mb_a_minute, 2),
        "later_memory_slope_mb_a_minute": round(one.later_slope_mb_a_minute, 2),
    }


def _rounded(used: dict[str, float]) -> dict[str, float]:
    return {name: round(found, 1) for name, found in used.items()}


def table(document: dict[str, Any]) -> str:
    """For people: what the broker carries, and what is committed, side by side."""
    columns = (
        "aggregators",
        "one way",
        "exchanges",
        "committed",
        "of exchanges",
        "of the bar",
        "lost",
        "processor, µs",
    )
    lines = [
        f"{document['devices']} devices, {document['connections']} connections, {document['rounds']} rounds; a second:",
        "  ".join(f"{name:>12}" for name in columns),
    ]
    for one in document["runs"]:
        used = _used(one["processor_us_an_update"])
        cells = (
            str(one["aggregators"]),
            f"{document['one_way_a_second']:,.0f}",
            f"{document['exchanges_a_second']:,.0f}",
            f"{one['committed_a_second']:,.0f}",
            f"{one['share_of_exchanges']:.1%}",
            f"{one['share_of_bar']:.1%}",
            str(one["lost"]),
        )
        lines.append("  ".join(f"{cell:>12}" for cell in cells) + f"  {used}")
        first, last = one["memory_mb"][:1], one["memory_mb"][-1:]
        for before, after in zip(first, last, strict=True):
            slope, later = one["memory_slope_mb_a_minute"], one["later_memory_slope_mb_a_minute"]
            lines.append(
                f"memory of the coordinator: {before} to {after} MB, {slope:+.2f} MB a minute, "
                f"{later:+.2f} in the second half; {one['most_memory_mb']} MB with the result of all rounds"
            )
    before, after = document["exchanges_before_and_after"]
    lines.append(f"exchanges a second before and after the runs: {before:,.0f} and {after:,.0f}")
    return "\n".join([*lines, f"processor of an exchange, µs: {_used(document['processor_us_an_exchange'])}"])


def _used(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.0f}" for name, figure in figures.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 1 if an update was lost."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--nodes", type=int, default=Asked.nodes, help="connections, each a node")
    options.add_argument("--each", type=int, default=Asked.each, help="devices of a node")
    options.add_argument("--rounds", type=int, default=Asked.rounds)
    options.add_argument("--model", default=Asked.model)
    options.add_argument("--ceiling-seconds", type=float, default=Asked.ceiling_seconds)
    options.add_argument("--aggregators", type=int, nargs="+", default=Asked.aggregators, help="a run for each number")
    options.add_argument("--json", action="store_true", help="one JSON document in place of the table")
    given = vars(options.parse_args(arguments))
    as_json = given.pop("json")
    asked = Asked(**given | {"aggregators": tuple(given["aggregators"])})
    found, runs = measure(asked)
    document = told(asked, found, runs)
    print(json.dumps(document, indent=2) if as_json else table(document))
    return 1 if any(one.lost for one in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
