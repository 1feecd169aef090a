"""A6: packing, unpacking, and blobs that must be refused by every engine."""

from __future__ import annotations

import math
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from random_cases import MLP, SINE, random_blob

from jaragua_compiler import (
    CompileError,
    Dense,
    Engine,
    Exponents,
    NativeEngine,
    Network,
    Plan,
    ReferenceEngine,
    calibrate,
    emit,
    exponents,
    initial_weights,
    pack,
    plan,
    quantise_error_clip,
    quantise_inputs,
    quantise_loss_threshold,
    quantise_targets,
    unpack,
)
from jaragua_compiler.engines.native import kernel_folder

ODD = Network("odd", 5, (Dense(3, "relu"), Dense(4)))


def _good(network: Network = MLP) -> tuple[Plan, bytes]:
    compiled = plan(network)
    weights = initial_weights(network, 1)
    found = calibrate(compiled, weights, np.ones((1, network.input_size)))
    return compiled, pack(compiled, weights, found)


def _with(blob: bytes, offset: int, content: bytes) -> bytes:
    return blob[:offset] + content + blob[offset + len(content) :]


def test_a6_the_header_has_the_documented_layout() -> None:
    compiled, blob = _good()
    found = exponents(compiled, blob)
    expected = b"JRGW\x01\x02\0\0" + compiled.architecture
    expected += struct.pack("<5b", found.weights[0], found.inputs[0], found.weights[1], found.inputs[1], 11) + bytes(3)
    assert blob[:24] == expected
    assert len(blob) == compiled.blob_bytes == 24 + 2 * 64 * 32 + 4 * 32 + 2 * 32 * 10 + 4 * 10


def test_a6_odd_rows_are_padded_with_zero() -> None:
    compiled, blob = _good(ODD)
    rows = np.frombuffer(blob, "<i2", 3 * 6, compiled.layers[0].weights_offset).reshape(3, 6)
    assert rows[:, :5].any()
    assert not rows[:, 5].any()


def test_unpack_gives_back_what_was_packed_to_half_a_unit() -> None:
    compiled, blob = _good(SINE)
    found = exponents(compiled, blob)
    pairs = zip(initial_weights(SINE, 1), unpack(compiled, blob), found.weights, strict=True)
    for (before, _), (after, _), exponent in pairs:
        assert np.max(np.abs(before - after)) <= 2.0**-exponent / 2


def test_a2_1_weights_beyond_the_format_are_clamped_when_packed() -> None:
    compiled, blob = _good()
    found = exponents(compiled, blob)
    huge = [(np.full(matrix, 1e9), np.full(bias, -1e12)) for matrix, bias in compiled.shapes]
    matrix, bias = unpack(compiled, pack(compiled, huge, found))[0]
    assert matrix.max() == 32767 * 2.0 ** -found.weights[0]
    assert bias.min() == -(2.0**30) * 2.0 ** -(found.weights[0] + found.inputs[0])


def test_weights_that_are_not_finite_are_refused() -> None:
    compiled, blob = _good()
    weights = unpack(compiled, blob)
    weights[0][0][0, 0] = np.nan
    with pytest.raises(CompileError, match="not a finite number"):
        pack(compiled, weights, exponents(compiled, blob))


def test_weights_of_another_shape_are_refused() -> None:
    compiled, blob = _good()
    with pytest.raises(CompileError, match="layer 0: weights of shape"):
        pack(compiled, initial_weights(Network("mlp", 63, MLP.layers), 1), exponents(compiled, blob))


