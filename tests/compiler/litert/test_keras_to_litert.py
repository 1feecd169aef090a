"""Training files are made from Keras, the zoo and random networks, of built-in operators, and learn as float32 does.

With TensorFlow only (`make test-keras`). What the files do on a Pi is in tests/client/test_litert_engine.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from image_networks import random_conv_network, random_graph_network
from random_cases import random_network

from jaragua.cli.main import run as run_command
from jaragua_compiler import CompileError, Dense, Network, initial_weights, plan
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.floating.form import pack_floats
from jaragua_compiler.frontends import from_keras
from jaragua_compiler.frontends.flatbuffer import root

pytest.importorskip("tensorflow", reason="make test-keras has it", exc_type=ImportError)

from jaragua_compiler.litert.convert import convert
from jaragua_compiler.litert.engine import LitertEngine
from jaragua_compiler.litert.export import export
from jaragua_compiler.litert.training_file import read_training_file
from jaragua_models.loading import load_model

SMALL = Path(__file__).parents[1] / "data" / "small.keras"
CUSTOM, STEPS, RATE = 32, 30, 0.02


def drawn(generator: np.random.Generator) -> Network:
    """A network that fits a device, of any layers."""
    while True:
        kind = generator.integers(3)
        try:
            if kind == 0:
                network = random_network(generator, 64)
            else:
                network = (random_conv_network if kind == 1 else random_graph_network)(generator)
            assert plan(network).architecture
        except CompileError:
            continue
        return network


@pytest.mark.parametrize("number", range(8))
def test_steps_of_a_random_network_equal_the_float_engine(tmp_path: Path, number: int) -> None:
    """The same networks in each run: where a value lies within rounding of a ReLU's edge, the two rightly part."""
    generator = np.random.default_rng(number)
    network = drawn(generator)
    weights, layout, path = initial_weights(network, number), plan(network), tmp_path / "random.tflite"
    path.write_bytes(convert(layout, weights))
    litert, reference = LitertEngine(layout, read_training_file(path)), FloatEngine(network, weights)
    for _ in range(STEPS):
        x = generator.uniform(-1, 1, network.input_size).astype(np.float32)
        target = generator.integers(network.outputs, size=1)
        if not network.classifier:
            target = generator.uniform(-1, 1, network.outputs).astype(np.float32)
        assert litert.train_step(x, target, RATE).correct == reference.train_step(x, target, RATE).correct
    found, wanted = (np.frombuffer(one, "<f4") for one in (litert.weights(), pack_floats(layout, reference.weights)))
    assert np.linalg.norm(found - wanted) <= 1e-5 * np.linalg.norm(wanted), network


def test_a_keras_file_gives_a_training_file_of_built_in_operators(tmp_path: Path) -> None:
    network, weights = from_keras(SMALL)
    file = export(load_model(str(SMALL)), tmp_path / "small.tflite")
    assert (file.network, file.architecture) == (network.name, plan(network).architecture)
    assert LitertEngine(plan(network), file).weights() == pack_floats(plan(network), weights)
    codes = root(file.path.read_bytes()).tables(1)
    assert codes
    assert all(max(code.integer(0, "b"), code.integer(3)) != CUSTOM and not code.text(1) for code in codes)


def test_the_verb_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "digits.tflite"
    assert run_command(["export-litert", "digits", "--out", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["data"]
    wanted = {"file": str(path), "network": "digits", "bytes": path.stat().st_size}
    assert found == wanted | {"architecture": read_training_file(path).architecture.hex()}


def test_a10_6_a_network_with_frozen_layers_is_refused() -> None:
    network = Network("frozen", 4, (Dense(3, "relu", trainable=False), Dense(2)))
    with pytest.raises(CompileError, match="frozen"):
        convert(plan(network), initial_weights(network, 1))


def test_a_model_of_the_zoo_by_its_name_and_nothing_half_written(tmp_path: Path) -> None:
    assert export(load_model("sine"), tmp_path / "sine.tflite").network == "sine"
    with pytest.raises(CompileError, match="There is no folder"):
        export(load_model("sine"), tmp_path / "absent" / "sine.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["sine.tflite"]
