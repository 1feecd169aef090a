"""Rounds without wires: the coordinator's aggregation over virtual devices (R1, R2, R5)."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.first_weights import check_takes_start, start_hash
from jaragua.errors import ConfigurationError
from jaragua.models import training_head
from jaragua.settings import only_in_integers
from jaragua.simulation.clients.engine import Evaluation, Trained, VirtualFleet, learned_onto
from jaragua.simulation.clients.head_clients import HeadFleet
from jaragua.simulation.clients.integer_clients import IntegerFleet
from jaragua.simulation.clients.mixed_clients import MixedFleet
from jaragua.simulation.clients.numpy_clients import ReferenceFleet, float_fleet
from jaragua.simulation.clients.ray_clients import RayFleet
from jaragua.simulation.comparison.compare import compared
from jaragua.simulation.evaluation import evaluation, pretraining
from jaragua.simulation.models import model_for
from jaragua.simulation.rounds import buffered, private_sums
from jaragua.simulation.rounds.buffered import BufferedRounds
from jaragua.simulation.rounds.played import PlayedRounds
from jaragua.simulation.rounds.private_sums import PrivateSums
from jaragua.simulation.rounds.run_files import RunFiles
from jaragua.simulation.rounds.state import RoundCounts, State, StateFolder
from jaragua.simulation.scheduling import draws
from jaragua.simulation.scheduling.draws import Draw
from jaragua.simulation.settings import (
    CurvePoint,
    OnProgress,
    RoundRecord,
    Simulation,
    SimulationProgress,
    SimulationResult,
    VirtualTime,
    default_cache,
)
from jaragua.simulation.strategy import create_strategy, with_options
from jaragua.simulation.transport.channel import Channel, channel_for
from jaragua.strategies import ClientUpdate, Strategy, Vector
from jaragua.strategies.aggregation import UpdateRows
from jaragua.strategies.guarded import checked_aggregate
from jaragua.strategies.registry import step_size_of, work_of
from jaragua_compiler.engines.host_build import has_compiler
from jaragua_models import Model

SAVE_EVERY_SECONDS: Final = 10.0


def simulate(
    simulation: Simulation,
    *,
    workers: int | None = None,
    state_folder: Path | None = None,
    save_every_seconds: float = SAVE_EVERY_SECONDS,
    on_progress: OnProgress = lambda progress: None,
    cache: Path | None = None,
    ray: str | None = None,
    start: Vector | None = None,
) -> SimulationResult:
    """Run a simulation from where its folder stands (or from the start) to its end, and evaluate what was learned.

    workers: threads that train, and processes that draw; None: one for each core. ray: address of a cluster that trains
    in their place (ray_fleet.py). start: first weights, float64 [parameters], in place of the seed's; 0 rounds evaluate
    them. Raises: ConfigurationError, ModelError, DataError, ToolError, StoreError.
    """
    simulation = replace(with_options(simulation), start="" if start is None else start_hash(start))
    count = workers or os.cpu_count() or 1
    model = model_for(simulation)
    strategy = create_strategy(simulation)
    check(simulation, strategy)
    codec = ModelCodec(model)
    with (
        StateFolder(state_folder, simulation) if state_folder else nullcontext() as folder,
        open_fleet(simulation, codec, count, cache) if ray is None else _ray_fleet(simulation, ray, workers) as fleet,
    ):
        backend = _backend(simulation, codec, fleet, cache, start)
        saver = _Saver(folder, _run_files(state_folder, simulation, codec, fleet), save_every_seconds)
        rounds = _Rounds(simulation, codec, strategy, backend, saver, on_progress)
        trained = rounds.run(count)
        state = replace(trained, vector=backend.start_of(trained.vector))
        if strategy.TRUE_CLASSES:
            pretraining.require_held(fleet, codec, state.vector)
        evaluated = _evaluate(simulation, strategy, codec, fleet, state.vector)
        result = replace(
            _result(simulation, model, fleet, state, evaluated, rounds),
            curve=_curve(simulation, strategy, backend, fleet, state),
            history=tuple(saver.history),
            natural=evaluation.evaluate_natural(simulation, fleet, _starts(simulation, strategy, codec, state.vector)),
            comparison=compared(simulation, fleet, codec, evaluated) if simulation.comparing else None,
        )
        saver.finish(trained, result)
        return result


def _run_files(folder: Path | None, simulation: Simulation, codec: ModelCodec, fleet: VirtualFleet) -> RunFiles | None:
    if folder is None or simulation.config is None:
        return None

    def hash_of(vector: Vector) -> str:
        return hashlib.sha256(fleet.start(vector)).hexdigest()

    return RunFiles(folder, simulation.config, codec, hash_of, simulation.start)


def check(simulation: Simulation, strategy: Strategy) -> None:
    """Whatever can be known to be wrong before anything is learned. Raises: ConfigurationError, DataError."""
    clients, devices = simulation.clients, len(simulation.devices)
    if clients > devices:
        message = f"clients = {clients} is more than the {devices} devices there are"
        raise ConfigurationError(message, f"at least as many devices, or at most {devices} clients")
    if simulation.float_fraction and (reason := _no_mixed_fleet(simulation, strategy)):
        raise ConfigurationError(
            f"no fraction in float32 (simulation.float_fraction) among these devices: {reason}", "leave it out"
        )
    if simulation.head_devices and (reason := _no_heads(simulation, strategy)):
        raise ConfigurationError(
            f"no devices that train the last layer alone (simulation.head_devices) in this simulation: {reason}",
            "leave them out",
        )
    if simulation.start:
        check_takes_start(simulation.strategy, strategy)
    in_float = simulation.engine == "float32" or simulation.float_fraction or strategy.TRUE_CLASSES
    if in_float and (names := only_in_integers(simulation)):
        raise ConfigurationError(f"devices in float32 have no {names}", "leave it out, or take the engine w16 or w8")
    buffered.check(simulation, strategy)
    private_sums.check(simulation, strategy)
    pretraining.check(simulation, strategy)
    evaluation.check(simulation)
    draws.check(simulation)


def _no_mixed_fleet(simulation: Simulation, strategy: Strategy) -> str:
    """Why devices of several precisions cannot train together, "" if they can (R14)."""
    if simulation.engine == "float32":
        return "they all compute in float32"
    if strategy.TRUE_CLASSES:
        return "it trains in one place, and all of it in float32"
    if strategy.PROTOTYPES:
        return "prototypes are the last layer in float32 and are not in integers (A12)"
    if work_of(strategy, 1).compressed:
        return "a strategy that sends differences takes its model's format only (R14)"
    return ""


def _no_heads(simulation: Simulation, strategy: Strategy) -> str:
    """Why no device can train the last layer alone, "" if some can (R35.6)."""
    work = work_of(strategy, 1)
    reasons = {
        f"there are {len(simulation.devices)} devices": simulation.head_devices > len(simulation.devices),
        "they all compute in float32": simulation.engine == "float32",
        "some compute in float32 (simulation.float_fraction)": simulation.float_fraction > 0,
        "it trains in one place": strategy.TRUE_CLASSES,
        "prototypes are the last layer": work.prototypes,
        "a strategy that sends differences takes its model's format only (R14)": work.compressed,
        "strategy.combine takes no part of an update": simulation.combine != "own",
        "each update is part of a sum (privacy)": simulation.privacy.sums,
        "rounds have a buffer (round.buffer)": simulation.buffered is not None,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


class TrainingBackend(Protocol):
    """What a simulation trains with: the fleet, its first weights, and the start that weights become."""

    @property
    def fleet(self) -> VirtualFleet:
        """The virtual devices."""
        ...

    @property
    def first(self) -> Vector:
        """First weights, float64 [parameters]."""
        ...

    def start_of(self, vector: Vector) -> Vector:
        """Weights that devices start from after training to `vector`, float64 [parameters]."""
        ...


@dataclass(frozen=True)
class _Devices:
    """The devices themselves train, and what they learn is what they start from."""

    fleet: VirtualFleet
    first: Vector

    def start_of(self, vector: Vector) -> Vector:
        """The vector itself."""
        return vector


def _backend(
    simulation: Simulation, codec: ModelCodec, fleet: VirtualFleet, cache: Path | None, start: Vector | None
) -> TrainingBackend:
    if pretraining.trains_by_class(simulation):
        return pretraining.Server(simulation, codec, cache or default_cache())
    return _Devices(fleet, codec.initial(simulation.seed) if start is None else start)


class _WholeRounds(PlayedRounds):
    """Rounds that wait for their own devices; nothing here asks when."""

    def __init__(
        self,
        simulation: Simulation,
        strategy: Strategy,
        backend: TrainingBackend,
        channel: Channel,
        private: PrivateSums | None = None,
    ) -> None:
        """private: makes one update of those of a round."""
        super().__init__(simulation, strategy, channel)
        self._backend = backend
        self._private = private
        self._heads = frozenset(sorted(simulation.devices)[len(simulation.devices) - simulation.head_devices :])

    def given(self) -> None:
        """As R1 has it."""

    def play(self, state: State, draw: Draw) -> tuple[State, Trained]:
        """All devices of a round train, and the round closes with what they learned."""
        number = draw.round_number
        work = work_of(self._strategy, number)
        batch = draw.batch.interleaved() if work.pooled else draw.batch
        names = draw.devices[: len(batch)]
        batch = replace(batch, heads=sum(name in self._heads for name in names))
        start, bytes_down = self._channel.send(state.vector, names)
        trained = self._backend.fleet.train(start, work, batch)
        arrived, bytes_up = self._channel.receive(names, trained.rows)
        samples = (batch.counts * work.passes).tolist()
        update_mask = None if work.compressed else trained.update_mask
        updates: Sequence[ClientUpdate]
        if self._private is not None:
            learned = arrived if isinstance(arrived, np.ndarray) else arrived.matrix()
            updates = [self._private.combined(number, state.vector, start, learned, samples)]
        else:
            updates = UpdateRows(names, learned_onto(state.vector, arrived), samples, update_mask)
        moved = checked_aggregate(self._strategy, number, state.vector, updates, state.moments)
        excluded = self._exclusions.checked(self._strategy, number, state.vector, updates)
        after = state.after(
            number,
            moved,
            start=self._backend.start_of(moved.vector),
            arrays=self._channel.arrays(),
            counts=RoundCounts(len(draw.devices), bytes_up, bytes_down, excluded),
            checkpoints=self._simulation.checkpoints,
        )
        return after, trained

    def time(self) -> None:
        """Nobody looked at a clock."""


def _rounds_of(
    simulation: Simulation, codec: ModelCodec, strategy: Strategy, backend: TrainingBackend, state: State
) -> _WholeRounds | BufferedRounds:
    work = work_of(strategy, 1)
    channel = channel_for(backend.fleet, codec, work, backend.first, state.arrays, simulation)
    if simulation.buffered is not None:
        return BufferedRounds(simulation, simulation.buffered, strategy, backend.fleet, channel, state.rounds_done)
    private = PrivateSums(simulation, codec.plan, strategy) if simulation.privacy.sums else None
    return _WholeRounds(simulation, strategy, backend, channel, private)


class _Saver:
    """What is kept on the disk while rounds go on: nothing without a folder."""

    def __init__(self, folder: StateFolder | None, run_files: RunFiles | None, every_seconds: float) -> None:
        self._folder = folder
        self._files = run_files
        self._every_seconds = every_seconds
        self._saved = time.monotonic()
        self.history: list[RoundRecord] = []
        """One record a round: of the folder's files, and of this process."""

    def begin(self, first: Vector) -> State:
        """Where the folder stands, or the first state."""
        state = (self._folder.load() if self._folder else None) or State(first)
        if self._files:
            self.history = self._files.begin(state, first)
        return state

    def note(self, state: State, before: State, loss: float, alpha: float) -> None:
        """Keep what a round did; in the folder from the next save on."""
        record = _record_of(state, before, loss, alpha)
        self.history.append(record)
        if self._files:
            self._files.add(record)

    def save_now_and_then(self, state: State) -> None:
        """Save if it is time. Raises: StoreError."""
        if self._folder and time.monotonic() - self._saved > self._every_seconds:
            self.save(state)

    def save(self, state: State) -> None:
        """Raises: StoreError."""
        if self._files:
            self._files.save_metrics()
        if self._folder:
            self._folder.save(state)
            self._saved = time.monotonic()
        if self._files:
            self._files.save_state(state)

    def finish(self, state: State, result: SimulationResult) -> None:
        """The simulation is over."""
        if self._files:
            self._files.save_state(state, result)


