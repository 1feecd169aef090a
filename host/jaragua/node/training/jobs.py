"""What a command means for a trainer: the one place where training and evaluation are put together (M3, M4)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import numpy as np

from jaragua.node.outbox import OutboxEntry, UpdateKey
from jaragua.node.training.answers_by_class import can_be_told, confusions, enrolled_samples
from jaragua.node.training.private import private_of
from jaragua.node.training.prototypes import (
    adapt_passes,
    episodes_of_task,
    lesson_of,
    right_before,
    train_episodes,
    train_passes,
)
from jaragua.node.training.proximal_decay import decayed, decayed_floats
from jaragua.node.training.task_sampler import HeldOut, TaskSampler
from jaragua.node.training.trainer import Figures, Metric, SampleSet, Trainer
from jaragua.node.weights.differences import delta_request, update_of
from jaragua.wire.messages import AdaptCommand, AdaptResult, TrainCommand, UpdateHeader, pack_update
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.rate import LearningRate

_Work: TypeAlias = Callable[[Trainer, Plan, TrainCommand, SampleSet, bytes], Awaitable[tuple[Figures, bytes]]]


async def train(
    trainer: Trainer, task_sampler: TaskSampler, command: TrainCommand, blob: bytes, residual: bytes = b""
) -> OutboxEntry:
    """Train from `blob` (or the float32 form, M9) on the device's task; returns the update as it goes out.

    residual: what the device left out in the last round that the coordinator has (M10).
    """
    # Drawing a task may read a data set: not on the event loop.
    samples = await asyncio.to_thread(task_sampler.support, command, blob)
    samples = samples.in_steps_of(1 if command.batch is None else command.batch)
    figures, update = await _work_of(command, samples)(trainer, task_sampler.plan, command, samples, blob)
    if command.sum is not None:
        header = _header(task_sampler, command, figures, update)
        private, keys = private_of(task_sampler.plan, command, header, blob, update)
        return OutboxEntry(key_of(command), pack_update(private.header, keys), private=private)
    wanted = delta_request(command)
    if command.start is not None or wanted is None:
        header = _header(task_sampler, command, figures, update, "blob" if command.start is None else "f32")
        return OutboxEntry(key_of(command), pack_update(header, update))
    data, residual = update_of(task_sampler.plan, wanted, blob, update, residual)
    header = _header(task_sampler, command, figures, data, "difference")
    return OutboxEntry(key_of(command), pack_update(header, data), residual, wanted.stored_round)


def _work_of(command: TrainCommand, samples: SampleSet) -> _Work:
    if samples.temperature:
        return _train_with_prototypes
    by_pass = command.proximal_decay is not None or len(samples) % samples.step
    return _train_pass_by_pass if by_pass else _train_at_once


async def _train_with_prototypes(
    trainer: Trainer, plan: Plan, command: TrainCommand, samples: SampleSet, blob: bytes
) -> tuple[Figures, bytes]:
    """Every pass enrols samples and trains on the others (M18), all at once or in episodes (M18.2)."""
    rate = LearningRate.from_float(command.learning_rate)
    if command.episode_queries:
        episodes = episodes_of_task(samples, command.enrolled_shots or 0, command.episode_queries) * command.passes
        figures = await train_episodes(trainer, plan, episodes, rate, blob, dither_seed(command))
        return figures, await trainer.read_update()
    lesson = lesson_of(samples, command.enrolled_shots or 0, 1 if command.batch is None else command.batch)
    figures = await train_passes(trainer, plan, lesson, rate, blob, dither_seed(command), command.passes)
    return figures, await trainer.read_update()


async def _train_at_once(
    trainer: Trainer, plan: Plan, command: TrainCommand, samples: SampleSet, blob: bytes
) -> tuple[Figures, bytes]:
    """All passes are one job."""
    rate = LearningRate.from_float(command.learning_rate)
    replayed = samples.replayed(command.passes, command.replay_buffer_size or 0)
    figures = await trainer.train(plan, replayed, rate, blob, dither_seed(command))
    return figures, await trainer.read_update()


async def _train_pass_by_pass(
    trainer: Trainer, plan: Plan, command: TrainCommand, samples: SampleSet, blob: bytes
) -> tuple[Figures, bytes]:
    """Every pass is a job, with the next seed of the dither (M3); after each the weights are drawn back (FedProx)."""
    rate = LearningRate.from_float(command.learning_rate)
    decay = decayed_floats if samples.in_float32 else decayed
    figures, weights = None, blob
    for number in range(command.passes):
        seed = (dither_seed(command) + number) & 0xFFFFFFFF
        counted = await trainer.train(plan, samples, rate, weights, seed)
        figures = counted if figures is None else figures.and_then(counted)
        weights = await trainer.read_update()
        weights = weights if command.proximal_decay is None else decay(plan, blob, weights, command.proximal_decay)
    assert figures is not None, "a command asks for at least one pass"
    return figures, weights


async def adapt(trainer: Trainer, task_sampler: TaskSampler, command: AdaptCommand, blob: bytes) -> AdaptResult:
    """Evaluate `blob` on a held-out task: before and after adaptation, figures only (M4)."""
    task = await asyncio.to_thread(task_sampler.held_out, command, blob)
    plan, metric, seed = task_sampler.plan, task_sampler.metric, dither_seed(command)
    rate = LearningRate.from_float(command.learning_rate)
    if command.temperature:
        before = await right_before(trainer, plan, task.query, blob)
        learned = await adapt_passes(trainer, plan, task.support, rate, blob, seed, command.passes)
    else:
        before = (await trainer.evaluate(plan, task.query, blob)).score(metric)
        learned = await trainer.train(plan, task.support, rate, blob, seed)
    after, told = await _after(trainer, plan, task, metric)
    return _answer(
        command,
        ok=True,
        metric=metric,
        before=before,
        after=after,
        queries=len(task.query),
        instructions=learned.instructions,
        enrolled=enrolled_samples(task.support) if command.temperature else None,
        **told,
    )


async def _after(trainer: Trainer, plan: Plan, task: HeldOut, metric: Metric) -> tuple[float, dict[str, Any]]:
    """The metric after adaptation, and where classes have names the answers by class (M30)."""
    if not can_be_told(task.classes):
        return (await trainer.evaluate(plan, task.query, b"")).score(metric), {}
    truth, answers = task.query.targets[:, 0], await trainer.answers(plan, task.query)
    told = {"classes": task.classes, "confusion": confusions(truth, answers, len(task.classes))}
    return float(np.mean(truth == answers)), told


def refusal(command: AdaptCommand, metric: str, reason: str) -> AdaptResult:
    """The answer to an adapt command that could not be carried out."""
    return _answer(command, ok=False, reason=reason, metric=metric, before=0.0, after=0.0, queries=0, instructions=0)


def _answer(command: AdaptCommand, **figures: Any) -> AdaptResult:
    return AdaptResult(run=command.run, device=command.device, trial=command.trial, hash=command.hash, **figures)


def dither_seed(command: TrainCommand | AdaptCommand) -> int:
    """The seed of A8.5: the low half of the command's, so that every device and round has its own."""
    return command.seed & 0xFFFFFFFF


def key_of(command: TrainCommand) -> UpdateKey:
    """The key of the update a command asks for (M2)."""
    return UpdateKey(command.run, command.round, command.device, command.attempt)


def _header(
    task_sampler: TaskSampler, command: TrainCommand, figures: Figures, update: bytes, encoding: str = "blob"
) -> UpdateHeader:
    return UpdateHeader(
        run=command.run,
        round=command.round,
        device=command.device,
        attempt=command.attempt,
        base=command.start or command.hash,
        encoding=encoding,
        samples=figures.samples,
        loss=figures.loss,
        metric=task_sampler.metric,
        score=figures.score(task_sampler.metric),
        instructions=figures.instructions,
        bytes=len(update),
        sha256=hashlib.sha256(update).digest(),
    )
