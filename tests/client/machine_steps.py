"""A program for any machine: what a Pi's engines train to there, as one .npz (`make test-raspberry`)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from litert_networks import NETWORKS
from litert_steps import FOLDER, RATE, samples

from jaragua_compiler import NativeEngine, initial_weights, plan
from jaragua_compiler.floating.form import pack_floats
from jaragua_compiler.graph.network import Network
from jaragua_compiler.litert.engine import LitertEngine
from jaragua_compiler.litert.training_file import read_training_file

sys.path.insert(0, str(Path(__file__).parents[1] / "compiler"))
from random_cases import random_blob, random_sample

SEED = 7
NATIVE_STEPS = 200


def native_weights(network: Network) -> npt.NDArray[np.uint8]:
    """The bytes of the blob that random steps over the whole range of the formats end with."""
    layout, generator = plan(network), np.random.default_rng(SEED)
    engine = NativeEngine(layout)
    engine.load(random_blob(generator, layout))
    for _ in range(NATIVE_STEPS):
        engine.train_step(*random_sample(generator, layout))
    return np.frombuffer(engine.blob(), np.uint8)


def litert_weights(network: Network) -> npt.NDArray[np.float32]:
    """The weights [parameters] after a hundred steps, float32."""
    layout = plan(network)
    engine = LitertEngine(layout, read_training_file(FOLDER / f"{network.name}.tflite"))
    engine.load(pack_floats(layout, initial_weights(network, SEED)))
    for x, target in samples(network, SEED):
        engine.train_step(x, target, RATE)
    return np.frombuffer(engine.weights(), "<f4")


def found_here() -> dict[str, npt.NDArray[np.generic]]:
    """Per engine and network, under `native/digits` and so on."""
    native = {f"native/{name}": native_weights(network) for name, network in NETWORKS.items()}
    return native | {f"litert/{name}": litert_weights(network) for name, network in NETWORKS.items()}


if __name__ == "__main__":
    np.savez(sys.argv[1], **found_here())
