"""The operators of a plan: one class per kind, with every number its kernels and its reference need. Pure data.

Widths are magnitude bits, offsets are bytes into the blob, tensors are indices into the graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaragua_compiler.graph.network import ConvGeometry, Shape
from jaragua_compiler.operators.descriptor import Unweighted

EXPONENT_BYTES = 2  # A6: fw and fx of a layer with weights


@dataclass(frozen=True, kw_only=True)
class OperatorPlan:
    """What every operator has: its place in the order of execution, its tensors, and whether it passes errors down.

    `rectified` says of each input if a ReLU made it: then no error passes where it is 0 (A5.7).
    `passes_error` says of each input if its error is wanted.
    """

    step: int
    input_tensors: tuple[int, ...]
    output_tensor: int
    rectified: tuple[bool, ...]
    passes_error: tuple[bool, ...]

    @property
    def input_tensor(self) -> int:
        """The tensor read first."""
        return self.input_tensors[0]

    @property
    def input_rectified(self) -> bool:
        """True if a ReLU made the tensor read first."""
        return self.rectified[0]

    @property
    def has_backward(self) -> bool:
        """True if the way back comes through here (A10.4)."""
        return any(self.passes_error)


@dataclass(frozen=True, kw_only=True)
class WeightedPlan(OperatorPlan):
    """An operator with weights: `outputs` rows of `inputs` weights, and one bias a row.

    `index` counts the operators with weights: it is the layer's number in the blob. The first `trained_rows` rows lie
    in the blob and learn, unless the layer is held; the others are constants of the image (A10).
    """

    index: int
    inputs: int
    outputs: int
    relu: bool
    input_width: int
    output_width: int
    error_width: int
    weights_offset: int
    trained_rows: int
    weight_format: str = "w16"
    held: bool = False
    """Its rows lie in the blob and do not learn (R35.2)."""

    @property
    def trains(self) -> bool:
        """True if something of it learns."""
        return self.trained_rows > 0 and not self.held

    @property
    def frozen_rows(self) -> int:
        """Rows that never change (A10.1)."""
        return self.outputs - self.trained_rows

    @property
    def frozen_bytes(self) -> int:
        """Flash its frozen rows take: weights, biases and exponents (A10.1)."""
        return self.frozen_rows * (self.row_elements + 5)

    @property
    def has_backward(self) -> bool:
        """True if the way back comes through here (A10.4)."""
        return self.trains or super().has_backward

    @property
    def weights_shape(self) -> Shape:
        """The shape of the weights as people know it, outputs first."""
        return (self.outputs, self.inputs)

    @property
    def per_channel(self) -> bool:
        """True for int8 weights, with one exponent an output channel (A8.1)."""
        return self.weight_format == "w8"

    @property
    def wide(self) -> bool:
        """True if int16 weights make sums that 32 bits may not hold beside any bias (A3.4)."""
        return not self.per_channel and self.inputs << (15 + self.input_width) > 1 << 30

    @property
    def row_elements(self) -> int:
        """Numbers in a stored row: the inputs, padded to an even count (A6), or to quads of int8 (A8.6)."""
        unit = 4 if self.per_channel else 2
        return -(-self.inputs // unit) * unit

    @property
    def weights_bytes(self) -> int:
        """Bytes of the weights in the blob, padding included."""
        return (1 if self.per_channel else 2) * self.trained_rows * self.row_elements

    @property
    def sums(self) -> int:
        """Numbers in the sums of its steps, if there are any (A11.1)."""
        return self.trained_rows * (self.row_elements + 1) if self.trains else 0

    @property
    def biases_offset(self) -> int:
        """Where the biases start in the blob."""
        return self.weights_offset + self.weights_bytes

    @property
    def end_offset(self) -> int:
        """The first byte behind this layer in the blob."""
        return self.channels_offset + (-(-self.trained_rows // 4) * 4 if self.per_channel else 0)

    @property
    def channels_offset(self) -> int:
        """Where the channels' exponents of int8 weights start, one byte each, padded to a multiple of 4 (A8.6)."""
        return self.biases_offset + 4 * self.trained_rows


@dataclass(frozen=True, kw_only=True)
class DensePlan(WeightedPlan):
    """A dense layer as the device computes it (A3, A5)."""


@dataclass(frozen=True, kw_only=True)
class ConvolutionPlan(WeightedPlan):
    """Weights that move over an image with a window (A7, A9)."""

    geometry: ConvGeometry
    input_shape: Shape
    output_shape: Shape

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self.input_shape[2]

    @property
    def positions(self) -> int:
        """P: how often the weights are used in a forward pass."""
        return math.prod(self.geometry.positions)


@dataclass(frozen=True, kw_only=True)
class ConvPlan(ConvolutionPlan):
    """A convolution: `inputs` is K = kernel height · kernel width · channels (A7)."""

    @property
    def weights_shape(self) -> Shape:
        """[out, ky, kx, in]."""
        return (self.outputs, *self.geometry.kernel, self.channels)

    @property
    def is_first_layer_kind(self) -> bool:
        """True for 3 x 3 int16 weights over one channel, which have kernels of their own (jrg_nn_conv3x3_forward.h)."""
        return self.geometry.kernel == (3, 3) and self.channels == 1 and not self.per_channel

    @property
    def bordered_elements(self) -> int:
        """Numbers in the bordered image those kernels read: what all positions cover, rows padded to even."""
        height, width = (
            (positions - 1) * stride + kernel
            for positions, stride, kernel in zip(
                self.geometry.positions, self.geometry.stride, self.geometry.kernel, strict=True
            )
        )
        return height * (width + width % 2)


@dataclass(frozen=True, kw_only=True)
class DepthwisePlan(ConvolutionPlan):
    """A depthwise convolution: `outputs` is the number of channels, `inputs` that of the kernel's taps."""

    @property
    def weights_shape(self) -> Shape:
        """[channel, ky, kx]."""
        return (self.outputs, *self.geometry.kernel)


@dataclass(frozen=True, kw_only=True)
class UnweightedPlan(OperatorPlan):
    """An operator without weights; `properties` are those of its descriptor (jaragua_compiler.operators)."""

    properties: Unweighted


@dataclass(frozen=True, kw_only=True)
class PoolPlan(UnweightedPlan):
    """A max or average pool (A9). `head_room` is h: how far errors are shifted right before windows' are summed."""

    kind: str
    geometry: ConvGeometry
    input_shape: Shape
    output_shape: Shape
    head_room: int


@dataclass(frozen=True, kw_only=True)
class AddPlan(UnweightedPlan):
    """The sum of two tensors (A9)."""

    size: int
    relu: bool
    output_width: int


@dataclass(frozen=True, kw_only=True)
class ActivationPlan(UnweightedPlan):
    """A function of each number of a tensor (A9), `kind` as in operators/registry.py.

    `slope` is round(slope · 2^15) of a leaky ReLU, else 0.
    """

    kind: str
    size: int
    width: int
    output_width: int
    slope: int