def _record_of(state: State, before: State, loss: float, alpha: float) -> RoundRecord:
    return RoundRecord(
        round=state.rounds_done,
        alpha=alpha,
        loss=loss if math.isfinite(loss) else None,
        updates=state.client_tasks - before.client_tasks,
        excluded=state.excluded - before.excluded,
        bytes_up=state.bytes_up - before.bytes_up,
        bytes_down=state.bytes_down - before.bytes_down,
    )


class _Rounds:
    """The rounds of one simulation in this process."""

    def __init__(
        self,
        simulation: Simulation,
        codec: ModelCodec,
        strategy: Strategy,
        backend: TrainingBackend,
        saver: _Saver,
        on_progress: OnProgress,
    ) -> None:
        self._simulation = simulation
        self._strategy = strategy
        self._saver = saver
        self._on_progress = on_progress
        self._state = saver.begin(backend.first)
        self._rounds = _rounds_of(simulation, codec, strategy, backend, self._state)
        self._begun_with = self._state.client_tasks
        self.seconds = 0.0

    @property
    def time(self) -> VirtualTime | None:
        """What the clock of a simulation with a buffer says."""
        return self._rounds.time()

    @property
    def client_tasks_per_second(self) -> float:
        """Of this process."""
        return (self._state.client_tasks - self._begun_with) / self.seconds if self.seconds else 0.0

    def run(self, workers: int) -> State:
        """All rounds that are left; what was done is saved even if this ends early."""
        if not self._strategy.TRAINS:
            return self._state
        try:
            self._train(draws.draws(self._simulation, self._state.rounds_done + 1, workers, self._rounds.given()))
        finally:
            self._saver.save(self._state)
        return self._state

    def _train(self, drawn: Iterator[Draw]) -> None:
        begun = time.perf_counter()
        for draw in drawn:
            state, trained = self._rounds.play(self._state, draw)
            self.seconds = time.perf_counter() - begun
            # Noted before the state counts: a signal between the two leaves a line too many, which is cut off later.
            self._saver.note(state, self._state, trained.loss, step_size_of(self._strategy, draw.round_number))
            self._state = state
            self._on_progress(
                SimulationProgress(
                    draw.round_number, self._simulation.rounds, trained.loss, self.client_tasks_per_second
                )
            )
            self._saver.save_now_and_then(self._state)


