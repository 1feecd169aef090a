"""A run from its configuration to its result: `await run_coordinator(config, store=folder, on_event=…)`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaragua import strategies
from jaragua.config import RunConfig, strategy_of
from jaragua.coordinator import events
from jaragua.coordinator.aggregator.frames import CheckedUpdate
from jaragua.coordinator.aggregator.pool import Aggregators
from jaragua.coordinator.aggregator.setup import Setup
from jaragua.coordinator.connection.fleet import Arrived, Fleet, FleetEvent, Intake, intake_of
from jaragua.coordinator.connection.inbox import MOST_IN_A_GROUP, Inbox
from jaragua.coordinator.connection.trusting import aggregators_url, connection_of
from jaragua.coordinator.driver import Driver, monotonic_ms
from jaragua.coordinator.scaling import collected, columns_of, is_to_be_collected
from jaragua.coordinator.selection import trained_parts
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.first_weights import FirstWeights, check_takes_start, read_first_weights
from jaragua.coordinator.weights.formats import Formats
from jaragua.errors import BrokerError, RunError, StoreError
from jaragua.models import is_file, model_started, model_with
from jaragua.store import Initialisation, RunFolder, RunRecord
from jaragua.store.facts import network_facts
from jaragua.strategies import ClientWork
from jaragua.strategies.registry import work_of
from jaragua.wire.rejections import Reason
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_models import Model

_BROKER_PATIENCE_MS = 120_000
_LOOK_AROUND_SECONDS = 0.5
#: R19.4.
_GATHERING_SECONDS = 0.01

OnEvent = Callable[[events.RunEvent], None]


async def run_coordinator(
    config: RunConfig,
    *,
    store: RunFolder,
    on_event: OnEvent = lambda event: None,
    take_over: bool = False,
    start: Path | None = None,
    aggregators: int = 0,
) -> events.RunResult:
    """Run what the configuration describes, from where the folder stands, to its end.

    Whatever was killed goes on where it was: given the same devices, the final model is that of an uninterrupted run.
    take_over: a coordinator that serves the fleet already is ended (R10); without it that is a RunError. start: a
    safetensors file of first weights (R22); a run that goes on has its own. aggregators: processes that read and check
    updates (R30); 0: this one does. A cancelled call leaves the run resumable and has told the fleet. Errors:
    ConfigurationError, BrokerError, RunError, StoreError, CompileError.
    """
    codec = ModelCodec(_model_of(config, store, start))
    store.interface = codec.model.interface
    store.facts = network_facts(codec.plan, codec.model.interface.classes if codec.model.interface else ())
    strategy = strategy_of(config)
    first = None if start is None else read_first_weights(start, codec.model)
    if first is not None:
        check_takes_start(config.strategy.name, strategy)
    record = store.resume(config, "" if first is None else first.sha256)
    if record is not None and _is_done(store, record):
        on_event(events.RunStarted(record.run, record.rounds, record.rounds, True, store.path))
        store.store.forget_sums(record.run, [0])  # what a kill left of U10.2
    else:
        record = await _drive(
            config, store, codec, strategy, on_event, first, take_over=take_over, aggregators=aggregators
        )
    store.rewrite(config, record, codec.arrays)
    return _result(store, record, codec)


def _model_of(config: RunConfig, folder: RunFolder, start: Path | None) -> Model:
    """With the scaling of the first weights, if they have one; a run that began with one keeps it (R22)."""
    name, record = config.model.name, folder.store.run()
    kept = record.beginning.get("input") if record is not None and is_file(name) else None
    if start is not None or kept is None:
        return model_started(name, start)
    return model_with(name, ModelInterface.from_json(kept), f"the run in {folder.path}")


def _beginning(first: FirstWeights | None, scaling: Mapping[str, Any] | None, model: Model) -> Mapping[str, Any]:
    """What a run keeps of where it began (R22, R27)."""
    if first is None and scaling is None:
        return {}
    told = {} if model.interface is None else {"input": model.interface.to_json()}
    weights = {} if first is None else {"start": first.sha256, "first_weights_from": str(first.path)}
    return weights | ({} if scaling is None else {"scaling": scaling}) | told


async def _with_scaling(
    config: RunConfig, codec: ModelCodec, fleet: Fleet, on_event: OnEvent
) -> tuple[ModelCodec, Mapping[str, Any] | None]:
    """R27: the same with a scaling that the nodes gave, and whose rows it is of; None where it is known already."""
    interface = codec.model.interface
    if interface is None or not is_to_be_collected(codec.model):
        return codec, None
    inputs, told = await collected(fleet, config, columns_of(codec.model), on_event)
    return ModelCodec(model_with(config.model.name, replace(interface, inputs=inputs), "the fleet")), told


def _open_record(
    config: RunConfig,
    folder: RunFolder,
    codec: ModelCodec,
    first: FirstWeights | None,
    scaling: Mapping[str, Any] | None,
) -> RunRecord:
    """The run of the folder, begun if there is none; everything beside the database is as the database says."""
    record = folder.resume(config, "" if first is None else first.sha256)
    if record is None:
        vector = codec.initial(config.run.seed) if first is None else first.vector
        initial = Initialisation(0, vector, _sha256(codec.pack(vector)))
        record = folder.begin(config, initial, _beginning(first, scaling, codec.model))
    else:
        _check_packing(folder, record, codec)
        _check_interface(folder, codec)
        folder.store.set_status(record.run, "training")
    folder.rewrite(config, record, codec.arrays)
    return record


def _is_done(folder: RunFolder, record: RunRecord) -> bool:
    return folder.store.initialisation(record.run).rounds_done == record.rounds


def _check_packing(folder: RunFolder, record: RunRecord, codec: ModelCodec) -> None:
    """A blob that is packed otherwise today would make another model of the rest of the run."""
    newest = folder.store.initialisation(record.run)
    if _sha256(codec.pack(newest.vector)) != newest.blob_hash:
        raise StoreError(
            f"the run in {folder.path} was started with a model or a compiler that packs other bytes",
            "continue with the version of Jaragua that started it, or start a run in another folder",
        )


def _check_interface(folder: RunFolder, codec: ModelCodec) -> None:
    """M17: what nodes have scaled their samples with must not change in a run."""
    interface, known = codec.model.interface, folder.known_interface()
    if interface is not None and known not in (None, interface.to_json()):
        raise StoreError(
            f"the run in {folder.path} was started with other columns, classes or another scaling of its data",
            "continue with the data it was started with, or with its scaling under [scaling]; or start another run",
        )


async def _drive(
    config: RunConfig,
    folder: RunFolder,
    codec: ModelCodec,
    strategy: strategies.Strategy,
    on_event: OnEvent,
    first: FirstWeights | None,
    *,
    take_over: bool,
    aggregators: int,
) -> RunRecord:
    """Connect, and only then begin or go on: a broker that is not there leaves no run behind."""
    inbox = Inbox()
    formats = _formats(config, codec, strategy)
    url, trust = connection_of(config)
    name = config.run.fleet
    work = work_of(strategy, 1)
    intake = Intake.AGGREGATORS if aggregators else intake_of(config.strategy.clients_per_round)
    async with Fleet(
        url, name, formats.architectures, inbox.put, take_over=take_over, trust=trust, intake=intake
    ) as fleet:
        resumed = folder.store.run() is not None
        codec, scaling = await _with_scaling(config, codec, fleet, on_event)
        folder.interface = codec.model.interface
        record = _open_record(config, folder, codec, first, scaling)
        formats = _formats(config, codec, strategy)
        driver = Driver(config, folder, record, formats, strategy, on_event)
        on_event(events.RunStarted(record.run, record.rounds, driver.rounds_done, resumed, folder.path))
        try:
            # What came while connecting: the devices are in the roster that the driver starts from, updates wait.
            inbox.forget_changes()
            async with _aggregators(aggregators, config, record, work, fleet) as pool:
                driver.start(fleet, pool)
                await _loop(driver, fleet, inbox, _BrokerWatch(fleet, on_event, url.public))
        finally:
            driver.end()
    return record


def _formats(config: RunConfig, codec: ModelCodec, strategy: strategies.Strategy) -> Formats:
    """Which devices can take part (R14, R35.6)."""
    alone = work_of(strategy, 1).compressed or config.privacy.sums
    return Formats(codec, alone=alone, whole="head" not in trained_parts(config))


@contextlib.asynccontextmanager
async def _aggregators(
    count: int, config: RunConfig, record: RunRecord, work: ClientWork, fleet: Fleet
) -> AsyncIterator[Aggregators | None]:
    """R30: those that were asked for, whose updates are the fleet's."""
    if not count:
        yield None
        return
    url = aggregators_url(config)
    setup = Setup(url=url, fleet=config.run.fleet, run=record.run, model=config.model.name, work=work)

    def take(updates: list[CheckedUpdate]) -> None:
        for one in updates:
            fleet.arrived(Arrived(*one))

    def reject(reason: str, topic: str, why: str, times: int) -> None:
        fleet.rejections.add(Reason(reason), topic, why, times)

    async with Aggregators(count, setup, take, reject) as pool:
        yield pool


