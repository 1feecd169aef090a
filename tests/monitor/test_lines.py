"""What the monitor shows: pure functions from events to lines."""

from __future__ import annotations

import dataclasses
import json

import pytest

from jaragua.serial import lines
from jaragua.wire import messages
from jaragua.wire.definitions import FrameType, LogLevel, ResetCause
from jaragua.wire.link import link
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.frames import Hello

IDENTITY = messages.Identity(
    1, 1, 0, "0.1.0", bytes(8), "qemu_m4", b"\x01\x02\x03\x04", "digits", bytes(8), 4928, 64, 10, True,
    b"\xab" * 32, b"", 240, 8, 1, 19460, 16416, 740, 0b1011,
)  # fmt: skip
HEALTH = messages.Health(0, 12_340, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1000, 4096, 12, 40_000, 60, 120)


def announced(message: messages.Message) -> lines.Line:
    return lines.of_event(link.Announced(messages.encode(message)))


def test_l4_1_identity_names_board_model_memory_and_weights() -> None:
    line = lines.of_message(IDENTITY)
    for words in ("qemu_m4", "01020304", "digits", "64 inputs", "10 classes", "19460", "abababababab…", "working none"):
        assert words in line.text
    assert "dense, relu, mean_squared_error" in line.text
    assert line.fields["uid"] == "01020304"


def test_w1_identity_says_in_a_word_why_the_board_started() -> None:
    line = lines.of_message(dataclasses.replace(IDENTITY, reset_cause=ResetCause.WATCHDOG))
    assert "started by watchdog\n" in line.text


def test_l4_8_health_shows_the_link_and_the_stack() -> None:
    line = announced(HEALTH)
    assert line.kind == "health"
    for words in ("up 12.3 s", "7 retransmits", "8 NAKs", "9 bad CRC", "10 duplicates", "11 ms", "3096 of 4096 bytes"):
        assert words in line.text


def test_l4_8_progress_shows_the_mean_loss() -> None:
    line = announced(messages.Progress(7, 16, 50, 12, 16 * 1024, 11))
    assert line.text == "job 7: 16 of 50 samples, 12 right, loss 0.5000"


@pytest.mark.parametrize(
    ("event", "kind", "words", "level"),
    [
        (link.SessionOpened(0x1234, Hello(1, 8, 1, 0)), "session", "0x1234", LogLevel.INFO),
        (link.SessionEnded(ResetCause.WATCHDOG), "session", "watchdog", LogLevel.WARNING),
        (link.SessionEnded(99), "session", "number 99", LogLevel.WARNING),
        (link.LinkLost(), "session", "nothing answers", LogLevel.WARNING),
        (link.Logged(LogLevel.ERROR, "oh"), "log", "error: oh", LogLevel.ERROR),
        (link.Logged(77, "oh"), "log", "number 77: oh", LogLevel.INFO),
        (link.Noise("jaragua 0.1.0"), "text", "jaragua 0.1.0", LogLevel.INFO),
        (link.Announced(b"\xff"), "malformed", "part of CBOR", LogLevel.WARNING),
        (link.Received(FrameType.DATA, b"abc"), "data", "3 bytes", LogLevel.INFO),
        (
            link.Received(FrameType.MSG, messages.encode(messages.Status(3, 8, 0))),
            "status",
            "no_blob",
            LogLevel.WARNING,
        ),
        (
            link.Received(FrameType.MSG, messages.encode(messages.BlobState(3, 8, False))),
            "blob-state",
            "8",
            LogLevel.INFO,
        ),
    ],
)
def test_every_event_has_a_line(event: link.LinkEvent, kind: str, words: str, level: LogLevel) -> None:
    line = lines.of_event(event)
    assert (line.kind, line.level) == (kind, level)
    assert words in line.text
    json.dumps(line.fields)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (messages.BlobState(1, 4928, True), "complete"),
        (
            messages.JobState(1, 7, 0, 2, 50, 40, 51200, 11, 8543, 1),
            "train done, 50 samples, 40 right, loss 0.5000, 8543",
        ),
        (messages.Prediction(7, 3, 0, (1, -2)), "sample 3: 1 -2"),
        (messages.Prediction(7, 3, 64, (1, -2)), "sample 3 from output 64: 1 -2"),
        (messages.Status(1, 0, 0), "ok"),
    ],
)
def test_every_message_has_words(message: messages.Response, words: str) -> None:
    line = lines.of_message(message)
    assert words in line.text
    json.dumps(line.fields)


def test_l3_5_the_summary_shows_the_hosts_counters() -> None:
    line = lines.of_counters(LinkCounters(frames_in=5, bytes_in=100, retransmits=2, rtt_ms=1.25), 3.0)
    assert "2 retransmits" in line.text
    assert line.fields["retransmits"] == 2


def test_bytes_that_are_never_a_frame_hint_at_the_baud_rate() -> None:
    assert "baud" in lines.of_counters(LinkCounters(bytes_in=100), 3.0).text
