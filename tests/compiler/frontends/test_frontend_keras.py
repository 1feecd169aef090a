"""The Keras front end, on an archive made by Keras 3.15.1 (TensorFlow backend), in a throw-away environment, by

keras.utils.set_random_seed(20)
model = keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(8, activation="relu"),
    keras.layers.Dropout(0.2), keras.layers.Dense(5), keras.layers.ReLU(),
    keras.layers.Dense(3, activation="softmax")], name="Small_Net")
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(np.random.rand(64, 2, 3), np.arange(64) % 3, epochs=2, verbose=0)
model.save("tests/compiler/data/small.keras")
print(model.predict(np.arange(12).reshape(2, 2, 3) / 12).tolist())   # PREDICTED
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaragua_compiler import CompileError, Dense, Network, from_keras
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph.initial_weights import Weights

pytest.importorskip("h5py", reason="reading .keras files needs h5py")

ARCHIVE = Path(__file__).parents[1] / "data" / "small.keras"
PREDICTED = [
    [0.3487601578235626, 0.33607128262519836, 0.315168559551239],
    [0.4270433783531189, 0.3326058089733124, 0.24035078287124635],
]


def _logits(network: Network, weights: Weights, x: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    return FloatEngine(network, weights).forward(x.reshape(len(x), -1))


def _changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The archive with another configuration."""
    path = folder / "changed.keras"
    with zipfile.ZipFile(ARCHIVE) as source, zipfile.ZipFile(path, "w") as target:
        config = json.loads(source.read("config.json"))
        change(config)
        target.writestr("config.json", json.dumps(config))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    return path


def _layer(config: dict[str, Any], index: int) -> dict[str, Any]:
    layers: list[dict[str, Any]] = config["config"]["layers"]
    return layers[index]


def test_an_archive_becomes_the_network_it_describes() -> None:
    network, weights = from_keras(ARCHIVE)
    assert network == Network("small", 6, (Dense(8, "relu"), Dense(5, "relu"), Dense(3)), "softmax_cross_entropy")
    assert [matrix.shape for matrix, _ in weights] == [(8, 6), (5, 8), (3, 5)]


def test_an_archive_predicts_what_keras_predicted() -> None:
    network, weights = from_keras(str(ARCHIVE))
    powers = np.exp(_logits(network, weights, np.arange(12).reshape(2, 6) / 12))
    assert np.allclose(powers / powers.sum(axis=1, keepdims=True), PREDICTED, atol=1e-6)


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "an unknown layer": (lambda c: _layer(c, 3).update(class_name="LSTM"), r"'dropout' \(LSTM\): there is no kernel"),
    "a user's own class": (lambda c: _layer(c, 2).update(module="my_layers"), "'dense' .*no kernel"),
    "an unknown activation": (lambda c: _layer(c, 2)["config"].update(activation="gelu"), "'dense' .*'gelu'"),
    "weights of another layer": (lambda c: _layer(c, 2)["config"].update(use_bias=False), r"'dense' .*weights of the"),
    "a ReLU with a limit": (lambda c: _layer(c, 5)["config"].update(max_value=4.0), "'re_lu' .*no ReLU with .*4.0"),
    "a softmax in the middle": (lambda c: _layer(c, 4)["config"].update(activation="softmax"), "'dense_1' .*softmax"),
    "no flatten": (lambda c: _layer(c, 1).update(class_name="Dropout"), "'dense' .*reads an image"),
    "an open shape": (lambda c: _layer(c, 0)["config"].update(batch_shape=[None, None]), "'input_layer' .*not fixed"),
    "an input that does not fit": (lambda c: _layer(c, 0)["config"].update(batch_shape=[None, 5]), "do not fit"),
    "a squared error on a softmax": (lambda c: c["compile_config"].update(loss="mse"), "'dense_2' .*softmax"),
    "another loss": (lambda c: (c["compile_config"].update(loss="mae"), _linear(c)), "loss mae is none"),
    "probabilities without softmax": (lambda c: _linear(c), "ends without a softmax"),
    "a model without layers": (lambda c: c["config"].pop("layers"), "not listed"),
    "an empty model": (lambda c: c["config"].update(layers=[]), "no layer with weights"),
    "a layer without a name": (lambda c: _layer(c, 2)["config"].pop("name"), "cannot be"),
}


def _linear(config: dict[str, Any]) -> None:
    _layer(config, 6)["config"].update(activation="linear")


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_refused_by_name(case: str, tmp_path: Path) -> None:
    change, message = REFUSED[case]
    with pytest.raises(CompileError, match=message) as caught:
        from_keras(_changed(tmp_path, change))
    assert caught.value.hint


