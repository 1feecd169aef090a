"""Exponents: which power of two a unit of each tensor stands for (A2.6), and which ones a device accepts (A6.1)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from jaragua_compiler.errors import CompileError
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.floating.layers import Floats
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.layers import ActivatedLayer
from jaragua_compiler.planning.operators import DensePlan, OperatorPlan, UnweightedPlan, WeightedPlan
from jaragua_compiler.planning.plan import LOGIT_EXPONENT, Plan
from jaragua_compiler.quantisation.ranges import Ranges

WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX = 8, 15  # A2.6
WEIGHT_HEADROOM = 8.0  # A2.6
CHANNEL_EXPONENT_MIN, CHANNEL_EXPONENT_MAX = 0, 15  # A8.1
CHANNEL_HEADROOM = 2.0  # A8.1
FROZEN_LARGEST = 127.5  # A10.1: what rounds to the largest int8
ACTIVATION_HEADROOM = 2.0  # A2.6
SHIFT_MIN, SHIFT_MAX = 2, 30  # A3.3
BIAS_SHIFT_MIN, BIAS_SHIFT_MAX = -30, 14  # A5.6
ANY_MIN, ANY_MAX = -63, 63  # what no rule limits

Channels = tuple[tuple[int, ...], ...]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Exponents:
    """Real = integer · 2^-exponent. `weights[l]` is fw of layer l, `inputs[l]` fx of its input, `output` fy.

    `extra` are those of tensors that neither a layer with weights reads nor the network gives (plan.scales).
    `channels[l]` is fw of every output channel of a layer with int8 weights (A8.1; `weights[l]` is the smallest of
    them), and empty for any other layer; empty altogether if no layer has int8 weights.
    """

    weights: tuple[int, ...]
    inputs: tuple[int, ...]
    output: int
    extra: tuple[int, ...] = ()
    channels: Channels = ()

    def rows(self, layer: int, outputs: int) -> tuple[int, ...]:
        """fw of every row of a layer."""
        own = self.channels[layer] if self.channels else ()
        return own or (self.weights[layer],) * outputs

    @property
    def slots(self) -> tuple[int, ...]:
        """All but those of weights, in the order of `Scales.slots`."""
        return (*self.inputs, self.output, *self.extra)


class Rule(NamedTuple):
    """least <= slot `high` (less slot `low`, unless that is None) <= most; `name` and `source` for people."""

    high: int
    low: int | None
    least: int
    most: int
    name: str
    source: str


class LayerScale(NamedTuple):
    """The exponents of one layer with weights: fw (of all rows, and of each), fx of its input and fy of its output."""

    weights: int
    inputs: int
    output: int
    rows: tuple[int, ...]

    @property
    def forward_shift(self) -> int:
        """A3.2, A3.3."""
        return self.weights + self.inputs - self.output


def layer_scale(plan: Plan, exponents: Exponents, layer: WeightedPlan) -> LayerScale:
    """The exponents of one layer."""
    tensors = tensor_exponents(plan, exponents)
    rows = exponents.rows(layer.index, layer.outputs)
    return LayerScale(min(rows), tensors[layer.input_tensor], tensors[layer.output_tensor], rows)


def tensor_exponents(plan: Plan, exponents: Exponents) -> tuple[int, ...]:
    """The exponent of every tensor of the graph."""
    values = exponents.slots
    return tuple(values[slot] for slot in plan.scales.slots)


def bias_shift(layer: WeightedPlan, input_exponent: int) -> int:
    """q of A5.6, A8.4."""
    return 2 * input_exponent - layer.input_width - (9 if layer.per_channel else 1)


@functools.lru_cache(maxsize=256)
def check_exponents(plan: Plan, exponents: Exponents) -> None:
    """Raises CompileError on the first exponent a device would refuse (A6.1)."""
    if plan.network.classifier and exponents.output != LOGIT_EXPONENT:
        raise CompileError(f"blob: the logits' exponent is {exponents.output}, it must be {LOGIT_EXPONENT} (A2.5).")
    for layer in plan.layers:
        _check_weights(plan, layer, exponents)
    values = exponents.slots
    for number, slot in enumerate(plan.scales.readers):
        if values[number] != values[slot]:
            raise CompileError(f"blob: layers {slot} and {number} read one tensor under different exponents (A6.1).")
    for rule in _rules(plan, exponents.weights, exponents.channels):
        value = values[rule.high] - (0 if rule.low is None else values[rule.low])
        if not rule.least <= value <= rule.most:
            limits = f"{rule.least}..{rule.most}"
            raise CompileError(f"blob: {rule.name}: {value} is not in {limits} ({rule.source}).")


def _check_weights(plan: Plan, layer: WeightedPlan, exponents: Exponents) -> None:
    rows = exponents.rows(layer.index, layer.outputs)
    least, most = WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX
    if layer.per_channel:
        least, most = CHANNEL_EXPONENT_MIN, CHANNEL_EXPONENT_MAX
        if len(rows) != layer.outputs or min(rows) != exponents.weights[layer.index]:
            raise CompileError(f"blob: fw of layer {layer.index} is not the smallest of its channels' (A8.1).")
        constants = plan.frozen_rows(layer) if plan.frozen else None
        if constants is not None and rows[layer.trained_rows :] != constants.channels:
            raise CompileError(f"blob: exponents of layer {layer.index} are not those of its frozen weights (A10.5).")
    for weight in (min(rows), max(rows)):
        if not least <= weight <= most:
            rule = "A8.1" if layer.per_channel else "A2.6"
            raise CompileError(
                f"blob: weight exponent {weight} of layer {layer.index} is not in {least}..{most} ({rule})."
            )


def calibrate(
    plan: Plan, weights: Weights, samples: ArrayLike, targets: ArrayLike | None = None, ranges: Ranges | None = None
) -> Exponents:
    """Choose the exponents for initial weights and typical inputs (A2.6).

    weights: per layer (W, outputs first; b [out]); samples: float [n, inputs], n >= 1; targets: float [n, outputs] of
    a regression, to widen its output range where `Network.output_range` is too small; ranges: what a model file says of
    its values, in the place of what the samples show.
    Raises CompileError if the inputs are larger than any format can hold; that of a frozen layer cuts them off.
    """
    return calibrate_channels(plan, weights, channel_exponents(plan, weights), samples, targets, ranges)


def calibrate_channels(
    plan: Plan,
    weights: Weights,
    channels: Channels,
    samples: ArrayLike,
    targets: ArrayLike | None = None,
    ranges: Ranges | None = None,
) -> Exponents:
    """As calibrate, with the exponents of int8 rows chosen already: per layer one a row, () for int16 weights."""
    weight_exponents = tuple(
        min(own) if own else _weight_exponent(plan, layer, _magnitude(matrix))
        for layer, own, (matrix, _) in zip(plan.layers, channels, weights, strict=True)
    )
    magnitudes = _magnitudes(plan, weights, np.asarray(samples, dtype=np.float64), targets, ranges)
    return _for_magnitudes(plan, weight_exponents, magnitudes, channels)


def exponents_for(plan: Plan, weights: Sequence[float], tensors: Sequence[float]) -> Exponents:
    """As calibrate, from the largest magnitude of each layer's weights, all int16, and of each tensor of the graph."""
    weight_exponents = tuple(
        _weight_exponent(plan, layer, largest) for layer, largest in zip(plan.layers, weights, strict=True)
    )
    return _for_magnitudes(plan, weight_exponents, _with_headroom(plan, tensors, 0.0), ((),) * len(plan.layers))


