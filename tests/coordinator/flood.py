"""Flood a coordinator and its nodes through a real broker, and say what it costs: `make flood` (P3, M15).

A mosquitto, `jaragua run` and two `jaragua client` are processes of their own. Another process publishes, at a rate,
what is malformed, and what is well-formed of invented peers. On which topics, `--on` says:

strangers  of nodes and devices that are invented
others     of the real nodes and of the coordinator, but none that the open round needs
admitted   those that the open round needs: updates, commands and acknowledgements of the first node
both       strangers and others
all        all of these
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import socket
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt
import cbor2

import jaragua_models
from common.mqtt_packets import publish
from jaragua.store import read_run
from jaragua.wire import messages
from jaragua.wire.messages import DeviceState, HostClaim, HostState, NodeState, RunState, TrainCommand, UpdateHeader
from jaragua_broker import Broker
from jaragua_compiler import plan

FLEET = "flooded"
NODES = ("pi-1", "pi-2")
MODEL = "sine"
_PACKETS = 4000
_PACKETS_OF_A_ROUND = 200
_BATCHES_A_SECOND = 100
_ROUND = cbor2.dumps("round")
_CONFIGURATION = """
[run]
rounds = 1000000
fleet = "{fleet}"
directory = "{folder}/run"
[model]
name = "sine"
[strategy]
clients_per_round = 2
[client]
shots = 4
[round]
quorum = 1
deadline_s = 10
[devices]
minimum = 2
wait_s = 300
[broker]
url = "{url}"
"""


# ---- what is sent ----


def publish_packet(topic: str, payload: bytes, number: int) -> bytes:
    """An MQTT 5 PUBLISH; every other one with QoS 1."""
    return publish(topic.encode(), payload, qos=number % 2, number=1 + number % 0xFFFF)


Messages = Iterator[tuple[str, bytes]]
ROOT = f"jaragua/1/{FLEET}"


def of_strangers(run: RunState, draw: random.Random) -> Messages:
    """What invented nodes and devices may say, without end."""
    architecture = plan(jaragua_models.get(MODEL).network).architecture
    device = DeviceState("ready", 1, "pi", MODEL, architecture)
    while True:
        name = f"n-{draw.randrange(10**9)}"
        node = f"{ROOT}/node/{name}"
        yield f"{node}/$state", messages.encode(NodeState("ready", draw.randrange(2**40), "gateway"))
        yield f"{node}/dev/{name}/$state", messages.encode(device)
        yield f"{node}/dev/{name}/$state", draw.randbytes(50)
        yield f"{node}/up/{run.run}/{run.round}", messages.pack_update(_header(run, name), b"abc")
        yield f"{node}/up/{run.run}/{run.round}", draw.randbytes(300)


def of_others(run: RunState, draw: random.Random) -> Messages:
    """What has the topics of real peers, but is of no use to the round that is open, without end."""
    other = f"other-{run.run}"[:32]
    while True:
        node = draw.choice(NODES)
        name = f"n-{draw.randrange(10**9)}"
        yield f"{ROOT}/node/{node}/$state", draw.randbytes(40)
        yield f"{ROOT}/node/{node}/dev/{node}/$state", b"\xa3" + draw.randbytes(60)
        yield f"{ROOT}/node/{node}/dev/{node}/tele", draw.randbytes(60)
        yield f"{ROOT}/node/{node}/up/{other}/{run.round}", messages.pack_update(_header(run, name), b"abc")
        yield f"{ROOT}/node/{node}/up/{run.run}/{10**6 + draw.randrange(50)}", draw.randbytes(300)
        yield f"{ROOT}/node/{node}/ack/{other}/{run.round}", draw.randbytes(30)
        yield f"{ROOT}/node/{node}/cmd/v-{name}", draw.randbytes(30)
        yield f"{ROOT}/host/claim", messages.encode(HostClaim("ask", draw.randbytes(8), 1, draw.randbytes(8)))
        yield f"{ROOT}/host/$state", messages.encode(HostState(draw.randrange(2) == 1, 1, draw.randrange(2**50), 1))
        yield f"{ROOT}/host/reply/{name}", draw.randbytes(50)
        yield f"{ROOT}/run", draw.randbytes(60)


def of_admitted(run: RunState, draw: random.Random) -> Messages:
    """What has the topics that the first node needs in the open round, or soon will, without end."""
    node = f"{ROOT}/node/{NODES[0]}"
    command = TrainCommand(run.run, run.round, NODES[0], 1, bytes(32), 0.1, 5, 4, 1, 7, 0)
    while True:
        name = f"n-{draw.randrange(10**9)}"
        number = run.round + draw.randrange(5)
        header = replace(_header(run, NODES[0]), round=number)
        yield f"{node}/up/{run.run}/{number}", messages.pack_update(header, b"abc")
        yield f"{node}/up/{run.run}/{number}", messages.pack_update(_header(run, name), b"abc")
        yield f"{node}/up/{run.run}/{number}", draw.randbytes(300)
        yield f"{node}/cmd/train", draw.randbytes(100)
        yield f"{node}/cmd/train", messages.encode(replace(command, device=name))
        yield f"{node}/cmd/stop", draw.randbytes(20)
        yield f"{node}/ack/{run.run}/{number}", draw.randbytes(30)


def _header(run: RunState, device: str) -> UpdateHeader:
    return UpdateHeader(run.run, run.round, device, 1, bytes(32), "blob", 4, 0.5, "mse", 0.5, 0, 3, bytes(32))


def of_both(run: RunState, draw: random.Random) -> Messages:
    """Strangers and others by turns, without end."""
    for some in zip(of_strangers(run, draw), of_others(run, draw), strict=True):
        yield from some


def of_all(run: RunState, draw: random.Random) -> Messages:
    """The three by turns, without end."""
    for some in zip(of_strangers(run, draw), of_others(run, draw), of_admitted(run, draw), strict=True):
        yield from some


KINDS = {"strangers": of_strangers, "others": of_others, "admitted": of_admitted, "both": of_both, "all": of_all}
FOLLOWING = "admitted", "all"


@dataclass(frozen=True)
class Flood:
    """What is sent: messages a second, for how long, on which topics, and drawn from which seed.

    until_rounds: it goes on until so many rounds are closed meanwhile, but not longer than `most_seconds`.
    """

    rate: int
    seconds: float
    on: str = "all"
    seed: int = 1
    until_rounds: int = 0
    most_seconds: float = 0.0

    @property
    def ends_after(self) -> float:
        """Seconds after which it ends in any case."""
        return max(self.seconds, self.most_seconds)

    def is_enough(self, rounds: int, seconds: float) -> bool:
        """Whether it may end now."""
        return seconds >= self.seconds and rounds >= self.until_rounds


def flood(port: int, run: RunState, what: Flood, sent: Any, end: Any) -> None:
    """Publish until `end`, a shared event, is set; the number sent is left in `sent`, a shared counter."""
    draw = random.Random(what.seed)
    packets, rounds = _packets(run, what.on, draw), _Rounds(port)
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(_connect("flood"))
        line.recv(64)
        line.setblocking(False)
        began, count = time.monotonic(), 0
        while (passed := time.monotonic() - began) < what.ends_after and not end.is_set():
            wanted = int(passed * what.rate) - count
            batch = [packets[(count + index) % len(packets)] for index in range(min(wanted, 1000))]
            _send(line, b"".join(batch), began + what.ends_after)
            count += len(batch)
            sent.value = count
            if what.on in FOLLOWING and (newer := rounds.newer_than(run)) is not None:
                run, packets = newer, _packets(newer, what.on, draw)
            time.sleep(1 / _BATCHES_A_SECOND)


def _packets(run: RunState, on: str, draw: random.Random) -> list[bytes]:
    """Enough for a while; few where they are made anew for every round."""
    source = KINDS[on](run, draw)
    count = _PACKETS_OF_A_ROUND if on in FOLLOWING else _PACKETS
    return [publish_packet(*next(source), number) for number in range(count)]


def _connect(name: str) -> bytes:
    """MQTT 5.0, 3.1: CONNECT with a clean start and without keep-alive."""
    body = b"\x00\x04MQTT\x05\x02\x00\x00\x00\x00" + bytes([len(name)]) + name.encode()
    return b"\x10" + bytes([len(body)]) + body


class _Rounds:
    """The rounds of a run, as a subscriber reads them."""

    def __init__(self, port: int) -> None:
        topic = f"{ROOT}/run".encode()
        body = b"\x00\x01\x00" + struct.pack(">H", len(topic)) + topic + b"\x00"
        self._line = socket.create_connection(("127.0.0.1", port))
        self._line.sendall(_connect("rounds"))
        self._line.recv(64)
        self._line.sendall(b"\x82" + bytes([len(body)]) + body)
        self._line.setblocking(False)

    def newer_than(self, run: RunState) -> RunState | None:
        """The run in the round of the last message that has come since; None if that is no later one."""
        with contextlib.suppress(BlockingIOError, cbor2.CBORDecodeError):
            data = self._line.recv(1 << 16)
            at = data.rfind(_ROUND)
            number = cbor2.loads(data[at + len(_ROUND) :]) if at >= 0 else 0
            return replace(run, round=number) if number > run.round else None
        return None


def _send(line: socket.socket, data: bytes, until: float) -> None:
    """All of it, if the broker takes it in time; acknowledgements are read and forgotten."""
    while data and time.monotonic() < until:
        with contextlib.suppress(BlockingIOError):
            line.recv(1 << 16)
        try:
            data = data[line.send(data) :]
        except BlockingIOError:
            time.sleep(0.001)


# ---- who is flooded ----


@dataclass(frozen=True)
class Sample:
    """Of one moment: memory in MB by process, and rounds done."""

    megabytes: dict[str, float]
    rounds: int


@dataclass(frozen=True)
class Result:
    """Before, at the worst moment of, and after the flood."""

    before: Sample
    worst: Sample
    after: Sample
    sent: int
    seconds: float
    longest_round_s: float
    rejected: dict[str, int]

    @property
    def rounds_during(self) -> int:
        """Rounds that were closed while the flood lasted."""
        return self.worst.rounds - self.before.rounds

    def table(self) -> str:
        """For people."""
        names = list(self.before.megabytes)
        lines = [f"{self.sent} messages in {self.seconds:.0f} s: {self.sent / self.seconds:.0f}/s"]
        lines += [f"rounds closed meanwhile: {self.rounds_during}; the longest took {self.longest_round_s:.1f} s"]
        lines += [f"{'MB':12}" + "".join(f"{name:>14}" for name in names)]
        for label in ("before", "worst", "after"):
            one: Sample = getattr(self, label)
            lines.append(f"{label:12}" + "".join(f"{one.megabytes[name]:14.1f}" for name in names))
        lines.append("rejected by the coordinator: " + ", ".join(f"{key} {n}" for key, n in self.rejected.items()))
        return "\n".join(lines)


def resident_mb(pid: int) -> float:
    """Resident memory of a process and those it started."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if int(entry.name) == pid or parent == pid:
                    status = (entry / "status").read_text()
                    total += int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return total


