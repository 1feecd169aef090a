"""What `jaragua compile` is given: a model by name or file, a board by name, samples; and what it refuses, by name."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaragua_compiler import CompileError, Dense, Network, initial_weights
from jaragua_compiler.export import Choice, compile_model, read_samples
from jaragua_compiler.export.choice import planned
from jaragua_compiler.export.inputs.samples import evenly
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.graph.network import DepthwiseConv2D, Flatten, Loss
from jaragua_compiler.planning.boards import find_board
from jaragua_models import get
from jaragua_models.loading import load_model

DATA = Path(__file__).parents[1] / "data"
FIXTURES = Path(__file__).parents[1] / "fixtures"
NETWORK = Network("net", 6, (Dense(4, "relu"), Dense(3)))


def refusal(model: Path | str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        load_model(str(model))
    return caught.value


def parts(model: str, loss: Loss | None = None) -> tuple[Network, Weights]:
    """Network and weights alone."""
    found = load_model(model, loss)
    return found.network, found.weights


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_zoo_model_comes_with_the_same_weights_every_time() -> None:
    loaded = load_model("digits")
    network, weights = loaded.network, loaded.weights
    assert network == get("digits").network
    again = load_model("digits").weights
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(weights, again, strict=True))


def test_a_file_of_the_same_name_does_not_hide_a_zoo_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "digits", b"a list of phone numbers")
    assert load_model("digits").network == get("digits").network


def test_a_zoo_model_that_is_not_there_has_a_nearest_one() -> None:
    error = refusal("digit")
    assert error.message == "there is no model 'digit' in the zoo."
    assert error.hint.startswith("Did you mean 'digits'?")


def test_a_keras_file_is_known_by_its_suffix_or_by_its_first_bytes(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    named = load_model(str(DATA / "small.keras")).network
    shutil.copy(DATA / "small.keras", tmp_path / "small")
    assert load_model(str(tmp_path / "small")).network == named


def onnx_file(folder: Path, network: Network, weights: Weights, operator: str = "Relu") -> Path:
    """A chain of dense layers as PyTorch exports it: Gemm with transposed weights, then what acts on it."""
    onnx = pytest.importorskip("onnx", reason="reading .onnx files needs onnx")
    nodes, constants, name = [], [], "x"
    for index, (layer, values) in enumerate(zip(network.layers, weights, strict=True)):
        for letter, array in zip("wb", values, strict=True):
            constants.append(onnx.numpy_helper.from_array(array.astype(np.float32), f"{letter}{index}"))
        nodes.append(onnx.helper.make_node("Gemm", [name, f"w{index}", f"b{index}"], [f"y{index}"], transB=1))
        name = f"y{index}"
        if getattr(layer, "activation", "") == "relu":
            nodes.append(onnx.helper.make_node(operator, [name], [f"z{index}"]))
            name = f"z{index}"
    float32 = onnx.TensorProto.FLOAT
    ends = (("x", network.input_size), (name, network.outputs))
    inputs, outputs = ([onnx.helper.make_tensor_value_info(end, float32, [1, size])] for end, size in ends)
    graph = onnx.helper.make_graph(nodes, "graph", inputs, outputs, constants)
    path = folder / "small.onnx"
    onnx.save(onnx.helper.make_model(graph), str(path))
    return path


def test_a_keras_and_an_onnx_file_of_one_net_give_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    network, weights = parts(str(DATA / "small.keras"))
    again = parts(str(onnx_file(tmp_path, network, weights)), network.loss)
    board = find_board("pico")
    made = [compile_model(*loaded, board, Choice()).files for loaded in ((network, weights), again)]
    assert made[0] == made[1]


def test_an_onnx_file_cut_short_or_with_an_unknown_operator_is_refused(tmp_path: Path) -> None:
    path = onnx_file(tmp_path, NETWORK, initial_weights(NETWORK, 1), "Erf")
    assert "Erf" in refusal(path).message
    assert "small.onnx" in refusal(written(path, path.read_bytes()[:100])).message


@pytest.mark.parametrize("ending", [".onnx", "-dynamo.onnx", ".tflite"])
def test_files_of_other_tools_are_read_by_what_they_are(ending: str) -> None:
    """The fixtures are one net, written by Keras, PyTorch and TensorFlow."""
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    pytest.importorskip("onnx", reason="reading .onnx files needs onnx")
    expected, wanted = parts(str(FIXTURES / "trio.keras"), "softmax_cross_entropy")
    network, weights = parts(str(FIXTURES / f"trio{ending}"), "softmax_cross_entropy")
    assert network.layers == expected.layers
    for found, other in zip(weights, wanted, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(found, other, strict=True))


@pytest.mark.parametrize("length", [1, 8, 100, 2000])
def test_a_litert_file_cut_short_is_refused(length: int, tmp_path: Path) -> None:
    whole = (FIXTURES / "trio.tflite").read_bytes()
    assert "cut.tflite" in refusal(written(tmp_path / "cut.tflite", whole[:length])).message


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_model_file_cut_short_is_refused(part: float, tmp_path: Path) -> None:
    whole = (DATA / "small.keras").read_bytes()
    path = written(tmp_path / "cut.keras", whole[: int(part * len(whole))])
    assert "cut.keras" in refusal(path).message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "none.keras").message


def archive(*names: str) -> bytes:
    """A zip file of members with these names."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name in names:
            made.writestr(name, b"x")
    return content.getvalue()


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
FOREIGN: dict[str, tuple[bytes, str, str]] = {
    "model.h5": (HDF5, "an HDF5 file, as Keras 2 writes it", "Save it as .keras with Keras 3"),
    "model.hdf5": (HDF5, "an HDF5 file", "Save it as .keras"),
    "model.keras": (HDF5, "an HDF5 file", "Save it as .keras"),
    "model.tflite": (HDF5, "an HDF5 file", "Save it as .keras"),
    "model": (HDF5, "an HDF5 file", "Save it as .keras"),
    "model.pt": (archive("model/data.pkl", "model/version"), "a file of PyTorch", "torch.onnx.export"),
    "old.pth": (b"\x80\x02}q\x00.", "a file of PyTorch", "torch.onnx.export"),
    "model.pkl": (b"\x80\x04}q\x00.", "a pickle of Python objects, which is never opened", ".onnx"),
    "model.joblib": (b"\x80\x04}q\x00.", "a pickle of Python objects", ".onnx"),
    "model.onnx": (b"\x80\x04}q\x00.", "a pickle of Python objects", ".onnx"),
    "frozen.pb": (b"\n\x05model", "a graph of TensorFlow 1", "TFLiteConverter"),
    "weights.safetensors": (b"\x08\0\0\0\0\0\0\0{}", "a file of weights without a network", "--start"),
    "weights.npz": (archive("w.npy"), "a file of weights without a network", "--samples"),
    "samples.npy": (b"\x93NUMPY\x01\0", "a file of weights without a network", "--samples"),
    "model.ckpt": (b"\x01\x02\x03", "a checkpoint of weights", ".keras"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_tool_is_named_with_what_to_do(name: str, tmp_path: Path) -> None:
    content, what, hint = FOREIGN[name]
    error = refusal(written(tmp_path / name, content))
    assert f"{name} is {what}" in error.message
    assert hint in error.hint


def test_a_saved_model_is_a_folder_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    assert "saved is a folder" in refusal(folder).message
    written(folder / "saved_model.pb", b"\x08\x01")
    error = refusal(folder)
    assert "saved is a SavedModel of TensorFlow" in error.message
    assert "from_saved_model('saved')" in error.hint


def test_a_keras_file_under_another_name_is_read_by_what_it_holds(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    shutil.copy(DATA / "small.keras", tmp_path / "small.h5")
    assert load_model(str(tmp_path / "small.h5")).network == load_model(str(DATA / "small.keras")).network


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    error = refusal(written(tmp_path / "model.bin", b"\x01\x02}q\x00."))
    assert "no model file known here" in error.message
    assert ".keras, .onnx, .tflite" in error.hint


def test_a_file_that_holds_something_else_than_its_name_says_is_refused(tmp_path: Path) -> None:
    keras = (DATA / "small.keras").read_bytes()
    assert "is named like LiteRT and holds Keras" in refusal(written(tmp_path / "m.tflite", keras)).message


def test_a_loss_is_not_for_the_zoo() -> None:
    with pytest.raises(CompileError, match="--loss is for model files"):
        load_model("digits", "mean_squared_error")


def test_samples_are_rows_of_numbers_in_any_type(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.uint8).reshape(2, 6))
    assert read_samples(tmp_path / "x.npy", NETWORK).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_samples_beyond_a_thousand_are_taken_evenly(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.repeat(np.arange(4096.0)[:, None], 6, axis=1))
    assert read_samples(tmp_path / "x.npy", NETWORK)[:, 0].tolist() == list(range(0, 4096, 4))
    assert evenly(10, 4) == [0, 2, 5, 7]


@pytest.mark.parametrize("shape", [(6,), (5, 7), (0, 6), (2, 3, 2), ()])
def test_samples_of_another_shape_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(CompileError, match=r"its shape is .*, network 'net' takes \[n, 6\]"):
        read_samples(tmp_path / "x.npy", NETWORK)


def npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], folder: Path) -> bytes:
    np.save(folder / "made.npy", array, allow_pickle=True)
    return (folder / "made.npy").read_bytes()


