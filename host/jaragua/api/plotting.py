"""The picture of simulations' results. Importing this module takes matplotlib (extra `plots`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from jaragua.report.pictures import check_format, write

if TYPE_CHECKING:
    from jaragua.api.result import Result


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


#: A figure that a notebook shows without a backend. Made this way as types are also checked without matplotlib.
_ShownFigure: Any = type("ShownFigure", (Figure,), {"_repr_png_": _png})


def comparison(results: Sequence[Result], path: Path | None) -> Figure:
    """Loss by round, and scores with intervals. Raises: UsageError for a kind of file, StoreError."""
    if path is not None:
        check_format(path)
    figure: Figure = _ShownFigure(figsize=(9, 3.6), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for result in results:
        _draw_losses(losses, result)
    losses.set(xlabel="round", ylabel="loss of training")
    if any(result.curve for result in results):
        _draw_curves(scores, [result for result in results if result.curve])
    else:
        _draw_ends(scores, results)
    scores.set_ylabel(results[0].metric)
    losses.legend(fontsize="small")
    if path is not None:
        write(figure, path)
    return figure


def _draw_losses(axes: Any, result: Result) -> None:
    known = [record for record in result.history if record.loss is not None]
    axes.plot([record.round for record in known], [record.loss for record in known], label=_name(result), linewidth=1)


def _draw_curves(axes: Any, results: Sequence[Result]) -> None:
    """Score after adaptation by round."""
    for result in results:
        rounds = [point.rounds for point in result.curve]
        means = [point.after.mean for point in result.curve]
        intervals = [point.after.ci95 for point in result.curve]
        axes.errorbar(rounds, means, yerr=intervals, capsize=3, label=_name(result))
    axes.set_xlabel("round")
    axes.set_title("after adaptation, 95 % intervals", fontsize="medium")


def _draw_ends(axes: Any, results: Sequence[Result]) -> None:
    """Scores before and after adaptation, side by side."""
    places = range(len(results))
    for shift, name in ((-0.1, "before"), (0.1, "after")):
        found = [getattr(result, name) for result in results]
        intervals = [one.ci95 for one in found]
        axes.errorbar(
            [place + shift for place in places],
            [one.mean for one in found],
            yerr=intervals,
            fmt="o",
            capsize=3,
            label=f"{name} adaptation",
        )
    axes.set_xticks(list(places), [_name(result) for result in results])
    axes.set_xlim(-0.5, len(results) - 0.5)
    axes.set_title("95 % intervals", fontsize="medium")
    axes.legend(fontsize="small")


def _name(result: Result) -> str:
    return result.strategy.rpartition(":")[2].rpartition(".")[2]
