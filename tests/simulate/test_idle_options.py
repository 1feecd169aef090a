"""Options of `jaragua simulate` that change nothing here are refused, or said: never silently ignored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jaragua.cli.main import run

SINE = ("simulate", "--task", "sine", "--eval-tasks", "2", "--workers", "1", "--json")
#: What most cases have; later words win.
SHORT = (*SINE, "--rounds", "3", "--clients", "5")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code, and the sentence of an error, or the notes."""
    code = run(list(words))
    found = capsys.readouterr()
    document = json.loads(found.out)
    if code:
        return code, str(document["error"]["message"])
    return code, "\n".join(line for line in found.err.splitlines() if line.startswith("note: "))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--trim", "0.2"), "without --combine trimmed-mean, --trim would change nothing"),
        (("--trim", "0.3", "--combine", "median"), "without --combine trimmed-mean, --trim would change nothing"),
        (("--save-every", "10"), "without --state FOLDER, --save-every would change nothing"),
        (("--buffer", "2", "--slow-factor", "4"), "without --slow-fraction, --slow-factor would change nothing"),
        (("--option", "delta_bits=8", "--option", "delta_bits=16"), "--option delta_bits is given twice"),
        (("--workers", "1000000"), "--workers"),
        (("--loss-threshold", "-0.1"), "--loss-threshold"),
        (("--replay-buffer-size", "-1"), "--replay-buffer-size"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    code, message = told(capsys, *SHORT, *words)
    assert code == 2
    assert sentence in message


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (("--strategy", "scratch", "--rounds", "3", "--combine", "median"), "--rounds, --combine: 'scratch' trains"),
        (("--rounds", "0", "--train-shots", "4"), "--train-shots: '--rounds 0' only evaluates"),
        (("--rounds", "3", "--strategy", "transfer", "--alpha", "0.5"), "--alpha: 'transfer' does not ask for it"),
        (
            ("--rounds", "0", "--learning-rate", "0.02", "--adapt-learning-rate", "0.01"),
            "--learning-rate: '--rounds 0'",
        ),
        (
            ("--rounds", "3", "--clients", "3", "--buffer", "3", "--staleness-exponent", "1"),
            "--staleness-exponent: rounds whose buffer",
        ),
        (("--rounds", "3", "--clients", "1", "--norm-clip-factor", "2"), "--norm-clip-factor: there is one update"),
        (("--rounds", "1", "--alpha-final", "0.5"), "--alpha-final: 'tinyreptile' does not ask for it, or not in so"),
        (("--rounds", "3", "--strategy", "transfer", "--combine", "median"), "--combine: there is one update"),
        (("--rounds", "3", "--clients", "1", "--outlier-factor", "3"), "--outlier-factor: there is one update"),
        (
            ("--rounds", "3", "--clients", "2", "--outlier-factor", "3"),
            "--outlier-factor: of 2 updates none can be told to be far",
        ),
        (("--rounds", "3", "--clients", "4", "--combine", "trimmed-mean"), "--combine: 0.2 of 4 updates is less"),
        (
            ("--rounds", "3", "--clients", "5", "--buffer", "2", "--slow-fraction", "0.05"),
            "--slow-fraction: of 5 devices",
        ),
        (
            ("--rounds", "3", "--passes", "1", "--adapt-passes", "1", "--replay-buffer-size", "4"),
            "--replay-buffer-size: devices go over their",
        ),
        (
            ("--rounds", "0", "--adapt-passes", "1", "--replay-buffer-size", "4"),
            "--replay-buffer-size: devices go over their samples once",
        ),
        (
            ("--strategy", "scratch", "--adapt-passes", "1", "--replay-buffer-size", "4"),
            "--replay-buffer-size: devices go over their samples",
        ),
    ],
)
def test_what_may_stand_there_for_a_comparison_is_said(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], options: str
) -> None:
    code, notes = told(capsys, *SINE, *words)
    assert code == 0
    assert notes.startswith(f"note: {options}")
    assert "\n" not in notes


@pytest.mark.parametrize(
    "words",
    [
        ("--combine", "trimmed-mean", "--trim", "0.2", "--outlier-factor", "5", "--norm-clip-factor", "2"),
        ("--alpha", "0.5", "--alpha-final", "0.5", "--passes", "2", "--batch", "4"),
        ("--strategy", "fedavg", "--passes", "2", "--batch", "4"),
        (
            "--buffer",
            "3",
            "--slow-fraction",
            "0.2",
            "--slow-factor",
            "2",
            "--staleness-exponent",
            "1",
            "--max-staleness",
            "5",
        ),
        ("--passes", "10000", "--batch", "0", "--rounds", "1", "--shots", "1"),
        ("--clients", "1", "--norm-clip-factor", "0.5"),
        ("--passes", "2", "--batch", "1", "--replay-buffer-size", "4", "--loss-threshold", "0.01"),
    ],
)
def test_of_what_works_nothing_is_said(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert told(capsys, *SHORT, *words) == (0, "")


def test_what_new_devices_adapt_with_works_without_training(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--adapt-passes", "2", "--replay-buffer-size", "4", "--loss-threshold", "0.01")
    for untrained in (("--rounds", "0"), ("--strategy", "scratch")):
        assert told(capsys, *SINE, *untrained, *words) == (0, "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--adapt-learning-rate", "5"), "adapt_learning_rate is 5, which is out of range"),
        (("--adapt-batch", "1000001"), "adapt_batch is 1000001, which is out of range"),
        (("--norm-clip-factor", "inf"), "norm_clip_factor is inf, which is out of range"),
        (("--loss-threshold", "inf"), "loss_threshold is inf, which is out of range"),
        (("--replay-buffer-size", "1000001"), "replay_buffer_size is 1000001, which is out of range"),
        (
            ("--replay-buffer-size", "4", "--batch", "5"),
            "replay_buffer_size is 4, which takes a batch of 1 and no proximal term",
        ),
        (
            ("--replay-buffer-size", "4", "--strategy", "fedprox"),
            "replay_buffer_size is 4, which takes a batch of 1 and no proximal term",
        ),
        (
            ("--replay-buffer-size", "4", "--adapt-batch", "5"),
            "replay_buffer_size is 4, which takes a batch of 1, and adapt_batch is 5",
        ),
        (("--outlier-factor", "inf"), "outlier_factor is inf, which is out of range"),
    ],
)
def test_a_number_that_makes_no_sense_is_named_as_it_was_given(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert told(capsys, *SHORT, *words) == (3, sentence)


def test_no_end_of_the_scale_is_offered_that_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT, "--buffer", "2", "--staleness-exponent", "inf"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["hint"] == "a number from 0 on is possible"


def test_it_says_whose_data_lies_idle(use_data: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    """As many devices as train in a round is not always what a new user means (docs/reference/tasks.md, Keywords)."""
    use_data("room_occupancy_estimation")
    words = ("simulate", "--task", "presence", "--eval-tasks", "2", "--rounds", "1", "--workers", "1", "--json")
    code, note = told(capsys, *words, "--clients", "2")
    assert (code, note) == (0, "note: 2 of the 4 who own training data have devices; --devices 4 lets all take turns")
    for quiet in (["--clients", "2", "--devices", "2"], ["--clients", "4"], ["--clients", "2", "--rounds", "0"]):
        assert "own training data" not in told(capsys, *words, *quiet)[1]
    assert told(capsys, *SHORT) == (0, "")
