"""The standard streams of the command, made ready once: no character and no closed stream can end a verb.

The environment chooses the encoding of a terminal or a pipe. What it cannot carry is written in ASCII: signs
by what they look like, letters as escapes (a name must stay exact).
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata

_HANDLER = "jaragua.ascii"

#: The signs that messages, tables and help pages use, and those that readers often have in their own names and texts.
_SIGNS = {
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "±": "+/-",
    "×": "x",
    "·": "*",
    "•": "*",
    "→": "->",
    "←": "<-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "∞": "inf",
    "²": "^2",
    "³": "^3",
    "°": " deg ",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "\u00a0": " ",
    "\u202f": " ",
}


def prepare() -> None:
    """Make stdout, stderr and the first three file descriptors safe to use. For the start of the program."""
    _occupy_closed_descriptors()
    codecs.register_error(_HANDLER, _written_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)
    if sys.stderr is None:  # closed (2>&-)
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the program runs


def carried(text: str) -> str:
    """The text with ASCII in place of what stdout cannot carry; as it is where stdout has no encoding."""
    encoding = getattr(sys.stdout, "encoding", None)
    if encoding is None:
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_or_ascii(letter, encoding) for letter in text)
    return text


def ascii_form(letter: str) -> str:
    """One character in ASCII: a sign that looks like it, or an escape such as Python's."""
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8 (PEP 383)
        return f"\\x{code & 0xFF:02x}"
    name = unicodedata.name(letter, "")
    if name.startswith("BOX DRAWINGS"):
        return _line_form(set(name.replace("-", " ").split()))
    if 0x2580 <= code <= 0x259F:  # block elements
        return "#"
    return _SIGNS.get(letter) or letter.encode("ascii", "backslashreplace").decode("ascii")


def _line_form(words: set[str]) -> str:
    """words: of a box drawing character's Unicode name."""
    across = bool(words & {"HORIZONTAL", "LEFT", "RIGHT"})
    down = bool(words & {"VERTICAL", "UP", "DOWN"})
    return "+" if across and down else "|" if down else "-"


def _written_out(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs` for encoding."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(ascii_form, error.object[error.start : error.end])), error.end


def _or_ascii(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return ascii_form(letter)
    return letter


def _occupy_closed_descriptors() -> None:
    """Else the first file or socket that is opened gets the number of a closed stream, and children write into it."""
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:
        os.set_inheritable(opened, True)
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