def test_what_is_no_array_of_numbers_is_refused(tmp_path: Path) -> None:
    whole = npy(np.zeros((2, 6)), tmp_path)
    promising = whole.replace(b"(2, 6), }", b"(99999999999999, 6), }")
    bad = {
        "cut": whole[:-8],
        "cut in its header": whole[:20],
        "empty": b"",
        "a promise of terabytes": promising,
        "text": b"1,2,3\n",
        "objects": npy(np.array([[None]], dtype=object), tmp_path),
        "words": npy(np.array([["a"] * 6]), tmp_path),
        "complex numbers": npy(np.zeros((2, 6), dtype=complex), tmp_path),
    }
    for what, content in bad.items():
        with pytest.raises(CompileError) as caught:
            read_samples(written(tmp_path / "x.npy", content), NETWORK)
        assert "x.npy" in caught.value.message, what


def test_an_archive_of_arrays_is_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.zeros((2, 6)))
    with pytest.raises(CompileError, match="not one array of numbers"):
        read_samples(tmp_path / "x.npz", NETWORK)


def test_samples_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((2, 6), np.nan))
    samples = read_samples(tmp_path / "x.npy", NETWORK)
    with pytest.raises(CompileError, match="not finite"):
        compile_model(NETWORK, initial_weights(NETWORK, 1), find_board("pico"), Choice(), samples)


