"""Numbers that the rules of docs/reference/protocol.md repeat are those of the definition, and of the node's ranges."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from jaragua.node.training.ranges import RANGES
from jaragua.wire import definitions as wire

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "reference" / "protocol.md").read_text("utf-8").split())

#: Words of a rule around its numbers -> the numbers of the definition.
STATED: dict[str, tuple[int, ...]] = {
    r"# Protocol (\d+)\.(\d+)\b": (wire.PROTOCOL_MAJOR, wire.PROTOCOL_MINOR),
    r"protocol (\d+)\.(\d+)`, then 0x00": (wire.PROTOCOL_MAJOR, wire.PROTOCOL_MINOR),
    r"payload ≤ (\d+) \| crc32 u32": (wire.MAX_PAYLOAD_BYTES,),
    r"total above (\d+)\b": (wire.MAX_PAYLOAD_BYTES,),
    r"window = min\w* of both \(1\.\.(\d+)\)": (wire.MAX_WINDOW,),
    r"first (\d+) ms, floor (\d+) ms, ceiling": (wire.RTO_FIRST_MS, wire.RTO_FLOOR_MS),
    r"[Aa]fter (\d+) timeouts in a row the link is lost": (wire.TIMEOUTS_UNTIL_LOST,),
    r"adds its overhead, (\d+)\b": (wire.FRAME_OVERHEAD_BYTES,),
    r"At \+(\d+) the size doubles \(at most (\d+)\), at -(\d+) it halves \(at least (\d+) =": (
        wire.SEGMENT_BALANCE_BYTES,
        wire.MAX_PAYLOAD_BYTES,
        wire.SEGMENT_BALANCE_BYTES,
        wire.MIN_SEGMENT_BYTES,
    ),
    r"While the size is below \d+, at most (\d+) frames are \w+": (wire.FLIGHT_ON_NOISE,),
    r"message \w+ up to (\d+) outputs": (wire.PREDICTION_OUTPUTS,),
    r"progress every (\d+) samples": (wire.PROGRESS_SAMPLES,),
}
SECONDS = {
    r"ceiling (\d+) s\b": wire.RTO_CEILING_MS,
    r"as an EVENT every (\d+) s\b": wire.HEALTH_PERIOD_MS,
}


@pytest.mark.parametrize("words", STATED)
def test_a_rule_states_the_numbers_of_the_definition(words: str) -> None:
    found = re.findall(words, PAGE)
    assert len(found) == 1, found
    numbers = found[0] if isinstance(found[0], tuple) else (found[0],)
    assert tuple(map(int, numbers)) == STATED[words]


@pytest.mark.parametrize("words", SECONDS)
def test_a_rule_states_the_times_of_the_definition(words: str) -> None:
    assert [1000 * int(number) for number in re.findall(words, PAGE)] == [SECONDS[words]]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (r"\*\*L1\.2\*\* Types: (.*?)\. MSG, DATA and SAMPLE", wire.FrameType),
        (r"LOG: `level u8 \| UTF-8 text` \((.*?)\)", wire.LogLevel),
    ],
)
def test_a_rule_lists_every_name_with_its_number(words: str, kind: type[IntEnum]) -> None:
    (found,) = re.findall(words, PAGE)
    listed = {name.upper(): int(number) for number, name in re.findall(r"(\d+) (\w+)", found)}
    assert listed == {member.name: member.value for member in kind}


def power(text: str) -> float:
    """2^31 - 1 and 1,000,000 as numbers; "below 1" is the largest number below it."""
    found = re.fullmatch(r"(\d+)\^(-?\d+)( - 1)?", text)
    if found:
        value = int(found[1]) ** int(found[2])
        return value - 1 if found[3] else value
    return float(text.replace(",", "").removeprefix("below ").removeprefix("above "))


def test_m12_states_the_range_of_every_field() -> None:
    (rule,) = re.findall(r"\*\*M12 Ranges\.\*\*(.*?)\*\*M13", PAGE)
    number = r"(?:\d+\^-?\d+|\d[\d,]*)(?: - 1)?"
    entries = re.findall(rf"((?:`[a-z-]+`(?:, )?)+): ((?:above )?{number}),? to ((?:below )?{number})", rule)
    stated = {
        name.replace("-", "_"): (power(smallest), power(largest))
        for names, smallest, largest in entries
        for name in re.findall(r"`([a-z-]+)`", names)
    }
    assert stated.keys() == RANGES.keys()
    for name, limits in stated.items():
        assert limits == pytest.approx(RANGES[name], rel=1e-12, abs=1e-300), name
