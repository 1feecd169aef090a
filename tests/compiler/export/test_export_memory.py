"""What `jaragua compile` says of memory is what the generated C takes; what does not fit is refused, with a way out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from named_networks import NETWORKS

from jaragua_bench.emulated import board as bench_board
from jaragua_bench.emulated import toolchain
from jaragua_compiler import CompileError, Dense, Network, initial_weights, plan
from jaragua_compiler.export import Choice
from jaragua_compiler.export.choice import planned
from jaragua_compiler.export.fit import check_fits, choose_layers, resolved
from jaragua_compiler.export.memory import figures
from jaragua_compiler.planning.boards import Board, Core, boards, find_board
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_models import get
from long_form import paired

#: RISC-V where its compiler is: `make boards` installs it.
CORES = [core for core in get_args(Core) if core != toolchain.RV32 or toolchain.has_tools(core)]
#: Networks and the layers of them that train.
TRAINED = ("cnn: 3", "cnn: 1,3", "cnn: 0,3", "cnn: 0:4,1:6,3:2", "every kind: 0,7")
#: How many are enrolled.
CLASSES = {"mlp": 20, "cnn w8": 3, "every kind": 7}
SMALL = replace(find_board("zero"), name="small", ram_bytes=20000, flash_bytes=200000)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_rows_are_the_blob_the_arena_and_what_the_caller_has(network: Network) -> None:
    compiled = plan(network)
    found = figures(compiled, "cortex_m4")
    rows = {row.name: row.bytes for row in found.ram}
    assert sum(size for name, size in rows.items() if name.startswith("weights: ")) == compiled.blob_bytes
    assert rows["arena: activations, errors, scratch"] + rows["list of active rows"] == compiled.arena_bytes
    assert {row.name.partition(":")[0]: row.bytes for row in found.buffers} == {
        place.buffer.name: place.buffer.bytes for place in compiled.memory.places
    }


def test_a11_1_sums_have_a_row_of_their_own() -> None:
    plain, summing = (
        {row.name: row.bytes for row in figures(plan(NETWORKS["mlp"], accumulate=accumulate), "cortex_m4").ram}
        for accumulate in (False, True)
    )
    assert summing == plain | {"sums of steps": 4 * (32 * 65 + 10 * 33)}


@pytest.mark.board
@pytest.mark.parametrize(("name", "core"), paired(NETWORKS, CORES))
def test_the_figures_are_those_of_the_linked_program(name: str, core: Core) -> None:
    """Static RAM to the byte; flash is an estimate, not too small and not twice too large."""
    compiled = plan(NETWORKS[name])
    found = figures(compiled, core)
    measured = bench_board.footprint(compiled, core)
    rows = {row.name: row.bytes for row in found.ram}
    static = sum(rows[name] for name in ("arena: activations, errors, scratch", "list of active rows", "state"))
    assert bench_board.variables(compiled, core) == static
    code = found.flash_bytes - compiled.blob_bytes
    assert measured.flash_bytes <= code <= 2 * measured.flash_bytes


@pytest.mark.board
@pytest.mark.parametrize(("name", "core"), paired(CLASSES, CORES))
def test_a12_1_prototypes_have_a_row_and_it_is_that_of_the_linked_program(name: str, core: Core) -> None:
    classes = CLASSES[name]
    compiled = planned(NETWORKS[name], Choice(prototypes=classes, episodes=core == "cortex_m4"))
    found, measured = figures(compiled, core), bench_board.footprint(compiled, core)
    rows = {row.name: row.bytes for row in found.ram}
    assert rows[f"prototypes of {classes} classes"] == classes * (
        4 * (1 + compiled.prototype_gradients) * compiled.prototype_head.inputs + 24
    )
    static = ("arena: activations, errors, scratch", "list of active rows", "state", f"prototypes of {classes} classes")
    assert abs(measured.ram_bytes - sum(rows[row] for row in static)) <= 8
    assert measured.flash_bytes <= found.flash_bytes - compiled.blob_bytes <= 2 * measured.flash_bytes


def refusal(network: Network, board: Board, choice: Choice | None = None) -> CompileError:
    with pytest.raises(CompileError) as caught:
        check_fits(network, choice or Choice(), board)
    return caught.value


def test_what_fits_passes_to_the_last_byte() -> None:
    found = figures(plan(NETWORKS["mlp"]), SMALL.core)
    exact = replace(SMALL, ram_bytes=found.ram_bytes + SMALL.reserve_ram_bytes)
    assert check_fits(NETWORKS["mlp"], Choice(), exact) == found
    refusal(NETWORKS["mlp"], replace(exact, ram_bytes=exact.ram_bytes - 1))


def test_a_refusal_names_the_largest_tensors_and_the_room_there_is() -> None:
    error = refusal(Network("big", 256, (Dense(64, "relu"), Dense(10))), SMALL)
    assert "network 'big' needs 36,478 bytes of RAM" in error.message
    assert "small has 11,808 for it (20,000 less 8,192 for the rest of the firmware)" in error.message
    assert "the largest: weights: layer 0, Dense 256 -> 64 (33,024 bytes); " in error.message
    assert error.message.count("\n") == 0


def test_the_arena_is_named_by_its_buffers() -> None:
    assert "list2: error of tensor 2, a list (6,272 bytes)" in refusal(NETWORKS["cnn"], SMALL).message


def test_flash_is_checked_too() -> None:
    assert "bytes of flash, small has" in refusal(NETWORKS["mlp"], replace(SMALL, flash_bytes=40000)).message


def test_the_units_a_refusal_names_fit_and_one_more_does_not() -> None:
    hint = refusal(Network("big", 256, (Dense(64, "relu"), Dense(10))), SMALL).hint
    units = int(hint.split("at most ")[1].split(" units in layer 0")[0])
    assert check_fits(Network("big", 256, (Dense(units, "relu"), Dense(10))), Choice(), SMALL)
    refusal(Network("big", 256, (Dense(units + 1, "relu"), Dense(10))), SMALL)


def test_int8_weights_are_named_where_they_fit() -> None:
    network = Network("big", 256, (Dense(28, "relu"), Dense(10)))
    assert "`--weights w8`" in refusal(network, SMALL).hint
    check_fits(network, Choice(weights="w8"), SMALL)


def test_a_refusal_names_auto_where_fewer_layers_fit() -> None:
    network = Network("big", 256, (Dense(40, "relu"), Dense(30, "relu"), Dense(10)))
    hint = refusal(network, SMALL).hint
    assert "`--train auto`" in hint
    assert resolved(network, Choice(train="auto"), SMALL).train == "1,2"
    check_fits(network, Choice(train="auto"), SMALL)


def test_auto_takes_every_layer_that_fits_from_the_last_one_down() -> None:
    network = NETWORKS["cnn"]
    for budget in range(2500, 24000, 1500):
        board = replace(find_board("qemu_m4"), budget_bytes=budget)
        chosen = [attempt.layer for attempt in choose_layers(network, Choice(), board) if attempt.trains]
        for index in network.weighted:
            more = ",".join(map(str, sorted({index, *(other for other in chosen if other > index)})))
            fits = figures(planned(network, Choice(train=more)), board.core).fit(board)
            assert fits == (index in chosen) or index == network.weighted[-1]


@pytest.mark.board
@pytest.mark.parametrize(("trained", "core"), paired(TRAINED, CORES))
def test_the_figures_of_frozen_layers_are_those_of_the_linked_program(trained: str, core: Core) -> None:
    name, _, train = trained.partition(": ")
    network = NETWORKS[name]
    samples = np.random.default_rng(1).uniform(-1, 1, (8, network.input_size))
    compiled = freeze(planned(network, Choice(train=train)), initial_weights(network, 1), samples)
    found, measured = figures(compiled, core), bench_board.footprint(compiled, core)
    rows = {row.name: row.bytes for row in found.ram}
    static = sum(rows[name] for name in ("arena: activations, errors, scratch", "list of active rows", "state"))
    assert bench_board.variables(compiled, core) == static
    assert measured.flash_bytes <= found.flash_bytes - compiled.blob_bytes <= 2 * measured.flash_bytes


def test_the_network_of_the_reptile_paper_fits_the_emulated_board_with_int8_weights_only() -> None:
    network, board = get("omniglot-reptile").network, find_board("qemu_m4")
    assert check_fits(network, Choice(weights="w8"), board).ram_bytes <= board.free_ram_bytes
    assert "`--weights w8`" in refusal(network, board, Choice(weights="w16")).hint


def test_the_boards_a_refusal_names_hold_it() -> None:
    network = Network("big", 256, (Dense(128, "relu"), Dense(10)))
    hint = refusal(network, SMALL).hint
    named = [board for board in boards() if board.name in re.findall(r"\w+", hint)]
    assert find_board("pico") in named
    assert find_board("zero") not in named
    for board in named:
        check_fits(network, Choice(), board)


def test_what_no_board_can_hold_is_said_so() -> None:
    hint = refusal(Network("huge", 65535, (Dense(400, "relu"), Dense(2))), SMALL).hint
    assert "--board" not in hint


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_every_board_leaves_room_for_a_network(board: Board) -> None:
    assert 0 < board.free_ram_bytes < board.ram_bytes
    assert 0 < board.free_flash_bytes < board.flash_bytes
    check_fits(NETWORKS["mlp"], Choice(), board)
