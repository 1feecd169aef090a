"""The picture of the layers in docs/design/architecture.md, from the contracts in pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "layers.svg"

#: Sizes in pixels: a layer's height, the gap between layers and between rooms, the margin, a character's width.
_ROW, _GAP, _MARGIN, _LETTER = 30, 8, 16, 7.2
_HEADINGS = ("Packages", "Compiler", "Host")
_STYLE = (
    "text{font:12px monospace;fill:#1b2a2f;text-anchor:middle}"
    ".h{font-weight:bold;font-size:13px}"
    "rect{fill:#e3f2f1;stroke:#00796b;rx:4}"
)


def contracts() -> list[list[list[str]]]:
    """The layers of each contract from top to bottom, and the rooms of each layer."""
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    return [[layer.split(" | ") for layer in contract["layers"]] for contract in described]


def picture() -> str:
    """The whole picture: a column for each contract; a room may import those below it in its column."""
    columns = contracts()
    widths = [max(sum(_width(room) + _GAP for room in layer) for layer in column) for column in columns]
    height = _MARGIN * 3 + max(len(column) for column in columns) * (_ROW + _GAP)
    parts, left = [], float(_MARGIN)
    for heading, column, width in zip(_HEADINGS, columns, widths, strict=True):
        parts += [f'<text class="h" x="{left + width / 2:g}" y="{_MARGIN + 4}">{heading}</text>']
        parts += _column(column, left, width, height)
        left += width + 2 * _MARGIN
    size = f'viewBox="0 0 {left:g} {height}" width="{left:g}" height="{height}"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{_STYLE}</style>", *parts, "</svg>\n"]
    )


def _column(layers: Sequence[Sequence[str]], left: float, width: float, height: float) -> Iterator[str]:
    """The boxes of one column, its lowest layer on the ground."""
    for number, layer in enumerate(reversed(layers)):
        top = height - _MARGIN - (number + 1) * (_ROW + _GAP)
        spare = (width - sum(_width(room) + _GAP for room in layer)) / len(layer)
        place = left
        for room in layer:
            box = _width(room) + spare
            yield f'<rect x="{place:g}" y="{top:g}" width="{box:g}" height="{_ROW}"/>'
            yield f'<text x="{place + box / 2:g}" y="{top + _ROW / 2 + 4:g}">{escape(room)}</text>'
            place += box + _GAP


def _width(room: str) -> float:
    return round(len(room) * _LETTER + 2 * _GAP, 1)
