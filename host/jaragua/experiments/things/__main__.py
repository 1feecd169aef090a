"""`python -m jaragua.experiments.things`: bytes and messages a round of all topics of a fleet, and what M50 adds.

One mosquitto, one gateway with emulated boards (the firmware as a process), one coordinator. A client that reads every
topic counts packets while the run lasts. Packets are MQTT 5's PUBLISH as the broker sends them on, without
acknowledgements. Processor time of M50 is that of its own code, in this process: the making of the messages, without
the connection.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jaragua.emulate import EmulatedFleet, build_image
from jaragua.experiments.load import processor
from jaragua.experiments.load.packets import publish
from jaragua.node.connection.check import plain_client
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.public_reports import PublicReports
from jaragua.node.reports import JobBegun, Trained
from jaragua.node.training.trainer import Progress
from jaragua.store.files import to_toml
from jaragua.wire.topics import TopicError, TopicKind, parse
from jaragua_broker import Broker

FLEET: Final = "things"
#: What only clients of descriptions read (M50).
OF_THINGS: Final = frozenset({TopicKind.DEVICE_PROPERTY, TopicKind.DEVICE_EVENT})
_HEALTH: Final = {f"counter_{number}": 123_456 for number in range(16)}
_CALLS: Final = 2_000


@dataclass
class Traffic:
    """Packets that were seen, by kind of topic."""

    messages: Counter[TopicKind] = field(default_factory=Counter)
    packet_bytes: Counter[TopicKind] = field(default_factory=Counter)

    def take(self, topic: str, payload: bytes) -> None:
        """Count one; a topic of nobody's is left out."""
        with contextlib.suppress(TopicError):
            kind = parse(topic).kind
            self.messages[kind] += 1
            self.packet_bytes[kind] += len(publish(topic, payload, 1))


def document(rounds: int, boards: int, model: str) -> dict[str, Any]:
    """Measure a run. Raises: as the programs that it starts."""
    with tempfile.TemporaryDirectory() as name, Broker() as broker, contextlib.ExitStack() as stack:
        folder = Path(name)
        fleet = stack.enter_context(EmulatedFleet(build_image("native", model), boards))
        words = [word for place, url in enumerate(fleet.urls) for word in ("--port", url, "--id", f"board-{place}")]
        place = ["--broker", broker.url, "--fleet", FLEET, "--node", "gw", "--data-dir", str(folder / "gw")]
        gateway = stack.enter_context(_program(["gateway", *place, *words]))
        traffic, seconds = asyncio.run(
            _counted(broker.url, folder, _run_file(folder, broker.url, rounds, boards, model))
        )
        used = processor.seconds(0, gateway.pid)["devices"]
    kinds = sorted(traffic.messages, key=lambda kind: -traffic.packet_bytes[kind])
    return {
        "rounds": rounds,
        "boards": boards,
        "model": model,
        "seconds": seconds,
        "gateway_seconds": used,
        "own_microseconds_per_round_and_board": asyncio.run(own_microseconds()),
        "topics": [
            {
                "topic": kind.value,
                "of_things": kind in OF_THINGS,
                "messages_per_round": traffic.messages[kind] / rounds,
                "bytes_per_round": traffic.packet_bytes[kind] / rounds,
            }
            for kind in kinds
        ],
    }


def _run_file(folder: Path, url: str, rounds: int, boards: int, model: str) -> Path:
    path = folder / "run.toml"
    sections: dict[str, dict[str, Any]] = {
        "run": {"fleet": FLEET, "rounds": rounds, "directory": str(folder / "run")},
        "model": {"name": model},
        "strategy": {"clients_per_round": boards},
        "broker": {"url": url},
        "devices": {"minimum": boards},
    }
    path.write_text(to_toml(sections), encoding="utf-8")
    return path


@contextlib.contextmanager
def _program(words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "jaragua.cli.main", *words]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield program
    finally:
        program.terminate()
        program.wait()


async def _counted(url: str, folder: Path, path: Path) -> tuple[Traffic, float]:
    """What crosses the broker while the run of a file lasts, and its seconds."""
    traffic = Traffic()
    async with _reading(url, traffic):
        begun = time.monotonic()
        command = [sys.executable, "-m", "jaragua.cli.main", "run", str(path)]
        run = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
        if await run.wait():
            raise SystemExit(f"the run ended with exit code {run.returncode}")
        return traffic, time.monotonic() - begun


@contextlib.asynccontextmanager
async def _reading(url: str, traffic: Traffic) -> AsyncIterator[None]:
    async with plain_client(parse_broker_url(url)) as client:

        async def read() -> None:
            async for message in client.messages:
                traffic.take(str(message.topic), bytes(message.payload))

        await client.subscribe(f"jaragua/1/{FLEET}/#", qos=1)
        reading = asyncio.create_task(read())
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])


async def own_microseconds() -> float:
    """Processor time of M50's code for one round of one board: a job, ten reports of progress, two of health."""
    published: list[bytes] = []
    begun = time.process_time()
    for number in range(_CALLS):
        reports = PublicReports(lambda kind, name, payload: published.append(payload))
        reports.report(JobBegun("left", "r1", number), 9)
        for done in range(16, 176, 16):
            reports.progress(Progress(done, 176, 0, 1.5))
        reports.health(_HEALTH)
        reports.health({**_HEALTH, "counter_0": number})
        reports.report(Trained("left", "r1", number, 176, 0.5, "accuracy", 0.9, 7000, 1.0), 9)
        reports.close()
    if len(published) != 2 * _CALLS:
        raise SystemExit("every round was to publish health and progress once")
    return (time.process_time() - begun) / _CALLS * 1e6


def text_of(found: dict[str, Any]) -> str:
    """A table for people."""
    lines = ["| topic | messages a round | bytes a round |", "|---|---|---|"]
    for one in found["topics"]:
        name = f"`{one['topic']}`" + (" (M50)" if one["of_things"] else "")
        lines.append(f"| {name} | {one['messages_per_round']:.2f} | {one['bytes_per_round']:,.0f} |")
    own = sum(one["bytes_per_round"] for one in found["topics"] if one["of_things"])
    whole = sum(one["bytes_per_round"] for one in found["topics"])
    lines += ["", f"M50: {own:,.0f} of {whole:,.0f} bytes a round ({own / whole:.1%}), "]
    lines[-1] += f"{found['own_microseconds_per_round_and_board']:.0f} µs of processor time a round and board; "
    lines[-1] += f"gateway: {found['gateway_seconds'] / found['rounds'] * 1000:.0f} ms a round in all; "
    lines[-1] += f"{found['seconds'] / found['rounds']:.2f} s a round"
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What messages for clients of Thing Descriptions cost a fleet.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--boards", type=int, default=2)
    parser.add_argument("--model", default="digits")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = document(options.rounds, options.boards, options.model)
    print(json.dumps(found) if options.json else text_of(found))


if __name__ == "__main__":
    main()
