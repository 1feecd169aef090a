"""The order of the test files in a run of several processes: the longest first, so that none is left to run alone.

    python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --junitxml=report.xml
    python tests/schedule.py report.xml        (writes file_seconds.json anew)

The seconds are rough: they only decide the order, and a file that is not listed comes last.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

TESTS = Path(__file__).parent
SECONDS_FILE = TESTS / "file_seconds.json"
_LEAST_SECONDS = 2


def file_seconds() -> dict[str, int]:
    """Seconds of each long file, by its path below tests/."""
    found: dict[str, int] = json.loads(SECONDS_FILE.read_text(encoding="utf-8"))
    return found


def sort_longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by the seconds of their file; the tests of a file stay together, in their order."""
    seconds = file_seconds()
    items.sort(key=lambda item: -seconds.get(_below_tests(item.path), 0))


def _below_tests(path: Path) -> str:
    return path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""


def reported_seconds(report: Path) -> dict[str, int]:
    """The seconds of each file in pytest's --junitxml, the longest first, without the short ones."""
    seconds: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.attrib["classname"].removeprefix("tests.").replace(".", "/")
        seconds[f"{module}.py"] += float(case.attrib["time"])
    longest_first = sorted(seconds.items(), key=lambda pair: (-pair[1], pair[0]))
    return {file: round(spent) for file, spent in longest_first if spent >= _LEAST_SECONDS}


def main(arguments: Sequence[str]) -> None:
    """Write file_seconds.json from a report."""
    text = json.dumps(reported_seconds(Path(arguments[0])), indent=2)
    SECONDS_FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
