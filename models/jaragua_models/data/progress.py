"""A bar of progress on a terminal; one line in a log."""

from types import TracebackType
from typing import Self, TextIO

BAR_WIDTH = 30
MEGABYTE = 1_000_000


class Progress:
    """Shows how much of one file has arrived. Nothing is written until the first `show`."""

    def __init__(self, name: str, screen: TextIO) -> None:
        self._name = name
        self._screen = screen
        self._shown = ""

    def show(self, have_bytes: int, total_bytes: int | None) -> None:
        """Redraw the bar; where there is no terminal, only the first call writes."""
        text = line(self._name, have_bytes, total_bytes)
        if self._screen.isatty():
            if text != self._shown:
                self._screen.write(f"\r{text}")
        elif not self._shown:
            self._screen.write(f"downloading {self._name}\n")
        self._shown = text
        self._screen.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._shown and self._screen.isatty():
            self._screen.write("\n")
            self._screen.flush()


def line(name: str, have_bytes: int, total_bytes: int | None) -> str:
    """One drawing of the bar; without a total it only counts."""
    if not total_bytes:
        return f"{name}  {have_bytes / MEGABYTE:.1f} MB"
    done = BAR_WIDTH * have_bytes // total_bytes
    bar = "#" * done + "." * (BAR_WIDTH - done)
    return f"{name}  [{bar}]  {have_bytes / MEGABYTE:.1f} of {total_bytes / MEGABYTE:.1f} MB"
