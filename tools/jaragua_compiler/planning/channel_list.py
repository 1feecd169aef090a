"""The notation for channels of a layer: `8` for the first eight, `0-3+7+9` for those, `7-7` for one alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from jaragua_compiler.errors import CompileError

ChannelList = tuple[int, ...]


def read_channels(text: str, place: str, count: int) -> ChannelList:
    """The channels a text names, in rising order. `place` names the layer in errors, `count` is how many it has.

    Raises CompileError for what is no such text, for a channel the layer has not, and for one named twice.
    """
    if _is_number(text):
        return _first(int(text), place, count)
    found: list[int] = []
    for part in text.split("+"):
        found += _span(part, text, place, count)
    found.sort()
    for one, next_one in pairwise(found):
        if one == next_one:
            raise CompileError(f"{place}: {text!r} names channel {one} twice.", "Name it once.")
    return tuple(found)


def write_channels(channels: Sequence[int]) -> str:
    """Rising channels in the shortest text that `read_channels` takes for them."""
    if tuple(channels) == tuple(range(len(channels))):
        return str(len(channels))
    text = "+".join(spans(channels))
    return f"{text}-{text}" if text.isdecimal() else text


def spans(channels: Sequence[int]) -> Iterator[str]:
    """Numbers in their order, those that follow one another as `first-last`."""
    start = 0
    for place in range(1, len(channels) + 1):
        if place == len(channels) or channels[place] != channels[place - 1] + 1:
            first, last = channels[start], channels[place - 1]
            yield str(first) if first == last else f"{first}-{last}"
            start = place


def _first(number: int, place: str, count: int) -> ChannelList:
    if not 1 <= number <= count:
        reason = f"{place}: '{number}' is not a number of channels, it has {count}"
        raise CompileError(f"{reason}.", _hint(count))
    return tuple(range(number))


def _span(part: str, text: str, place: str, count: int) -> range:
    """`7`, or `0-3` with both ends."""
    first, dash, last = part.partition("-")
    ends = (first, last) if dash else (first, first)
    if not all(map(_is_number, ends)) or int(ends[0]) > int(ends[1]):
        raise CompileError(f"{place}: {text!r} is no list of channels.", _hint(count))
    if int(ends[1]) >= count:
        raise CompileError(f"{place} has no channel {int(ends[1])}.", _hint(count))
    return range(int(ends[0]), int(ends[1]) + 1)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def _hint(count: int) -> str:
    return f"Give how many of the first channels, 1 to {count}, or which, 0 to {count - 1}, as in 0-3+7."
