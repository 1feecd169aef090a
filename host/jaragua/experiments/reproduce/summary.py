"""From records to the numbers of tables and figures: means over seeds with their intervals. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from jaragua.bases.value import Value
from jaragua.experiments.reproduce import costs
from jaragua.experiments.reproduce.plan import Experiment, Plan, Purpose, TaskOfPlan
from jaragua.experiments.reproduce.records import Outcome
from jaragua.experiments.reproduce.run import Found
from jaragua.report.intervals import mean_interval
from jaragua.simulation import Means
from jaragua.strategies.registry import find

#: The row that every other one is compared with.
REFERENCE: Final = "TinyReptile"


class Cost(Value):
    """Of one device. Instructions are 0 where nothing was counted, or no device does it."""

    ram_bytes: int
    stored_bytes: int
    """Of samples, beside that, if it meets them more than once in a round or when it is new."""
    round_instructions: int
    adapt_instructions: int


class Line(Value):
    """All seeds of an experiment: intervals are Student's over the seeds' means; bytes are means."""

    experiment: Experiment
    seeds: int
    before: Means
    after: Means
    difference: Means | None
    """After adapting, to the row of TinyReptile in the same table, paired by seed; None for that row itself."""
    balanced_accuracy: Means | None
    f1: Means | None
    curve: tuple[tuple[int, Means], ...]
    """Client tasks done, and what new devices made of the weights then."""
    bytes_up: float
    bytes_down: float
    trains: bool
    pooled: bool
    """Raw samples travel, not weights."""
    cost: Cost


def lines(plan: Plan, found: Found) -> list[Line]:
    """One for each experiment with at least one record, in the order of the plan."""
    result = []
    references = _references(plan, found)
    for _, group in groupby(plan.experiments, key=lambda one: one.name):
        members = list(group)
        outcomes = [found.outcomes[one.key] for one in members if one.key in found.outcomes]
        if outcomes:
            result.append(_line(members[0], outcomes, found, references.get(members[0].task.name, {})))
    return result


def of_task(all_lines: Sequence[Line], task: TaskOfPlan, purpose: Purpose) -> list[Line]:
    """Those of one table or figure."""
    return [one for one in all_lines if one.experiment.task == task and one.experiment.purpose == purpose]


def over_support(all_lines: Sequence[Line], task: TaskOfPlan) -> dict[str, dict[int, Line]]:
    """By row, and by the shots a new device adapts with; the table's own among them. Empty if nothing was varied."""
    varied = of_task(all_lines, task, "support")
    rows = dict.fromkeys(one.experiment.row for one in varied)
    members = [*of_task(all_lines, task, "strategies"), *varied]
    return {
        row: dict(sorted((_shots(one), one) for one in members if one.experiment.row == row and _shots(one)))
        for row in rows
    }


def total_seconds(outcomes: Iterable[Outcome]) -> float:
    """Wall time of all simulations, one after the other."""
    return sum(outcome.seconds for outcome in outcomes)


def _shots(line: Line) -> int:
    return line.experiment.simulation.evaluation.shots or 0


def _references(plan: Plan, found: Found) -> dict[str, dict[int, float]]:
    """What TinyReptile came to, by task and seed."""
    result: dict[str, dict[int, float]] = {}
    for one in plan.experiments:
        if _is_reference(one) and one.key in found.outcomes:
            result.setdefault(one.task.name, {})[one.simulation.seed] = found.outcomes[one.key].after.mean
    return result


def _is_reference(experiment: Experiment) -> bool:
    return experiment.row == REFERENCE and experiment.purpose == "strategies"


def _line(experiment: Experiment, outcomes: Sequence[Outcome], found: Found, references: Mapping[int, float]) -> Line:
    natural = [outcome.natural for outcome in outcomes if outcome.natural]
    return Line(
        experiment=experiment,
        seeds=len(outcomes),
        before=_means([outcome.before.mean for outcome in outcomes]),
        after=_means([outcome.after.mean for outcome in outcomes]),
        difference=None if _is_reference(experiment) else _difference(outcomes, references),
        balanced_accuracy=_means([one.balanced_accuracy.mean for one in natural]) if natural else None,
        f1=_means([one.f1.mean for one in natural]) if natural else None,
        curve=_curve(experiment, outcomes),
        bytes_up=sum(outcome.bytes_up for outcome in outcomes) / len(outcomes),
        bytes_down=sum(outcome.bytes_down for outcome in outcomes) / len(outcomes),
        trains=find(experiment.simulation.strategy).TRAINS,
        pooled=costs.work_of(experiment).pooled,
        cost=_cost(experiment, found),
    )


def _difference(outcomes: Sequence[Outcome], references: Mapping[int, float]) -> Means | None:
    """Student's interval over the seeds that both have; None if that is none."""
    paired = [one.after.mean - references[one.seed] for one in outcomes if one.seed in references]
    return _means(paired) if paired else None


def _curve(experiment: Experiment, outcomes: Sequence[Outcome]) -> tuple[tuple[int, Means], ...]:
    points = zip(*(outcome.curve for outcome in outcomes), strict=True)
    return tuple(
        (point[0].rounds * experiment.simulation.clients, _means([one.after.mean for one in point])) for point in points
    )


def _cost(experiment: Experiment, found: Found) -> Cost:
    measured = found.costs.get(costs.costs_key(experiment))
    if measured is None or experiment.simulation.engine == "float32":
        return Cost(0, 0, 0, 0)
    of_a_round = costs.steps_of_a_round(experiment) if costs.trains_on_devices(experiment) else 0
    adapting = found.costs.get(costs.costs_key(experiment, experiment.simulation.evaluation.batch), measured)
    return Cost(
        measured.ram_bytes,
        costs.stored_bytes(experiment),
        of_a_round * measured.step_instructions,
        costs.steps_to_adapt(experiment) * adapting.step_instructions,
    )


def _means(values: Sequence[float]) -> Means:
    if len(values) < 2:
        return Means(values[0], 0.0)
    interval = mean_interval(values)
    return Means(interval.mean, interval.high - interval.mean)
