"""Instructions of each operator: they add up to the step, and the marks that count them change next to nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from jaragua_bench.emulated import board
from jaragua_bench.emulated.sections import OperatorCount, marked
from jaragua_bench.steps.random_steps import random_steps
from jaragua_compiler import Network, plan
from jaragua_compiler.codegen.emitter import SOURCE_NAME, emitted_files
from jaragua_compiler.graph import layers
from jaragua_compiler.planning.plan import Plan

pytestmark = pytest.mark.board

IMAGES = Network(
    "images",
    (8, 8, 1),
    (layers.Conv2D(4, padding="same", activation="tanh"), layers.MaxPool2D(), layers.Flatten(), layers.Dense(3)),
    weights="w8",
)
CALL_INSTRUCTIONS = 40  # of a step that belong to no operator: entry, return, the result
UNLIKE_PART = 0.001  # of a step that the compiler may do another way because of a mark


def counted(layout: Plan) -> tuple[int, tuple[OperatorCount, ...]]:
    """All instructions of a few steps, and the operators' means over them."""
    steps = random_steps(layout, 3, 4)
    counts = [count for count, _ in board.run(layout, steps, counted=True)]
    return sum(count.train_instructions for count in counts), board.run_marked(layout, steps, counts)


def whole(operators: tuple[OperatorCount, ...]) -> int:
    return sum(one.forward_instructions + one.backward_update_instructions for one in operators)


def test_the_operators_add_up_to_the_step(network_plan: Plan) -> None:
    instructions, operators = counted(network_plan)
    assert whole(operators) == round(instructions / 4)
    assert 0 <= operators[-1].backward_update_instructions <= CALL_INSTRUCTIONS


def test_images_pools_and_activations_are_counted_by_their_layer() -> None:
    layout = plan(IMAGES)
    instructions, operators = counted(layout)
    named = [(one.operator, one.layer) for one in operators]
    assert named == [
        ("input", None),
        ("Conv2D", 0),
        ("tanh", 0),
        ("MaxPool2D", 1),
        ("Dense", 3),
        ("loss", None),
        ("rest", None),
    ]
    assert whole(operators) == round(instructions / 4)
    assert abs(operators[-1].backward_update_instructions) <= CALL_INSTRUCTIONS + UNLIKE_PART * instructions
    assert all(one.forward_instructions > 0 for one in operators[:5])
    assert all(one.backward_update_instructions > 0 for one in operators[1:6])


def test_the_larger_layer_takes_more(mlp_plan: Plan) -> None:
    _, (_, first, second, *_) = counted(mlp_plan)
    assert first.forward_instructions > 4 * second.forward_instructions


def test_a_mark_stands_before_every_call_and_nothing_else_changes(mlp_plan: Plan) -> None:
    source = emitted_files(mlp_plan)[SOURCE_NAME]
    lines = marked(source).splitlines()
    assert [line for line in lines if "svc" not in line] == source.splitlines()
    behind = [line.strip() for before, line in pairwise(lines) if "svc" in before]
    assert [line.partition("(")[0].rpartition(" ")[2] for line in behind] == [
        "jrg_nn_input",
        "jrg_model_step0_forward",
        "jrg_model_step1_forward",
        "jrg_model_loss",
        "jrg_model_step1_backward",
        "jrg_model_step0_backward",
    ]