def open_fleet(simulation: Simulation, codec: ModelCodec, workers: int, cache: Path | None = None) -> VirtualFleet:
    """The devices of a simulation: in C; without a C compiler in NumPy, which gives the same integers."""
    folder, samples = cache or default_cache(), simulation.ways * simulation.shots  # as the coordinator commands them
    most_ways = max(simulation.ways, simulation.held_out_ways)
    classes = max(most_ways, codec.plan.network.outputs)  # a label may be any output, and any of the ways

    def floats() -> VirtualFleet:
        return float_fleet(codec.model, workers, folder, samples)

    def integers(codec: ModelCodec = codec) -> VirtualFleet:
        if has_compiler():
            return IntegerFleet(codec.model, codec, workers, folder, samples, classes)
        return ReferenceFleet(codec.model, codec, samples, classes)

    if simulation.engine == "float32":
        return floats()
    if simulation.head_devices:
        heads = ModelCodec(training_head(codec.model))
        return HeadFleet(integers(), integers(heads), heads)
    return MixedFleet(floats(), integers(), simulation.float_fraction) if simulation.float_fraction else integers()


def _ray_fleet(simulation: Simulation, address: str, workers: int | None) -> VirtualFleet:
    """Raises: ConfigurationError, ToolError."""
    if simulation.head_devices:
        message = "no devices that train the last layer alone (simulation.head_devices) on a cluster (--ray)"
        raise ConfigurationError(message, "leave one of the two out")
    if simulation.float_fraction:  # who computes in float32 goes by the place in a round, and a share of it has its own
        message = (
            "no fraction in float32 (simulation.float_fraction) on a cluster (--ray): "
            "each worker has some devices of a round"
        )
        raise ConfigurationError(message, "leave one of the two out")
    return RayFleet(partial(fleet_of_one_thread, simulation), address, workers)


