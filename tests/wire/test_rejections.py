"""P2, P4: what is rejected has a name and a number, and does not fill the log."""

from __future__ import annotations

import logging

import pytest

from jaragua.wire.rejections import LONGEST_TEXT, SECONDS_BETWEEN_LINES, Reason, Rejections, shown


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_p2_what_is_rejected_is_counted_by_its_reason() -> None:
    rejections = Rejections("the coordinator")
    for _ in range(3):
        rejections.add(Reason.FORMAT, "a/topic")
    rejections.add(Reason.CROWD, "a/topic")
    assert rejections.counts() == {"crowd": 1, "format": 3}
    assert rejections.total == 4


def test_p4_a_flood_is_a_line_in_ten_seconds_that_says_how_many(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    rejections = Rejections("the coordinator", clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            rejections.add(Reason.FORMAT, "a/topic", "no map")
        rejections.add(Reason.TOPIC, "another")
        clock.seconds += SECONDS_BETWEEN_LINES
        rejections.add(Reason.FORMAT, "a/topic", "no map")
    assert [record.getMessage() for record in caplog.records] == [
        "the coordinator rejected a message on a/topic, format: no map",
        "the coordinator rejected a message on another, topic: ",
        "the coordinator rejected a message on a/topic, format: no map (999 more of this kind since the last line)",
    ]


def test_p4_what_a_peer_sent_is_one_line_without_control_characters() -> None:
    assert shown("a\x1b[2J\nb\u202e\x9b\x7f") == "a\\x1b[2J\\nb\\u202e\\x9b\\x7f"
    assert len(shown("x" * 10_000)) == LONGEST_TEXT
