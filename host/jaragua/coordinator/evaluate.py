"""Evaluates a run on the devices of its fleet: each adapts to held-out tasks from what was learned (M4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from jaragua.bases.value import Value
from jaragua.config import RunConfig, strategy_of
from jaragua.coordinator.adapt import AdaptResult, Trial, adapt_devices, open_fleet, wait_for_devices
from jaragua.coordinator.connection.fleet import Fleet
from jaragua.coordinator.connection.trusting import connection_of
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import BoardError
from jaragua.models import model_named
from jaragua.report.classification import Confusion, merged, tables_of_counts
from jaragua.report.details import held_out_figures
from jaragua.settings import training_of
from jaragua.store import Initialisation
from jaragua.strategies import ClientWork
from jaragua.strategies.base import check_work

#: Seed of the first held-out task; the model keeps them apart from training.
FIRST_TASK_SEED = 1_000

#: Called with the number of tasks that every device has answered, and of all.
OnTask = Callable[[int, int], None]


class Wanted(Value):
    """What to ask. devices: () for all that are present and fit; wait_s: for them to be there."""

    tasks: int
    devices: tuple[str, ...] = ()
    wait_s: float = 30.0


async def evaluate_on_fleet(
    config: RunConfig, run: str, learned: Initialisation, wanted: Wanted, on_task: OnTask
) -> dict[str, Any]:
    """The figures of all tasks on all devices, as `held_out_figures`.

    Raises: BrokerError; RunError while a coordinator serves the fleet; BoardError if a device fails or none is there.
    """
    codec = ModelCodec(model_named(config.model.name))
    blob = codec.pack(learned.vector)
    found: list[AdaptResult] = []
    url, trust = connection_of(config)
    async with open_fleet(url, config.run.fleet, trust) as session:
        devices = wanted.devices or _fitting(session, codec)
        await wait_for_devices(session, devices, wanted.wait_s)
        for number in range(wanted.tasks):
            seeds = enumerate(devices, FIRST_TASK_SEED + number * len(devices))  # no two are asked the same
            trials = [_trial(config, one, number, blob, seed) for seed, one in seeds]
            found += await adapt_devices(session, run, trials)
            on_task(number + 1, wanted.tasks)
    return figures_of(found)


def figures_of(found: Sequence[AdaptResult], **more: Any) -> dict[str, Any]:
    """Answers as the run's folder keeps them; `enrolled` is of each device the last task's samples by label (M30)."""
    found_confusion = merged(Confusion(one.classes, one.confusion) for one in found if one.classes)
    answers = {"comparison": tables_of_counts(found_confusion)} if found_confusion else {}
    enrolled = {one.device: list(one.enrolled) for one in found if one.enrolled}
    return held_out_figures(
        found[0].metric,
        [one.before for one in found],
        [one.after for one in found],
        [one.device for one in found],
        instructions=[one.instructions for one in found],
        **answers,
        **({"enrolled": enrolled} if enrolled else {}),
        **more,
    )


def _fitting(session: Fleet, codec: ModelCodec) -> tuple[str, ...]:
    """Names of the devices that are present and compute the run's network, sorted."""
    present = [name for name in session.roster.present() if session.roster.architecture(name) == codec.architecture]
    if present:
        return tuple(sorted(present))
    raise BoardError(
        f"no device of the fleet computes the model '{codec.model.name}'",
        "start the gateway or client that trained, or name a device to wait for: --device NAME",
    )


def _trial(config: RunConfig, device: str, number: int, blob: bytes, seed: int) -> Trial:
    held_out = config.evaluation
    rate = config.client.learning_rate if held_out.learning_rate is None else held_out.learning_rate
    asked = {"learning_rate": rate, "passes": held_out.passes, "batch": held_out.batch}
    steps = ClientWork(**(asdict(training_of(config.client)) | asked))
    return Trial(
        device=device,
        number=number,
        blob=blob,
        seed=seed,
        training=check_work(strategy_of(config).adaptation(steps)),
        ways=held_out.ways or config.client.ways,
        shots=held_out.shots or config.client.shots,
        queries=held_out.queries,
    )
