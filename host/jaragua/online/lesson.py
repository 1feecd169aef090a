"""A scripted life of a board: classes it knows, then one it has never seen, then inputs that are not as they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jaragua.bases.value import Value
from jaragua.online.learners import OnlineLearner
from jaragua.online.pools import Pools
from jaragua.online.trained_model import TrainedModel
from jaragua_compiler.online import Report, Settings
from jaragua_compiler.online.learner import known_mask
from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models.base import Features

TEST_SAMPLES_OF_A_CLASS = 20


class Script(Value):
    """How long the parts are, in samples: of each known class, of the new class, after the inputs have changed."""

    seed: int
    new: int
    familiar: int = 15
    unseen: int = 30
    changed: int = 150
    pure: bool = False
    """The new class's samples come alone, not mixed with others: the hard case."""
    learning_rate: float = 0.02


class Part(Value):
    """One part of the stream: predictions before each sample was learned (prequential)."""

    name: str
    samples: int
    """Predicted: those that warmed the statistics up are left out (O3.1)."""
    correct: int
    drifts: int
    drift_at: int | None
    """How many samples into the part drift was noticed last; None if it was not."""

    @property
    def accuracy(self) -> float:
        """Of the part; 0 if all of it went into the statistics (O3.1)."""
        return self.correct / self.samples if self.samples else 0.0


class Result(Value):
    """What came of a script. Accuracies are evaluated on samples the board never met."""

    parts: tuple[Part, ...]
    old_before: float
    old_after: float
    new_after: float
    report: Report
    instructions: int | None

    @property
    def forgotten_points(self) -> float:
        """What the old classes lost by the new one, in points."""
        return 100 * (self.old_before - self.old_after)


async def teach(
    learner: OnlineLearner,
    start: TrainedModel,
    pools: Pools,
    script: Script,
    settings: Settings,
    on_part: Callable[[Part], None],
) -> Result:
    """Run the script. `settings.known` is replaced by the script's known classes."""
    stream = _Stream(learner, start, pools, script, on_part)
    await learner.begin(start, settings, LearningRate.from_float(script.learning_rate))
    await stream.part("known classes", stream.familiar())
    old_before = await stream.accuracy(stream.old)
    await stream.part("a new class", stream.unseen())
    old_after, new_after = await stream.accuracy(stream.old), await stream.accuracy([script.new])
    await stream.part("changed inputs", stream.changed(), inverted=True)
    return Result(tuple(stream.parts), old_before, old_after, new_after, await learner.report(), learner.instructions)


def known_classes(pools: Pools, new: int) -> int:
    """The bit set of all classes but one."""
    return known_mask(label for label in range(pools.classes) if label != new)


class _Stream:
    def __init__(
        self, learner: OnlineLearner, start: TrainedModel, pools: Pools, script: Script, on_part: Callable[[Part], None]
    ) -> None:
        self.old = [label for label in range(pools.classes) if label != script.new]
        self.parts: list[Part] = []
        self._learner, self._start, self._pools, self._script, self._on_part = learner, start, pools, script, on_part
        self._random = np.random.default_rng(script.seed)
        self._before = Report()

    def familiar(self) -> list[tuple[int, int]]:
        """(label, place in its pool) in the order of the stream."""
        halves = ((label, len(self._pools.stream[label]) // 2) for label in self.old)
        return self._mixed([(label, n) for label, half in halves for n in range(min(self._script.familiar, half))])

    def unseen(self) -> list[tuple[int, int]]:
        """The new class, and unless it is pure what is left of the known ones, as many of each as a quarter of it."""
        new = self._script.new
        samples = [(new, n) for n in range(min(self._script.unseen, len(self._pools.stream[new])))]
        if self._script.pure:
            return samples
        halves = ((label, len(self._pools.stream[label]) // 2) for label in self.old)
        rest = [(label, half + n) for label, half in halves for n in range(min(half, self._script.unseen // 4))]
        return self._mixed(samples + rest)

    def changed(self) -> list[tuple[int, int]]:
        """All classes, drawn with repetition."""
        labels = self._random.integers(self._pools.classes, size=self._script.changed).tolist()
        return [(label, int(self._random.integers(len(self._pools.stream[label])))) for label in labels]

    async def part(self, name: str, order: Sequence[tuple[int, int]], *, inverted: bool = False) -> None:
        """Stream one part."""
        x = np.stack([self._pools.stream[label][place] for label, place in order])
        labels = np.array([label for label, _ in order], dtype=np.int16)
        integers = self._start.streamed(self._inverted(x) if inverted else x)
        correct = await self._learner.learn(integers, labels)
        report = await self._learner.report()
        drifts = report.drifts - self._before.drifts
        noticed = report.drift_at - self._before.samples if drifts else None
        predicted = report.samples - self._before.samples
        self._before = report
        self.parts.append(Part(name, predicted, correct, drifts, noticed))
        self._on_part(self.parts[-1])

    async def accuracy(self, labels: Sequence[int]) -> float:
        """On test samples of these classes."""
        chosen: list[Int16Array] = [
            self._start.integers(self._pools.test[one][:TEST_SAMPLES_OF_A_CLASS]) for one in labels
        ]
        y = np.concatenate([np.full(len(x), label) for label, x in zip(labels, chosen, strict=True)])
        return await self._learner.right(np.concatenate(chosen), y.astype(np.int16)) / len(y)

    def _inverted(self, x: Features) -> Features:
        """Light where it was dark: the ends of the training samples' range change places."""
        ends = [(pool.min(), pool.max()) for pool in self._pools.training]
        turned: Features = min(low for low, _ in ends) + max(high for _, high in ends) - x
        return turned

    def _mixed(self, order: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [order[place] for place in self._random.permutation(len(order))]
