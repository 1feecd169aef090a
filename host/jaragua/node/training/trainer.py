"""What a node's devices have in common: something that trains on samples and hands back an update."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from jaragua.errors import BoardError
from jaragua.node.step_limits import step_limits
from jaragua.settings import StepSettings
from jaragua_compiler.engine_protocol import NO_LIMITS, StepLimits
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import exponents
from jaragua_compiler.quantisation.rate import LearningRate

Metric = Literal["accuracy", "mse"]
Labels = npt.NDArray[np.int64]
#: More than losses are; in the unit of any blob's it is far from where float64 ends.


class TrainerGone(BoardError):
    """The device cannot be reached any more; the work is begun again when it is back."""


class TrainerRestarted(BoardError):
    """The device lost its working weights; the work is begun again from the staged blob (L4.5)."""


@dataclass(frozen=True)
class SampleSet:
    """Labelled samples: inputs [n, inputs]; targets [n, 1] (labels) or [n, outputs].

    All int16, in the formats of a blob; or inputs float32 and targets as they are, for a job in float32 (M9).
    `step` of them make one training step (A11.1), under `settings`, which are real numbers in both cases.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    step: int = 1
    settings: StepSettings = field(default_factory=StepSettings)
    temperature: float = 0.0
    """Above 0: prototypes are the last layer, and labels may be beyond its outputs (A12.4, M18)."""
    gradients: bool = False
    """Enrolled samples of the command teach, too, so its jobs need gradients of prototypes (A12.9, M18.2)."""

    @property
    def in_float32(self) -> bool:
        """Whether the job's start and its update are in the float32 form too."""
        return self.inputs.dtype == np.float32

    def __len__(self) -> int:
        return len(self.inputs)

    def replayed(self, passes: int, replay_buffer_size: int = 0) -> SampleSet:
        """Each sample `passes` times, in the order of a replay buffer of that size (`replay_order`)."""
        return self.chosen(replay_order(len(self), passes, replay_buffer_size))

    def chosen(self, places: npt.NDArray[np.int64]) -> SampleSet:
        """The samples at these places, in that order."""
        return replace(self, inputs=self.inputs[places], targets=self.targets[places])

    def in_steps_of(self, batch: int) -> SampleSet:
        """The same samples, `batch` of them each training step; 0: all."""
        return replace(self, step=min(batch, len(self)) if batch else len(self))

    def limits(self, plan: Plan, blob: bytes) -> StepLimits:
        """`settings` as an engine on this blob takes them. Raises: CompileError if the blob is bad.

        A classifier, and settings that limit nothing, need no blob: a job that continues with the working weights has
        none (L4.3).
        """
        if self.settings == StepSettings():
            return NO_LIMITS
        return step_limits(plan, exponents(plan, blob) if blob else None, self.settings)


@dataclass(frozen=True)
class Figures:
    """What a job counted (A4.4): real loss sum = loss_sum · 2^-loss_exponent; outputs is 1 for a classifier.

    instructions: least seen for one sample, 0 where they cannot be counted.
    """

    samples: int
    correct: int
    loss_sum: int
    loss_exponent: int
    outputs: int
    instructions: int

    @property
    def loss(self) -> float:
        """Mean loss of a sample: nats, or the squared error of one output."""
        if self.samples == 0:
            return 0.0
        return math.ldexp(float(self.loss_sum), -self.loss_exponent) / (self.samples * self.outputs)

    def and_then(self, later: Figures) -> Figures:
        """Those of two jobs on the same blob's exponents, one after the other."""
        counted = [one for one in (self.instructions, later.instructions) if one]
        return replace(
            self,
            samples=self.samples + later.samples,
            correct=self.correct + later.correct,
            loss_sum=self.loss_sum + later.loss_sum,
            instructions=min(counted, default=0),
        )

    def score(self, metric: Metric) -> float:
        """Share of right answers (0..1), or mean squared error."""
        if metric == "mse":
            return self.loss
        return self.correct / self.samples if self.samples else 0.0


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    done: int
    samples: int
    correct: int
    loss: float


class Trainer(Protocol):
    """A board behind a link, or the engine of this machine.

    `blob` is the start of a job (in float32 form if the samples are, M9); empty goes on with the working weights.
    Errors: TrainerGone, TrainerRestarted, and what the device refuses.
    """

    async def train(self, plan: Plan, samples: SampleSet, rate: LearningRate, blob: bytes, seed: int) -> Figures:
        """A training step for every `samples.step` of the samples, in order, and one for the rest (A11.5).

        seed: of the dither, 32 bits (A5.9, A7.7, A8.5). A loss threshold takes a blob: its exponents are the unit.
        """
        ...

    async def evaluate(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        """Forward only."""
        ...

    async def enrol(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        """Forget all classes, then take each sample into the mean of its class (A12.1).

        `train` and `evaluate` of samples with a temperature compute with these classes, until `enrol` is called again.
        """
        ...

    async def train_enrolled(self, plan: Plan, samples: SampleSet, rate: LearningRate, seed: int) -> Figures:
        """A step on each enrolled sample by the gradient of its prototype (A12.10), from the working weights."""
        ...

    async def answers(self, plan: Plan, samples: SampleSet) -> Labels:
        """The label that the working weights give each sample, int64 [n]: the largest output, the first of equals.

        Of samples with a temperature it is the class of the nearest prototype (A12.3). Targets are not looked at.
        """
        ...

    async def infer(self, plan: Plan, inputs: npt.NDArray[np.float64], blob: bytes) -> npt.NDArray[np.float64]:
        """The network's outputs [n, outputs] of inputs [n, inputs], real numbers, with the weights of `blob`."""
        ...

    async def read_update(self) -> bytes:
        """The working weights after the last `train`, in the form of its start (A6.3, M9)."""
        ...
