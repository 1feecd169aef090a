"""Exponents: which power of two a unit of each tensor stands for (A2.6), and which ones a device accepts (A6.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.initial import FloatArray, Weights
from jaragua_compiler.plan import LOGIT_EXPONENT, OUTPUT_WIDTH, DensePlan, Plan

WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX = 8, 15  # A2.6
WEIGHT_HEADROOM = 8.0  # A2.6
ACTIVATION_HEADROOM = 2.0  # A2.6
SHIFT_MIN, SHIFT_MAX = 2, 30  # A3.3
BIAS_SHIFT_MIN, BIAS_SHIFT_MAX = -30, 14  # A5.6


@dataclass(frozen=True)
class Exponents:
    """Real = integer · 2^-exponent. `weights[l]` is fw of layer l, `inputs[l]` fx of its input, `output` fy."""

    weights: tuple[int, ...]
    inputs: tuple[int, ...]
    output: int

    def tensor(self, index: int) -> int:
        """The exponent of tensor `index` of a sequential network: the inputs of layer `index`, or the output."""
        return (*self.inputs, self.output)[index]


def bias_shift(layer: DensePlan, input_exponent: int) -> int:
    """q of A5.6."""
    return 2 * input_exponent - layer.input_width - 1


def check_exponents(plan: Plan, exponents: Exponents) -> None:
    """Raises CompileError on the first exponent a device would refuse (A6.1)."""
    if plan.network.classifier and exponents.output != LOGIT_EXPONENT:
        raise CompileError(f"blob: the logits' exponent is {exponents.output}, it must be {LOGIT_EXPONENT} (A2.5).")
    for layer in plan.layers:
        weight, source, target = _layer_exponents(exponents, layer.index)
        checks = (
            ("weight exponent", weight, WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX, "A2.6"),
            ("forward shift", weight + source - target, SHIFT_MIN, SHIFT_MAX, "A3.3"),
            ("bias shift", bias_shift(layer, source), BIAS_SHIFT_MIN, BIAS_SHIFT_MAX, "A5.6"),
        )
        for name, value, least, most, rule in checks:
            if not least <= value <= most:
                raise CompileError(f"blob: {name} {value} of layer {layer.index} is not in {least}..{most} ({rule}).")


def calibrate(
    plan: Plan,
    weights: Weights,
    samples: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
) -> Exponents:
    """Choose the exponents for initial weights and typical inputs (A2.6).

    weights: per layer (W [out, in], b [out]); samples: float [n, inputs], n >= 1; targets: float [n, outputs] of a
    regression, to widen its output range where `Network.output_range` is too small.
    Raises CompileError if the inputs are larger than any format can hold.
    """
    weight_exponents = [_weight_exponent(matrix) for matrix, _ in weights]
    wanted = _wanted(plan, _magnitudes(plan, weights, np.asarray(samples, dtype=np.float64), targets))
    least, most = _bounds(plan)
    least = _least_solution(least, weight_exponents)
    if wanted[0] < least[0]:
        raise CompileError(
            f"network {plan.network.name!r}: its inputs are too large for the device's format.",
            "Scale the inputs, e.g. to -1..1.",
        )
    chosen = _greatest_solution(
        [min(high, max(wish, low)) for wish, low, high in zip(wanted, least, most, strict=True)], weight_exponents
    )
    exponents = Exponents(tuple(weight_exponents), tuple(chosen[:-1]), chosen[-1])
    check_exponents(plan, exponents)
    return exponents


def _layer_exponents(exponents: Exponents, layer: int) -> tuple[int, int, int]:
    return exponents.weights[layer], exponents.tensor(layer), exponents.tensor(layer + 1)


def _largest_exponent(magnitude: float, width: int) -> int:
    """The largest f with magnitude <= 2^width · 2^-f."""
    if magnitude <= 0:
        return 127
    return width - math.ceil(math.log2(magnitude))


def _weight_exponent(matrix: FloatArray) -> int:
    largest = _largest_exponent(WEIGHT_HEADROOM * float(np.max(np.abs(matrix))), 15)
    return max(WEIGHT_EXPONENT_MIN, min(WEIGHT_EXPONENT_MAX, largest))


def _magnitudes(plan: Plan, weights: Weights, samples: FloatArray, targets: npt.ArrayLike | None) -> list[float]:
    """Largest magnitude of every tensor of the network, head-room included."""
    if samples.ndim != 2 or samples.shape[1] != plan.network.input_size or not len(samples):
        raise CompileError(f"calibration needs samples of shape [n, {plan.network.input_size}], got {samples.shape}.")
    if not np.isfinite(samples).all():
        raise CompileError("calibration: the samples hold values that are not finite.", "Remove them.")
    magnitudes = [float(np.max(np.abs(samples)))]
    values = samples
    for layer, (matrix, bias) in zip(plan.layers, weights, strict=True):
        values = values @ matrix.T + bias
        values = np.maximum(values, 0.0) if layer.relu else values
        magnitudes.append(ACTIVATION_HEADROOM * float(np.max(np.abs(values))))
    largest_target = 0.0 if targets is None else float(np.max(np.abs(np.asarray(targets, dtype=np.float64))))
    magnitudes[-1] = max(plan.network.output_range, magnitudes[-1] / ACTIVATION_HEADROOM, largest_target)
    return magnitudes


def _wanted(plan: Plan, magnitudes: list[float]) -> list[int]:
    widths = [layer.input_width for layer in plan.layers] + [OUTPUT_WIDTH]
    wanted = [_largest_exponent(magnitude, width) for magnitude, width in zip(magnitudes, widths, strict=True)]
    return [*wanted[:-1], LOGIT_EXPONENT] if plan.network.classifier else wanted


def _bounds(plan: Plan) -> tuple[list[int], list[int]]:
    """Per tensor the least and the largest exponent the bias shift (A5.6) or the logits' format (A2.5) allow."""
    least = [math.ceil((BIAS_SHIFT_MIN + layer.input_width + 1) / 2) for layer in plan.layers]
    most = [(BIAS_SHIFT_MAX + layer.input_width + 1) // 2 for layer in plan.layers]
    return (
        [*least, LOGIT_EXPONENT if plan.network.classifier else -63],
        [*most, LOGIT_EXPONENT if plan.network.classifier else 63],
    )


def _least_solution(least: list[int], weight_exponents: list[int]) -> list[int]:
    """Raise lower bounds until every forward shift can lie in A3.3's range: the least exponents there are."""
    least = list(least)
    for _ in least:
        for layer, weight in enumerate(weight_exponents):
            least[layer] = max(least[layer], least[layer + 1] + SHIFT_MIN - weight)
            least[layer + 1] = max(least[layer + 1], least[layer] + weight - SHIFT_MAX)
    return least


def _greatest_solution(most: list[int], weight_exponents: list[int]) -> list[int]:
    """Lower the wishes until every forward shift lies in A3.3's range: the largest exponents there are below them."""
    most = list(most)
    for _ in most:
        for layer, weight in enumerate(weight_exponents):
            most[layer + 1] = min(most[layer + 1], most[layer] + weight - SHIFT_MIN)
            most[layer] = min(most[layer], most[layer + 1] + SHIFT_MAX - weight)
    return most
