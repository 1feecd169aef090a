"""A picture of the learning curves of a run's devices, drawn by matplotlib (extra `plots`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaragua.errors import ToolError
from jaragua.report.pictures import NO_MATPLOTLIB, WITH_MATPLOTLIB, check_format, write


def draw(summary: dict[str, Any], path: Path) -> None:
    """Write the picture: the metric of every device by round, on what it had just trained on.

    summary: of `read_run`. Raises: ToolError without matplotlib, UsageError for an unknown kind of file, StoreError if
    nothing can be written.
    """
    check_format(path)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError(NO_MATPLOTLIB, WITH_MATPLOTLIB) from error
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for device, points in summary["curves"].items():
        axes.plot([one["round"] for one in points], [one["score"] for one in points], label=device, linewidth=1)
    axes.set(title=f"{summary['name']}: {summary['strategy']} on {summary['model']}", xlabel="round")
    axes.set_ylabel(summary["last_round"].get("metric", ""))
    if summary["curves"]:
        axes.legend(fontsize="small")
    write(figure, path)
