"""What a board is deployed with: weights trained on the classes that are known so far, all layers, on this machine."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jaragua.errors import StoreError
from jaragua.models import is_file
from jaragua.online.pools import Pools
from jaragua.reasons import reason_of
from jaragua.strategies.vectors import layers_of
from jaragua_compiler import calibrate, initial_weights, pack
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.export.inputs.weights_file import read_weights
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.planning.plan import Plan, plan
from jaragua_compiler.quantisation.blob import Int16Array, exponents, quantise_inputs
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models import HasRows, Model
from jaragua_models.base import Features

_CALIBRATION_SAMPLES = 200
#: Half of int16's range is left for inputs larger than any of the training samples.
_RAW_MOST = 16000.0
_RAW_END = 32767
#: Standardised inputs beyond so many deviations are clamped by the network's input range (A3.0).
_MOST_DEVIATIONS = 4.0


@dataclass(frozen=True)
class Scaling:
    """Of a start that wants standardised inputs: what its training samples were standardised with, [inputs] each."""

    mean: FloatArray
    deviation: FloatArray
    raw: float
    """Raw inputs times this fill int16 (O2.3)."""

    @classmethod
    def of(cls, x: Features) -> Scaling:
        """From samples float32 [n, inputs]."""
        return cls(x.mean(axis=0), x.std(axis=0), _RAW_MOST / float(np.abs(x).max()))

    def standardised(self, x: Features) -> FloatArray:
        """Mean 0, deviation 1; an input that never changes is 0 (O3.2)."""
        moves = self.deviation > 0
        scaled: FloatArray = np.where(moves, (x - self.mean) / np.where(moves, self.deviation, 1), 0)
        return scaled


@dataclass(frozen=True)
class TrainedModel:
    """Trained weights (A6), and how inputs become the device's integers for them.

    `scaling`: the network wants standardised inputs, and a board in its stream makes them itself (O3).
    """

    plan: Plan
    blob: bytes
    scaling: Scaling | None = None

    def integers(self, x: Features) -> Int16Array:
        """Samples float32 [n, inputs] -> int16, as the network takes them."""
        wanted = self.scaling.standardised(x) if self.scaling else x
        return quantise_inputs(self.plan, exponents(self.plan, self.blob), wanted)

    def streamed(self, x: Features) -> Int16Array:
        """The same for the board's stream: raw, if the board standardises."""
        if self.scaling is None:
            return self.integers(x)
        raw: Int16Array = np.clip(np.rint(x * self.scaling.raw), -_RAW_END, _RAW_END).astype(np.int16)
        return raw


@dataclass(frozen=True)
class TrainingSchedule:
    """How a start is trained."""

    passes: int
    learning_rate: float


OWN_DATA_PASSES = 4
#: Found by trying, on other seeds than the measured ones.
TRAINING = {
    "digits": TrainingSchedule(2, 0.05),
    "keywords": TrainingSchedule(4, 0.02),
    "omniglot": TrainingSchedule(4, 0.05),
}


def train_model(
    model: Model,
    pools: Pools,
    known: Sequence[int],
    seed: int,
    weights: Weights | None = None,
    *,
    standardise: bool = False,
) -> TrainedModel:
    """A start that knows the classes `known`, trained from `weights` (None: random ones) on their training pools."""
    layout = plan(model.network)
    first = weights or initial_weights(model.network, seed)
    scaling = Scaling.of(np.concatenate([pools.training[label] for label in known])) if standardise else None
    samples = model.tasks.calibration()
    samples = samples[:: -(-len(samples) // _CALIBRATION_SAMPLES)]
    ranges = np.clip(scaling.standardised(samples), -_MOST_DEVIATIONS, _MOST_DEVIATIONS) if scaling else samples
    start = TrainedModel(layout, pack(layout, first, calibrate(layout, first, ranges)), scaling)
    schedule = TRAINING.get(model.name.partition("-")[0])
    if schedule is None or isinstance(model.tasks, HasRows):
        schedule = TrainingSchedule(OWN_DATA_PASSES, model.defaults.learning_rate)
    return replace(start, blob=_trained(start, pools, known, seed, schedule))


def model_of(model: Model, weights: Weights) -> TrainedModel:
    """A start with these weights as they are, in formats from training data."""
    layout, samples = plan(model.network), model.tasks.calibration()
    samples = samples[:: -(-len(samples) // _CALIBRATION_SAMPLES)]
    return TrainedModel(layout, pack(layout, weights, calibrate(layout, weights, samples)), None)


def saved_weights(folder: Path, model: Model) -> Weights:
    """What `jaragua simulate` has learned: the folder of its --directory, or a safetensors file.

    Raises: StoreError if it is of another task, or nothing; CompileError for such a file.
    """
    if folder.is_file():
        return read_weights(folder, model.network)
    path, shapes = folder / "simulation.npz", plan(model.network).shapes
    hint = f"give the folder of `jaragua simulate --task {model.name} --directory`"
    try:
        with np.load(path, allow_pickle=False) as found:
            vector = np.asarray(found["vector"], dtype=np.float64)
            task = str(json.loads(str(found["identity"]))["task"])
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {reason_of(error)}", hint) from error
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} cannot be read: it is damaged, or no saved simulation", hint) from error
    count = sum(math.prod(part) for layer in shapes for part in layer)
    other = not is_file(task) and task.partition("@")[0] != model.name
    if other or vector.shape != (count,):
        message = f"{path} holds {vector.size} weights of {task!r}; {model.name!r} has {count}"
        raise StoreError(message, hint)
    return layers_of(vector, shapes)


def _trained(start: TrainedModel, pools: Pools, known: Sequence[int], seed: int, schedule: TrainingSchedule) -> bytes:
    random, rate = np.random.default_rng(seed), LearningRate.from_float(schedule.learning_rate)
    x = start.integers(np.concatenate([pools.training[label] for label in known]))
    y = np.concatenate([np.full(len(pools.training[label]), label, dtype=np.int16) for label in known])
    engine = NativeEngine(start.plan)
    engine.load(start.blob)
    for _ in range(schedule.passes):
        for row in random.permutation(len(y)):
            engine.train_step(x[row], y[row : row + 1], rate)
    return engine.blob()
