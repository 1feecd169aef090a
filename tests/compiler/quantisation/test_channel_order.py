"""A10.7: any channels of a layer learn, because a compiled network has them first; what it computes stays the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from image_networks import random_conv_network, random_graph_network
from random_cases import random_network

from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import mismatches, run
from jaragua_compiler import (
    CompileError,
    Network,
    Plan,
    ReferenceEngine,
    calibrate,
    exponents,
    initial_weights,
    pack,
    plan,
    quantise_inputs,
)
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.export import Choice, compile_model
from jaragua_compiler.export.choice import orders, planned
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.planning.boards import find_board
from jaragua_compiler.planning.channel_list import ChannelList, read_channels, write_channels
from jaragua_compiler.planning.channel_order import Orders, channel_orders, layer_orders, reordered
from jaragua_compiler.quantisation.blob import IntegerWeights, pack_integers, unpack_integers
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_compiler.quantisation.rate import LearningRate

NETWORKS, FEW = 32, 10
STEPS = 24

CHAIN = Network("chain", 6, (layers.Dense(8, "relu"), layers.Dense(7, "tanh"), layers.Dense(3)))
IMAGE = Network(
    "image",
    (7, 6, 2),
    (
        layers.Conv2D(6, padding="same", activation="leaky_relu"),
        layers.MaxPool2D((2, 1)),
        layers.DepthwiseConv2D(padding="same", activation="relu6"),
        layers.Activation("tanh"),
        layers.Flatten(),
        layers.Dense(5, "relu"),
        layers.Dense(3),
    ),
)
BRANCH = Network(
    "branch",
    (6, 6, 2),
    (
        layers.Conv2D(6, padding="same", activation="relu"),
        layers.Conv2D(6, padding="same"),
        layers.Add(skip=0, activation="relu"),
        layers.AveragePool2D(),
        layers.Conv2D(4),
        layers.GlobalAveragePool2D(),
        layers.Dense(3),
    ),
)
TO_THE_INPUT = Network(
    "input",
    (6, 6, 2),
    (layers.Conv2D(2, padding="same"), layers.Add(-1), layers.GlobalAveragePool2D(), layers.Dense(3)),
)
POOLED = Network("pooled", (6, 6, 2), (layers.Conv2D(4), layers.GlobalAveragePool2D()))
FLAT = Network(
    "flat",
    (2, 3, 4),
    (
        layers.Flatten(),
        layers.Dense(24),
        layers.Conv2D(4, (1, 1), source=-1),
        layers.Flatten(),
        layers.Add(1),
        layers.Dense(3),
    ),
)


def random_weights(network: Network, seed: int) -> Weights:
    """As a network starts, with biases."""
    generator = np.random.default_rng(seed)
    return [(matrix, generator.normal(0, 0.2, bias.shape)) for matrix, bias in initial_weights(network, seed)]


def samples_of(network: Network, count: int = 8) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(2).uniform(-1, 1, (count, network.input_size))


def assert_same_outputs(network: Network, weights: Weights, order: Orders) -> None:
    before, after = (
        FloatEngine(network, values, np.float64).forward(samples_of(network))
        for values in (weights, reordered(network, weights, order))
    )
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("network", "train"),
    [
        (CHAIN, "2,0:1+5,1:3-6"),
        (IMAGE, "6,0:2-3+5"),
        (IMAGE, "0:5-5,5:1+4"),
        (BRANCH, "6,0:4-5,1:1+4-5,4:3-3"),
        (BRANCH, "0:5-5"),
        (BRANCH, "1:2-3"),
    ],
)
def test_a10_7_a_network_in_another_order_computes_the_same(network: Network, train: str) -> None:
    order = orders(network, Choice(train=train))
    assert order
    assert_same_outputs(network, random_weights(network, 1), order)


@pytest.mark.parametrize("train", ["2,0:8", "2,0:0-3", "1:0-6", "0:3,1", "all", "last"])
def test_a10_7_channels_that_are_the_first_ones_stay_where_they_are(train: str) -> None:
    assert orders(CHAIN, Choice(train=train)) == {}


def test_a10_7_the_channels_of_a_flattened_image_move_at_each_of_its_pixels() -> None:
    network = Network("net", (1, 2, 1), (layers.Conv2D(3, (1, 1)), layers.Flatten(), layers.Dense(2)))
    weights: Weights = [
        (np.arange(3.0).reshape(3, 1, 1, 1), np.arange(3.0)),
        (np.arange(12.0).reshape(2, 6), np.zeros(2)),
    ]
    (first, bias), (last, _) = reordered(network, weights, orders(network, Choice(train="0:2-2,2")))
    assert (first.reshape(-1).tolist(), bias.tolist()) == ([2, 0, 1], [2, 0, 1])
    assert last.tolist() == [[2, 0, 1, 5, 3, 4], [8, 6, 7, 11, 9, 10]]


def test_a10_7_two_layers_that_an_add_joins_share_an_order_that_suits_both() -> None:
    found = layer_orders(BRANCH, orders(BRANCH, Choice(train="0:4-5,1:1+4-5")))
    assert [order.rows for order in found.values()] == [(4, 5, 1, 0, 2, 3), (4, 5, 1, 0, 2, 3), ()]
    assert [order.inputs for order in found.values()] == [(), (4, 5, 1, 0, 2, 3), (4, 5, 1, 0, 2, 3)]


REFUSED = {
    "two orders": (BRANCH, "0:0+5,1:1-2", "layer 1, Conv2D: an Add joins it to layer 0"),
    "the outputs": (CHAIN, "2:1-1", "layer 2, Dense: its channels 1-1 cannot be put first: .* the network's outputs"),
    "pooled outputs": (POOLED, "0:1+3", r"layer 0, Conv2D: its channels 1\+3 .* the network's outputs"),
    "the inputs": (TO_THE_INPUT, "0:1-1,3", "layer 0, Conv2D: .* an Add joins them to the network's inputs"),
    "a flattened image": (FLAT, "1:5-9", "layer 1, Dense: .* an Add joins them to a flattened image"),
    "a depthwise layer": (IMAGE, "2:1-1", "layer 2: .*with all its channels or none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a10_7_what_no_order_does_is_refused_and_the_nearest_form_works(case: str) -> None:
    network, train, message = REFUSED[case]
    with pytest.raises(CompileError, match=message) as caught:
        planned(network, Choice(train=train))
    nearest = re.findall(r"\d+:[\d+-]+(?:,\d+:[\d+-]+)*", caught.value.hint)
    assert nearest or case == "a depthwise layer"
    for form in nearest:
        assert any(layer.trains for layer in planned(network, Choice(train=form)).layers)


def read(text: str) -> ChannelList:
    return read_channels(text, "layer 2", 10)


def test_channels_are_a_number_or_a_list() -> None:
    assert read("3") == (0, 1, 2)
    assert read("0-3+7+9") == (0, 1, 2, 3, 7, 9)
    assert read("9+0") == (0, 9)
    assert read("7-7") == (7,)
    assert read("10") == read("0-9") == read("5-9+0-4") == tuple(range(10))


def test_channels_are_written_as_they_are_read() -> None:
    generator = np.random.default_rng(1)
    for _ in range(300):
        chosen = np.flatnonzero(generator.random(10) < generator.random())
        if len(chosen):
            assert read(write_channels(chosen.tolist())) == tuple(chosen.tolist())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10+2", "layer 2 has no channel 10"),
        ("3-10", "layer 2 has no channel 10"),
        ("0-999999999", "layer 2 has no channel 999999999"),
        ("11", "'11' is not a number of channels, it has 10"),
        ("0", "'0' is not a number of channels, it has 10"),
        ("0-3+2", r"'0-3\+2' names channel 2 twice"),
        ("5+5", r"'5\+5' names channel 5 twice"),
        *(
            (text, "is no list of channels")
            for text in ("", "+", "3+", "+3", "3-", "-3", "-1", "3-1", "1-2-3", "x", "1.5")
        ),
        ("9" * 5000, "is no list of channels"),
    ],
)
def test_what_is_no_list_of_a_layers_channels_is_refused(text: str, message: str) -> None:
    with pytest.raises(CompileError, match=message) as caught:
        read(text)
    assert caught.value.hint


@pytest.mark.parametrize("train", ["1,1", "1:3,1", "1:0-2,2,1:4+5"])
def test_a_layer_is_named_once(train: str) -> None:
    with pytest.raises(CompileError, match="layer 1 is named twice to train"):
        planned(CHAIN, Choice(train=train))


def test_the_folder_says_which_channel_each_row_is() -> None:
    made = compile_model(IMAGE, random_weights(IMAGE, 1), find_board("pico"), Choice(train="0:2-3+5,5:1-1,6"))
    text = made.files["README.md"].decode()
    assert "| 3 of 6 channels (2-3, 5); int8 |" in text
    assert "| 0 | 2-3, 5, 0-1, 4 | in their order |" in text
    assert "| 5 | 1, 0, 2-4 | 2-3, 5, 0-1, 4 |" in text
    first = compile_model(IMAGE, random_weights(IMAGE, 1), find_board("pico"), Choice(train="0:3,5:1,6"))
    assert "in their order" not in first.files["README.md"].decode()
    assert first.figures == made.figures


def random_any(generator: np.random.Generator) -> Network:
    kind = generator.integers(3)
    if kind == 0:
        return random_network(generator, 40)
    return random_conv_network(generator) if kind == 1 else random_graph_network(generator)


def random_choice(generator: np.random.Generator, network: Network) -> dict[int, ChannelList]:
    """Some channels of some layers with a choice: never none."""
    chosen = {}
    for index in network.weighted:
        if isinstance(network.layers[index], layers.DepthwiseConv2D) or generator.random() < 0.3:
            continue
        rows = network.weight_shapes(index)[1][0]
        count = int(generator.integers(1, rows + 1))
        chosen[index] = tuple(sorted(generator.choice(rows, count, replace=False).tolist()))
    return chosen


def random_ordered(seed: int) -> tuple[Network, dict[int, ChannelList], Orders]:
    """A random network, random channels of it, and the order that puts them first: not the one they had."""
    generator = np.random.default_rng(seed)
    while True:
        network = random_any(generator)
        chosen = random_choice(generator, network)
        try:
            order = channel_orders(network, chosen)
            plan(network)
            planned(network, Choice(train=words(chosen)))
        except CompileError:  # no order does it, or int8 sums do not fit
            continue
        if order:
            return network, chosen, order


def words(chosen: Mapping[int, ChannelList]) -> str:
    return ",".join(f"{layer}:{write_channels(channels)}" for layer, channels in chosen.items())


def rows_that_move(compiled: Plan, weights: Weights) -> list[set[int]]:
    """Per layer the rows that a few steps on random samples change."""
    network, samples = compiled.network, samples_of(compiled.network)
    chosen = calibrate(compiled, weights, samples)
    blob = pack(compiled, weights, chosen)
    engine = ReferenceEngine(compiled)
    engine.load(blob)
    for x in quantise_inputs(compiled, chosen, samples):
        engine.train_step(x, np.ones(network.targets, np.int16), LearningRate.from_float(0.5))
    changed = [
        np.any((np.asarray(layer.matrix) != old).reshape(len(old), -1), axis=1)
        for layer, (old, _) in zip(engine.layers, unpack_integers(compiled, blob), strict=True)
    ]
    return [set(np.flatnonzero(rows).tolist()) for rows in changed]


@pytest.mark.parametrize(
    "seed", [*range(FEW), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(FEW, NETWORKS))]
)
def test_a10_7_random_channels_learn_and_no_other(seed: int, engine_cache: Path) -> None:
    network, chosen, order = random_ordered(seed)
    assert_same_outputs(network, random_weights(network, seed), order)
    weights = reordered(network, random_weights(network, seed), order)
    compiled = freeze(planned(network, Choice(train=words(chosen))), weights, samples_of(network))
    steps = random_steps(compiled, seed, STEPS)
    native = NativeEngine(compiled, engine_cache, ("-O0",))
    found = mismatches(compiled, run(ReferenceEngine(compiled), steps), run(native, steps))
    assert not found, f"seed {seed}, network {network}, {chosen}: {found[0]}"
    for index, moved in zip(network.weighted, rows_that_move(compiled, weights), strict=True):
        rows = order.get(index + 1, range(network.weight_shapes(index)[1][0]))
        assert {rows[row] for row in moved} <= set(chosen.get(index, ()))


def test_a10_7_the_channels_that_were_named_are_those_that_move() -> None:
    order = orders(CHAIN, Choice(train="2,0:1+5-6"))
    weights = reordered(CHAIN, random_weights(CHAIN, 1), order)
    compiled = freeze(planned(CHAIN, Choice(train="2,0:1+5-6")), weights, samples_of(CHAIN))
    first, second, last = rows_that_move(compiled, weights)
    assert ({order[1][row] for row in first}, second, last) == ({1, 5, 6}, set(), {0, 1, 2})


def integers_reordered(network: Network, weights: IntegerWeights, order: Orders) -> IntegerWeights:
    moved = reordered(network, [(matrix.astype(float), bias.astype(float)) for matrix, bias in weights], order)
    return [(matrix.astype(np.int64), bias.astype(np.int64)) for matrix, bias in moved]


def without_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every dither of A5.9, A7.7 and A11.5 is half of its range, whatever its row and column."""
    for name, half in (("conv.plane", 1 << 31), ("dense.sum", 1 << 31)):
        monkeypatch.setattr(
            f"jaragua_compiler.reference.{name}_dithers",
            lambda _, rows, columns, half=half: np.full((rows, columns), half),
        )
    for name, half in (("factor", 1 << 31), ("column", 1 << 15)):
        monkeypatch.setattr(
            f"jaragua_compiler.reference.dense.{name}_dithers", lambda _, places, half=half: np.full(places, half)
        )


@pytest.mark.parametrize(
    "seed", [*range(FEW), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(FEW, NETWORKS))]
)
def test_a10_7_an_order_changes_no_bit_of_what_is_computed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a network trained in its own order and in another, without the one thing that knows places: the dither."""
    without_places(monkeypatch)
    network, _, order = random_ordered(100 + seed)
    compiled = plan(network)
    one, other = ReferenceEngine(compiled), ReferenceEngine(compiled)
    for step in random_steps(compiled, seed, STEPS):
        if step.blob is not None:
            one.load(step.blob)
            moved = integers_reordered(network, unpack_integers(compiled, step.blob), order)
            other.load(pack_integers(compiled, moved, exponents(compiled, step.blob)))
        assert one.forward(step.x).tolist() == other.forward(step.x).tolist()
        assert one.train_step(step.x, step.target, step.rate) == other.train_step(step.x, step.target, step.rate)
    wanted = integers_reordered(network, unpack_integers(compiled, one.blob()), order)
    for pair, wanted_pair in zip(unpack_integers(compiled, other.blob()), wanted, strict=True):
        assert all(np.array_equal(*both) for both in zip(pair, wanted_pair, strict=True))
