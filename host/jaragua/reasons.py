"""Reasons in plain words, where a library or the operating system has words of its own."""

from __future__ import annotations

import re

_ERRNO = re.compile(r"\[Errno -?\d+\] ")
#: What pydantic says of a value, and what a person reads; the groups of the pattern may be used.
_VALUES = (
    (r"valid dictionary or instance of \w+", "a section, with its keys below a line in brackets"),
    (r"valid integer.*", "a whole number"),
    (r"valid number.*", "a number"),
    (r"valid string.*", 'text in quotes ("…")'),
    (r"valid boolean.*", "true or false"),
    (r"valid list.*", "a list in brackets"),
)
_VALUE = re.compile(r"(Input )?should be (an? )?(?P<what>.*)", re.DOTALL)


def reason_of(error: BaseException) -> str:
    """Why something failed, without the numbers of the operating system."""
    if isinstance(error, FileExistsError):
        return "a file is in its place"
    if isinstance(error, NotADirectoryError):
        return "a part of its path is a file"
    return getattr(error, "strerror", None) or _ERRNO.sub("", str(error))


def value_in_words(message: str) -> str:
    """What pydantic says about a value, from "must be" on; as it is if it says something else."""
    found = _VALUE.fullmatch(message)
    if found is None:
        return message.removeprefix("Value error, ")
    what = found["what"]
    for pattern, words in _VALUES:
        if re.fullmatch(pattern, what):
            return f"must be {words}"
    return f"must be {found[2] or ''}{what}"
