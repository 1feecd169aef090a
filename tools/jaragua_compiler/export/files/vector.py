"""A test vector: samples, steps, and what the NumPy reference makes of them; selftest.c compares it with the board."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jaragua_compiler.engine_protocol import Match, StepResult
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.export.inputs.samples import evenly
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array, quantise_inputs, quantise_targets
from jaragua_compiler.quantisation.exponents import Exponents
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.engine import ReferenceEngine

STEPS = 8
RATE = LearningRate.from_float(1 / 16)  # large enough to move weights in a few steps
TEMPERATURE = LearningRate.from_float(1 / 16)
_MOST_SAMPLES = 4
_MOST_ENROLLED_CLASSES = 3  # less than the samples, so that a class has two
_MOST_SAMPLE_BYTES = 16384  # what all inputs may take of the board's flash
_SEED = 1
_FAR = 1e6

Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True)
class VectorStep:
    """One training step and its results: outputs and loss before it, CRC-32 of all weights after it."""

    sample: int
    target: Int16Array
    outputs: Int16Array
    result: StepResult
    weights_crc32: int


@dataclass(frozen=True)
class PrototypeVector:
    """Sample n is enrolled as class n % classes. `matches` are those of all samples then, with the threshold
    `rejection`; `prototype_crc32` is that of the numbers of class 0, as int16 of a little-endian machine. The steps
    train with the prototypes as last layer, from the first weights on. `enrolled_crc32` is that of the weights after a
    step on each sample by the gradient of its prototype (A12.10), None of a plan that has no gradients.
    """

    classes: int
    rejection: int
    prototype_crc32: int
    temperature: LearningRate
    matches: tuple[Match, ...]
    steps: tuple[VectorStep, ...]
    enrolled_crc32: int | None = None


@dataclass(frozen=True)
class TestVector:
    """`inputs` int16 [samples, inputs]; the steps go round them. `readings`: raw integers int32 [n, inputs], and the
    inputs that the rules I2 to I4 make of them, int16 [n, inputs]. `prototypes`: of a plan that has them.
    """

    inputs: Int16Array
    rate: LearningRate
    seed: int
    blob_crc32: int
    steps: tuple[VectorStep, ...]
    readings: tuple[Int32Array, Int16Array] | None = None
    prototypes: PrototypeVector | None = None


def make_vector(
    plan: Plan, exponents: Exponents, blob: bytes, samples: FloatArray, columns: InputFormat | None = None
) -> TestVector:
    """Train the blob for a few steps on the first samples (float64 [n, inputs]), in the reference engine."""
    most = min(_MOST_SAMPLES, max(1, _MOST_SAMPLE_BYTES // (2 * plan.network.input_size)))
    inputs = quantise_inputs(plan, exponents, samples[evenly(len(samples), most)])
    targets = _targets(plan, exponents)
    engine = ReferenceEngine(plan)
    engine.load(blob)
    engine.set_seed(_SEED)
    steps = tuple(_step(engine, number % len(inputs), inputs, targets[number]) for number in range(STEPS))
    readings = None if columns is None else _readings(plan, exponents, columns, most)
    prototypes = _prototypes(plan, blob, inputs) if plan.prototypes else None
    return TestVector(inputs, RATE, _SEED, zlib.crc32(blob), steps, readings, prototypes)


def _prototypes(plan: Plan, blob: bytes, inputs: Int16Array) -> PrototypeVector:
    """Enrol all inputs, recognise them with a threshold that rejects some, and train on them, in the reference."""
    engine = ReferenceEngine(plan)
    engine.load(blob)
    engine.set_seed(_SEED)
    classes = min(_MOST_ENROLLED_CLASSES, plan.prototypes, len(inputs))
    for number, x in enumerate(inputs):
        engine.enrol(x, number % classes)
    rejection = sorted(engine.recognise(x).relative for x in inputs)[len(inputs) // 2]
    engine.set_rejection(rejection)
    matches = tuple(map(engine.recognise, inputs))
    numbers = zlib.crc32(engine.prototype(0).astype("<i2").tobytes())
    engine.set_temperature(TEMPERATURE)
    steps = tuple(_prototype_step(engine, number % len(inputs), classes, inputs) for number in range(STEPS))
    enrolled = _enrolled_steps(engine, classes, inputs) if plan.prototype_gradients else None
    return PrototypeVector(classes, rejection, numbers, TEMPERATURE, matches, steps, enrolled)


def _enrolled_steps(engine: ReferenceEngine, classes: int, inputs: Int16Array) -> int:
    for number, x in enumerate(inputs):
        engine.train_enrolled(x, number % classes, RATE)
    return zlib.crc32(engine.blob())


def _prototype_step(engine: ReferenceEngine, sample: int, classes: int, inputs: Int16Array) -> VectorStep:
    target = np.array([sample % classes], np.int16)
    result = engine.train_prototypes(inputs[sample], target, RATE)
    return VectorStep(sample, target, np.empty(0, np.int16), result, zlib.crc32(engine.blob()))


def _readings(plan: Plan, exponents: Exponents, columns: InputFormat, rows: int) -> tuple[Int32Array, Int16Array]:
    """Readings about the columns' offsets, the first row far beyond what they can be."""
    generator = np.random.default_rng(_SEED)
    offset, scale, per_unit = (
        np.tile([getattr(column, name) for column in columns.columns], plan.network.input_size // len(columns.columns))
        for name in ("offset", "scale", "per_unit")
    )
    places = generator.uniform(-1, 1, size=(rows, plan.network.input_size))
    places[0] *= _FAR
    raw = np.clip(np.rint((offset + places * scale) * per_unit), -(2.0**31), 2.0**31 - 1).astype(np.int32)
    return raw, quantise_inputs(plan, exponents, columns.of_raw(raw))


def _step(engine: ReferenceEngine, sample: int, inputs: Int16Array, target: Int16Array) -> VectorStep:
    outputs = engine.forward(inputs[sample])
    result = engine.train_step(inputs[sample], target, RATE)
    return VectorStep(sample, target, outputs, result, zlib.crc32(engine.blob()))


def _targets(plan: Plan, exponents: Exponents) -> Int16Array:
    """int16 [steps, targets]: the classes in turn, or numbers in the inner half of a regression's range."""
    network = plan.network
    if network.classifier:
        return (np.arange(STEPS, dtype=np.int16) % network.outputs).astype(np.int16).reshape(STEPS, 1)
    half = network.output_range / 2
    values = np.random.default_rng(_SEED).uniform(-half, half, size=(STEPS, network.outputs))
    return quantise_targets(plan, exponents, values)
