"""A picture of the learning curves of a run's devices, drawn by matplotlib (extra `plots`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaragua.errors import StoreError, ToolError, UsageError
from jaragua.reasons import reason_of

_FORMATS = (".svg", ".png", ".pdf")


def draw(summary: dict[str, Any], path: Path) -> None:
    """Write the picture: the metric of every device by round, on what it had just trained on.

    summary: of `read_run`. Raises: ToolError without matplotlib, UsageError for an unknown kind of file, StoreError if
    nothing can be written.
    """
    if path.suffix not in _FORMATS:
        raise UsageError(f"{path} is not a picture", f"its name must end in {', '.join(_FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError("pictures need matplotlib", "pip install 'jaragua[plots]'") from error
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for device, points in summary["curves"].items():
        axes.plot([one["round"] for one in points], [one["score"] for one in points], label=device, linewidth=1)
    axes.set(title=f"{summary['name']}: {summary['strategy']} on {summary['model']}", xlabel="round")
    axes.set_ylabel(summary["last_round"].get("metric", ""))
    if summary["curves"]:
        axes.legend(fontsize="small")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {reason_of(error)}", "check the folder and its rights") from error