def _for_magnitudes(
    plan: Plan, weight_exponents: tuple[int, ...], magnitudes: Sequence[float], channels: Channels
) -> Exponents:
    """magnitudes: of every tensor, head-room included."""
    wanted = _wanted(plan, magnitudes)
    exponents = fitted_exponents(plan, weight_exponents, tuple(wanted), channels if plan.per_channel else ())
    slot = plan.scales.slots[0]
    if slot not in _fixed_slots(plan) and wanted[slot] < exponents.slots[slot]:
        raise CompileError(
            f"network {plan.network.name!r}: its inputs are too large for the device's format.",
            "Scale the inputs, e.g. to -1..1.",
        )
    return exponents


@functools.lru_cache(maxsize=256)
def fitted_exponents(
    plan: Plan, weight_exponents: tuple[int, ...], wanted: tuple[int, ...], channels: Channels = ()
) -> Exponents:
    """The largest exponents a device accepts that are at most those wanted (one a slot), where it accepts any such."""
    rules = _rules(plan, weight_exponents, channels)
    least, most = _bounds(plan, rules, len(wanted))
    least = _least_solution(least, rules)
    wishes = [min(high, max(wish, low)) for wish, low, high in zip(wanted, least, most, strict=True)]
    chosen = _greatest_solution(wishes, rules)
    count = len(plan.layers)
    inputs = tuple(chosen[slot] for slot in plan.scales.readers)
    exponents = Exponents(weight_exponents, inputs, chosen[count], tuple(chosen[count + 1 :]), channels)
    check_exponents(plan, exponents)
    return exponents


