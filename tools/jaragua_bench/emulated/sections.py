"""Instructions of each operator in a training step: the engine's C with marks in it, on the emulated Cortex-M4.

A mark (firmware/bench/bench_marks.h) is one instruction before an operator; what it costs is known exactly and taken
off. What lies between two marks belongs to the operator the first one stands before.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jaragua_bench.emulated.toolchain import ToolError
from jaragua_bench.steps.steps import Counts, record_bytes
from jaragua_compiler.planning.operators import ActivationPlan
from jaragua_compiler.planning.plan import Plan

# Places of marks, 8 bits: the two passes of the operators by their number, and what else a step does.
_FORWARD, _BACKWARD, _INPUT, _LOSS, _BEGIN, _END = 0, 100, 200, 201, 254, 255
_OPERATORS_MOST = _BACKWARD - _FORWARD
_MARK = struct.Struct("<II")
_TICKS_START = (1 << 32) - 1

# Lines that do an operator's work, in the function of a step and in that of its forward pass.
_CALLS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], int]], ...] = (
    (re.compile(r"^ +jrg_nn_input\("), lambda _: _INPUT),
    (re.compile(r"^ +.*= jrg_model_loss\("), lambda _: _LOSS),
    (re.compile(r"^ +jrg_model_step(\d+)_forward\("), lambda found: _FORWARD + int(found[1])),
    (re.compile(r"^ +.*\bjrg_model_step(\d+)_backward\d?\("), lambda found: _BACKWARD + int(found[1])),
)


@dataclass(frozen=True)
class OperatorCount:
    """Instructions of one operator in a training step, the mean over the steps; all operators add up to the step.

    `operator` is the kind of a layer (then `layer` is its number in the network), "input", "loss", or "rest": what
    belongs to none, such as the call itself, and what the compiler did another way because of the marks.
    """

    operator: str
    layer: int | None
    forward_instructions: int
    backward_update_instructions: int


def marked(source: str) -> str:
    """The C of a model with a mark before every call of an operator."""
    return "".join(text for line in source.splitlines(keepends=True) for text in (_mark(line), line))


def operator_counts(plan: Plan, data: bytes, counts: Sequence[Counts]) -> tuple[OperatorCount, ...]:
    """What the program with marks wrote (its out.bin), for the steps of `counts`, which the program without counted.

    The means are rounded so that they add up to the rounded mean of the steps. Raises ToolError if a mark is missing.
    """
    totals = sum(_sections(plan, data, len(counts)), Counter[int]())
    labels = dict(_labels(plan))
    missing = [label for place, (label, _) in labels.items() if place not in totals and place < _BACKWARD]
    if missing:
        raise ToolError(f"the program with marks did not count {missing[0]}.")
    totals[_BEGIN] = sum(count.train_instructions for count in counts) - sum(totals[place] for place in labels)
    means = _rounded({place: totals[place] / len(counts) for place in (*labels, _BEGIN)})
    return tuple(_rows(plan, means))


def _mark(line: str) -> str:
    for pattern, place in _CALLS:
        if found := pattern.match(line):
            return f'    __asm__ volatile("svc %0" ::"i"({place(found)}));\n'
    return ""


def _sections(plan: Plan, data: bytes, steps: int) -> Iterator[Counter[int]]:
    """For each step the instructions from each place to the next mark."""
    if len(plan.steps) > _OPERATORS_MOST:
        raise ToolError(f"the bench counts at most {_OPERATORS_MOST} operators, this network has {len(plan.steps)}.")
    at = 0
    for _ in range(steps):
        at += record_bytes(plan)
        (count,) = struct.unpack_from("<I", data, at)
        marks = list(_MARK.iter_unpack(data[at + 4 : at + 4 + count * _MARK.size]))
        at += 4 + count * _MARK.size
        yield _of_step([(_instructions(ticks), place) for ticks, place in marks])


def _of_step(marks: Sequence[tuple[int, int]]) -> Counter[int]:
    """Of marks (instructions since the start, place): the first two have nothing between them."""
    cost = marks[1][0] - marks[0][0]
    found: Counter[int] = Counter()
    for (start, place), (end, _) in pairwise(marks[2:]):
        found[place] += end - start - cost
    return found


def _instructions(ticks: int) -> int:
    """bench_board.c: 1.6 ticks each, rounded down."""
    return ((_TICKS_START - ticks) * 5 + 7) // 8


def _labels(plan: Plan) -> Iterator[tuple[int, tuple[str, int | None]]]:
    """Every place a step can have, in the order of a step, with the operator's kind and layer."""
    yield _INPUT, ("input", None)
    for step in plan.steps:
        yield _FORWARD + step.step, _label(plan, step.step)
    yield _LOSS, ("loss", None)
    for step in reversed(plan.steps):
        yield _BACKWARD + step.step, _label(plan, step.step)


def _label(plan: Plan, step: int) -> tuple[str, int]:
    layer = plan.graph.operators[step].layer
    operator = plan.steps[step]
    kind = operator.kind if isinstance(operator, ActivationPlan) else type(plan.network.layers[layer]).__name__
    return kind, layer


def _rounded(means: Mapping[int, float]) -> dict[int, int]:
    """Whole numbers whose sum is the rounded sum: the sums up to each are rounded, and taken apart again."""
    rounded, exact, whole = {}, 0.0, 0
    for place, mean in means.items():
        exact += mean
        rounded[place] = round(exact) - whole
        whole = round(exact)
    return rounded


def _rows(plan: Plan, means: Mapping[int, int]) -> Iterator[OperatorCount]:
    yield OperatorCount("input", None, means[_INPUT], 0)
    for step in plan.steps:
        place = step.step
        yield OperatorCount(*_label(plan, place), means[_FORWARD + place], means[_BACKWARD + place])
    yield OperatorCount("loss", None, 0, means[_LOSS])
    yield OperatorCount("rest", None, 0, means[_BEGIN])
