"""The order of the test files in a run of several processes (schedule.py)."""

from __future__ import annotations

import random
from itertools import groupby
from pathlib import Path

import pytest

from schedule import TESTS, file_seconds, reported_seconds, sort_longest_first

REPORT = """<testsuites><testsuite>
<testcase classname="tests.compiler.test_long" name="test_one[a]" time="2.5"/>
<testcase classname="tests.cli.test_longest" name="test_one" time="7.25"/>
<testcase classname="tests.compiler.test_long" name="test_other" time="3.0"/>
<testcase classname="tests.wire.test_short" name="test_one" time="0.3"/>
</testsuite></testsuites>"""


def test_the_listed_files_are_there_and_the_longest_is_first() -> None:
    seconds = file_seconds()
    assert [file for file in seconds if not (TESTS / file).is_file()] == []
    assert list(seconds.values()) == sorted(seconds.values(), reverse=True)


def test_the_seconds_of_a_file_are_those_of_its_tests(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert reported_seconds(report) == {"cli/test_longest.py": 7, "compiler/test_long.py": 6}


class Item:
    """What sorting asks of a test."""

    def __init__(self, file: str, number: int) -> None:
        self.path = TESTS / file
        self.number = number


def test_the_longest_file_is_first_and_its_tests_stay_in_their_order() -> None:
    files = [*file_seconds(), "a/test_not_listed.py"]
    shuffled = random.Random(1).sample(files, len(files))
    items = [Item(file, number) for file in shuffled for number in range(3)]
    sort_longest_first(items)  # type: ignore[arg-type]
    assert [item.number for item in items] == [0, 1, 2] * len(files)
    seconds = [file_seconds().get(path.relative_to(TESTS).as_posix(), 0) for path, _ in groupby(items, _path)]
    assert len(seconds) == len(files)
    assert seconds == sorted(seconds, reverse=True)


def _path(item: Item) -> Path:
    return item.path


def test_a_process_of_several_has_its_tests_in_that_order(request: pytest.FixtureRequest) -> None:
    items = list(request.session.items)
    if hasattr(request.config, "workerinput"):
        sort_longest_first(items)
    assert items == request.session.items
