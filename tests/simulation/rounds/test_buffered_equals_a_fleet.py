"""The coordinator, given real updates in the order of a simulation's clock, ends with the simulation's model (R13).

All of a fleet but the broker: the coordinator's driver with its store, and the node's own code with the boards' C.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from common.real_fleet import configuration
from jaragua.client.engine_trainer import EngineTrainer
from jaragua.config import parse, strategy_of
from jaragua.coordinator import driver as driver_module
from jaragua.coordinator.connection.fleet import Answered, Arrived, Fleet
from jaragua.coordinator.connection.roster import Roster
from jaragua.coordinator.driver import Driver
from jaragua.coordinator.rounds import validation
from jaragua.coordinator.rounds.validation import Verdict
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.models import model_named
from jaragua.node.outbox import Outbox
from jaragua.node.program import ended
from jaragua.node.training import jobs
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.simulation import Buffered, Simulation, device_names, simulate
from jaragua.simulation.scheduling.virtual_time import Arrival, course
from jaragua.store import Initialisation, open_run
from jaragua.wire import messages
from jaragua.wire.rejections import Rejections
from jaragua_compiler import NativeEngine
from limits import GENEROUS_S

NODE = "gateway"
BUFFERED = Buffered(2, max_staleness=2, staleness_exponent=0.7, slow_fraction=0.4, slow_factor=6.0)


class NoBroker:
    """What the driver asks of a `Fleet`; all devices are there, and each computes when it is given its work."""

    last_run = None

    def __init__(self, wanted: Simulation, formats: Formats, outbox: Outbox) -> None:
        self.roster = Roster(formats.architectures)
        self.roster.node_state(NODE, messages.NodeState("ready", 1, "gateway"), now_ms=0)
        for device in wanted.devices:
            state = messages.DeviceState("ready", 1, "cortex-m4", wanted.task, formats.own.architecture)
            self.roster.device_state(NODE, device, state, now_ms=0)
        self.rejections = Rejections("the coordinator")
        self.acks: list[Verdict] = []
        self.given: dict[int, list[str]] = {}
        self.expected: frozenset[tuple[str, str, int]] = frozenset()
        self.forgotten: set[tuple[str, int]] = set()
        self.tensor_bytes = 0
        self._outbox = outbox
        self._blobs: dict[bytes, bytes] = {}
        self._updates: dict[tuple[int, str], bytes] = {}
        self._sampler = TaskSampler.of(wanted.task)
        self._trainer = EngineTrainer(NativeEngine, lambda progress: None)
        self._thread = ThreadPoolExecutor(1)

    def arrived(self, arrival: Arrival) -> Arrived:
        """What the broker would hand to the driver, which has said that it waits for all that is not late (M16)."""
        key = NODE, arrival.device, arrival.round_number
        assert arrival.is_late or (key in self.expected and key[1:] not in self.forgotten)
        payload = self._updates.pop((arrival.round_number, arrival.device))
        header, update = messages.unpack_update(payload)
        self.tensor_bytes += len(update)
        return Arrived(NODE, header, update, len(payload))

    def has(self, arrival: Arrival) -> bool:
        """Whether the device has computed it."""
        return (arrival.round_number, arrival.device) in self._updates

    def expect(self, run: str, updates: Collection[tuple[str, str, int]]) -> None:
        self.expected = frozenset(updates)

    def forget_missing(self, run: str, updates: Iterable[tuple[str, int]]) -> None:
        self.forgotten |= set(updates)

    def train(self, node: str, device: str, payload: bytes, deadline: int) -> None:
        command = messages.decode(messages.TrainCommand, payload)
        self.given.setdefault(command.round, []).append(command.device)
        residual = self._outbox.residual(command.run, command.device, command.stored or 0)
        blob = self._blobs[command.hash]
        done = self._thread.submit(  # the driver has a loop of its own
            asyncio.run, jobs.train(self._trainer, self._sampler, command, blob, residual)
        ).result()
        self._outbox.put(done)
        self._updates[command.round, command.device] = done.payload

    def publish_blob(self, blob: bytes) -> bytes:
        sha256 = hashlib.sha256(blob).digest()
        self._blobs[sha256] = blob
        return sha256

    def clear_blob(self, sha256: bytes) -> None:
        self._blobs.pop(sha256, None)

    def acknowledge(self, answers: Iterable[Answered]) -> None:
        self.acks += [verdict for _, _, verdict in answers]

    def publish_run(self, state: messages.RunState) -> None:
        """Nobody looks at it here."""

    def stop(self, node: str, run: str) -> None:
        """Nobody works on anything here."""

    def publish_difference(self, sha256: bytes, payload: bytes) -> None:
        """Devices are given the blob itself here: who makes it of differences makes the same bytes (M10)."""

    def clear_difference(self, sha256: bytes) -> None:
        """As nobody reads them."""


@contextmanager
def coordinator(wanted: Simulation, buffered: Buffered, folder: Path) -> Iterator[tuple[Driver, NoBroker]]:
    """A run of its own store, begun, or gone on with."""
    text = configuration(wanted, "mqtt://127.0.0.1:1883", folder)
    text += f"[round]\nbuffer = {buffered.buffer}\nmax_staleness = {buffered.max_staleness}\n"
    text += f"staleness_exponent = {buffered.staleness_exponent}\n"
    config, codec = parse(text, folder / "run.toml"), ModelCodec(model_named(wanted.task))
    strategy = strategy_of(config)
    formats = Formats(codec, alone=strategy.client_work(1).compressed)
    with open_run(config.run.directory) as store, closing(Outbox(folder / "outbox.sqlite3")) as outbox:
        vector = codec.initial(wanted.seed)
        first = Initialisation(0, vector, hashlib.sha256(codec.pack(vector)).digest())
        record = store.begin(config, first)
        store.rewrite(config, record, codec.arrays)
        fleet = NoBroker(wanted, formats, outbox)
        driver = Driver(config, store, record, formats, strategy, lambda event: None)
        driver.start(cast(Fleet, fleet))
        yield driver, fleet
        driver._writer.shutdown(wait=True)  # it writes in this folder


def final_hash(folder: Path) -> str:
    with open_run(folder / "run") as store:
        record = store.store.run()
        assert record is not None
        return store.store.initialisation(record.run).blob_hash.hex()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"strategy": "reptile", "passes": 2, "batch": 4, "alpha_final": 0.5},
        {"strategy": "fedavg", "passes": 2, "server_optimiser": "yogi", "alpha": 0.01},
        {"task": "digits@w8", "ways": 5, "shots": 2, "learning_rate": 0.1, "engine": "w8"},
        {"buffered": Buffered(1, max_staleness=1, staleness_exponent=0.0, slow_fraction=0.5, slow_factor=9.0)},
        {"strategy": "tinymetafed", "rounds": 14},  # differences (R12); a regression: the head travels
        {"strategy": "tinymetafed", "task": "digits", "ways": 5, "shots": 2, "learning_rate": 0.1},  # a local head
        {"strategy": "fedavg", "options": {"delta_bits": 8}},
    ],
)
def test_r13_the_coordinator_learns_the_same_bits_from_the_same_arrivals(
    make: Any, tmp_path: Path, changes: dict[str, Any]
) -> None:
    wanted = make(**{"rounds": 10, "clients": 6, "devices": device_names(9), "buffered": BUFFERED} | changes)
    rounds = list(course(wanted, wanted.buffered))
    arrivals = [arrival for one in rounds for arrival in one.arrivals]
    with coordinator(wanted, wanted.buffered, tmp_path) as (driver, fleet):
        for arrival in arrivals:
            asyncio.run(driver.take_in([fleet.arrived(arrival)]))
        assert driver.finished
    assert [ack.result == "late" for ack in fleet.acks] == [arrival.is_late for arrival in arrivals]
    assert {arrival.is_late for arrival in arrivals} == {True, False}
    assert {number: tuple(names) for number, names in fleet.given.items()} == {one.number: one.given for one in rounds}
    result = simulate(wanted)
    assert result.final_hash == final_hash(tmp_path)
    assert result.bytes_up == fleet.tensor_bytes


@pytest.mark.parametrize("changes", [{}, {"strategy": "fedavg", "server_optimiser": "momentum"}])
def test_r19_updates_that_wait_together_end_in_the_same_model(
    make: Any, tmp_path: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R19.1: one transaction for all that wait, none is answered before; R19.2: a group ends where a round does."""
    wanted = make(**{"rounds": 10, "clients": 6, "devices": device_names(9), "buffered": BUFFERED} | changes)
    left = [arrival for one in course(wanted, wanted.buffered) for arrival in one.arrivals]
    late = [arrival.is_late for arrival in left]
    committed: list[int] = []
    with coordinator(wanted, wanted.buffered, tmp_path) as (driver, fleet):
        add_updates = driver._store.add_updates

        def watched(run: str, updates: list[Any]) -> None:
            before = len(fleet.acks)
            add_updates(run, updates)
            committed.append(len(updates))
            assert len(fleet.acks) == before

        monkeypatch.setattr(driver._store, "add_updates", watched)
        groups = 0
        while left:
            count = next((place for place, one in enumerate(left) if not fleet.has(one)), len(left))
            group, left = [fleet.arrived(one) for one in left[:count]], left[count:]
            asyncio.run(driver.take_in(group))
            groups += 1
        assert driver.finished
        rounds = wanted.rounds
    assert [ack.result == "late" for ack in fleet.acks] == late
    assert sum(committed) == late.count(False)
    assert max(committed) > 1
    assert len(committed) <= groups + rounds
    assert simulate(wanted).final_hash == final_hash(tmp_path)