def fleet_of_one_thread(simulation: Simulation) -> VirtualFleet:
    """On whatever machine this is called."""
    return open_fleet(simulation, ModelCodec(model_for(simulation)), 1)


def _evaluate(
    simulation: Simulation, strategy: Strategy, codec: ModelCodec, fleet: VirtualFleet, vector: Vector
) -> Evaluation:
    if strategy.TRAINS:
        return evaluation.evaluate(simulation, fleet, vector)
    return evaluation.evaluate_starts(simulation, fleet, _starts(simulation, strategy, codec, vector))


#: More than anybody counts seeds: so the random starts of one seed's held-out tasks are not those of another's.
_SEEDS = 1 << 64


def _starts(simulation: Simulation, strategy: Strategy, codec: ModelCodec, vector: Vector) -> Iterator[Vector]:
    """What each held-out task begins with: what was learned, or random weights of its own."""
    for number in range(simulation.evaluation.tasks):
        yield vector if strategy.TRAINS else codec.initial(simulation.seed + number * _SEEDS)


def _curve(
    simulation: Simulation, strategy: Strategy, backend: TrainingBackend, fleet: VirtualFleet, state: State
) -> tuple[CurvePoint, ...]:
    if not (simulation.checkpoints and simulation.curve_tasks and strategy.TRAINS):
        return ()
    ends = {0: backend.start_of(backend.first), state.rounds_done: state.vector}
    return evaluation.curve(simulation, fleet, state.checkpoints | ends)


def _result(
    simulation: Simulation, model: Model, fleet: VirtualFleet, state: State, evaluated: Evaluation, rounds: _Rounds
) -> SimulationResult:
    return SimulationResult(
        metric=model.metric,
        before=evaluation.means(evaluated.before),
        after=evaluation.means(evaluated.after),
        tasks=len(evaluated.after),
        rounds=state.rounds_done,
        client_tasks=state.client_tasks,
        client_tasks_per_second=rounds.client_tasks_per_second,
        seconds=rounds.seconds,
        final_hash=hashlib.sha256(fleet.start(state.vector)).hexdigest(),
        bytes_up=state.bytes_up,
        bytes_down=state.bytes_down,
        parameters=len(state.vector),
        excluded=state.excluded,
        scores=tuple(evaluated.after.tolist()),
        scores_before=tuple(evaluated.before.tolist()),
        time=rounds.time,
        learned=state.vector,
        privacy=private_sums.spent_by(simulation, state.rounds_done),
    )
