"""What of a board's words is shown, and how: pure functions (docs/reference/monitor.md, T1 to T4)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jaragua.errors import UsageError
from jaragua.monitor import requests
from jaragua.monitor.filters import HealthChanges, filter_of
from jaragua.monitor.hexdump import line_of_bytes
from jaragua.monitor.limit import LineLimit
from jaragua.monitor.stamps import Stamps, Timestamp
from jaragua.monitor.text import plain_text
from jaragua.serial.lines import Line
from jaragua.wire.definitions import LogLevel
from jaragua.wire.messages import Cancel, Forget, HealthRead, JobBegin, PrototypeRead


def health(**changes: Any) -> Line:
    quiet = {"retransmits": 0, "naks": 0, "bad_crc": 0, "duplicates": 0, "uptime_ms": 1000, "stack_free_bytes": 900}
    return Line("health", "up", quiet | changes)


def test_t2_health_is_shown_once_a_session_and_when_it_gets_worse() -> None:
    changes = HealthChanges()
    assert changes.passes(health())
    assert not changes.passes(health(uptime_ms=3000))
    assert changes.passes(health(uptime_ms=5000, naks=1))
    assert not changes.passes(health(uptime_ms=7000, naks=1))
    assert changes.passes(health(uptime_ms=9000, naks=1, stack_free_bytes=800))
    assert changes.passes(health(uptime_ms=100, naks=1, stack_free_bytes=800))
    assert changes.passes(Line("session", "open"))
    assert changes.passes(health(uptime_ms=200, naks=1, stack_free_bytes=800))


@pytest.mark.parametrize(
    ("only", "hide", "level", "grep", "shown"),
    [
        ([], [], "debug", "", "session log warning link"),
        (["log,session"], [], "debug", "", "session log warning link"),
        (["session"], [], "debug", "", "session link"),
        ([], ["log"], "debug", "", "session link"),
        ([], [], "warning", "", "warning link"),
        ([], [], "debug", "hot$", "warning link"),
    ],
)
def test_t3_a_line_passes_all_filters(only: list[str], hide: list[str], level: str, grep: str, shown: str) -> None:
    lines = {
        "session": Line("session", "open"),
        "log": Line("log", "cold"),
        "warning": Line("log", "too hot", level=LogLevel.WARNING),
        "link": Line("link", "1.0 s"),
    }
    chosen = filter_of(only, hide, level, grep)
    assert [name for name, line in lines.items() if chosen.passes(line)] == shown.split()


def test_a_regular_expression_that_is_none_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="is not a regular expression"):
        filter_of([], [], "debug", "(")


def test_t4_timestamps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    written = {kind: Stamps(kind, 1_000_000_000.0) for kind in Timestamp}
    first = {kind: stamps.text(1_000_000_001.5) for kind, stamps in written.items()}
    second = {kind: stamps.text(1_000_000_001.75) for kind, stamps in written.items()}
    assert first[Timestamp.CLOCK] == "01:46:41.500 "
    assert first[Timestamp.START].strip() == "1.500"
    assert first[Timestamp.ISO] == "2001-09-09T01:46:41.500+00:00 "
    assert (first[Timestamp.NONE], first[Timestamp.DELTA].strip()) == ("", "+0.000")
    assert second[Timestamp.DELTA].strip() == "+0.250"
    monkeypatch.undo()
    time.tzset()


def test_t1_further_lines_of_an_event_stand_below_the_first() -> None:
    first, second = plain_text(Line("identity", "one\ntwo\x1b[0m"), "12:00:00 ", "ttyACM0").splitlines()
    assert first == "12:00:00 ttyACM0 identity   one"
    assert second.strip() == "two\\x1b[0m"
    assert second.index("two") == first.index("one")


def test_bytes_are_shown_as_digits_and_letters() -> None:
    line = line_of_bytes(b"\x00Jaragua says 12345\xff", out=True)
    first, second = line.text.splitlines()
    assert first == "> 0000  00 4a 61 72 61 67 75 61 20 73 61 79 73 20 31 32  .Jaragua says 12"
    assert second == "> 0010  33 34 35 ff                                      345."


def test_requests_are_typed_by_name() -> None:
    assert requests.parse("health-read", 7) == HealthRead(7)
    assert requests.parse("cancel 0x10", 8) == Cancel(8, 16)
    assert requests.parse("prototype-read offset=64 label=3", 9) == PrototypeRead(9, 3, 64)
    begin = requests.parse(
        f"job-begin 1 4 {'00' * 32} 0 0 12 0 1 0 0 fresh=yes",
        10,
    )
    assert isinstance(begin, JobBegin)
    assert (begin.base, begin.samples, begin.fresh, begin.rejection) == (bytes(32), 12, True, 1 << 15)
    assert requests.parse("forget label=2", 11) == Forget(11, 2)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("", "there is no request", "requests are"),
        ("helth-read", "there is no request 'helth-read'", "did you mean 'health-read'"),
        ("cancel", "cancel needs job", "cancel job=int"),
        ("cancel 1 2", "takes 1 values, not 2", "cancel job=int"),
        ("cancel jib=1", "has no field 'jib'", "cancel job=int"),
        ("cancel job=1 job=2", "job is given twice", "cancel"),
        ("cancel job=x", "job='x' is not a whole number", "0x"),
        ("cancel -1", "", "cancel job=int"),
        ("cancel 99999999999", "", "cancel job=int"),
        ("blob-end sha256=zz", "is not hexadecimal digits", "0x"),
    ],
)
def test_a_request_that_is_none_is_a_sentence_with_how_it_is_written(text: str, what: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        requests.parse(text, 1)
    assert what in caught.value.message
    assert hint in caught.value.hint


def test_requests_are_completed() -> None:
    assert requests.completions("he") == ["health-read"]
    assert requests.completions("prototype-read ") == ["prototype-read label=", "prototype-read offset="]
    assert requests.completions("prototype-read label=3 ") == ["prototype-read label=3 offset="]
    assert requests.completions("prototype-read label=3 off") == ["prototype-read label=3 offset="]
    assert requests.completions("nothing ") == []
    assert set(requests.completions("")) == set(requests.names())


def test_t5_more_than_so_many_lines_of_a_board_are_counted() -> None:
    shown: list[Line] = []
    limit = LineLimit(shown.append, clock=lambda: 0.0)
    for _ in range(600):
        limit(Line("log", "again"))
    limit(Line("session", "ended"))
    assert [line.text for line in shown[500:]] == ["100 lines suppressed", "ended"]