def test_the_samples_decide_the_format_of_the_input() -> None:
    weights = initial_weights(NETWORK, 1)
    exponents = []
    for scale in (1.0, 8.0):
        made = compile_model(NETWORK, weights, find_board("pico"), Choice(), np.full((3, 6), scale))
        header = made.files["net.h"].decode()
        exponents.append(int(header.split("NET_INPUT_EXPONENT ")[1].split("\n")[0]))
    assert exponents[0] - exponents[1] == 3


def test_an_unknown_board_has_a_nearest_one() -> None:
    with pytest.raises(CompileError, match="there is no board 'nano33'") as caught:
        find_board("nano33")
    assert caught.value.hint.startswith("Did you mean 'nano33ble'?")


def test_a_layer_that_cannot_train_is_named() -> None:
    for train, word in (("7", "'7'"), ("0,x", "'x'"), ("-1", "'-1'"), ("", "''")):
        with pytest.raises(CompileError, match=f"has no layer {word} to train"):
            planned(NETWORK, Choice(train=train))


def test_all_is_what_a_network_does_anyway() -> None:
    assert planned(NETWORK, Choice("w16", "all")).canonical_json() == planned(NETWORK, Choice()).canonical_json()


@pytest.mark.parametrize(("train", "expected"), [("last", [1]), ("1", [1]), ("0", [0]), ("1,0", [0, 1])])
def test_the_layers_that_are_named_train_and_no_other(train: str, expected: list[int]) -> None:
    assert [layer.index for layer in planned(NETWORK, Choice(train=train)).layers if layer.trains] == expected


def test_the_channels_that_are_named_train_and_no_other() -> None:
    layers = planned(NETWORK, Choice(train="1,0:3")).layers
    assert [(layer.trained_rows, layer.weight_format) for layer in layers] == [(3, "w8"), (3, "w16")]


def test_all_channels_by_their_number_are_the_whole_layer() -> None:
    assert planned(NETWORK, Choice(train="1,0:4")).architecture == planned(NETWORK, Choice(train="all")).architecture


@pytest.mark.parametrize("channels", ["x", "0", "5", "-1", "", "0+4"])
def test_channels_that_a_layer_has_not_are_refused_with_its_name(channels: str) -> None:
    with pytest.raises(CompileError, match=r"network 'net': layer 0(:| has) "):
        planned(NETWORK, Choice(train=f"0:{channels}"))


def test_a10_7_a_depthwise_layer_trains_with_all_its_channels_or_none() -> None:
    network = Network("net", (6, 6, 2), (DepthwiseConv2D(), Flatten(), Dense(3)))
    assert [layer.trains for layer in planned(network, Choice(train="last")).layers] == [False, True]
    with pytest.raises(CompileError, match=r"layer 0: .*with all its channels or none"):
        planned(network, Choice(train="0:1,2"))


def test_a8_7_a_depthwise_layer_takes_both_formats() -> None:
    network = Network("net", (6, 6, 2), (DepthwiseConv2D(), Flatten(), Dense(3)))
    for weights in ("w16", "w8"):
        assert [layer.weight_format for layer in planned(network, Choice(weights=weights)).layers] == [weights, "w16"]


def test_the_choice_of_a_format_overrides_that_of_a_layer() -> None:
    network = Network("net", 6, (Dense(4, "relu", weights="w16"), Dense(3)))
    assert [layer.weight_format for layer in planned(network, Choice(weights="w8")).layers] == ["w8", "w16"]


@pytest.mark.parametrize("train", [None, "last"])
def test_a_keras_an_onnx_and_a_litert_file_of_one_image_net_give_the_same_bytes(
    train: str | None, tmp_path: Path
) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    pytest.importorskip("onnx", reason="reading .onnx files needs onnx")
    made = []
    for ending in (".keras", ".onnx", "-dynamo.onnx", ".tflite"):
        path = shutil.copy(FIXTURES / f"trio{ending}", tmp_path / f"trio.{ending.rpartition('.')[2]}")
        network, weights = parts(str(path), "softmax_cross_entropy")
        made.append(compile_model(network, weights, find_board("pico"), Choice(train=train)).files)
    assert all(files == made[0] for files in made)


def test_an_int8_litert_file_keeps_its_first_layers_and_trains_the_last() -> None:
    network, weights = parts(str(FIXTURES / "trio-int8.tflite"), "softmax_cross_entropy")
    compiled = compile_model(network, weights, find_board("pico"), Choice(train="last")).plan
    assert [layer.trains for layer in compiled.layers] == [False] * (len(compiled.layers) - 1) + [True]
