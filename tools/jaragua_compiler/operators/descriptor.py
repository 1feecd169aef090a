"""What all operators without weights have in common, and what an activation adds to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from jaragua_compiler.operators.rounding import IntArray, sats

Floats = npt.NDArray[np.floating[Any]]
ONE_Q15 = 1 << 15


class ExponentLimit(NamedTuple):
    """What a device demands of exponents: least <= value <= most.

    `of` says which value: the exponent of the `input`, that of the `output`, or the `shift` of each input, which is its
    exponent less the output's.
    """

    of: Literal["input", "output", "shift"]
    least: int
    most: int


class Kernel(NamedTuple):
    """A header of jrg_nn, and the symbol that generated code uses of it."""

    header: str
    symbol: str


class Format(NamedTuple):
    """The numbers an activation is computed with: exponents, magnitude bits of the output, `slope` of a leaky ReLU."""

    input_exponent: int
    output_exponent: int
    output_width: int
    slope: int


@dataclass(frozen=True, kw_only=True)
class Unweighted:
    """An operator without weights.

    `rule` is its number in docs/reference/arithmetic.md, `bit` the name of its bit (definitions.toml). An operator that
    keeps the scale has one exponent and one width for what it reads and what it gives (A9.1). `reads_output` says that
    the way back looks at what the operator gave, so that it must be kept until then.
    """

    name: str
    label: str
    rule: str
    bit: str
    kernel: Kernel
    keeps_scale: bool
    reads_output: bool = False
    limits: tuple[ExponentLimit, ...] = ()


class Activation(ABC):
    """A function of each number; its output has the shape of its input.

    The integers (`forward`, `backward`) are those of the C kernels. `float_…` are the same function on floating point,
    and `traced_…` on TensorFlow's tensors; the way back is told from the output alone there.
    """

    properties: ClassVar[Unweighted]
    keras: ClassVar[str | None] = None
    """Its name in the configuration of a Keras layer."""
    onnx: ClassVar[str | None] = None
    """An ONNX operator without attributes that is this function."""
    litert: ClassVar[str | None] = None
    """A LiteRT operator without settings that is this function."""
    litert_fused: ClassVar[int | None] = None
    """Its number as the activation inside another LiteRT operator (ActivationFunctionType)."""

    @property
    def c_name(self) -> str:
        """Its value of jrg_nn_activation_kind."""
        return f"JRG_NN_{self.properties.name.upper()}"

    @abstractmethod
    def forward(self, x: IntArray, form: Format) -> IntArray:
        """x at the exponent of the input -> y at that of the output."""

    @abstractmethod
    def backward(self, error: IntArray, x: IntArray, form: Format) -> IntArray:
        """The error below an activation of x; its exponent stays. It is not masked yet (A5.7)."""

    @abstractmethod
    def float_forward(self, x: Floats, slope: float) -> Floats:
        """The function; `slope` is a leaky ReLU's."""

    @abstractmethod
    def float_backward(self, error: Floats, output: Floats, slope: float) -> Floats:
        """The error times the slope of the function where it gave `output`."""

    @abstractmethod
    def traced_forward(self, tf: Any, x: Any, slope: float) -> Any:
        """float_forward, with TensorFlow's module."""

    @abstractmethod
    def traced_backward(self, tf: Any, error: Any, output: Any, slope: float) -> Any:
        """float_backward, with TensorFlow's module: comparisons, casts and products, which every runtime has."""


class SaturatingCurve(Activation):
    """A curve whose slope follows from its output, which lies within 1 of 0 (A9.4, A9.9)."""

    @abstractmethod
    def slopes_q15(self, y: IntArray) -> IntArray:
        """The slopes where the curve gave y, both in Q15."""

    @abstractmethod
    def slopes(self, output: Any) -> Any:
        """The same in floating point, for arrays and for tensors."""

    def backward(self, error: IntArray, x: IntArray, form: Format) -> IntArray:
        """The error times the slopes."""
        y = sats(self.forward(x, form) << (15 - form.output_exponent), 15)
        return times_slopes(error, self.slopes_q15(y))

    def float_backward(self, error: Floats, output: Floats, slope: float) -> Floats:
        """The error times the slopes."""
        return cast(Floats, error * self.slopes(output))

    def traced_backward(self, tf: Any, error: Any, output: Any, slope: float) -> Any:
        """The error times the slopes."""
        return error * self.slopes(output)


def times_slopes(error: IntArray, slopes: IntArray) -> IntArray:
    """The error times slopes in Q15."""
    product: IntArray = error * slopes
    return (product + (1 << 14)) >> 15


def activation(name: str, label: str, rule: str, **more: Any) -> Unweighted:
    """The properties of an activation: all have one bit, and one kernel with a case for each."""
    kernel = Kernel("unweighted/jrg_nn_activate.h", "jrg_nn_activate_forward")
    return Unweighted(
        name=name, label=label, rule=rule, bit="activation", kernel=kernel, **{"keeps_scale": True, **more}
    )


def saturating(name: str, rule: str, least: int, most: int) -> Unweighted:
    """The properties of a SaturatingCurve, whose input has an exponent of least to most."""
    limits = (ExponentLimit("input", least, most), ExponentLimit("output", 0, 15))
    return activation(name, name, rule, keeps_scale=False, reads_output=True, limits=limits)
