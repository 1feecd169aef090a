"""Bytes as lines: hexadecimal digits and letters, sixteen in a row."""

from __future__ import annotations

from typing import Final

from jaragua.serial.lines import Line
from jaragua.wire.definitions import LogLevel

_ROW: Final = 16


def line_of_bytes(data: bytes, *, out: bool) -> Line:
    """A line of kind `bytes`: `out`: to the board."""
    arrow = ">" if out else "<"
    rows = [_row(data[at : at + _ROW], at) for at in range(0, len(data), _ROW)]
    text = "\n".join(f"{arrow} {row}" for row in rows)
    return Line("bytes", text, {"out": out, "hex": data.hex()}, LogLevel.DEBUG)


def _row(data: bytes, at: int) -> str:
    digits = data.hex(" ")
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{at:04x}  {digits:<{3 * _ROW - 1}}  {letters}"
