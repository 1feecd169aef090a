"""What pictures by matplotlib (extra `plots`) have in common: their kinds of file, and what is said without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from jaragua.errors import StoreError, UsageError
from jaragua.reasons import reason_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FORMATS: Final = (".svg", ".png", ".pdf")
NO_MATPLOTLIB: Final = "pictures need matplotlib"
WITH_MATPLOTLIB: Final = "pip install 'jaragua[plots]'"


def check_format(path: Path) -> None:
    """Raises: UsageError for a kind of file that is not a picture."""
    if path.suffix not in _FORMATS:
        raise UsageError(f"{path} is not a picture", f"its name must end in {', '.join(_FORMATS)}")


def write(figure: Figure, path: Path) -> None:
    """Write a figure; its folder is made. Raises: StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {reason_of(error)}", "check the folder and its rights") from error
