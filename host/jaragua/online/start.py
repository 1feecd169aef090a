"""What a board is deployed with: weights trained on the classes that are known so far, all layers, on this machine."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaragua.errors import StoreError
from jaragua.online.pools import Pools
from jaragua.strategies.vectors import layers_of
from jaragua_compiler import calibrate, initial_weights, pack
from jaragua_compiler.blob import Int16Array, exponents, quantise_inputs
from jaragua_compiler.initial import Weights
from jaragua_compiler.native import NativeEngine
from jaragua_compiler.plan import Plan, plan
from jaragua_compiler.rate import LearningRate
from jaragua_models import Model
from jaragua_models.base import Features

_CALIBRATION_SAMPLES = 200


@dataclass(frozen=True)
class Start:
    """Trained weights (A6), and how inputs become the device's integers for them."""

    plan: Plan
    blob: bytes

    def integers(self, x: Features) -> Int16Array:
        """Samples float32 [n, inputs] -> int16."""
        return quantise_inputs(self.plan, exponents(self.plan, self.blob), x)


@dataclass(frozen=True)
class Schooling:
    """How a start is trained."""

    passes: int
    learning_rate: float


#: Found by trying, on other seeds than the measured ones.
SCHOOLING = {"digits": Schooling(2, 0.05), "keywords": Schooling(4, 0.02), "omniglot": Schooling(4, 0.05)}


def trained_start(model: Model, pools: Pools, known: Sequence[int], seed: int, weights: Weights | None = None) -> Start:
    """A start that knows the classes `known`, trained from `weights` (None: random ones) on their training pools."""
    layout = plan(model.network)
    first = weights or initial_weights(model.network, seed)
    calibration = model.tasks.calibration()
    calibration = calibration[:: -(-len(calibration) // _CALIBRATION_SAMPLES)]
    start = Start(layout, pack(layout, first, calibrate(layout, first, calibration)))
    schooling = SCHOOLING[model.name.partition("-")[0]]
    return Start(layout, _trained(start, pools, known, seed, schooling))


def saved_weights(folder: Path, model: Model) -> Weights:
    """What `jaragua simulate --state` has learned. Raises: StoreError."""
    path, layout = folder / "simulation.npz", plan(model.network)
    try:
        with np.load(path, allow_pickle=False) as found:
            vector = np.asarray(found["vector"], dtype=np.float64)
        return layers_of(vector, layout.shapes)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"{path} holds no weights of {model.name!r}: {error}", "give the folder of `jaragua simulate --state`"
        ) from error


def _trained(start: Start, pools: Pools, known: Sequence[int], seed: int, schooling: Schooling) -> bytes:
    random, rate = np.random.default_rng(seed), LearningRate.from_float(schooling.learning_rate)
    x = start.integers(np.concatenate([pools.training[label] for label in known]))
    y = np.concatenate([np.full(len(pools.training[label]), label, dtype=np.int16) for label in known])
    engine = NativeEngine(start.plan)
    engine.load(start.blob)
    for _ in range(schooling.passes):
        for row in random.permutation(len(y)):
            engine.train_step(x[row], y[row : row + 1], rate)
    return engine.blob()
