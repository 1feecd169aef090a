"""Descriptions of the plan's models with the figures of all strategies, for the graph (semantics.md, S3). Pure."""

from __future__ import annotations

from jaragua.experiments.reproduce.plan import Plan
from jaragua.experiments.reproduce.run import Found
from jaragua.experiments.reproduce.summary import Line, lines, of_task
from jaragua.semantics.models.description import Measured
from jaragua.semantics.models.writing import content, described


def descriptions(plan: Plan, found: Found) -> dict[str, bytes]:
    """The name of a task of the plan -> Turtle. A task without records has none."""
    every = lines(plan, found)
    made = {}
    for task in plan.tasks:
        members = of_task(every, task, "strategies")
        if members:
            model = members[0].experiment.model
            made[task.name] = content(described(model, [_measured(line) for line in members]))
    return made


def _measured(line: Line) -> Measured:
    """Mean and interval over seeds of the tasks' means after adapting."""
    simulation, after = line.experiment.simulation, line.after
    metric = "accuracy" if line.experiment.model.metric == "accuracy" else "mse"
    return Measured(
        metric, after.mean, after.mean - after.ci95, after.mean + after.ci95, line.seeds, simulation.strategy
    )
