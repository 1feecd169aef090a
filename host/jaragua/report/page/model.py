"""What a page consists of: sections with text, tables and charts. Pure."""

from __future__ import annotations

from dataclasses import field

from jaragua.bases.value import Value


class Cell(Value):
    """A field of a table. fraction: 0..1, how dark it is shaded; None: not at all."""

    text: str
    fraction: float | None = None


class Table(Value):
    """A table with a caption. columns: heading, and whether it is of numbers. folded: closed until it is opened."""

    caption: str
    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False


class Chart(Value):
    """A drawn chart. svg: markup of our own, in which every text is escaped; alt: what it shows, in words."""

    title: str
    svg: str
    alt: str


class Section(Value):
    """One heading and what stands under it. code: text as it is, to be copied."""

    title: str
    anchor: str
    paragraphs: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    code: tuple[str, ...] = ()


class Part(Value):
    """One run, or the comparison of several. figures: the few that are looked for first, label and value."""

    title: str
    anchor: str
    lead: str
    figures: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = field(default_factory=tuple)


def rows(*lines: tuple[str | Cell, ...]) -> tuple[tuple[Cell, ...], ...]:
    """Rows of a table; a text is a cell that is not shaded."""
    return tuple(tuple(one if isinstance(one, Cell) else Cell(one) for one in line) for line in lines)
