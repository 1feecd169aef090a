"""A program for any environment with a LiteRT runtime: 100 training steps of a training file, their results as .npz."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from litert_networks import NETWORKS

from jaragua_compiler import initial_weights, plan
from jaragua_compiler.floating.form import pack_floats
from jaragua_compiler.graph.network import Network
from jaragua_compiler.litert.engine import LitertEngine
from jaragua_compiler.litert.runtime import runtime_name
from jaragua_compiler.litert.training_file import read_training_file

STEPS = 100
RATE = 0.02
FOLDER = Path(__file__).parent / "litert"


def samples(network: Network, seed: int) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.generic]]]:
    """Inputs [inputs] and a label [1] or targets [outputs], the same for everyone who asks with this seed."""
    generator = np.random.default_rng(seed)
    for _ in range(STEPS):
        x = generator.uniform(-1, 1, network.input_size).astype(np.float32)
        if network.classifier:
            yield x, generator.integers(network.outputs, size=1)
        else:
            yield x, generator.uniform(-1, 1, network.outputs).astype(np.float32)


def main(name: str, seed: int, result: str) -> None:
    network = NETWORKS[name]
    layout, start = plan(network), initial_weights(network, seed)
    engine = LitertEngine(layout, read_training_file(FOLDER / f"{name}.tflite"))
    stored = engine.weights()
    engine.load(pack_floats(layout, start))
    assert engine.weights() == pack_floats(layout, start), "what is restored is saved"
    tried = [engine.evaluate(x, target) for x, target in samples(network, seed)]
    steps = [engine.train_step(x, target, RATE) for x, target in samples(network, seed)]
    outputs = [engine.forward(x) for x, _ in samples(network, seed)]
    np.savez(
        result,
        runtime=runtime_name(),
        stored=np.frombuffer(stored, "<f4"),
        weights=np.frombuffer(engine.weights(), "<f4"),
        evaluated=[step.loss for step in tried],
        losses=[step.loss for step in steps],
        correct=[step.correct for step in steps],
        outputs=outputs,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
