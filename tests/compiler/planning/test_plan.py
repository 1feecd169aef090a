"""The plan: widths, offsets, sizes and the identity of a network."""

from __future__ import annotations

import dataclasses

import pytest
from random_cases import MLP, SINE

from jaragua_compiler import Conv2D, Dense, Flatten, Network, plan


@pytest.mark.parametrize(
    ("inputs", "width"), [(1, 15), (2, 14), (3, 13), (64, 9), (65, 8), (256, 7), (257, 7), (4000, 7)]
)
def test_a2_4_the_input_width_leaves_room_for_the_sum(inputs: int, width: int) -> None:
    layer = plan(Network("net", inputs, (Dense(2), Dense(2)))).layers[0]
    assert layer.input_width == width
    assert inputs > 256 or inputs * 2 ** (15 + width) <= 2**30
    assert layer.wide == (inputs > 256)


@pytest.mark.parametrize(("inputs", "width"), [(64, 9), (65, 12), (256, 12), (257, 12), (4096, 12)])
def test_a2_4_the_last_layer_of_more_than_64_inputs_reads_12_bits(inputs: int, width: int) -> None:
    layer = plan(Network("net", inputs, (Dense(2),))).layers[0]
    assert layer.input_width == width
    assert layer.wide == (inputs > 64)
    assert layer.inputs * 2 ** (15 + width) <= 2**30 or layer.wide  # A3.4


@pytest.mark.parametrize(
    ("side", "channels", "kernel", "width"),
    [
        (4, 8, 3, 8),  # K = 72
        (4, 128, 1, 8),
        (4, 129, 1, 12),  # from here on a sum takes 64 bits
        (4, 32, 3, 12),
        (32, 15, 3, 12),
        (64, 15, 3, 11),  # 4,096 positions
    ],
)
def test_a7_1_the_input_width_of_a_convolution_leaves_room_for_its_sums(
    side: int, channels: int, kernel: int, width: int
) -> None:
    shape = (side, side, channels)
    layer = plan(Network("net", shape, (Conv2D(2, (kernel, kernel), (1, 1), "same"), Flatten(), Dense(2)))).layers[0]
    assert layer.input_width == width
    assert layer.inputs > 128 or layer.inputs * 2 ** (15 + width) <= 2**30
    assert 8 * 2 ** (15 + width) <= 2**30  # what portable kernels add up in 32 bits (A1.3)
    assert side * side * 2 ** (width + layer.error_width) <= 2**30  # A7.4


@pytest.mark.parametrize(("outputs", "width"), [(2, 14), (10, 11), (32, 10), (256, 7), (511, 7)])
def test_a5_5_the_error_width_leaves_room_for_the_sum(outputs: int, width: int) -> None:
    layer = plan(Network("net", 4, (Dense(3, "relu"), Dense(outputs)))).layers[1]
    assert layer.error_width == width
    assert outputs * 2 ** (15 + width) < 2**31


def test_a2_5_the_output_has_width_15_and_hidden_tensors_that_of_their_reader() -> None:
    layers = plan(SINE).layers
    assert [layer.output_width for layer in layers] == [10, 10, 15]


def test_a6_sine_is_laid_out_as_documented() -> None:
    compiled = plan(SINE)
    assert compiled.header_bytes == 24
    assert [layer.weights_offset for layer in compiled.layers] == [24, 24 + 128 + 128, 280 + 2048 + 128]
    assert compiled.blob_bytes == 2456 + 64 + 4


def test_a6_2_the_architecture_says_what_a_blob_must_fit_and_nothing_else() -> None:
    identity = plan(MLP).architecture
    assert len(identity) == 8
    assert plan(dataclasses.replace(MLP, name="other", output_range=1.0)).architecture == identity
    others = [
        dataclasses.replace(MLP, inputs=63),
        dataclasses.replace(MLP, loss="mean_squared_error"),
        dataclasses.replace(MLP, layers=(Dense(32), Dense(10))),
        dataclasses.replace(MLP, layers=(Dense(33, "relu"), Dense(10))),
    ]
    assert len({plan(network).architecture for network in others} | {identity}) == 5


def test_a6_2_the_architecture_of_a_network_does_not_drift() -> None:
    assert plan(MLP).architecture.hex() == "6bab2cc7ad7bf40f"
    assert plan(SINE).architecture.hex() == "7987355dec2fd9b1"
