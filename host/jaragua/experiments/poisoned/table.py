"""Outcomes as the table of docs/results/poisoned.md. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Final, TypeAlias

from jaragua.experiments.poisoned.attacks import HONEST
from jaragua.experiments.poisoned.measure import R17, Outcome
from jaragua.report.intervals import Interval, mean_interval, paired_interval

Outcomes: TypeAlias = Mapping[tuple[str, str], Sequence[Outcome]]

#: A point of each metric; of a mean squared error 1 % of the waves' mean square (docs/results/benchmarks.md, B2).
POINTS: Final = {"accuracy": 0.01, "mse": 0.0425}


def lost_points(metric: str, outcomes: Sequence[Outcome], baseline: Sequence[Outcome]) -> Interval:
    """Points lost against the same seeds' honest fleets under R17; negative: gained."""
    sign = -1.0 if metric == "mse" else 1.0
    scale = sign / POINTS[metric]
    return paired_interval([scale * one.score for one in baseline], [scale * one.score for one in outcomes])


def table(metric: str, found: Outcomes) -> Iterator[str]:
    """Lines of Markdown: a row for each attack, a column for each rule; points lost, and under them the scores."""
    attacks = list(dict.fromkeys(attack for attack, _ in found))
    rules = [rule for rule in dict.fromkeys(rule for _, rule in found) if (attacks[-1], rule) in found]
    yield "| points lost | " + " | ".join(f"`{rule}`" for rule in rules) + " |"
    yield "|---|" + "---|" * len(rules)
    baseline = found[HONEST, R17]
    for attack in attacks:
        cells = [_lost(metric, found[attack, rule], baseline) if (attack, rule) in found else "" for rule in rules]
        yield f"| `{attack}` | " + " | ".join(cells) + " |"


def scores(metric: str, found: Outcomes) -> Iterator[str]:
    """Lines of Markdown: for each attack and rule the held-out score, and how many updates R17 left out."""
    yield f"| attack | rule | {metric} | attackers left out | honest left out | stopped |"
    yield "|---|---|---|---|---|---|"
    for (attack, rule), outcomes in found.items():
        score = _said(mean_interval([one.score for one in outcomes]), 3)
        attackers = fmean(one.excluded_attackers for one in outcomes)
        honest = fmean(one.excluded_honest for one in outcomes)
        stopped = sum(one.stopped > 0 for one in outcomes)
        yield f"| `{attack}` | `{rule}` | {score} | {attackers:.1%} | {honest:.1%} | {stopped} of {len(outcomes)} |"


def _lost(metric: str, outcomes: Sequence[Outcome], baseline: Sequence[Outcome]) -> str:
    stopped = any(one.stopped for one in outcomes)
    return _said(lost_points(metric, outcomes, baseline), 1) + (" (stopped)" if stopped else "")


def _said(interval: Interval, digits: int) -> str:
    mean = f"{interval.mean:.{digits}f}"
    unsigned = mean.lstrip("-") if float(mean) == 0 else mean
    return f"{unsigned} ± {interval.high - interval.mean:.{digits}f}"