def channel_exponents(plan: Plan, weights: Weights) -> Channels:
    """A8.1, A10.1: fw of each row of int8 weights; () for a layer of another format."""
    return tuple(
        _channel_exponents(plan, layer, matrix) for layer, (matrix, _) in zip(plan.layers, weights, strict=True)
    )


@functools.lru_cache(maxsize=256)
def _rules(plan: Plan, weight_exponents: tuple[int, ...], channels: Channels) -> tuple[Rule, ...]:
    """What ties the exponents of the tensors together; weights' exponents are mostly those of the round before."""
    return tuple(_found_rules(plan, weight_exponents, channels))


def _found_rules(plan: Plan, weight_exponents: tuple[int, ...], channels: Channels) -> Iterator[Rule]:
    slots = plan.scales.slots
    for step in plan.steps:
        if isinstance(step, WeightedPlan):
            weights = (channels[step.index] if channels else ()) or (weight_exponents[step.index],)
            yield from _weighted_rules(step, weights, slots[step.input_tensor], slots[step.output_tensor])
            yield from _frozen_rules(plan, step)
        else:
            yield from _unweighted_rules(plan, step)


def blob_rules(plan: Plan) -> list[tuple[int, int, int, int]]:
    """The rules of operators without weights as jrg_nn_blob_rule: offsets into the blob (0: none), and limits."""
    found = []
    for step in plan.steps:
        for rule in [] if isinstance(step, WeightedPlan) else _unweighted_rules(plan, step):
            low = 0 if rule.low is None else plan.slot_offset(rule.low)
            found.append((plan.slot_offset(rule.high), low, rule.least, rule.most))
    return found


def _unweighted_rules(plan: Plan, step: OperatorPlan) -> Iterator[Rule]:
    """The limits of an operator's descriptor, in terms of slots."""
    assert isinstance(step, UnweightedPlan)
    slots = plan.scales.slots
    output = slots[step.output_tensor]
    for limit in step.properties.limits:
        name = f"{limit.of} of operator {step.step}"
        tensors = (step.output_tensor,) if limit.of == "output" else step.input_tensors
        for tensor in tensors:
            low = output if limit.of == "shift" else None
            yield Rule(slots[tensor], low, limit.least, limit.most, name, step.properties.rule)


def _weighted_rules(step: WeightedPlan, weights: tuple[int, ...], source: int, output: int) -> Iterator[Rule]:
    name = f"forward shift of layer {step.index}, less its weight exponent"
    yield Rule(source, output, SHIFT_MIN - min(weights), SHIFT_MAX - max(weights), name, "A3.3")
    if isinstance(step, DensePlan) and step.trained_rows:
        offset = bias_shift(step, 0)
        least, most = math.ceil((BIAS_SHIFT_MIN - offset) / 2), (BIAS_SHIFT_MAX - offset) // 2
        yield Rule(source, None, least, most, f"input exponent of layer {step.index}, for its bias shift", "A5.6")


