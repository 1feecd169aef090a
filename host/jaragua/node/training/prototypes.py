"""What a device does where prototypes are the last layer: it enrols samples, and trains on others (M18)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from jaragua.errors import DataError
from jaragua.node.training.trainer import Figures, SampleSet, Trainer
from jaragua.strategies.enrolment import enrolment_order, episodes_of
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.rate import LearningRate


@dataclass(frozen=True)
class Lesson:
    """The samples of one task: those that are enrolled before each pass, and those that it trains on."""

    enrolled: SampleSet
    trained: SampleSet


def lesson_of(samples: SampleSet, shots: int, batch: int = 1) -> Lesson:
    """The first `shots` samples of each class are enrolled only; 0: all are enrolled, and trained on.

    batch: samples of one step, 0 for all of a pass. Raises: DataError if none is left to train on.
    """
    order, count = enrolment_order(samples.targets[:, 0].astype(np.int64), shots)
    trained = samples.chosen(order[count:])
    if not len(trained):
        raise DataError(
            f"all {len(samples)} samples of the task are enrolled, and none is left to train on (M18)",
            "ask for more shots than enrolled_shots",
        )
    return Lesson(samples.chosen(order[: count or None]), trained.in_steps_of(batch))


def episodes_of_task(samples: SampleSet, shots: int, queries: int) -> list[Lesson]:
    """The episodes of a pass (M18.2). Raises: DataError if there is none."""
    found = episodes_of(samples.targets[:, 0].astype(np.int64), shots, queries)
    if not found:
        raise DataError(
            f"the {len(samples)} samples of the task have no episode: {shots} of each class are enrolled (M18.2)",
            "ask for more shots than enrolled_shots, and for two classes or more",
        )
    return [Lesson(samples.chosen(one.enrolled), samples.chosen(one.trained)) for one in found]


async def train_episodes(
    trainer: Trainer, plan: Plan, episodes: list[Lesson], rate: LearningRate, blob: bytes, seed: int
) -> Figures:
    """Three jobs an episode; each that trains has the next seed (M18.2). Figures: without the enrolled samples."""
    figures = None
    for number, lesson in enumerate(episodes):
        first = (seed + 2 * number) & 0xFFFFFFFF
        await trainer.enrol(plan, lesson.enrolled, b"" if number else blob)
        counted = await trainer.train(plan, lesson.trained, rate, b"", first)
        await trainer.train_enrolled(plan, lesson.enrolled, rate, (first + 1) & 0xFFFFFFFF)
        figures = counted if figures is None else figures.and_then(counted)
    assert figures is not None, "there is one episode at least"
    return figures


async def train_passes(
    trainer: Trainer, plan: Plan, lesson: Lesson, rate: LearningRate, blob: bytes, seed: int, passes: int
) -> Figures:
    """Each pass is a job with the next seed of the dither, on classes that were enrolled just before (M18)."""
    figures = None
    for number in range(passes):
        await trainer.enrol(plan, lesson.enrolled, b"" if number else blob)
        counted = await trainer.train(plan, lesson.trained, rate, b"", (seed + number) & 0xFFFFFFFF)
        figures = counted if figures is None else figures.and_then(counted)
    assert figures is not None, "a command asks for at least one pass"
    return figures


async def adapt_passes(
    trainer: Trainer, plan: Plan, support: SampleSet, rate: LearningRate, blob: bytes, seed: int, passes: int
) -> Figures:
    """Passes over the support set, then it is enrolled once more. Figures: of the passes, or of enrolment alone."""
    if not passes:
        return await trainer.enrol(plan, support, blob)
    figures = await train_passes(trainer, plan, Lesson(support, support), rate, blob, seed, passes)
    await trainer.enrol(plan, support, b"")
    return figures


async def right_before(trainer: Trainer, plan: Plan, query: SampleSet, blob: bytes) -> float:
    """The share of query samples that the last layer gets right; a class without an output is never right (M18)."""
    known = np.flatnonzero(query.targets[:, 0] < plan.network.outputs)
    if not len(known):
        return 0.0
    figures = await trainer.evaluate(plan, replace(query.chosen(known), temperature=0.0), blob)
    return figures.correct / len(query)