BAD: dict[str, tuple[int, bytes]] = {
    "magic": (0, b"X"),
    "format": (4, b"\x02"),
    "number of layers": (5, b"\x03"),
    "reserved": (6, b"\x01"),
    "architecture": (8, b"\xff\xff"),
    "weight exponent low": (16, b"\x07"),
    "weight exponent high": (16, b"\x10"),
    "forward shift high": (17, b"\x7f"),
    "forward shift low": (17, b"\x80"),
    "logit exponent": (20, b"\x0c"),
    "header padding": (21, b"\x01"),
    "bias high": (24 + 4096, struct.pack("<i", 2**30)),
    "bias low": (24 + 4096, struct.pack("<i", -(2**30) - 1)),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("kind", [ReferenceEngine, NativeEngine])
def test_a6_1_a_bad_blob_is_refused_and_the_one_before_stays(case: str, kind: type[Engine], engine_cache: Path) -> None:
    compiled, good = _good()
    engine = NativeEngine(compiled, engine_cache) if kind is NativeEngine else ReferenceEngine(compiled)
    engine.load(good)
    with pytest.raises(CompileError, match="blob"):
        engine.load(_with(good, *BAD[case]))
    assert engine.blob() == good


@pytest.mark.parametrize("length", [0, 1, 23, -1, None])
def test_a6_1_a_blob_of_another_length_is_refused(length: int | None, engine_cache: Path) -> None:
    compiled, good = _good()
    wrong = good + b"\0" if length is None else good[:length]
    for engine in (ReferenceEngine(compiled), NativeEngine(compiled, engine_cache)):
        with pytest.raises(CompileError, match="bytes"):
            engine.load(wrong)


def test_a6_1_row_padding_that_is_not_zero_is_refused(engine_cache: Path) -> None:
    compiled, good = _good(ODD)
    bad = _with(good, compiled.layers[0].weights_offset + 10, b"\x01")
    with pytest.raises(CompileError, match="padding"):
        unpack(compiled, bad)
    assert NativeEngine(compiled, engine_cache).check(bad) != 0


@pytest.mark.parametrize("network", [SINE, MLP, ODD], ids=lambda network: network.name)
def test_a6_1_fuzzed_blobs_under_sanitizers_get_the_same_verdict_from_c_and_python(
    network: Network, tmp_path: Path
) -> None:
    compiled = plan(network)
    blobs = _fuzzed(compiled, seed=7, count=400)
    statuses = _run_sanitized(compiled, blobs, tmp_path)
    for index, (blob, status) in enumerate(zip(blobs, statuses, strict=True)):
        assert (status == 0) == _python_takes(compiled, blob), f"seed 7, blob {index}: status {status}"
    assert 0 < statuses.count(0) < len(statuses)


def _fuzzed(compiled: Plan, seed: int, count: int) -> list[bytes]:
    """Good blobs, most of them with a few bytes changed, a piece cut off or something appended."""
    generator = np.random.default_rng(seed)
    blobs = []
    for _ in range(count):
        blob = bytearray(random_blob(generator, compiled))
        for _ in range(int(generator.integers(0, 4))):
            reach = compiled.header_bytes if generator.random() < 0.7 else len(blob)
            blob[int(generator.integers(reach))] = int(generator.integers(256))
        if generator.random() < 0.1:
            blob = blob[: int(generator.integers(len(blob)))] if generator.random() < 0.5 else blob + bytes(4)
        blobs.append(bytes(blob))
    return blobs


def _python_takes(compiled: Plan, blob: bytes) -> bool:
    try:
        ReferenceEngine(compiled).load(blob)
    except CompileError:
        return False
    return True


def _run_sanitized(compiled: Plan, blobs: list[bytes], folder: Path) -> list[int]:
    emit(compiled, folder)
    program = folder / "check_blobs"
    sources = [str(Path(__file__).parents[1] / "data" / "check_blobs.c"), str(folder / "jrg_model.c")]
    flags = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(
        ["cc", *flags, "-I", str(kernel_folder()), "-I", str(folder), "-o", str(program), *sources], check=True
    )
    stream = b"".join(struct.pack("<I", len(blob)) + blob for blob in blobs)
    result = subprocess.run([str(program)], input=stream, capture_output=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr.decode()
    return list(result.stdout)


def test_a2_2_inputs_out_of_range_become_the_nearest_end() -> None:
    compiled, blob = _good()
    found = exponents(compiled, blob)
    x = quantise_inputs(compiled, found, np.array([np.full(64, 1e6), np.full(64, -1e6)]))
    assert x.dtype == np.int16
    assert (x[0] == 511).all()
    assert (x[1] == -512).all()


def test_inputs_of_another_width_are_refused() -> None:
    compiled, blob = _good()
    with pytest.raises(CompileError, match="64 inputs"):
        quantise_inputs(compiled, exponents(compiled, blob), np.zeros((2, 63)))


def test_labels_become_one_number_each_and_no_class_is_refused() -> None:
    compiled, blob = _good()
    assert quantise_targets(compiled, exponents(compiled, blob), [3, 9]).tolist() == [[3], [9]]
    with pytest.raises(CompileError, match="0 to 9"):
        quantise_targets(compiled, exponents(compiled, blob), [10])


def test_a2_5_targets_have_the_outputs_exponent_and_must_fit() -> None:
    compiled, blob = _good(SINE)
    found = exponents(compiled, blob)
    assert found.output == 12
    assert quantise_targets(compiled, found, [[-5.0], [0.5]]).tolist() == [[-20480], [2048]]
    with pytest.raises(CompileError, match="outside the outputs' format"):
        quantise_targets(compiled, found, [[8.1]])


def test_exponents_are_plain_data() -> None:
    assert Exponents((9, 10), (3, 4), 11).slots == (3, 4, 11)


@pytest.mark.parametrize("network", [SINE, MLP, ODD], ids=lambda network: network.name)
def test_a11_7_an_error_clip_has_the_unit_of_the_output_error_and_32_bits(network: Network) -> None:
    compiled, blob = _good(network)
    found = exponents(compiled, blob)
    exponent = 15 if network.classifier else found.output
    for clip, wanted in ((0.0, 0), (1e-30, 1), (0.5, round(0.5 * 2.0**exponent)), (1e300, 2**32 - 1)):
        assert quantise_error_clip(compiled, found, clip) == wanted
    for clip in (-0.1, math.inf, math.nan):
        with pytest.raises(CompileError, match="is not possible"):
            quantise_error_clip(compiled, found, clip)


@pytest.mark.parametrize("network", [SINE, MLP, ODD], ids=lambda network: network.name)
def test_a11_8_a_loss_threshold_has_the_unit_of_the_loss_and_32_bits(network: Network) -> None:
    compiled, blob = _good(network)
    found = exponents(compiled, blob)
    exponent = 11 if network.classifier else 2 * found.output
    outputs = 1 if network.classifier else network.outputs
    for least, wanted in ((0.0, 0), (1e-30, 1), (0.5, round(0.5 * outputs * 2.0**exponent))):
        assert quantise_loss_threshold(compiled, found, least) == wanted
    for least in (2.0**40, 1.7e308):
        assert quantise_loss_threshold(compiled, found, least) == 2**32 - 1
    for least in (-0.1, math.inf, math.nan):
        with pytest.raises(CompileError, match="is not possible"):
            quantise_loss_threshold(compiled, found, least)
