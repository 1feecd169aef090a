"""Figures from records, as SVG, drawn by matplotlib (extra `plots`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jaragua.errors import ToolError
from jaragua.experiments.reproduce.plan import Plan, TaskOfPlan
from jaragua.experiments.reproduce.run import Found
from jaragua.experiments.reproduce.summary import Line, lines, of_task, over_support

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The same records give the same file: no date in it, and names of its parts from a fixed salt.
_METADATA: Final = {"Date": None}
_SALT: Final = "jaragua"


@dataclass(frozen=True)
class Figure:
    """A file beside the document."""

    task: str
    file: str
    caption: str
    draw: Callable[[Axes], None]


def figures(plan: Plan, found: Found) -> list[Figure]:
    """What there is to draw of these records. Pure."""
    every = lines(plan, found)
    return [figure for task in plan.tasks for figure in _of_task(every, task)]


def save(drawn: Sequence[Figure], folder: Path) -> None:
    """Write the files. Raises: ToolError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise ToolError("figures need matplotlib", "pip install 'jaragua[plots]', or --no-figures") from error
    from matplotlib.figure import Figure as Canvas

    matplotlib.rcParams.update({"svg.hashsalt": _SALT, "svg.fonttype": "none", "font.size": 9})
    folder.mkdir(parents=True, exist_ok=True)
    for figure in drawn:
        canvas = Canvas(figsize=(6, 3.6), layout="constrained")
        axes = canvas.add_subplot()
        figure.draw(axes)
        axes.grid(alpha=0.3)
        axes.set_title(figure.caption, fontsize=10)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7)
        canvas.savefig(folder / figure.file, format="svg", metadata=_METADATA)


def _of_task(every: Sequence[Line], task: TaskOfPlan) -> Iterator[Figure]:
    curves = [one for one in of_task(every, task, "strategies") if len(one.curve) > 1]
    if curves:
        yield _figure(task, "curve", "while it learns", lambda axes: _curves(axes, curves))
    support = over_support(every, task)
    if support:
        yield _figure(task, "support", "by support-set size", lambda axes: _supports(axes, support))
    fractions = of_task(every, task, "fraction")
    if fractions:
        yield _figure(
            task, "fraction", "by the fraction of the update that is sent", lambda axes: _fractions(axes, fractions)
        )


def _figure(task: TaskOfPlan, kind: str, text: str, draw: Callable[[Axes], None]) -> Figure:
    return Figure(task.name, f"results-{task.name}-{kind}.svg", f"{task.title}: {text}", draw)


def _curves(axes: Axes, curves: Sequence[Line]) -> None:
    for line in curves:
        _band(axes, line.experiment.row, [(float(x), point.mean, point.ci95) for x, point in line.curve])
    axes.set_xscale("symlog", linthresh=max(1, curves[0].curve[1][0]))
    axes.set_xlabel("client tasks")
    _label(axes, curves[0])


def _supports(axes: Axes, support: dict[str, dict[int, Line]]) -> None:
    for row, found in support.items():
        _band(axes, row, [(float(shots), one.after.mean, one.after.ci95) for shots, one in found.items()])
    axes.set_xlabel("samples a class to adapt with")
    _label(axes, next(iter(next(iter(support.values())).values())))


def _fractions(axes: Axes, fractions: Sequence[Line]) -> None:
    points = sorted((float(one.experiment.value), one.after.mean, one.after.ci95) for one in fractions)
    _band(axes, fractions[0].experiment.row, points)
    axes.set_xlabel("% of the update that is sent")
    _label(axes, fractions[0])


def _band(axes: Axes, label: str, points: Sequence[tuple[float, float, float]]) -> None:
    """Means joined by a line, with their intervals."""
    x, mean, half = zip(*points, strict=True)
    axes.errorbar(x, mean, yerr=half, label=label, marker="o", markersize=3, linewidth=1, capsize=2, elinewidth=0.6)


def _label(axes: Axes, line: Line) -> None:
    is_accuracy = line.experiment.model.metric == "accuracy"
    axes.set_ylabel("accuracy after adapting" if is_accuracy else "mean squared error after adapting")
    if not is_accuracy:
        axes.set_yscale("log")
