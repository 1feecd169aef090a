"""The threshold that rejects unknown classes (A12.8), calibrated on training data of a task.

Held-out data are never drawn. Of a training task some classes are enrolled, and all samples of the others are unknown.
Features fit the devices that trained them better than others, so a threshold of these devices accepts too much of new
ones. With weights that trained without the validation devices, it is calibrated on those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from jaragua.errors import DataError, UsageError
from jaragua.report.rejection import Scores, threshold_for
from jaragua_compiler import Plan, ReferenceEngine, calibrate, pack
from jaragua_compiler.engine_protocol import ACCEPT_ALL, PrototypeEngine
from jaragua_compiler.engines import host_build
from jaragua_compiler.engines.native_prototypes import NativePrototypeEngine
from jaragua_compiler.export import Calibrate, Rejection, read_weights
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs
from jaragua_compiler.quantisation.calibration import calibration_rows
from jaragua_models import HasOwners, HasValidation, Model, Task, TaskSource
from jaragua_models import ModelError as ModelsError

TASKS: Final = 200
FALSE_ACCEPTS: Final = 0.05
_LEAST_ENROLLED: Final = 2  # with one class nothing is rejected (A12.8)
_MOST_UNKNOWN: Final = 50  # samples of one task
_QUERIES: Final = 2  # of a class, of a validation task


@dataclass(frozen=True)
class _Setup:
    """Classes of a task, those of them that are enrolled, and samples of each."""

    ways: int
    enrolled: int
    shots: int


_Draw: TypeAlias = Callable[[int, _Setup], Task]


def calibrated(
    model: Model, plan: Plan, blob: bytes, false_accepts: float = FALSE_ACCEPTS, unseen: Path | None = None
) -> Rejection:
    """The threshold of a plan with prototypes at which this part of the unknown training samples is accepted.

    unseen: weights that trained without the task's validation devices, a safetensors file; the threshold is calibrated
    on these devices, with these weights. None: with the blob, on all training devices.
    Raises: DataError if the task has less than three classes, or no samples to draw; UsageError if it has no validation
    devices; CompileError if the weights are of another network.
    """
    draw: _Draw = partial(_training_task, model)
    if unseen is not None:
        draw, blob = partial(_validation_task, _validation_of(model)), _blob_of(unseen, model, plan)
    setup = _setup(model, plan.prototypes, draw)
    engine = _engine(plan)
    engine.load(blob)
    found = [_unknown_scores(engine, plan, blob, draw(seed, setup), seed, setup) for seed in range(TASKS)]
    scores = np.concatenate(found)
    if not len(scores):
        raise _too_few(model)
    threshold = threshold_for(scores, false_accepts, ACCEPT_ALL)
    devices = "training" if unseen is None else "validation"
    return Rejection(threshold, false_accepts, setup.enrolled, setup.shots, TASKS, len(scores), devices)


def threshold_or_none(model: Model, plan: Plan, blob: bytes, tell: Callable[[str], None]) -> Rejection | None:
    """The threshold of the default rate; None, with the reason told, if the task cannot calibrate one."""
    try:
        return calibrated(model, plan, blob)
    except DataError as error:
        tell(f"{error.message}: unknown samples are accepted")
        return None


def calibration_for(
    model: Callable[[], Model | None],
    prototypes: int | None,
    false_accepts: float | None,
    tell: Callable[[str], None],
    unseen: Path | None = None,
) -> Calibrate | None:
    """What calibrates the threshold of unknown classes in a compiled folder; None: every class is accepted.

    model: gives the one whose tasks are drawn from, None if it has none. prototypes: classes that there is room for,
    None for a folder without them. false_accepts: part of unknown samples that is accepted; None: 0.05 where the tasks
    can calibrate it. tell: why there is no threshold. unseen: as `calibrated`. Raises: UsageError for options that do
    not go together.
    """
    if unseen is not None and prototypes is None:
        raise UsageError("--unseen needs --prototypes", "say how many classes there are to be room for")
    if false_accepts is not None and not 0 < false_accepts < 1:
        raise UsageError(f"--false-accepts is {false_accepts:g}", "give a part above 0 and below 1, as 0.05")
    if prototypes is None:
        if false_accepts is not None:
            raise UsageError("--false-accepts needs --prototypes", "say how many classes there are to be room for")
        return None
    found = model()
    if found is None:
        if false_accepts is not None or unseen is not None:
            option = "--false-accepts" if unseen is None else "--unseen"
            raise UsageError(f"{option} needs tasks to draw from", "a model file has none: leave it out")
        tell("a model file has no tasks, so no threshold is calibrated: unknown samples are accepted")
        return None
    if false_accepts is not None or unseen is not None:
        rate = FALSE_ACCEPTS if false_accepts is None else false_accepts
        return lambda plan, blob: calibrated(found, plan, blob, rate, unseen)
    return lambda plan, blob: threshold_or_none(found, plan, blob, tell)


def _engine(plan: Plan) -> PrototypeEngine:
    return NativePrototypeEngine(plan, march=host_build.NATIVE) if host_build.has_compiler() else ReferenceEngine(plan)


def _blob_of(weights: Path, model: Model, plan: Plan) -> bytes:
    """Weights in the plan's formats."""
    numbers = read_weights(weights, plan.network)
    return pack(plan, numbers, calibrate(plan, numbers, calibration_rows(model.tasks.calibration())))


