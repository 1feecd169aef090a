"""Shapes, windows and operands of every layer kind, and what is said of layers that do not fit together."""

from __future__ import annotations

from typing import Any

import pytest
from named_networks import RESIDUAL

from jaragua_compiler import CompileError, Network
from jaragua_compiler.graph import layers as kinds


def test_every_layer_kind_has_its_shape() -> None:
    image = (6, 5, 8)
    assert RESIDUAL.shapes == ((12, 10, 3), image, image, image, image, (3, 2, 8), (2, 1, 8), (2, 1, 8), (8,), (5,))
    assert RESIDUAL.input_size == 360
    assert RESIDUAL.outputs == 5


def test_a_flatten_is_a_vector_of_all_numbers() -> None:
    assert Network("net", (2, 3, 4), (kinds.Flatten(), kinds.Dense(2))).shapes[1] == (24,)


def test_weights_are_numbered_by_the_layers_that_have_them() -> None:
    assert RESIDUAL.weighted == (0, 1, 2, 8)
    shapes = [RESIDUAL.weight_shapes(index) for index in RESIDUAL.weighted]
    assert shapes == [((8, 3, 3, 3), (8,)), ((8, 3, 3), (8,)), ((8, 1, 1, 8), (8,)), ((5, 8), (5,))]


def test_operands_are_tensors() -> None:
    assert RESIDUAL.operands(3) == (3, 1)
    layers = (kinds.Dense(4), kinds.Dense(4, source=-1), kinds.Add(0), kinds.Dense(2))
    assert [Network("net", 3, layers).operands(index) for index in range(4)] == [(0,), (0,), (2, 1), (3,)]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "positions", "pads"),
    [
        (28, 3, 2, "same", 14, (0, 1)),
        (28, 3, 2, "valid", 13, (0, 0)),
        (28, 3, 2, ((1, 1), (1, 1)), 14, (1, 0)),  # the last row of padding is never touched
        (5, 4, 1, "same", 5, (1, 2)),
        (5, 1, 3, "same", 2, (0, 0)),
        (5, 3, 1, ((0, 2), (0, 2)), 5, (0, 2)),
    ],
)
def test_a_windows_padding_is_what_it_touches(
    size: int, kernel: int, stride: int, padding: Any, positions: int, pads: tuple[int, int]
) -> None:
    layer = kinds.Conv2D(2, (kernel, kernel), (stride, stride), padding)
    geometry = Network("net", (size, size, 1), (layer, kinds.GlobalAveragePool2D())).conv_geometry(0)
    assert (geometry.positions, geometry.pads) == ((positions, positions), (pads, pads))


def test_errors_are_needed_only_above_something_that_learns() -> None:
    layers = (
        kinds.Conv2D(4, trainable=False),
        kinds.MaxPool2D(),
        kinds.Flatten(),
        kinds.Dense(8, "relu"),
        kinds.Dense(3),
    )
    network = Network("net", (8, 8, 1), layers)
    assert network.needs_error == (False, False, False, False, True, True)
    assert [network.trains(index) for index in range(5)] == [False, False, False, True, True]


def test_a_layers_weight_format_overrides_the_networks() -> None:
    layers = (kinds.Dense(8, "relu", weights="w16"), kinds.Dense(8, "relu"), kinds.Dense(3, weights="w8"))
    network = Network("net", 4, layers, weights="w8")
    assert [network.weight_format(index) for index in range(3)] == ["w16", "w8", "w8"]


def test_the_last_layer_of_a_network_of_int8_weights_keeps_int16_unless_it_says_else() -> None:
    network = Network("net", 4, (kinds.Dense(8, "relu"), kinds.Dense(3)), weights="w8")
    assert [network.weight_format(index) for index in range(2)] == ["w8", "w16"]