def _frozen_rules(plan: Plan, step: WeightedPlan) -> Iterator[Rule]:
    constants = plan.frozen_rows(step) if plan.frozen else None
    if constants is not None:
        fixed, name = constants.input_exponent, f"input exponent of layer {step.index}, which is frozen"
        yield Rule(plan.scales.slots[step.input_tensor], None, fixed, fixed, name, "A10.5")


def _magnitude(values: Floats) -> float:
    """Largest magnitude; NaN if a value is NaN."""
    return max(float(values.max()), -float(values.min()))


def _largest_exponent(magnitude: float, width: int) -> int:
    """The largest f with magnitude <= 2^width · 2^-f."""
    if magnitude <= 0:
        return 127
    return width - math.ceil(math.log2(magnitude))


def _channel_exponents(plan: Plan, layer: WeightedPlan, matrix: FloatArray) -> tuple[int, ...]:
    """Trained rows by A8.1: rows of tiny weights can grow to n^-1/2. Frozen rows by A10.1: nothing grows."""
    if not layer.per_channel:
        return ()
    constants = plan.frozen_rows(layer) if plan.frozen else None
    largest = np.abs(matrix).reshape(layer.outputs, -1).max(axis=1)
    trained, frozen = largest[: layer.trained_rows], largest[layer.trained_rows :]
    wanted = [_largest_exponent(CHANNEL_HEADROOM * max(float(row), layer.inputs**-0.5), 7) for row in trained]
    wanted += constants.channels if constants else [_largest_exponent(float(row) / FROZEN_LARGEST, 0) for row in frozen]
    least, most = _weight_limits(plan, layer, CHANNEL_EXPONENT_MIN, CHANNEL_EXPONENT_MAX)
    return tuple(max(least, min(most, exponent)) for exponent in wanted)


def _weight_exponent(plan: Plan, layer: WeightedPlan, magnitude: float) -> int:
    """Logits of small weights can grow to n^-1/2 (A2.6): a last layer may begin at 0."""
    if plan.network.classifier and layer is plan.layers[-1] and not math.isnan(magnitude):
        magnitude = max(magnitude, layer.inputs**-0.5)
    largest = _largest_exponent(WEIGHT_HEADROOM * magnitude, 15)
    least, most = _weight_limits(plan, layer, WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX)
    return max(least, min(most, largest))


def _weight_limits(plan: Plan, layer: WeightedPlan, least: int, most: int) -> tuple[int, int]:
    """A10.5: where the constants of frozen layers fix fx and fy, the forward shift limits fw."""
    fixed = _fixed_slots(plan)
    source, output = (fixed.get(plan.scales.slots[tensor]) for tensor in (layer.input_tensor, layer.output_tensor))
    if source is None or output is None:
        return least, most
    return max(least, SHIFT_MIN - source + output), min(most, SHIFT_MAX - source + output)


def _fixed_slots(plan: Plan) -> dict[int, int]:
    """The exponents no calibration can choose, by their slots: of logits (A2.5) and before frozen layers (A10.5)."""
    fixed = {plan.scales.readers[number]: rows.input_exponent for number, rows in enumerate(plan.frozen) if rows}
    return fixed | ({len(plan.layers): LOGIT_EXPONENT} if plan.network.classifier else {})


def _magnitudes(
    plan: Plan, weights: Weights, samples: FloatArray, targets: ArrayLike | None, ranges: Ranges | None
) -> list[float]:
    """Largest magnitude of every tensor of the network, head-room included."""
    if samples.ndim != 2 or samples.shape[1] != plan.network.input_size or not len(samples):
        raise CompileError(f"calibration needs samples of shape [n, {plan.network.input_size}], got {samples.shape}.")
    if not np.isfinite(samples).all():
        raise CompileError("calibration: the samples hold values that are not finite.", "Remove them.")
    largest = [_magnitude(values) for values in _values(plan, weights, samples)]
    if ranges is not None:
        said = _said(plan, ranges)
        largest = [shown if word is None else word for shown, word in zip(largest, said, strict=True)]
    largest_target = 0.0 if targets is None else float(np.max(np.abs(np.asarray(targets, dtype=np.float64))))
    return _with_headroom(plan, largest, largest_target)