def test_r31_6_commands_are_sent_before_files_are_written(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time here, with a turn of the event loop in between."""
    monkeypatch.setattr(driver_module, "_COMMANDS_AT_ONCE", 1)
    wanted = make(rounds=5, clients=6, devices=device_names(9), buffered=BUFFERED)
    arrivals = [arrival for one in course(wanted, wanted.buffered) for arrival in one.arrivals]
    turns: dict[int, list[int]] = {}
    written: list[int] = []
    with coordinator(wanted, wanted.buffered, tmp_path) as (driver, fleet):
        submit = driver._writer.submit

        def watched(work: Any, unwritten: list[tuple[dict[str, Any], str, list[str]]]) -> Any:
            assert not driver._commands_waiting
            for metrics, _, _ in unwritten:
                assert metrics["round"] == wanted.rounds or metrics["round"] + 1 in fleet.given
                written.append(metrics["round"])
            done = submit(work, unwritten)
            wait([done], GENEROUS_S)
            return done

        monkeypatch.setattr(driver._writer, "submit", watched)

        async def beside() -> None:
            while True:
                counts = turns.setdefault(max(fleet.given), [])
                counts.append(len(fleet.given[max(fleet.given)]))
                await asyncio.sleep(0)

        async def story(arrival: Arrival) -> None:
            task = asyncio.create_task(beside())
            await driver.take_in([fleet.arrived(arrival)])
            await ended(task)

        for arrival in arrivals:
            asyncio.run(story(arrival))
        assert driver.finished
    assert written == [1, 2, 3, 4, 5]
    assert 1 in turns[3]  # a turn when one of the commands of a round had been sent
    assert max(turns[3]) == 2


def test_r31_6_no_update_waits_for_files(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the first round is written when all rounds are closed; the others follow it, each once."""
    wanted = make(rounds=4, clients=6, devices=device_names(9), buffered=BUFFERED)
    arrivals = [arrival for one in course(wanted, wanted.buffered) for arrival in one.arrivals]
    may_write, written = threading.Event(), list[int]()
    with coordinator(wanted, wanted.buffered, tmp_path) as (driver, fleet):
        append_metrics = driver._folder.append_metrics

        def watched(metrics: Any, devices: Iterable[str], line: str) -> None:
            assert may_write.wait(GENEROUS_S)
            written.append(metrics["round"])
            append_metrics(metrics, devices, line)

        monkeypatch.setattr(driver._folder, "append_metrics", watched)
        for arrival in arrivals:
            asyncio.run(driver.take_in([fleet.arrived(arrival)]))
        assert driver.finished
        assert not written
        may_write.set()
        driver.end()
    assert written == [1, 2, 3, 4]
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["round"] for line in lines] == written
    assert simulate(wanted).final_hash == final_hash(tmp_path)


