"""The NumPy reference of the device's arithmetic (arithmetic.md): what every other engine must agree with."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from jaragua_compiler.engine_protocol import Match, StepLimits, StepResult
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.operators import (
    ActivationPlan,
    AddPlan,
    ConvolutionPlan,
    DensePlan,
    OperatorPlan,
    PoolPlan,
    WeightedPlan,
)
from jaragua_compiler.planning.plan import PROBABILITY_EXPONENT, Plan
from jaragua_compiler.quantisation.blob import Int16Array, IntArray, exponents, pack_integers, unpack_integers
from jaragua_compiler.quantisation.dither import Dither
from jaragua_compiler.quantisation.exponents import Exponents, layer_scale, tensor_exponents
from jaragua_compiler.quantisation.rate import LearningRate, effective_rate, loss_factor
from jaragua_compiler.reference.accumulation import LARGEST_BATCH, StepSums
from jaragua_compiler.reference.arithmetic import (
    Block,
    LossError,
    clipped,
    magnitude,
    sats,
    softmax_error,
    squared_error,
    summed_errors,
)
from jaragua_compiler.reference.conv import ReferenceConvolution
from jaragua_compiler.reference.conv_w8 import ReferenceConvW8
from jaragua_compiler.reference.dense import ReferenceDense
from jaragua_compiler.reference.dense_w8 import ReferenceDenseW8
from jaragua_compiler.reference.prototypes import Prototypes, checked_threshold
from jaragua_compiler.reference.unweighted import ReferenceActivation, ReferenceAdd, ReferencePool


class ReferenceOperator(Protocol):
    """One operator of a plan. Tensors are flat int64 arrays."""

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """The output."""

    def backward(self, inputs: list[IntArray], error: Block, rate: LearningRate) -> list[Block]:
        """Learn, if there is anything to learn, and give the error of every input; `error`'s magnitude is not 0."""


ReferenceLayer = ReferenceDense | ReferenceConvolution