@contextlib.asynccontextmanager
async def process(log: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`jaragua …`, ended with the block."""
    with log.open("wb") as sink:
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jaragua.cli.main", *arguments, stdout=sink, stderr=sink
        )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.terminate()
        try:
            await asyncio.wait_for(started.wait(), 30)
        except TimeoutError:
            started.kill()
            await started.wait()


async def run_state(port: int) -> RunState:
    """What the coordinator says of its run."""
    async with aiomqtt.Client("127.0.0.1", port) as client, asyncio.timeout(120):
        await client.subscribe(f"jaragua/1/{FLEET}/run")
        async for message in client.messages:
            return messages.decode(RunState, bytes(message.payload))
    raise AssertionError("the broker went away")


class Fleet:
    """The processes that are measured."""

    def __init__(self, folder: Path, pids: dict[str, int]) -> None:
        self._folder = folder
        self._pids = pids

    def sample(self) -> Sample:
        """Now."""
        return Sample({name: resident_mb(pid) for name, pid in self._pids.items()}, self.rounds())

    def rounds(self) -> int:
        """Lines of the metrics."""
        metrics = self._folder / "run" / "metrics.jsonl"
        return metrics.read_bytes().count(b"\n") if metrics.exists() else 0

    def seconds_of_rounds(self) -> list[float]:
        """As the metrics have them."""
        lines = (self._folder / "run" / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["seconds"] for line in lines if line.endswith("}")]

    async def until_rounds(self, count: int, seconds: float) -> None:
        """Wait for more rounds."""
        wanted = self.rounds() + count
        async with asyncio.timeout(seconds):
            while self.rounds() < wanted:
                await asyncio.sleep(0.05)


async def measure(what: Flood, folder: Path) -> Result:
    """Start everything, flood it, and end it."""
    with Broker() as broker:
        path = folder / "flooded.toml"
        path.write_text(_CONFIGURATION.format(fleet=FLEET, folder=folder, url=broker.url))
        where = ("--broker", broker.url, "--fleet", FLEET, "--model", MODEL, "--data-dir", str(folder / "data"))
        async with contextlib.AsyncExitStack() as stack:
            pids = {"broker": broker._process.pid if broker._process else 0}
            for node in NODES:
                client = process(folder / f"{node}.log", "client", "--node", node, *where)
                pids[node] = (await stack.enter_async_context(client)).pid
            coordinator = await stack.enter_async_context(process(folder / "run.log", "run", str(path)))
            fleet = Fleet(folder, pids | {"coordinator": coordinator.pid})
            await fleet.until_rounds(20, 120)
            return await _flooded(broker.port, fleet, folder, what)


async def _flooded(port: int, fleet: Fleet, folder: Path, what: Flood) -> Result:
    spawn = multiprocessing.get_context("spawn")
    before, sent, end = fleet.sample(), spawn.Value("q", 0), spawn.Event()
    run = await run_state(port)
    flooder = spawn.Process(target=flood, args=(port, run, what, sent, end))
    flooder.start()
    while flooder.is_alive() and not sent.value:
        await asyncio.sleep(0.01)
    began, before = time.monotonic(), fleet.sample()
    worst, longest, last_round, last_count = before, 0.0, began, before.rounds
    while flooder.is_alive():
        await asyncio.sleep(0.25)
        now = fleet.sample()
        worst = Sample({name: max(worst.megabytes[name], mb) for name, mb in now.megabytes.items()}, now.rounds)
        if now.rounds > last_count:
            last_round, last_count = time.monotonic(), now.rounds
        longest = max(longest, time.monotonic() - last_round)
        if what.is_enough(now.rounds - before.rounds, time.monotonic() - began):
            end.set()
    took = time.monotonic() - began
    longest = max([longest, *fleet.seconds_of_rounds()[before.rounds : worst.rounds]])
    await fleet.until_rounds(20, 240)
    after = fleet.sample()
    return Result(before, worst, after, sent.value, took, longest, read_run(folder / "run")["rejected"])


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--on", choices=KINDS, default="all", help="topics")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jaragua-flood-") as folder:
        what = Flood(given.rate, given.seconds, given.on, given.seed)
        print(asyncio.run(measure(what, Path(folder))).table())


if __name__ == "__main__":
    main()
