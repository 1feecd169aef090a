"""A page of measured rows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from jaragua.tuning.recommended.measure import Effort, Measured, Method

#: "Defaults are within 2 points of tuned settings": of an accuracy, 0..1.
POINTS_BEHIND: Final = 0.02
#: In a page with other text the table stands between these.
BEGIN, END = "<!-- measured: comparison -->\n", "\n<!-- end of comparison -->\n"
_HEAD: Final = (
    "| task, shots | defaults | tuned | defaults less tuned | best simple method | defaults less simple "
    "| tuned less simple | tuned: what was chosen |\n|---|---|---|---|---|---|---|---|"
)
_EXPLAINED: Final = """\
All figures of a row are of the same held-out tasks: the first {tasks}, or as many as the row says. Simple methods see
the same features and support set: nearest neighbour, nearest prototype, and scikit-learn's logistic regression with the
form that suits these tasks best. `jaragua tune` sees training data alone. Differences are paired, task by task.
Intervals are of 95 % and treat the tasks of one held-out device as one observation. Differences of accuracies are in
points; of errors (`sine`) the sign is turned, so that above 0 is better. One seed.
"""


def is_near(row: Measured) -> bool | None:
    """Whether the defaults are at most 2 points behind tuned settings; None for an error, which has no points."""
    return None if row.metric != "accuracy" else row.tuned_gap >= -POINTS_BEHIND


def reaches_simple(row: Measured) -> bool:
    """Whether the defaults or tuned settings score at least as much as the best simple method."""
    return max(row.defaults.gap, row.tuned.gap) >= 0


def lines(rows: Sequence[Measured]) -> Iterator[str]:
    """The table."""
    yield _HEAD
    for one in rows:
        best = one.best_simple
        less_tuned = _gap(one, one.tuned_gap, one.tuned_gap_ci95)
        gaps = (_gap(one, method.gap, method.gap_ci95) for method in (one.defaults, one.tuned))
        yield (
            "| "
            + " | ".join(
                [_name(one), _score(one.defaults), _score(one.tuned), less_tuned, f"{best.name} {_score(best)}", *gaps]
            )
            + f" | {one.tuned.name} |"
        )


def _name(one: Measured) -> str:
    """The task without its folder, and the shots."""
    task = (one.row.rpartition(":")[0] or one.row).removesuffix(".toml")
    return f"`{task.rpartition('/')[2]}`, {one.shots}"


def verdicts(rows: Sequence[Measured]) -> Iterator[str]:
    """What the table shows, a sentence for each question."""
    with_points = [one for one in rows if is_near(one) is not None]
    far = [_name(one) for one in with_points if not is_near(one)]
    first = f"{len(with_points) - len(far)} of {len(with_points)} rows"
    yield f"Defaults are within 2 points of tuned settings in {first}{_but(far)}."
    behind = [_name(one) for one in rows if not reaches_simple(one)]
    reached = len(rows) - len(behind)
    yield f"Defaults or tuned settings reach the best simple method in {reached} of {len(rows)} rows{_but(behind)}."


def page(rows: Sequence[Measured], effort: Effort, words: str) -> str:
    """The whole page. words: of the command that makes it."""
    minutes = sum(one.seconds for one in rows) / 60
    made = f"Made by `{words}` in {minutes:,.0f} minutes of one processor. The same command makes this page again."
    return "\n\n".join(["# Recommended settings", made, part(rows, effort)])


def part(rows: Sequence[Measured], effort: Effort) -> str:
    """What the figures are, what they show, and the table."""
    found = "\n".join(f"- {sentence}" for sentence in verdicts(rows))
    searches = f"Searches of {effort.minutes:g} minutes of one processor, seed {effort.seed}."
    parts = [searches, _EXPLAINED.format(tasks=effort.tasks).rstrip(), found, "\n".join(lines(rows))]
    return "\n\n".join(parts) + "\n"


def _but(names: Sequence[str]) -> str:
    return f"; not in {', '.join(names)}" if names else ""


def _score(method: Method) -> str:
    return f"{method.mean:.3f} ± {method.ci95:.3f}"


def _gap(row: Measured, mean: float, ci95: float) -> str:
    if row.metric != "accuracy":
        return f"{mean:+.3f} ± {ci95:.3f}"
    return f"{100 * mean:+.1f} ± {100 * ci95:.1f}"