def test_a_loss_is_asked_for_where_the_model_has_none(tmp_path: Path) -> None:
    def linear(config: dict[str, Any]) -> None:
        config.pop("compile_config")
        _layer(config, 6)["config"].update(activation="linear")

    path = _changed(tmp_path, linear)
    with pytest.raises(CompileError, match="loss is not known"):
        from_keras(path)
    assert from_keras(path, loss="mean_squared_error")[0].loss == "mean_squared_error"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(CompileError, match="not a Keras 3 archive"):
        from_keras(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="cannot be read"):
        from_keras(tmp_path / "none.keras")


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.keras"
    with zipfile.ZipFile(ARCHIVE) as source, zipfile.ZipFile(path, "w") as target:
        target.writestr("config.json", source.read("config.json"))
        target.writestr("model.weights.h5", b"nothing")
    with pytest.raises(CompileError, match="weights cannot be read"):
        from_keras(path)


def test_something_else_than_a_model_is_refused() -> None:
    with pytest.raises(CompileError, match="neither a Keras 3 model nor the path"):
        from_keras(42)


@pytest.fixture(name="keras")
def _keras() -> Any:
    reason = "KERAS CANNOT BE IMPORTED: model objects of real Keras not tested"
    return pytest.importorskip("keras", reason=reason, exc_type=ImportError)


def _real_models(keras: Any) -> dict[str, Callable[[], Any]]:
    """Small networks with all layers the front end takes, not yet built."""
    k = keras.layers

    def chain(shape: tuple[int, ...], *layers: Any) -> Any:
        return keras.Sequential([keras.Input(shape), *layers, k.Flatten(), k.Dense(2)])

    def branches() -> Any:
        x = keras.Input((6, 6, 2))
        y = k.Conv2D(4, 3, strides=2, padding="same")(x)
        z = k.Conv2D(4, 1)(k.DepthwiseConv2D(3, padding="same", activation="relu6")(y))
        return keras.Model(x, k.Dense(2)(k.GlobalAveragePooling2D()(k.Add()([z, y, k.Conv2D(4, 3, 2, "same")(x)]))))

    return {
        "padding": lambda: chain(
            (9, 9, 2), k.ZeroPadding2D(((0, 1), (1, 0))), k.Conv2D(3, 3, strides=2), k.LeakyReLU()
        ),
        "pools": lambda: chain((9, 8, 3), k.AveragePooling2D((3, 2), 2, "same"), k.MaxPooling2D(2, 1, "same")),
        "norms": lambda: chain(
            (9,), k.Dense(5, use_bias=False), k.BatchNormalization(center=False), k.Activation("tanh")
        ),
        "branches": branches,
        "reshape": lambda: chain((20,), k.Reshape((5, 4, -1)), k.Conv2D(3, 3, activation="leaky_relu")),
        "frozen": lambda: chain((6, 6, 1), k.Conv2D(4, (2, 3), (1, 2), trainable=False), k.ReLU(max_value=6.0)),
    }


class TestRealKeras:
    """Models built by Keras itself; skipped, in so many words, where Keras cannot be imported."""

    def _agrees(self, model: Any, folder: Path, name: str) -> Network:
        path = folder / f"{name}.keras"
        model.save(path)
        x = np.random.default_rng(1).normal(size=(5, *model.input_shape[1:]))
        network, weights = from_keras(model)
        saved_network, saved_weights = from_keras(path)
        assert network.layers == saved_network.layers
        assert all(
            np.array_equal(a, b) for p, q in zip(weights, saved_weights, strict=True) for a, b in zip(p, q, strict=True)
        )
        expected = model.predict(x, verbose=0)
        assert np.allclose(_logits(network, weights, x.reshape(5, -1)), expected, atol=1e-5)
        return network

    def test_a_functional_chain_is_taken(self, keras: Any, tmp_path: Path) -> None:
        source = keras.Input((4,))
        hidden = keras.layers.Activation("relu")(keras.layers.Dense(7)(source))
        model = keras.Model(source, keras.layers.Dense(2)(hidden), name="Functional_1")
        model.compile("sgd", "mse")
        network = self._agrees(model, tmp_path, "functional-1")
        assert network == Network("functional-1", 4, (Dense(7, "relu"), Dense(2)), "mean_squared_error")

    def test_a_sequential_without_input_layer_is_taken(self, keras: Any, tmp_path: Path) -> None:
        model = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2)], name="plain")
        model.build((None, 3))
        model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        network = self._agrees(model, tmp_path, "plain")
        assert network == Network("plain", 3, (Dense(4, "relu"), Dense(2)), "softmax_cross_entropy")

    @pytest.mark.parametrize("body", ["padding", "pools", "norms", "branches", "reshape", "frozen"])
    def test_images_and_branches_are_taken(self, keras: Any, tmp_path: Path, body: str) -> None:
        model = _real_models(keras)[body]()
        generator = np.random.default_rng(2)
        for layer in model.layers:
            layer.set_weights([np.abs(generator.normal(1, 0.3, values.shape)) for values in layer.get_weights()])
        model.compile("sgd", "mse")
        self._agrees(model, tmp_path, body)

    def test_a_second_output_is_refused(self, keras: Any) -> None:
        source = keras.Input((4,))
        hidden = keras.layers.Dense(3)(source)
        model = keras.Model(source, [hidden, keras.layers.Dense(2)(hidden)])
        with pytest.raises(CompileError, match="only output"):
            from_keras(model, loss="mean_squared_error")
