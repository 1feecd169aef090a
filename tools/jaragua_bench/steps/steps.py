"""Training steps as data: what goes into a program of the bench, what engines make of it, and where two differ."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jaragua_compiler.engine_protocol import Engine, StepLimits, StepResult
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array, unpack_integers
from jaragua_compiler.quantisation.rate import LearningRate

_MAGIC = 0x58474A42
_HEADER = struct.Struct("<IIHHHHI")
_STEP_HEAD = struct.Struct("<HBBIIHBBI")
_RECORD = struct.Struct("<6I")


@dataclass(frozen=True)
class Step:
    """One training step: input int16 [inputs], target int16 [targets], rate.

    `blob` replaces the weights before it; then `seed` begins the dither anew (A8.5), and from there on `batch` samples
    make one step (A11.1). `clip`: A11.7. `loss_threshold`: A11.8. `flush`: the weights take the step of the samples
    there are (A11.5), counted with this one.
    """

    x: Int16Array
    target: Int16Array
    rate: LearningRate
    blob: bytes | None = None
    seed: int = 0
    batch: int = 1
    clip: int = 0
    loss_threshold: int = 0
    flush: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a step gave: the outputs before it (int16 [outputs]), its result, and the weights after it."""

    outputs: Int16Array
    result: StepResult
    blob: bytes


@dataclass(frozen=True)
class Counts:
    """What a step cost on the board: instructions, and bytes of stack below the caller's frame."""

    forward_instructions: int
    train_instructions: int
    forward_stack_bytes: int
    train_stack_bytes: int


@dataclass(frozen=True)
class Mismatch:
    """The first place where two engines differ."""

    step: int
    place: str
    expected: int
    got: int

    def __str__(self) -> str:
        return f"step {self.step}, {self.place}: expected {self.expected}, got {self.got}"


def run(engine: Engine, steps: Sequence[Step]) -> list[Outcome]:
    """Do the steps on an engine of this machine (the NumPy reference, the native engine)."""
    return [_run_one(engine, step) for step in steps]


def write_input(plan: Plan, steps: Sequence[Step]) -> bytes:
    """The in.bin of firmware/bench/bench_engine.c."""
    network = plan.network
    head = _HEADER.pack(_MAGIC, plan.blob_bytes, network.input_size, network.outputs, network.targets, 0, len(steps))
    return b"".join([head, *(_step_bytes(step) for step in steps)])


def read_output(plan: Plan, data: bytes) -> list[tuple[Counts, Outcome]]:
    """What the board wrote into its out.bin, step by step."""
    outputs_bytes, size = 2 * plan.network.outputs, record_bytes(plan)
    return [_read_one(data[start : start + size], outputs_bytes) for start in range(0, len(data), size)]


def record_bytes(plan: Plan) -> int:
    """What the board writes for one step."""
    return _RECORD.size + 2 * plan.network.outputs + plan.blob_bytes


def mismatches(plan: Plan, expected: Sequence[Outcome], got: Sequence[Outcome]) -> list[Mismatch]:
    """Every output, result, weight and bias that differs, in the order of the steps; a missing step counts as one."""
    found = [Mismatch(min(len(expected), len(got)), "steps done", len(expected), len(got))]
    found = found if len(expected) != len(got) else []
    for index, pair in enumerate(zip(expected, got, strict=False)):
        found += [Mismatch(index, *difference) for difference in _differences(plan, *pair)]
    return found


def _run_one(engine: Engine, step: Step) -> Outcome:
    if step.blob is not None:
        engine.load(step.blob)
        engine.set_seed(step.seed)
        engine.set_accumulation(step.batch)
    engine.set_limits(StepLimits(step.loss_threshold, step.clip))
    outputs = engine.forward(step.x)
    result = engine.train_step(step.x, step.target, step.rate)
    if step.flush:
        engine.apply()
    return Outcome(outputs, result, engine.blob())


def _step_bytes(step: Step) -> bytes:
    settings = (step.seed, step.clip, step.batch, step.flush, 0, step.loss_threshold)
    head = _STEP_HEAD.pack(*step.rate, step.blob is not None, *settings)
    return b"".join((head, step.blob or b"", step.x.astype("<i2").tobytes(), step.target.astype("<i2").tobytes()))


def _read_one(record: bytes, outputs_bytes: int) -> tuple[Counts, Outcome]:
    *counts, correct, loss = _RECORD.unpack_from(record)
    blob_start = _RECORD.size + outputs_bytes
    outputs = np.frombuffer(record[_RECORD.size : blob_start], "<i2").astype(np.int16)
    return Counts(*counts), Outcome(outputs, StepResult(bool(correct), loss), record[blob_start:])


def _differences(plan: Plan, expected: Outcome, got: Outcome) -> Iterator[tuple[str, int, int]]:
    for index, (want, have) in enumerate(zip(expected.outputs.tolist(), got.outputs.tolist(), strict=True)):
        if want != have:
            yield f"output {index}", want, have
    for name, want, have in zip(StepResult._fields, expected.result, got.result, strict=True):
        if want != have:
            yield name, int(want), int(have)
    if expected.blob != got.blob:
        yield from _blob_differences(plan, expected.blob, got.blob)


def _blob_differences(plan: Plan, expected: bytes, got: bytes) -> Iterator[tuple[str, int, int]]:
    head = plan.header_bytes
    if expected[:head] != got[:head]:
        yield "blob header", int.from_bytes(expected[:head], "little"), int.from_bytes(got[:head], "little")
        return
    pairs = zip(unpack_integers(plan, expected), unpack_integers(plan, got), strict=True)
    for layer, (wanted, had) in enumerate(pairs):
        for name, want, have in zip(("weight", "bias"), wanted, had, strict=True):
            for place in np.argwhere(want != have):
                index = "".join(f"[{number}]" for number in place)
                yield f"layer {layer} {name} {index}", int(want[tuple(place)]), int(have[tuple(place)])