async def _loop(driver: Driver, fleet: Fleet, inbox: Inbox, watch: _BrokerWatch) -> None:
    looked_ms = monotonic_ms()
    while not driver.finished:
        event: FleetEvent | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_seconds_to_wait(driver)):
                event = await inbox.next()
        # What came before a deadline counts, and a full inbox must not keep the connection from being read and written.
        left = inbox.waiting + 1
        while event is not None and not driver.finished:
            if isinstance(event, Arrived) and waits_for_more(inbox.waiting, fleet.missing):
                await asyncio.sleep(_GATHERING_SECONDS)
            left -= await _handle(driver, inbox, event)
            await asyncio.sleep(0)
            event = inbox.take() if left > 0 else None
        if driver.finished or _is_time_to_look(driver, looked_ms):
            looked_ms = monotonic_ms()
            await driver.settle()
            fleet.raise_if_broken()
            watch.look()
            if fleet.is_connected:
                driver.tick()


def _is_time_to_look(driver: Driver, looked_ms: int) -> bool:
    """R31.7: groups are not waited for between two looks around, unless a deadline has passed."""
    now_ms, next_ms = monotonic_ms(), driver.machine.next_tick_ms()
    return now_ms >= looked_ms + 1000 * _LOOK_AROUND_SECONDS or (next_ms is not None and now_ms >= next_ms)


