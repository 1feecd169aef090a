"""Text of peers made safe to show: control characters become escapes (protocol.md, P4)."""

from __future__ import annotations

import json
import re
from typing import Final

_PASSWORD: Final = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)")


def redacted(text: str) -> str:
    """The text without the passwords of URLs in it (G7)."""
    return _PASSWORD.sub(r"\1***", text) if "://" in text else text


def printable(text: str, keep: str = "") -> str:
    """The text with an escape in place of each character that is not printable and not in `keep`.

    That is every control character (C0, DEL, C1), line and paragraph separator, mark that turns the direction of
    writing, and lone surrogate.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def printable_json(text: str) -> str:
    """The same JSON: what `json.dumps(ensure_ascii=False)` leaves unescaped and a terminal would obey is escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _escape(char: str) -> str:
    if 0xDC80 <= ord(char) <= 0xDCFF:  # a byte of a name that is not UTF-8 (PEP 383)
        return f"\\x{ord(char) & 0xFF:02x}"
    return char.encode("unicode_escape").decode("ascii")