IMAGE = (8, 8, 2)
BAD: dict[str, tuple[Any, tuple[Any, ...], str]] = {
    "input of two axes": ((8, 8), (kinds.Flatten(), kinds.Dense(2)), r"inputs \(8, 8\)"),
    "input of no pixel": ((8, 0, 1), (kinds.Flatten(), kinds.Dense(2)), r"inputs \(8, 0, 1\)"),
    "input too large": ((400, 400, 3), (kinds.Flatten(), kinds.Dense(2)), "inputs"),
    "dense on an image": (IMAGE, (kinds.Dense(2),), r"layer 0: Dense reads an image \(8, 8, 2\)"),
    "convolution of a vector": (64, (kinds.Conv2D(2), kinds.Flatten()), "layer 0: Conv2D reads a flat vector of 64"),
    "pool of a vector": (64, (kinds.MaxPool2D(), kinds.Dense(2)), "layer 0: MaxPool2D reads a flat vector"),
    "global pool of a vector": (
        64,
        (kinds.GlobalAveragePool2D(), kinds.Dense(2)),
        "GlobalAveragePool2D reads a flat vector",
    ),
    "window too large": (
        IMAGE,
        (kinds.Conv2D(2, (9, 3)), kinds.Flatten()),
        "layer 0: its window is 9 high, the padded image 8",
    ),
    "padding too large": (
        IMAGE,
        (kinds.Conv2D(2, padding=((3, 3), (0, 0))), kinds.Flatten()),
        "as large as its window of 3",
    ),
    "no filters": (IMAGE, (kinds.Conv2D(0), kinds.Flatten()), "layer 0: Conv2D has 0 filters"),
    "window as one number": (IMAGE, (kinds.Conv2D(2, 3), kinds.Flatten()), "layer 0: its window is 3"),  # type: ignore[arg-type]
    "stride of nothing": (IMAGE, (kinds.MaxPool2D(stride=(0, 1)), kinds.Flatten()), r"its stride is \(0, 1\)"),
    "unknown padding": (IMAGE, (kinds.Conv2D(2, padding="full"), kinds.Flatten()), "its padding is 'full'"),  # type: ignore[arg-type]
    "slope": (4, (kinds.Dense(4, "leaky_relu", slope=1.5), kinds.Dense(2)), "leaky ReLU's slope is 1.5"),
    "weight format": (4, (kinds.Dense(2, weights="w4"),), "layer 0: unknown weight format 'w4'"),  # type: ignore[arg-type]
    "adds other shapes": (
        4,
        (kinds.Dense(3), kinds.Dense(4), kinds.Add(0), kinds.Dense(2)),
        r"layer 2: it adds \(3,\) to \(4,\)",
    ),
    "adds a later layer": (4, (kinds.Dense(4), kinds.Add(2), kinds.Dense(2)), "layer 1: its skip is layer 2"),
    "adds itself": (4, (kinds.Dense(4), kinds.Add(0), kinds.Dense(2)), "layer 1: it adds a tensor to itself"),
    "reads a later layer": (4, (kinds.Dense(4, source=0), kinds.Dense(2)), "layer 0: its source is layer 0"),
    "a layer nobody reads": (4, (kinds.Dense(4), kinds.Dense(2, source=-1)), "layer 0: nothing reads its output"),
    "nothing learns": (4, (kinds.Dense(4, trainable=False),), "no layer in it learns"),
    "no weights": (IMAGE, (kinds.GlobalAveragePool2D(),), "no layer in it learns"),
    "an image at the end": (IMAGE, (kinds.Conv2D(2),), r"ends in an image \(6, 6, 2\)"),
    "tanh at the end": (4, (kinds.Dense(2, "tanh"),), "the last layer has a tanh"),
    "a ReLU before the last flatten": (
        IMAGE,
        (kinds.Conv2D(2, activation="relu"), kinds.Flatten()),
        "the last layer has a ReLU",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_together_is_refused_with_a_hint(case: str) -> None:
    inputs, layers, message = BAD[case]
    with pytest.raises(CompileError, match=message) as caught:
        Network("net", inputs, layers)
    assert caught.value.hint
