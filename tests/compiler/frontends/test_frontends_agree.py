"""The same nets from Keras, ONNX (both exporters of PyTorch) and LiteRT (float, int8): one Network, the same weights.

The files and what their own frameworks computed are in fixtures/, made by the script in fixtures/README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaragua_compiler import CompileError, Network, calibrate, initial_weights, pack, plan
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.frontends import from_keras, from_litert, from_onnx
from jaragua_compiler.graph.initial_weights import Weights

FIXTURES = Path(__file__).parents[1] / "fixtures"
READERS: dict[str, Callable[..., tuple[Network, Weights]]] = {
    ".keras": from_keras,
    ".onnx": from_onnx,
    "-dynamo.onnx": from_onnx,
    ".tflite": from_litert,
    "-int8.tflite": from_litert,
}
FLOAT = tuple(ending for ending in READERS if "int8" not in ending)
INT8_TOLERANCE = 0.02
"""Of outputs around 1: the file computes with rounded activations, the Network made of it only has rounded weights."""


def _read(name: str, ending: str) -> tuple[Network, Weights]:
    return READERS[ending](FIXTURES / f"{name}{ending}", "softmax_cross_entropy")


def _computed(name: str, ending: str, x: Any) -> Any:
    outputs = FloatEngine(*_read(name, ending), np.float64).forward(x)
    powers = np.exp(outputs)
    return powers / powers.sum(axis=1, keepdims=True) if name == "trio" else outputs


@pytest.mark.parametrize("ending", READERS)
@pytest.mark.parametrize("name", ["trio", "residual"])
def test_every_file_of_a_net_is_the_same_network(name: str, ending: str) -> None:
    network, weights = _read(name, ending)
    expected, _ = _read(name, ".keras")
    assert (network.inputs, network.layers, network.loss) == (expected.inputs, expected.layers, expected.loss)
    assert [matrix.shape for matrix, _ in weights] == [matrix.shape for matrix, _ in initial_weights(network, 1)]


@pytest.mark.parametrize("ending", FLOAT)
def test_float_files_have_exactly_the_same_weights(ending: str) -> None:
    for found, expected in zip(_read("trio", ending)[1], _read("trio", ".keras")[1], strict=True):
        assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("ending", FLOAT)
def test_a_batch_normalisation_folded_by_an_exporter_differs_by_its_rounding(ending: str) -> None:
    for found, expected in zip(_read("residual", ending)[1], _read("residual", ".keras")[1], strict=True):
        assert all(np.allclose(*pair, rtol=1e-6, atol=1e-7) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", ["trio", "residual"])
def test_float_files_of_a_net_give_the_same_blob(name: str) -> None:
    samples = np.load(FIXTURES / f"{name}.npz")["x"].reshape(4, -1)
    blobs = set()
    for ending in FLOAT:
        network, weights = _read(name, ending)
        compiled = plan(network)
        blobs.add(pack(compiled, weights, calibrate(compiled, weights, samples)))
    assert len(blobs) == 1


@pytest.mark.parametrize("ending", READERS)
@pytest.mark.parametrize("name", ["trio", "residual"])
def test_a_file_computes_what_its_framework_computed(name: str, ending: str) -> None:
    stored = np.load(FIXTURES / f"{name}.npz")
    result = "int8" if "int8" in ending else ending.rpartition(".")[2]
    tolerance = INT8_TOLERANCE if result == "int8" else 1e-5
    assert np.allclose(_computed(name, ending, stored["x"]), stored[result], rtol=0, atol=tolerance)


def test_a_loss_is_asked_for_where_a_file_has_none() -> None:
    for ending in READERS:
        with pytest.raises(CompileError, match="loss"):
            READERS[ending](FIXTURES / f"residual{ending}")
        assert READERS[ending](FIXTURES / f"trio{ending}")[0].loss == "softmax_cross_entropy"
        with pytest.raises(CompileError, match="softmax does not go with the mean squared error"):
            READERS[ending](FIXTURES / f"trio{ending}", "mean_squared_error")


def _damaged(content: bytes, generator: np.random.Generator) -> bytes:
    if generator.random() < 0.3:
        return content[: int(generator.integers(len(content)))]
    damaged = bytearray(content)
    for place in generator.integers(len(content), size=int(generator.integers(1, 5))):
        damaged[place] ^= int(generator.integers(1, 256))
    return bytes(damaged)


@pytest.mark.parametrize("ending", READERS)
@pytest.mark.parametrize("name", ["trio", "residual"])
def test_a_damaged_file_is_read_or_refused_in_a_sentence(name: str, ending: str, tmp_path: Path) -> None:
    seed = 20_261_120
    print(f"seed {seed}")
    generator = np.random.default_rng(seed)
    content = (FIXTURES / f"{name}{ending}").read_bytes()
    path = tmp_path / f"damaged{ending}"
    refused: list[str] = []
    for _ in range(120):
        path.write_bytes(_damaged(content, generator))
        try:
            READERS[ending](path, "softmax_cross_entropy")
        except CompileError as error:
            refused.append(error.message)
    assert len(refused) > 30
    assert all(message.endswith(".") for message in refused)


@pytest.mark.parametrize("ending", [".keras", ".onnx", ".tflite"])
def test_what_is_no_model_file_is_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{ending}"
    with pytest.raises(CompileError, match="cannot be read"):
        READERS[ending](path)
    for content in (b"", b"text that is no model", bytes(100)):
        path.write_bytes(content)
        with pytest.raises(CompileError, match="is not a"):
            READERS[ending](path)
