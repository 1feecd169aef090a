"""Calls of a model with prototypes (A12) as data: the files of firmware/bench/bench_prototypes.c, and the same here."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from jaragua_compiler.engine_protocol import ACCEPT_ALL, PrototypeEngine
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.rate import LearningRate

_MAGIC = 0x50474A42
_HEADER = struct.Struct("<IIIIHHHHHHH2x")
_CALL = struct.Struct("<Hh")
_RECORD = struct.Struct("<IIQIHH")


class Kind(IntEnum):
    """What a call does."""

    ENROL = 0
    RECOGNISE = 1
    TRAIN_PROTOTYPES = 2
    TRAIN = 3
    TRAIN_ENROLLED = 4
    """A12.10: only of a plan with gradients of prototypes."""


@dataclass(frozen=True)
class Call:
    """One call. x: int16 [inputs]; label: the class of the sample."""

    kind: Kind
    x: Int16Array
    label: int


@dataclass(frozen=True)
class Calls:
    """Calls in a row from one blob, with one temperature, rate, seed and threshold (A12.8)."""

    blob: bytes
    temperature: LearningRate
    rate: LearningRate
    seed: int
    calls: Sequence[Call]
    rejection: int = ACCEPT_ALL


@dataclass(frozen=True)
class Answer:
    """What a call gave: the recognised class, or 1 for a right prediction; distances; a loss; 1 if accepted (A12.8)."""

    answer: int
    distance: int
    loss: int
    relative: int = 0
    accepted: int = 0
    instructions: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Outcome:
    """All answers, the weights at the end, and the prototypes int16 [classes, features], 0 where there is none."""

    answers: list[Answer]
    blob: bytes
    prototypes: bytes


def write_input(plan: Plan, calls: Calls) -> bytes:
    """The in.bin of the program."""
    header = _HEADER.pack(
        _MAGIC,
        plan.blob_bytes,
        len(calls.calls),
        calls.seed,
        plan.network.input_size,
        plan.prototypes,
        *calls.temperature,
        *calls.rate,
        calls.rejection,
    )
    return header + calls.blob + b"".join(_CALL.pack(one.kind, one.label) + one.x.tobytes() for one in calls.calls)


def read_output(plan: Plan, calls: Calls, data: bytes) -> Outcome:
    """What the program wrote to out.bin."""
    end = _RECORD.size * len(calls.calls)
    answers = [_read(*_RECORD.unpack_from(data, place)) for place in range(0, end, _RECORD.size)]
    return Outcome(answers, data[end : end + plan.blob_bytes], data[end + plan.blob_bytes :])


def _read(instructions: int, answer: int, distance: int, loss: int, relative: int, accepted: int) -> Answer:
    """The fields of a record in the order of the program."""
    return Answer(answer, distance, loss, relative, accepted, instructions)


def run(engine: PrototypeEngine, plan: Plan, calls: Calls) -> Outcome:
    """The same calls on an engine of this machine."""
    engine.load(calls.blob)
    engine.set_seed(calls.seed)
    engine.set_temperature(calls.temperature)
    engine.set_rejection(calls.rejection)
    answers = [_answer(engine, one, calls.rate) for one in calls.calls]
    rows = np.zeros((plan.prototypes, plan.prototype_head.inputs), np.int16)
    for label in range(plan.prototypes):
        if engine.enrolled(label):
            rows[label] = engine.prototype(label)
    return Outcome(answers, engine.blob(), rows.tobytes())


def _answer(engine: PrototypeEngine, call: Call, rate: LearningRate) -> Answer:
    target = np.array([call.label], np.int16)
    if call.kind is Kind.ENROL:
        engine.enrol(call.x, call.label)
        return Answer(0, 0, 0)
    if call.kind is Kind.RECOGNISE:
        match = engine.recognise(call.x)
        return Answer(match.label, match.distance, 0, match.relative, int(match.accepted))
    if call.kind is Kind.TRAIN_ENROLLED:
        engine.train_enrolled(call.x, call.label, rate)
        return Answer(0, 0, 0)
    step = engine.train_prototypes if call.kind is Kind.TRAIN_PROTOTYPES else engine.train_step
    result = step(call.x, target, rate)
    return Answer(int(result.correct), 0, result.loss)
