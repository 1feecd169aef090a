"""Charts as SVG inside a page, drawn by matplotlib: no script, colours from the page's style sheet."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from itertools import count
from statistics import fmean
from typing import TYPE_CHECKING, Final

from jaragua.bases.value import Value
from jaragua.errors import ToolError
from jaragua.report.intervals import mean_interval
from jaragua.report.page.model import Chart
from jaragua.report.page.values import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What a chart is drawn with -> what the style sheet calls it. The colours are unlike any that matplotlib picks.
_INK, _GRID = "#0000f0", "#0000f1"
_SERIES: Final = tuple(f"#0000{code}" for code in ("f2", "f3", "f4", "f5", "f6", "f7"))
_VARIABLES: Final = {_INK: "--ink", _GRID: "--grid"} | {
    colour: f"--series-{number}" for number, colour in enumerate(_SERIES, 1)
}
_DASHES: Final = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
#: Of more points neighbours are drawn as one, their mean.
MOST_POINTS: Final = 300
_LONGEST_LABEL: Final = 32
_STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "jaragua",
    "text.parse_math": False,
    "font.size": 10,
    "font.family": "sans-serif",
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_numbers = count(1)


class Line(Value):
    """One curve. low, high: ends of an interval at each point, () for none."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


class Axis(Value):
    """Words at a chart. percent: values 0..1 are shown in percent."""

    title: str
    x: str
    y: str
    percent: bool = False


class Bar(Value):
    """One thing with a value for each series; None where there is none. errors: half widths of intervals, or ()."""

    name: str
    values: tuple[float | None, ...]
    errors: tuple[float, ...] = field(default=())


def lines(axis: Axis, curves: Sequence[Line]) -> Chart:
    """Curves over a common x, each with its interval as a band. Raises: ToolError without matplotlib."""
    with _figure(3.2) as (figure, axes):
        for number, curve in enumerate(map(thinned, curves)):
            colour, dash = _SERIES[number % len(_SERIES)], _DASHES[number % len(_DASHES)]
            marker = "o" if len(curve.x) < 12 else None
            axes.plot(
                curve.x, curve.y, color=colour, linestyle=dash, marker=marker, markersize=4, label=_label_of(curve.name)
            )
            if curve.low:
                axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        _label(axes, axis)
        axes.grid(visible=True, axis="y", linewidth=0.6)
        if len(curves) > 1:
            axes.legend(frameon=False, fontsize="small")
        return Chart(axis.title, _svg(figure), _alt_of_lines(axis, curves))


def bars(axis: Axis, series: Sequence[str], found: Sequence[Bar]) -> Chart:
    """Horizontal bars, one group a thing. Raises: ToolError without matplotlib."""
    with _figure(0.9 + 0.22 * max(2, len(found)) * max(1, len(series))) as (figure, axes):
        height = 0.8 / len(series)
        for number, name in enumerate(series):
            places = [place + number * height for place, bar in enumerate(found) if bar.values[number] is not None]
            some = [bar for bar in found if bar.values[number] is not None]
            errors = [bar.errors[number] for bar in some] if all(bar.errors for bar in some) else None
            axes.barh(
                places,
                [bar.values[number] or 0.0 for bar in some],
                height=height * 0.92,
                color=_SERIES[number % len(_SERIES)],
                xerr=errors,
                ecolor=_INK,
                capsize=2,
                label=_label_of(name),
            )
        axes.set_yticks([place + (len(series) - 1) * height / 2 for place in range(len(found))])
        axes.set_yticklabels([_short(bar.name) for bar in found])
        axes.invert_yaxis()
        _label(axes, axis)
        axes.grid(visible=True, axis="x", linewidth=0.6)
        if len(series) > 1:
            axes.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series))
        return Chart(axis.title, _svg(figure), f"{axis.title}: the values are in the table that follows.")


def thinned(curve: Line) -> Line:
    """The curve with at most MOST_POINTS points: the means of neighbours."""
    step = -(-len(curve.x) // MOST_POINTS)
    if step <= 1:
        return curve

    def means(values: Sequence[float]) -> list[float]:
        groups = [values[first : first + step] for first in range(0, len(values), step)]
        return [sum(group) / len(group) for group in groups]

    return Line(curve.name, means(curve.x), means(curve.y), means(curve.low), means(curve.high))


def banded(values: Sequence[Sequence[float]]) -> tuple[list[float], list[float], list[float]]:
    """Mean and ends of the 95 % interval of each group; a group of one or two has no width."""
    found = [mean_interval(group) if len(group) > 2 else None for group in values]
    middle = [one.mean if one else fmean(group) for one, group in zip(found, values, strict=True)]
    low = [one.low if one else mean for one, mean in zip(found, middle, strict=True)]
    high = [one.high if one else mean for one, mean in zip(found, middle, strict=True)]
    return middle, low, high


@contextmanager
def _figure(height: float) -> Iterator[tuple[Figure, Axes]]:
    """height: inches, beside a width of 7."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError("a report needs Jinja2 and matplotlib", "pip install 'jaragua[report]'") from error
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type, unused-ignore]
        figure = Figure(figsize=(7, min(height, 40)), layout="constrained")
        yield figure, figure.add_subplot()


def _label(axes: Axes, axis: Axis) -> None:
    axes.set_xlabel(axis.x)
    axes.set_ylabel(axis.y)
    if axis.percent:
        from matplotlib.ticker import PercentFormatter

        (axes.yaxis if axis.y else axes.xaxis).set_major_formatter(PercentFormatter(1, decimals=0))


def _short(name: str) -> str:
    """A longer name would leave no room for the chart; the table has it in full."""
    shown = text(name)
    return shown if len(shown) <= _LONGEST_LABEL else shown[:_LONGEST_LABEL] + "…"


def _label_of(name: str) -> str:
    """Matplotlib leaves what begins with an underscore out of a legend."""
    shown = _short(name)
    return f" {shown}" if shown.startswith("_") else shown


def _svg(figure: Figure) -> str:
    """The drawing as an element of a page: ids of its own, colours as variables, no prolog, no fixed size."""
    target = io.StringIO()
    with warnings.catch_warnings():
        # Of letters that matplotlib's font lacks: the browser has its own fonts.
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    found = target.getvalue()
    found = re.sub(r"<metadata>.*?</metadata>", "", found[found.index("<svg") :], flags=re.DOTALL)
    prefix = f"chart{next(_numbers)}-"
    found = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", found)
    for colour, variable in _VARIABLES.items():
        found = found.replace(colour, f"var({variable})")
    head, _, body = found.partition(">")
    return re.sub(r' (width|height)="[^"]*"', "", head) + ">" + body


def _alt_of_lines(axis: Axis, curves: Sequence[Line]) -> str:
    """First and last point of each curve, in words."""
    parts = [_ends(curve, percent=axis.percent) for curve in curves if curve.y]
    return f"{axis.title}. " + " ".join(parts) + " All values are in the table that follows."


def _ends(curve: Line, *, percent: bool) -> str:
    first, last = (f"{100 * one:.1f} %" if percent else f"{one:.4g}" for one in (curve.y[0], curve.y[-1]))
    return f"{text(curve.name)}: from {first} at {curve.x[0]:g} to {last} at {curve.x[-1]:g}."