class ReferenceEngine:
    """An Engine in NumPy, one instance per set of weights."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._factor = loss_factor(plan.network.outputs, plan.network.classifier)
        self._operators: list[ReferenceOperator] = []
        self._dither = Dither()
        self._batch = 1
        self._summed = 0
        self._limits = StepLimits()
        self._prototypes = _prototypes(plan)
        self._temperature: LearningRate | None = None

    def load(self, blob: bytes) -> None:
        """Compute on a copy of these weights from now on. Raises CompileError if the blob is bad (A6.1)."""
        integers = unpack_integers(self.plan, blob)
        self._exponents = exponents(self.plan, blob)
        self._operators = [
            _operator(self.plan, step, integers, self._exponents, self._dither) for step in self.plan.steps
        ]
        self._drop_sums()

    def blob(self) -> bytes:
        """The weights as they are now (A6.3)."""
        return pack_integers(self.plan, [(layer.matrix, layer.bias) for layer in self.layers], self._exponents)

    @property
    def layers(self) -> list[ReferenceLayer]:
        """The operators with weights, in the order of the blob."""
        return [operator for operator in self._loaded() if isinstance(operator, ReferenceLayer)]

    def set_seed(self, seed: int) -> None:
        """Begin the dither anew (A8.5)."""
        self._dither.restart(checked_seed(seed))

    def set_accumulation(self, samples: int) -> None:
        """A11.1: samples of one step. Raises CompileError for several, if the plan has no sums."""
        self._batch = checked_batch(self.plan, samples)
        self._drop_sums()

    def set_limits(self, limits: StepLimits) -> None:
        """A11.7, A11.8: the limits of the steps that follow. Raises CompileError unless each has 32 bits."""
        self._limits = checked_limits(limits)

    def apply(self) -> None:
        """A11.5: the step of the samples since the last one, if there are any."""
        if self._summed:
            self._dither.sum_steps(False)
            for layer in self.layers:
                layer.apply(self._summed)
            self._dither.advance()
            self._summed = 0

    def end_step(self) -> None:
        """The dither goes on (A8.5): for who steps a layer by itself."""
        self._dither.advance()

    def _drop_sums(self) -> None:
        self._summed = 0
        for layer in (operator for operator in self._operators if isinstance(operator, ReferenceLayer)):
            layer.sums = StepSums(layer.matrix, layer.bias) if self._batch > 1 else None

    def features(self, x: npt.ArrayLike) -> IntArray:
        """What the last operator is fed for x int16 [inputs]: int64, flat (O1.1)."""
        return self._tensors(x)[self.plan.steps[-1].input_tensor]

    def forward(self, x: npt.ArrayLike) -> Int16Array:
        """x int16 [inputs] -> outputs int16 [outputs] (A3)."""
        return self._tensors(x)[self.plan.graph.output].astype(np.int16)

    def evaluate(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """Forward and loss; the weights stay (A4.4)."""
        result = self._loss(self._tensors(x)[self.plan.graph.output], target)
        return StepResult(result.correct, result.loss)

    def train_step(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """One step of training on one sample (A5.8), or one sample of a step (A11.1)."""
        LearningRate(*rate).check()
        tensors = self._tensors(x)
        result = self._loss(tensors[self.plan.graph.output], target)
        exponent = PROBABILITY_EXPONENT if self.plan.network.classifier else self._exponents.output
        errors = {self.plan.graph.output: Block(self._limited(result), exponent)}
        self._step(tensors, errors, effective_rate(LearningRate(*rate), self._factor))
        return StepResult(result.correct, result.loss)

    def enrol(self, x: npt.ArrayLike, label: int) -> None:
        """A12.1."""
        self._require_prototypes().enrol(label, self.features(x))

    def forget(self, label: int) -> None:
        """A12.1."""
        self._require_prototypes().forget(label)

    def forget_all(self) -> None:
        """A12.1, of all classes."""
        for label in range(self.plan.prototypes):
            self.forget(label)

    def enrolled(self, label: int) -> int:
        """The number of samples of a class."""
        prototypes = self._require_prototypes()
        return int(prototypes.counts[prototypes.checked(label)])

    def prototype(self, label: int) -> Int16Array:
        """A12.2."""
        return self._require_prototypes().prototype(label)

    def recognise(self, x: npt.ArrayLike) -> Match:
        """A12.3, A12.8."""
        return self._require_prototypes().match(self.features(x))

    def set_rejection(self, threshold: int) -> None:
        """A12.8."""
        self._require_prototypes().threshold = checked_threshold(threshold)

    def set_temperature(self, temperature: LearningRate) -> None:
        """A12.4."""
        self._require_prototypes()
        LearningRate(*temperature).check()
        self._temperature = LearningRate(*temperature)

    def evaluate_prototypes(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """A12.4; the weights stay."""
        result = self._prototype_loss(self.features(x), target)
        return StepResult(result.correct, result.loss)

    def train_prototypes(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """A12.6."""
        LearningRate(*rate).check()
        tensors = self._tensors(x)
        features = tensors[self.plan.steps[-1].input_tensors[0]]
        result = self._prototype_loss(features, target)
        prototypes, taught = self._require_prototypes(), self._limited(result)
        error = prototypes.input_error(taught, self._require_temperature(), self._features_exponent())
        if self.plan.prototype_gradients:
            prototypes.add_to_gradients(taught, features)
        self._step_below(tensors, error, LearningRate(*rate))
        return StepResult(result.correct, result.loss)

    def train_enrolled(self, x: npt.ArrayLike, label: int, rate: LearningRate) -> None:
        """A12.10."""
        LearningRate(*rate).check()
        if not self.plan.prototype_gradients:
            raise CompileError(
                "this engine keeps no gradients of prototypes (A12.9).", "Compile with_prototypes(…, gradients=True)."
            )
        tensors = self._tensors(x)
        found = self._require_prototypes().enrolled_error(label, self._require_temperature(), self._features_exponent())
        self._step_below(tensors, found, LearningRate(*rate))

    def _step_below(self, tensors: list[IntArray], error: Block, rate: LearningRate) -> None:
        """A step of the layers below the last one. error: of the features, not masked (A5.7)."""
        last = self.plan.steps[-1]
        if last.rectified[0]:
            error = Block(np.where(tensors[last.input_tensors[0]] != 0, error.values, 0), error.exponent)
        errors = {last.input_tensors[0]: error} if last.passes_error[0] and magnitude(error.values) else {}
        self._step(tensors, errors, rate)

    def _prototype_loss(self, features: IntArray, target: npt.ArrayLike) -> LossError:
        """A12.4. A label without a prototype teaches nothing (A12.6)."""
        prototypes, label = self._require_prototypes(), int(checked_vector(target, 1, "target numbers")[0])
        logits = prototypes.logits(features, self._require_temperature(), self._features_exponent())
        known = 0 <= label < len(prototypes.counts) and prototypes.counts[label] > 0
        found = softmax_error(logits, label if known else -1)
        return found._replace(correct=known and prototypes.match(features).label == label)

    def _features_exponent(self) -> int:
        """fx of the last layer."""
        return layer_scale(self.plan, self._exponents, self.plan.prototype_head).inputs

    def _require_prototypes(self) -> Prototypes:
        if self._prototypes is None:
            raise CompileError("this engine has no prototypes (A12).", "Compile the network with_prototypes(plan).")
        return self._prototypes

    def _require_temperature(self) -> LearningRate:
        if self._temperature is None:
            raise CompileError("the prototypes have no temperature (A12.4).", "Call set_temperature first.")
        return self._temperature

    def _limited(self, result: LossError) -> IntArray:
        """The output error a sample teaches (A11.7, A11.8)."""
        if result.loss < self._limits.loss_threshold:
            return np.zeros_like(result.error)
        return clipped(result.error, self._limits.clip)

    def _step(self, tensors: list[IntArray], errors: dict[int, Block], rate: LearningRate) -> None:
        """One step, or a sample of one. errors: of the tensors the way back begins at; rate: with the loss factor."""
        self._dither.sum_steps(self._batch > 1)
        self._learn(tensors, errors, rate)
        self._count_sample()

    def _count_sample(self) -> None:
        if self._batch == 1:
            self._dither.advance()
            return
        self._summed += 1
        if self._summed == self._batch:
            self.apply()

    def _learn(self, tensors: list[IntArray], errors: dict[int, Block], rate: LearningRate) -> None:
        """A5.8; an error that is all zero goes no further (A5.1), and several readers' errors are summed (A9.7)."""
        for layer in self.layers:
            layer.scaled_error = None
        for step, operator in zip(reversed(self.plan.steps), reversed(self._operators), strict=True):
            above = errors.pop(step.output_tensor, None)
            if above is None or magnitude(above.values) == 0:
                continue
            below = operator.backward([tensors[tensor] for tensor in step.input_tensors], above, rate)
            for tensor, passes, share in zip(step.input_tensors, step.passes_error, below, strict=True):
                if passes and magnitude(share.values) != 0:
                    errors[tensor] = summed_errors(errors[tensor], share) if tensor in errors else share

    def _loaded(self) -> list[ReferenceOperator]:
        if not self._operators:
            raise CompileError("the engine has no weights yet.", "Call load(blob) first.")
        return self._operators

    def _tensors(self, x: npt.ArrayLike) -> list[IntArray]:
        values = checked_vector(x, self.plan.network.input_size, "inputs").astype(np.int64)
        found = [sats(values, self.plan.input_width)] * len(self.plan.graph.tensors)  # A3.0
        for step, operator in zip(self.plan.steps, self._loaded(), strict=True):
            found[step.output_tensor] = operator.forward([found[tensor] for tensor in step.input_tensors])
        return found

    def _loss(self, outputs: IntArray, target: npt.ArrayLike) -> LossError:
        values = checked_vector(target, self.plan.network.targets, "target numbers").astype(np.int64)
        return (
            softmax_error(outputs, int(values[0])) if self.plan.network.classifier else squared_error(outputs, values)
        )


