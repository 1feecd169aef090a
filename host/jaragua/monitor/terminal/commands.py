"""What can be typed into the command line: requests of the protocol by name, and commands of the interface. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from jaragua.errors import UsageError
from jaragua.monitor import requests

#: Commands of the interface: name -> what it does. A request of the protocol never has one of these names.
LOCAL: Final = {
    "help": "the commands, or how a request is written: help REQUEST",
    "clear": "empty the list of lines",
    "pause": "stop or go on showing lines",
    "health": "show all health lines, or only changes",
    "hex": "show the bytes of both directions, or not",
    "only": "show only these kinds of lines: only log,round; only alone shows all",
    "next": "send requests to the next board",
    "quit": "end",
}


@dataclass(frozen=True)
class LocalCommand:
    """A command of the interface with the words behind it."""

    name: str
    words: tuple[str, ...] = ()


def parse(text: str) -> LocalCommand | str:
    """A command of the interface, or the text of a request. Raises: UsageError if it is neither."""
    name, *words = text.split() or [""]
    if name in LOCAL:
        return LocalCommand(name, tuple(words))
    if name in requests.names():
        return text
    near = get_close_matches(name, [*LOCAL, *requests.names()], n=1)
    raise UsageError(f"there is no command {name!r}", f"did you mean {near[0]!r}?" if near else "`help` lists them")


def help_text(words: tuple[str, ...]) -> str:
    """How a request is written, or all there is. Raises: UsageError."""
    if words:
        if words[0] in LOCAL:
            return f"{words[0]}: {LOCAL[words[0]]}"
        parse(words[0])
        return requests.usage(words[0])
    own = "\n".join(f"{name:<8} {text}" for name, text in LOCAL.items())
    return f"{own}\nrequests: {', '.join(requests.names())}"


def completions(text: str) -> list[str]:
    """Whole lines that the text could become."""
    name, space, rest = text.partition(" ")
    if not space:
        return [one for one in (*LOCAL, *requests.names()) if one.startswith(name)]
    if name == "help":
        return [f"help {one}" for one in (*LOCAL, *requests.names()) if one.startswith(rest)]
    return requests.completions(text)
