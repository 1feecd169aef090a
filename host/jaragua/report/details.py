"""All that is known of a run, as a report, a dashboard and the exporters take it: plain values of its folder. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from jaragua.bases.value import Value
from jaragua.report.intervals import mean_interval

#: The one key of `held_out_figures` that says which figures follow.
METRIC = "metric"


class RunDetails(Value):
    """One run of a fleet, or one simulation.

    Texts and numbers in the mappings came from files and, in part, from devices: who shows them must escape them.
    """

    source: str
    """The folder or the file it was read from."""
    kind: Literal["fleet", "simulation"]
    summary: Mapping[str, Any]
    """As `run.json` has it."""
    settings: Mapping[str, Mapping[str, Any]]
    """The configuration with every default, as `config.toml` has it."""
    rounds: Sequence[Mapping[str, Any]] = ()
    """Closed rounds in order, as lines of `metrics.jsonl`."""
    held_out: Mapping[str, Any] = field(default_factory=dict)
    """As `held_out_figures` makes them; empty if nothing was evaluated."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """As `facts.json` has them: versions, memory, classes; empty for a folder of an older version."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """As `devices.json` has it: devices that the graph picked, with the descriptions that decided it (S7.4)."""


def held_out_figures(
    metric: str, before: Sequence[float], after: Sequence[float], devices: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """Figures of held-out tasks before and after adaptation, as JSON values.

    before, after: the metric of each task; accuracy 0..1, or mean squared error. devices: whose each task is, "" for
    nobody's. more: figures that only some evaluations have. Intervals are over tasks.
    """
    return {
        METRIC: metric,
        "tasks": len(after),
        "before": _mean(before),
        "after": _mean(after),
        "scores_before": list(before),
        "scores": list(after),
        "devices": list(devices),
        **more,
    }


def _mean(values: Sequence[float]) -> dict[str, float]:
    """Mean, and half the width of its 95 % interval; 0 wide for a single value."""
    if len(values) < 2:
        return {"mean": float(values[0]), "ci95": 0.0}
    found = mean_interval(values)
    return {"mean": found.mean, "ci95": found.high - found.mean}
