"""What does not fit a board is refused with the memory it needs, and every remedy that is named was tried and fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from image_networks import random_conv_network, random_graph_network
from random_cases import random_network

from jaragua_compiler import CompileError, Network
from jaragua_compiler.export import Choice
from jaragua_compiler.export.choice import planned
from jaragua_compiler.export.fit import check_fits, narrowed, width_groups
from jaragua_compiler.export.memory import figures
from jaragua_compiler.graph import layers as kinds
from jaragua_compiler.planning.boards import Board, find_board

FUZZED = 40
SAME = {"kernel": (3, 3), "padding": "same"}

# The last Add joins an image that was flattened with a dense layer: no common width can be smaller.
NETWORKS: dict[str, tuple[Network, list[tuple[int, ...]]]] = {
    "residual": (
        Network(
            "residual",
            (8, 8, 1),
            (
                kinds.Conv2D(16, **SAME),
                kinds.Conv2D(16, **SAME),
                kinds.Add(0, "relu"),
                kinds.GlobalAveragePool2D(),
                kinds.Dense(3),
            ),
        ),
        [(0, 1)],
    ),
    "two residuals in a chain": (
        Network(
            "chain",
            (8, 8, 1),
            (
                kinds.Conv2D(16, **SAME),
                kinds.DepthwiseConv2D(**SAME),
                kinds.Add(0, "relu"),
                kinds.Conv2D(4, (1, 1)),
                kinds.Conv2D(16, (1, 1)),
                kinds.Add(2),
                kinds.Flatten(),
                kinds.Dense(3),
            ),
        ),
        [(0, 4), (3,)],
    ),
    "added to the input": (
        Network(
            "input",
            (8, 8, 2),
            (kinds.Conv2D(9, **SAME), kinds.Conv2D(2, **SAME), kinds.Add(-1), kinds.Flatten(), kinds.Dense(3)),
        ),
        [(0,)],
    ),
    "added to the outputs": (
        Network(
            "outputs",
            (8, 8, 1),
            (kinds.Conv2D(5, **SAME), kinds.Conv2D(5, **SAME), kinds.Add(0), kinds.GlobalAveragePool2D()),
        ),
        [],
    ),
    "dense branches": (
        Network(
            "dense",
            20,
            (kinds.Dense(16, "relu"), kinds.Dense(16, "relu"), kinds.Add(0), kinds.Activation("tanh"), kinds.Dense(3)),
        ),
        [(0, 1)],
    ),
    "image and vector": (
        Network(
            "both", (4, 4, 1), (kinds.Conv2D(2, **SAME), kinds.Flatten(), kinds.Dense(32), kinds.Add(1), kinds.Dense(2))
        ),
        [(0, 2)],
    ),
    "pools between": (
        Network(
            "pools",
            (8, 8, 1),
            (
                kinds.Conv2D(6, **SAME),
                kinds.MaxPool2D(),
                kinds.Conv2D(6, **SAME),
                kinds.Add(1),
                kinds.GlobalAveragePool2D(),
                kinds.Dense(4),
                kinds.Dense(2),
            ),
        ),
        [(0, 2), (5,)],
    ),
}


def half_of(network: Network, choice: Choice) -> Board:
    """A board with half of the memory a network takes."""
    board = find_board("qemu_m4")
    return replace(board, budget_bytes=figures(planned(network, choice), board.core).ram_bytes // 2)


def refusal(network: Network, choice: Choice, board: Board) -> CompileError:
    with pytest.raises(CompileError) as caught:
        check_fits(network, choice, board)
    return caught.value


def remedies(hint: str) -> Iterator[tuple[Choice | None, dict[int, int], int | None]]:
    """(Other options, other widths of layers, another budget) of each way a hint names."""
    for options in re.findall(r"`(--(?:weights|train)[^`]*)`", hint):
        found = dict(re.findall(r"--(\w+) (\w+)", options))
        yield Choice(found.get("weights"), found.get("train")), {}, None
    for width, layers in re.findall(r"at most (\d+) \w+ in layers? ([\d, and]+)", hint):
        yield None, {int(layer): int(width) for layer in re.findall(r"\d+", layers)}, None
    for budget in re.findall(r"`--ram-budget (\d+)`", hint):
        yield None, {}, int(budget)


def with_widths(network: Network, widths: dict[int, int]) -> Network:
    layers = list(network.layers)
    for index, width in widths.items():
        name = "units" if isinstance(layers[index], kinds.Dense) else "filters"
        layers[index] = replace(layers[index], **{name: width})
    return replace(network, layers=tuple(layers))


def check_refusal(network: Network, choice: Choice) -> int:
    """It is refused for its memory; each way out fits. Returns how many ways out there are."""
    board = half_of(network, choice)
    error = refusal(network, choice, board)
    assert f"network {network.name!r} needs " in error.message
    found = list(remedies(error.hint))
    for options, widths, budget in found:
        wanted = Choice(options.weights or choice.weights, options.train or choice.train) if options else choice
        room = board if budget is None else replace(board, budget_bytes=budget)
        check_fits(with_widths(network, widths), wanted, room)
    return len(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_with_branches_is_refused_for_its_memory(name: str) -> None:
    assert check_refusal(NETWORKS[name][0], Choice()) >= 1


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_that_an_add_joins_have_one_width(name: str) -> None:
    network, groups = NETWORKS[name]
    assert width_groups(network) == groups


def test_a_residual_network_is_told_the_width_of_both_its_layers() -> None:
    network = Network(
        "residual",
        (32, 32, 1),
        (
            kinds.Conv2D(32, **SAME, activation="relu"),
            kinds.Conv2D(32, **SAME),
            kinds.Add(0, "relu"),
            kinds.GlobalAveragePool2D(),
            kinds.Dense(10),
        ),
    )
    error = refusal(network, Choice(), find_board("qemu_m4"))
    assert "network 'residual' needs 548,962 bytes of RAM, qemu_m4 has 245,760 for it" in error.message
    assert "at most 14 filters in layers 0 and 1" in error.hint


def test_a_width_that_gives_no_network_is_none() -> None:
    network, (group,) = NETWORKS["image and vector"]
    assert narrowed(network, group, 1) is None


def test_a_width_below_the_channels_that_train_is_none() -> None:
    network = Network("channels", 64, (kinds.Dense(32, "relu", trained_channels=20), kinds.Dense(3)))
    assert narrowed(network, (0,), 19) is None
    assert narrowed(network, (0,), 20) is not None


def random_choice(network: Network, generator: np.random.Generator) -> Choice:
    """All layers, the last one, int8, or some channels of the first layer that can train in part beside the last."""
    *others, last = network.weighted
    in_part = [index for index in others if not isinstance(network.layers[index], kinds.DepthwiseConv2D)]
    if in_part and generator.random() < 0.4:
        rows = network.weight_shapes(in_part[0])[1][0]
        return Choice(train=f"{in_part[0]}:{int(generator.integers(1, rows + 1))},{last}")
    return (Choice(), Choice(train="last"), Choice("w8", "all"))[int(generator.integers(3))]


def test_random_networks_are_refused_for_their_memory_and_their_remedies_fit() -> None:
    seed = 20_261_122
    print(f"seed {seed}")
    generator = np.random.default_rng(seed)
    makers = (random_graph_network, random_graph_network, random_conv_network, lambda drawn: random_network(drawn, 60))
    ways = 0
    for number in range(FUZZED):
        network = makers[number % len(makers)](generator)
        ways += check_refusal(network, random_choice(network, generator))
    assert ways > FUZZED
