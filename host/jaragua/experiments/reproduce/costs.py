"""What a strategy costs a board: RAM after the compiler's table, instructions counted on the emulated Cortex-M4."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from dataclasses import replace
from typing import Final

from jaragua.experiments.reproduce.plan import Experiment
from jaragua.experiments.reproduce.records import Costs
from jaragua.simulation.strategy import create_strategy
from jaragua.strategies import WHOLE_SET, ClientWork
from jaragua.strategies.registry import find
from jaragua_bench.emulated import board, toolchain
from jaragua_bench.workload import prepare
from jaragua_compiler import Plan, plan
from jaragua_compiler.codegen.emitter import emitted_files
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.export.memory import figures
from jaragua_models import Defaults

#: Of meta-training before steps are counted: by then about as many rows are dead as later.
_ROUNDS: Final = 50
_STEPS: Final = 25
_NUMBER_BYTES: Final = 2
_CORE: Final = "cortex_m4"


def costs_key(experiment: Experiment, batch: int | None = None) -> str:
    """By content: equal for all experiments whose boards have the same program and do the same steps in the same way.

    batch: of other mini-batches than the experiment's.
    """
    size = batch_of(experiment) if batch is None else batch
    counted = f"{experiment.simulation.task} {_defaults(experiment)} {size}"
    return hashlib.sha256(f"{_program(_layout(experiment, size))} {counted}".encode()).hexdigest()[:32]


@functools.cache
def _program(layout: Plan) -> str:
    """All that RAM and instructions of an engine depend on, but for the compiler: its C, and what is planned for it."""
    kernels = {path.name: path.read_text(encoding="utf-8") for path in sorted(kernel_folder().rglob("*.[ch]"))}
    content = json.dumps([emitted_files(layout), kernels, figures(layout, _CORE).ram_bytes], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def measure(experiment: Experiment) -> Costs:
    """Build the engine of the experiment's network and count training steps. Instructions are 0 without the tools."""
    begun = time.perf_counter()
    batch = batch_of(experiment)
    ram = figures(_layout(experiment, batch), _CORE).ram_bytes
    try:
        toolchain.require_tools()
    except toolchain.ToolError:
        return Costs(ram, 0, batch, time.perf_counter() - begun)
    return Costs(ram, _counted(experiment, batch), batch, time.perf_counter() - begun)


def _layout(experiment: Experiment, batch: int) -> Plan:
    """With sums for mini-batches if there are any (A11)."""
    return plan(experiment.model.network, accumulate=batch > 1)


def _counted(experiment: Experiment, batch: int) -> int:
    """Instructions a sample: the mean over whole mini-batches, the step itself in it."""
    model = experiment.model
    drawn = prepare(replace(model, defaults=_defaults(experiment)), plan(model.network), 1).steps
    size = min(batch, len(drawn))
    steps = [replace(step, batch=size) for step in drawn[: max(1, _STEPS // size) * size]]
    counts = [counted.train_instructions for counted, _ in board.run(_layout(experiment, batch), steps, counted=True)]
    return round(sum(counts) / len(counts))


def _defaults(experiment: Experiment) -> Defaults:
    """With which a start is trained for the count."""
    wanted = experiment.simulation
    shots = min(wanted.shots, -(-_STEPS // wanted.ways))
    return replace(experiment.model.defaults, ways=wanted.ways, rounds=_ROUNDS, shots=shots)


def work_of(experiment: Experiment) -> ClientWork:
    """What a device does in a round."""
    return create_strategy(experiment.simulation).client_work(1)


def batch_of(experiment: Experiment) -> int:
    """Samples of one step in a round."""
    work, samples = work_of(experiment), samples_of_a_round(experiment)
    return samples if work.batch == WHOLE_SET else min(work.batch, samples)


def samples_of_a_round(experiment: Experiment) -> int:
    """Of one device."""
    return experiment.simulation.ways * experiment.simulation.shots


def stored_bytes(experiment: Experiment) -> int:
    """Of samples that a device keeps: all of a round or of a new task, if it meets them more than once; else none."""
    network = experiment.model.network
    kept = samples_to_adapt(experiment) if experiment.simulation.evaluation.passes > 1 else 0
    if trains_on_devices(experiment) and work_of(experiment).passes > 1:
        kept = max(kept, samples_of_a_round(experiment))
    return kept * (network.input_size + network.targets) * _NUMBER_BYTES


def trains_on_devices(experiment: Experiment) -> bool:
    """And not in one place, or not at all."""
    return find(experiment.simulation.strategy).TRAINS and not work_of(experiment).pooled


def steps_of_a_round(experiment: Experiment) -> int:
    """On single samples, of one device."""
    return samples_of_a_round(experiment) * work_of(experiment).passes


def samples_to_adapt(experiment: Experiment) -> int:
    """Of a new device."""
    wanted = experiment.simulation
    return wanted.ways * (wanted.evaluation.shots or wanted.shots)


def steps_to_adapt(experiment: Experiment) -> int:
    """On single samples, of a new device."""
    return samples_to_adapt(experiment) * experiment.simulation.evaluation.passes