def _prototypes(plan: Plan) -> Prototypes | None:
    if not plan.prototypes:
        return None
    head = plan.prototype_head
    return Prototypes(plan.prototypes, head.inputs, head.input_width)


def _operator(
    plan: Plan, step: OperatorPlan, weights: list[tuple[IntArray, IntArray]], found: Exponents, dither: Dither
) -> ReferenceOperator:
    if isinstance(step, WeightedPlan):
        matrix, bias = weights[step.index]
        scale = layer_scale(plan, found, step)
        if isinstance(step, DensePlan) and step.per_channel:
            return ReferenceDenseW8(step, matrix, bias, scale, dither)
        if isinstance(step, ConvolutionPlan) and step.per_channel:
            return ReferenceConvW8(step, matrix, bias, scale, dither)
        if isinstance(step, DensePlan):
            return ReferenceDense(step, matrix, bias, scale, dither)
        if isinstance(step, ConvolutionPlan):
            return ReferenceConvolution(step, matrix, bias, scale, dither)
    if isinstance(step, PoolPlan):
        return ReferencePool(step, plan.scales.widths[step.output_tensor])
    if isinstance(step, AddPlan):
        return ReferenceAdd(step, tensor_exponents(plan, found))
    assert isinstance(step, ActivationPlan)
    return ReferenceActivation(step, tensor_exponents(plan, found))


def checked_vector(values: npt.ArrayLike, size: int, what: str) -> Int16Array:
    """`values` as a fresh contiguous int16 [size]. Raises CompileError if they are of another size or type."""
    array = np.asarray(values)
    if array.shape != (size,) or array.dtype != np.int16:
        raise CompileError(f"an engine takes {size} {what} as int16, got {array.dtype} of shape {array.shape}.")
    return np.ascontiguousarray(array)


def checked_batch(plan: Plan, samples: int) -> int:
    """The number itself. Raises CompileError for one outside A11.1, or several without sums."""
    if not 1 <= samples <= LARGEST_BATCH:
        raise CompileError(f"a step of {samples} samples is not possible.", f"Give 1 to {LARGEST_BATCH}.")
    if samples > 1 and not plan.accumulate:
        raise CompileError(
            f"this engine takes one sample a step, not {samples}.",
            "Compile the network with sums: plan(…, accumulate=True).",
        )
    return samples


def checked_limits(limits: StepLimits) -> StepLimits:
    """The limits themselves. Raises CompileError unless each has 32 bits (A11.7, A11.8)."""
    for name, value in limits._asdict().items():
        if not 0 <= value < 1 << 32:
            words = name.replace("_", " ")
            raise CompileError(
                f"the {words} {value} does not fit 32 bits.", "Give a number from 0 (off) to 4294967295."
            )
    return limits


def checked_seed(seed: int) -> int:
    """The seed itself. Raises CompileError unless it has 32 bits (A8.5)."""
    if not 0 <= seed < 1 << 32:
        raise CompileError(f"the seed {seed} does not fit 32 bits.", "Give a number from 0 to 4294967295.")
    return seed