def waits_for_more(waiting: int, missing: int) -> bool:
    """R19.4: whether a group is not full, and more will come than fill it. missing: of a round of many devices."""
    return waiting < MOST_IN_A_GROUP < missing - waiting


async def _handle(driver: Driver, inbox: Inbox, event: FleetEvent) -> int:
    """How many events this took: an update brings others that wait with it (R19)."""
    if isinstance(event, Arrived):
        updates = inbox.group(event)
        await driver.take_in_soon(updates)
        return len(updates)
    await driver.settle()
    driver.handle(event)
    return 1


def _seconds_to_wait(driver: Driver) -> float:
    next_ms = driver.machine.next_tick_ms()
    left = _LOOK_AROUND_SECONDS if next_ms is None else (next_ms - monotonic_ms()) / 1000
    return min(_LOOK_AROUND_SECONDS, max(0.0, left))


class _BrokerWatch:
    """Tells when the broker goes and comes, and loses patience when it stays away."""

    def __init__(self, fleet: Fleet, on_event: OnEvent, url: str) -> None:
        self._fleet = fleet
        self._on_event = on_event
        self._url = url
        self._away_since_ms: int | None = None

    def look(self) -> None:
        if self._fleet.is_connected:
            if self._away_since_ms is not None:
                self._on_event(events.BrokerBack())
            self._away_since_ms = None
            return
        if self._away_since_ms is None:
            self._away_since_ms = monotonic_ms()
            self._on_event(events.BrokerLost())
        if monotonic_ms() - self._away_since_ms > _BROKER_PATIENCE_MS:
            message = f"the broker at {self._url} has been away for {_BROKER_PATIENCE_MS // 1000} s"
            raise BrokerError(message, "start it again and go on with `jaragua run CONFIG --resume`")


def _result(folder: RunFolder, record: RunRecord, codec: ModelCodec) -> events.RunResult:
    """Of all rounds, one after the other (R20.5)."""
    store = folder.store
    sums = _Sums()
    for metrics in store.closed_rounds(record.run):
        sums.add(metrics)
    last = sums.last
    _require_believed(sums)
    initial, final = store.initialisation(record.run, 0), store.initialisation(record.run)
    return events.RunResult(
        run=record.run,
        run_dir=folder.path,
        rounds=record.rounds,
        model_hash=final.blob_hash.hex(),
        initial_blob=codec.pack(initial.vector),
        final_blob=codec.pack(final.vector),
        devices=sums.tallies,
        bytes_up=sums.bytes_up,
        bytes_down=sums.bytes_down,
        metric=last["metric"],
        loss=last["loss"],
        score=last["score"],
        instructions_per_step=sums.least_instructions,
        privacy=last.get("privacy", {}),
    )


class _Sums:
    """Over the figures of all closed rounds. last: those of the newest."""

    def __init__(self) -> None:
        self.bytes_up = self.bytes_down = self.least_instructions = 0
        self.last: Mapping[str, Any] = {}
        self.has_believed_any = False
        """R17: an update of some round."""
        self._counts: dict[str, int] = {}
        self._kinds: dict[str, str] = {}

    def add(self, metrics: Mapping[str, Any]) -> None:
        """The next round."""
        self.last = metrics
        self.bytes_up += metrics["bytes_up"]
        self.bytes_down += metrics["bytes_down"]
        self.has_believed_any = self.has_believed_any or len(metrics.get("excluded", {})) < len(metrics["devices"])
        for device, figures in metrics["devices"].items():
            self._counts[device] = self._counts.get(device, 0) + 1
            self._kinds[device] = figures["kind"] or self._kinds.get(device, "")
            if count := figures["instructions"]:
                self.least_instructions = min(count, self.least_instructions or count)

    @property
    def tallies(self) -> tuple[events.DeviceTally, ...]:
        """Of each device."""
        return tuple(events.DeviceTally(one, self._kinds[one], self._counts[one]) for one in sorted(self._counts))


def _require_believed(sums: _Sums) -> None:
    """R17: what no update that was believed has moved is no result. Raises: RunError."""
    if not sums.has_believed_any:
        device, reason = next(iter(sums.last["excluded"].items()))
        message = f"no update of this run was believed, and its model is the one it began with; of {device}: {reason}"
        raise RunError(message, "look at the devices, then start from the beginning: `jaragua run CONFIG --new`")


def _sha256(blob: bytes) -> bytes:
    return hashlib.sha256(blob).digest()
