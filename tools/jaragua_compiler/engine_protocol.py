"""What every engine offers: the same calls, the same bits."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy.typing as npt

from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.rate import LearningRate


class StepResult(NamedTuple):
    """One sample's figures: was the class right (always False for a regression), and the loss (A4.4)."""

    correct: bool
    loss: int


class StepLimits(NamedTuple):
    """What a training step passes over or cuts, in integers of the engine; 0 disables each."""

    loss_threshold: int = 0
    """In the unit of StepResult.loss: samples of a lower loss teach nothing (A11.8)."""
    clip: int = 0
    """The largest output error, in its own unit (A11.7)."""


class Match(NamedTuple):
    """The class a sample was recognised as, its squared distances in units of 2^-2f (A12.3), and whether it counts."""

    label: int
    distance: int
    runner_up: int
    """The second smallest distance; NO_RUNNER_UP if only one class has samples."""
    relative: int
    """The distance relative to the mean of those of the other classes, Q15 (A12.7); 0 if there are none."""
    accepted: bool
    """Whether `relative` is at most the threshold (A12.8)."""


NO_RUNNER_UP: Final = (1 << 64) - 1
ACCEPT_ALL: Final = 1 << 15
"""The threshold that rejects nothing (A12.8)."""
NO_LIMITS: Final = StepLimits()


class Engine(Protocol):
    """A device's arithmetic on one set of weights. x is int16 [inputs]; target int16 [1] (label) or [outputs]."""

    def load(self, blob: bytes) -> None:
        """Compute on a copy of these weights from now on. Raises CompileError if the blob is bad (A6.1)."""

    def blob(self) -> bytes:
        """The weights as they are now (A6.3)."""

    def set_seed(self, seed: int) -> None:
        """Begin the dither of the steps that follow anew; 32 bits (A5.9, A7.7, A8.5)."""

    def set_accumulation(self, samples: int) -> None:
        """Samples of one step, 1 to 65535 (A11.1); what is summed is dropped. Raises CompileError without sums."""

    def set_limits(self, limits: StepLimits) -> None:
        """The limits of the steps that follow. Raises CompileError unless each has 32 bits."""

    def apply(self) -> None:
        """The step of the samples since the last one, if there are any (A11.5)."""

    def forward(self, x: npt.ArrayLike) -> Int16Array:
        """The network's outputs, int16 [outputs] (A3)."""

    def evaluate(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """Forward and loss; the weights stay (A4.4)."""

    def train_step(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """One step of training on one sample (A5.8), or one sample of a step (A11.1)."""


class PrototypeEngine(Engine, Protocol):
    """An engine whose plan has prototypes (A12). Raises CompileError for a class there is no room for."""

    def enrol(self, x: npt.ArrayLike, label: int) -> None:
        """Take a sample into the mean of its class (A12.1)."""

    def forget(self, label: int) -> None:
        """Forget all samples of a class (A12.1)."""

    def forget_all(self) -> None:
        """Forget all samples of all classes."""

    def enrolled(self, label: int) -> int:
        """How many samples of a class are enrolled."""

    def prototype(self, label: int) -> Int16Array:
        """The prototype of a class, int16 [features] (A12.2). Raises CompileError if it has no samples."""

    def recognise(self, x: npt.ArrayLike) -> Match:
        """The class with the nearest prototype (A12.3). Raises CompileError if no class has samples."""

    def set_rejection(self, threshold: int) -> None:
        """The largest relative distance that `recognise` accepts, Q15 (A12.8). Raises CompileError above ACCEPT_ALL."""

    def set_temperature(self, temperature: LearningRate) -> None:
        """The temperature of the calls below (A12.4)."""

    def evaluate_prototypes(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """Forward and loss with the prototypes as last layer (A12.4)."""

    def train_prototypes(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """One step of the layers below the last one, with the prototypes as last layer (A12.6)."""

    def train_enrolled(self, x: npt.ArrayLike, label: int, rate: LearningRate) -> None:
        """One step on an enrolled sample, by the gradient of its prototype (A12.10).

        Raises CompileError for a class without a prototype, and if the plan has no gradients.
        """