def _validation_of(model: Model) -> TaskSource:
    """Raises: UsageError."""
    if not isinstance(model.tasks, HasValidation):
        message = f"--unseen needs validation devices, and '{model.name}' has none"
        raise UsageError(message, "leave it out: the threshold is calibrated on training devices")
    return model.tasks.for_validation()


def _setup(model: Model, room: int, draw: _Draw) -> _Setup:
    """As many classes as the C has room for and as many unknown ones, or what a task has of them."""
    shots, fixed = model.defaults.shots, model.defaults.ways
    most = fixed if not model.own_labels else 2 * room
    for ways in range(most, _LEAST_ENROLLED, -1):
        try:
            draw(0, _Setup(ways, 0, shots))
        except ModelsError:
            continue
        return _Setup(ways, max(_LEAST_ENROLLED, min(room, ways - 1)), shots)
    raise _too_few(model)


def _too_few(model: Model) -> DataError:
    return DataError(
        f"the training tasks of '{model.name}' have too few classes to calibrate the rejection of unknown ones",
        "3 are needed; without --false-accepts every class is accepted",
    )


def _validation_task(tasks: TaskSource, seed: int, setup: _Setup) -> Task:
    return tasks.held_out_task(seed, setup.ways, setup.shots, setup.ways * _QUERIES)


def _training_task(model: Model, seed: int, setup: _Setup) -> Task:
    owners = model.tasks.owners() if isinstance(model.tasks, HasOwners) else TASKS
    return model.tasks.train_task(f"device-{1 + seed % owners}", seed, setup.ways, setup.shots)


def _unknown_scores(engine: PrototypeEngine, plan: Plan, blob: bytes, task: Task, seed: int, setup: _Setup) -> Scores:
    """Relative distances (A12.7) of all samples of the classes that are not enrolled; a task may lack classes."""
    inputs, labels = np.concatenate([task.support.x, task.query.x]), np.concatenate([task.support.y, task.query.y])
    generator, present = np.random.default_rng(seed), np.unique(task.support.y)
    known = generator.permutation(present)[: min(setup.enrolled, len(present) - 1)]
    if len(known) < _LEAST_ENROLLED:
        return np.empty(0)
    formats = exponents(plan, blob)
    engine.forget_all()
    for x, label in zip(quantise_inputs(plan, formats, task.support.x), task.support.y, strict=True):
        place = np.flatnonzero(known == label)
        if len(place):
            engine.enrol(x, int(place[0]))
    unknown = generator.permutation(np.flatnonzero(~np.isin(labels, known)))[:_MOST_UNKNOWN]
    return np.array([engine.recognise(x).relative for x in quantise_inputs(plan, formats, inputs[unknown])], np.float64)
