"""`Result`: what a simulation learned, and how well new devices adapt from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from jaragua.api.one_tree import one_tree
from jaragua.api.start_weights import NamedWeights
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ConfigurationError, ToolError
from jaragua.report.intervals import Interval, paired_interval
from jaragua.report.pictures import NO_MATPLOTLIB, WITH_MATPLOTLIB
from jaragua.simulation import Comparison, CurvePoint, Means, RoundRecord, Simulation, SimulationResult, weights_file
from jaragua.simulation.comparison.text import rows as comparison_rows
from jaragua.simulation.models import model_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Result:
    """A finished simulation. `simulate` returns one; `simulate(start=…)`, `compile_network` and a board take it."""

    simulation: Simulation
    """What was simulated, every default filled in."""
    outcome: SimulationResult
    """All figures as the simulator has them."""

    @property
    def task(self) -> str:
        """Name of the task, or the path of its file."""
        return self.simulation.task

    @property
    def strategy(self) -> str:
        """Name of the strategy, `module:Class` for one's own."""
        return self.simulation.strategy

    @property
    def metric(self) -> str:
        """Unit of `before`, `after` and `scores`: `accuracy` (0..1) or `mse` (mean squared error)."""
        return self.outcome.metric

    @property
    def before(self) -> Means:
        """Before adaptation: `mean` over the held-out tasks, `ci95` half the width of its 95 % interval (Student)."""
        return self.outcome.before

    @property
    def after(self) -> Means:
        """After adaptation to the support set of each held-out task, likewise."""
        return self.outcome.after

    @property
    def scores(self) -> tuple[float, ...]:
        """After adaptation, one for each held-out task: equal seeds have equal tasks, so results compare in pairs."""
        return self.outcome.scores

    @property
    def comparison(self) -> Comparison | None:
        """Simple methods on the same held-out tasks, with accuracies per class and device; None if not asked for."""
        return self.outcome.comparison

    @property
    def history(self) -> tuple[RoundRecord, ...]:
        """One record a round: round, alpha, loss, updates, excluded, bytes_up, bytes_down."""
        return self.outcome.history

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """The learning curve: rounds, before, after. Empty unless `simulation.checkpoints` were asked for."""
        return self.outcome.curve

    @property
    def final_hash(self) -> str:
        """SHA-256 of the weights as devices get them, hexadecimal: equal to that of a fleet with the same settings."""
        return self.outcome.final_hash

    @cached_property
    def weights(self) -> NamedWeights:
        """What new devices start from, as float64 arrays: `layers.0.weight` [outputs, …], `layers.0.bias` [outputs], …

        The numbers count the layers that have weights.
        """
        with one_tree():
            return ModelCodec(model_for(self.simulation)).arrays(self.outcome.learned)

    def difference(self, other: Result) -> Interval:
        """How much the score after adaptation differs from another result's, task by task: self - other.

        Returns:
            `mean`, and `low` and `high` of its 95 % interval (Student's, of paired values), in the unit of `metric`.

        Raises:
            jaragua.errors.ConfigurationError: The two were not evaluated on the same held-out tasks, or on one alone.
        """
        if _tasks_of(self) != _tasks_of(other) or len(self.scores) < 2:
            raise ConfigurationError(
                "these results were not evaluated on the same held-out tasks, two or more",
                "simulate both with the same task, seed, ways, shots and eval_tasks",
            )
        return paired_interval(self.scores, other.scores)

    @one_tree()
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weights as a safetensors file; `jaragua compile --start` and `simulate(start=…)` take it.

        Returns:
            The path.

        Raises:
            jaragua.errors.StoreError: The file cannot be written, or another kind of file has that name.
        """
        place = Path(path)
        weights_file.check_place(place)
        weights_file.write(place, self.simulation, self.outcome)
        return place

    def plot(self, path: str | os.PathLike[str] | None = None, *, others: Sequence[Result] = ()) -> Figure:
        """Draw the loss by round, and the score with its 95 % intervals: by round if there is a curve.

        Args:
            path: File to write: .svg, .png or .pdf. None: nothing is written.
            others: Results to draw beside this one, of the same metric.

        Returns:
            A matplotlib figure; a notebook shows it.

        Raises:
            jaragua.errors.ToolError: matplotlib is missing; `pip install 'jaragua[plots]'`.
            jaragua.errors.UsageError: The name is that of another kind of file.
            jaragua.errors.StoreError: The file cannot be written.
        """
        try:
            from jaragua.api.plotting import comparison
        except ImportError as error:
            raise ToolError(NO_MATPLOTLIB, WITH_MATPLOTLIB) from error
        return comparison([self, *others], None if path is None else Path(path))

    def __repr__(self) -> str:
        return "\n".join([f"Result of {self._title()}", *(f"  {name:<17}{text}" for name, text in self._rows())])

    def _repr_html_(self) -> str:
        """For notebooks."""
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in self._rows())
        return f"<table><caption>{escape(self._title())}</caption>{rows}</table>"

    def _title(self) -> str:
        devices = f"{self.simulation.clients} of {len(self.simulation.devices)} devices"
        return f"{Path(self.task).name}: {self.outcome.rounds} rounds of {self.strategy}, {devices}"

    def _rows(self) -> list[tuple[str, str]]:
        outcome = self.outcome
        return [
            ("before adapting", f"{self.metric} {self.before.mean:.4f} ± {self.before.ci95:.4f}"),
            ("after adapting", f"{self.metric} {self.after.mean:.4f} ± {self.after.ci95:.4f}, {outcome.tasks} tasks"),
            *(comparison_rows(self.comparison) if self.comparison else ()),
            ("weights", f"{outcome.parameters}, {outcome.bytes_up} bytes up, {outcome.bytes_down} bytes down"),
            ("model", self.final_hash),
        ]


def _tasks_of(result: Result) -> tuple[object, ...]:
    """What decides which held-out tasks a simulation is evaluated on."""
    wanted = result.simulation
    evaluation = wanted.evaluation
    shots = evaluation.shots or wanted.shots
    return wanted.task, wanted.seed, wanted.held_out_ways, shots, evaluation.tasks, evaluation.queries