def _with_headroom(plan: Plan, largest: Sequence[float], largest_target: float) -> list[float]:
    """largest: magnitude of every tensor."""
    magnitudes = [largest[0], *(ACTIVATION_HEADROOM * magnitude for magnitude in largest[1:])]
    output = plan.graph.output
    magnitudes[output] = max(plan.network.output_range, largest[output], largest_target)
    return magnitudes


def _values(plan: Plan, weights: Weights, samples: FloatArray) -> list[Floats]:
    """Every tensor of the graph in float64, for all samples."""
    trace = FloatEngine(plan.network, weights, np.float64).trace(samples)
    return _of_graph(plan, [samples, *trace.tensors[1:]], trace.before_activation)


def _said(plan: Plan, ranges: Ranges) -> list[float | None]:
    """The largest magnitude of every tensor of the graph, None where the file does not say it.

    What a ReLU6 reads is of no interest beyond what it makes.
    """
    before = [
        after if found is None and isinstance(layer, ActivatedLayer) and layer.kind == "relu6" else found
        for layer, found, after in zip(plan.network.layers, ranges.before_activation, ranges.outputs, strict=True)
    ]
    found = _of_graph(plan, (ranges.input, *ranges.outputs), before)
    return [None if one is None else one.magnitude for one in found]


def _of_graph(plan: Plan, tensors: Sequence[Value], before_activation: Sequence[Value]) -> list[Value]:
    """Per tensor of the graph what is given per tensor of the network, and per layer before its activation."""
    last = {operator.layer: operator.output for operator in plan.graph.operators}
    found = [tensors[0]] * len(plan.graph.tensors)
    for operator in plan.graph.operators:
        ends_layer = last[operator.layer] == operator.output
        found[operator.output] = tensors[operator.layer + 1] if ends_layer else before_activation[operator.layer]
    return found


def _wanted(plan: Plan, magnitudes: Sequence[float]) -> list[int]:
    """Per slot the largest exponent that holds every tensor of it."""
    wanted = [127] * plan.scales.count
    for slot, width, magnitude in zip(plan.scales.slots, plan.scales.widths, magnitudes, strict=True):
        wanted[slot] = min(wanted[slot], _largest_exponent(magnitude, width))
    if plan.network.classifier:
        wanted[len(plan.layers)] = LOGIT_EXPONENT
    return wanted


def _bounds(plan: Plan, rules: Sequence[Rule], slots: int) -> tuple[list[int], list[int]]:
    """Per slot the least and the largest exponent the rules for it alone and the logits' format (A2.5) allow."""
    least, most = [ANY_MIN] * slots, [ANY_MAX] * slots
    for rule in rules:
        if rule.low is None:
            least[rule.high] = max(least[rule.high], rule.least)
            most[rule.high] = min(most[rule.high], rule.most)
    if plan.network.classifier:
        least[len(plan.layers)] = most[len(plan.layers)] = LOGIT_EXPONENT
    return least, most


def _least_solution(least: list[int], rules: Sequence[Rule]) -> list[int]:
    """Raise lower bounds until every rule between two slots can hold: the least exponents there are."""
    least = list(least)
    for _ in least:
        for rule in rules:
            if rule.low is not None:
                least[rule.high] = max(least[rule.high], least[rule.low] + rule.least)
                least[rule.low] = max(least[rule.low], least[rule.high] - rule.most)
    return least


def _greatest_solution(most: list[int], rules: Sequence[Rule]) -> list[int]:
    """Lower the wishes until every rule between two slots holds: the largest exponents there are below them."""
    most = list(most)
    for _ in most:
        for rule in rules:
            if rule.low is not None:
                most[rule.low] = min(most[rule.low], most[rule.high] - rule.least)
                most[rule.high] = min(most[rule.high], most[rule.low] + rule.most)
    return most