def test_r31_7_the_next_group_is_checked_while_one_is_committed(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is answered before its own commit, and a round ends after all of them."""
    wanted = make(rounds=1, clients=6, devices=device_names(9), buffered=BUFFERED)
    arrivals = [arrival for one in course(wanted, wanted.buffered) for arrival in one.arrivals][:2]
    may_commit, committed = threading.Event(), list[int]()
    with coordinator(wanted, wanted.buffered, tmp_path) as (driver, fleet):
        add_updates = driver._store.add_updates

        def watched(run: str, updates: list[Any]) -> None:
            assert may_commit.wait(GENEROUS_S)
            committed.append(len(updates))
            add_updates(run, updates)

        monkeypatch.setattr(driver._store, "add_updates", watched)
        asked: list[int] = []
        contents = validation.contents
        monkeypatch.setattr(
            validation, "contents", lambda some, rules: asked.append(len(some)) or contents(some, rules)
        )

        async def story() -> None:
            first, second = (fleet.arrived(one) for one in arrivals)
            await driver.take_in_soon([first])
            asyncio.get_running_loop().call_later(0.01, may_commit.set)
            await driver.take_in_soon([first])  # again: its first copy is not committed yet
            assert [answer.result for answer in fleet.acks] == ["stored", "duplicate"]
            may_commit.clear()
            following = asyncio.create_task(driver.take_in_soon([second]))
            while len(asked) < 2:
                await asyncio.sleep(0)
            assert (committed, len(fleet.acks), driver.rounds_done) == ([1], 2, 0)
            may_commit.set()
            await following
            assert (committed, len(fleet.acks), driver.rounds_done) == ([1, 1], 3, 1)
            await driver.settle()

        asyncio.run(story())
        assert driver.finished
    assert simulate(wanted).final_hash == final_hash(tmp_path)


def test_r31_7_a_round_ends_after_its_answers_where_transactions_are_done_at_once(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for what is done already does not give the event loop a turn, in which answers would be sent."""
    wanted = make(rounds=2, clients=6, devices=device_names(9), buffered=BUFFERED)
    arrivals = [arrival for one in course(wanted, wanted.buffered) for arrival in one.arrivals]
    seen: list[str] = []
    with coordinator(wanted, wanted.buffered, tmp_path) as (driver, fleet):

        def worked(work: Any) -> asyncio.Future[Any]:
            done = asyncio.get_running_loop().create_future()
            done.set_result(work())
            return done

        acknowledge, close = fleet.acknowledge, driver._close
        monkeypatch.setattr(driver, "_worked", worked)
        monkeypatch.setattr(fleet, "acknowledge", lambda some: seen.append("answer") or acknowledge(some))
        monkeypatch.setattr(driver, "_close", lambda number: seen.append("close") or close(number))
        for first in range(0, len(arrivals), BUFFERED.buffer):
            asyncio.run(driver.take_in([fleet.arrived(one) for one in arrivals[first : first + BUFFERED.buffer]]))
        assert driver.finished
    assert seen == ["answer", "close"] * 2


def test_r31_11_the_end_of_a_round_and_the_next_one_are_one_transaction(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = make(rounds=3, clients=6, devices=device_names(9), buffered=BUFFERED)
    arrivals = [arrival for one in course(wanted, wanted.buffered) for arrival in one.arrivals]
    transactions: list[set[str]] = []
    with coordinator(wanted, wanted.buffered, tmp_path) as (driver, fleet):
        backend = driver._store._backend
        commit = backend.commit

        def watched(statements: Iterable[Any]) -> None:
            listed = list(statements)
            transactions.append({" ".join(query.split()[:3]) for query, _ in listed})
            commit(listed)

        monkeypatch.setattr(backend, "commit", watched)
        for arrival in arrivals:
            asyncio.run(driver.take_in([fleet.arrived(arrival)]))
    ends = [one for one in transactions if "UPDATE rounds SET" in one]
    begins = [one for one in transactions if "INSERT INTO rounds" in one]
    assert len(ends) == 3
    assert begins == ends[:2]
    assert all("INSERT INTO assignments" in one for one in begins)
