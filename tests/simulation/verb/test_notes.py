"""Options of `jaragua simulate` that change nothing here are refused, or said: never silently ignored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from common.command_lines import with_settings
from common.own_task import write_valves
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


#: Words that change nothing, or cannot be meant; and numbers that make no sense, named as they were given.
REFUSED = {
    2: [
        (
            ("--set", "strategy.trim=0.2"),
            "without strategy.combine=trimmed-mean or spectral-mean, strategy.trim would change nothing",
        ),
        (
            ("--set", "strategy.trim=0.3", "--set", "strategy.combine=median"),
            "without strategy.combine=trimmed-mean or spectral-mean, strategy.trim would change nothing",
        ),
        (
            ("--set", "strategy.server_optimiser=momentum", "--set", "strategy.server_tau=0.1"),
            "without strategy.server_optimiser=adam or yogi, strategy.server_tau would change nothing",
        ),
        (("--save-every", "10"), "without --directory FOLDER or a run's file, --save-every would change nothing"),
        (
            ("--set", "round.buffer=2", "--set", "simulation.slow_factor=4"),
            "without simulation.slow_fraction, simulation.slow_factor would change nothing",
        ),
        (
            ("--set", "strategy.options.delta_bits=8", "--set", "strategy.options.delta_bits=16"),
            "strategy.options.delta_bits is given twice",
        ),
        (("--workers", "1000000"), "--workers"),
    ],
    3: [
        (("--set", "evaluation.learning_rate=5"), "evaluation.learning_rate: 5 must be less than 1"),
        (("--set", "evaluation.batch=1000001"), "evaluation.batch: 1000001 must be less than or equal to 1000000"),
        (("--set", "strategy.norm_clip_factor=inf"), "strategy.norm_clip_factor: inf must be a finite number"),
        (("--set", "client.loss_threshold=inf"), "client.loss_threshold: inf must be a finite number"),
        (
            ("--set", "client.replay_buffer_size=1000001"),
            "client.replay_buffer_size: 1000001 must be less",
        ),
        (
            ("--set", "client.replay_buffer_size=4", "--set", "client.batch=5"),
            "replay_buffer_size is 4, which takes a batch of 1 and no proximal term",
        ),
        (
            ("--set", "client.replay_buffer_size=4", "--strategy", "fedprox"),
            "replay_buffer_size is 4, which takes a batch of 1 and no proximal term",
        ),
        (
            ("--set", "client.replay_buffer_size=4", "--set", "evaluation.batch=5"),
            "replay_buffer_size is 4, which takes a batch of 1, and evaluation.batch is 5",
        ),
        (("--set", "strategy.outlier_factor=inf"), "strategy.outlier_factor: inf must be a finite number"),
    ],
}


@pytest.mark.parametrize(
    ("code", "words", "sentence"), [(code, *one) for code, cases in REFUSED.items() for one in cases]
)
def test_what_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], code: int, words: tuple[str, ...], sentence: str
) -> None:
    found, message = told(capsys, *SHORT, *words)
    assert found == code
    assert sentence in message


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (
            ("--strategy", "scratch", "--rounds", "3", "--set", "strategy.combine=median"),
            "--rounds, strategy.combine: 'scratch' trains",
        ),
        (("--rounds", "0", "--set", "client.shots=4"), "client.shots: '--rounds 0' only evaluates"),
        (
            ("--rounds", "3", "--strategy", "transfer", "--set", "strategy.alpha=0.5"),
            "strategy.alpha: 'transfer' does not ask for it",
        ),
        (
            ("--rounds", "0", "--learning-rate", "0.02", "--set", "evaluation.learning_rate=0.01"),
            "--learning-rate: '--rounds 0'",
        ),
        (
            ("--rounds", "3", "--clients", "3", "--set", "round.buffer=3", "--set", "round.staleness_exponent=1"),
            "round.staleness_exponent: rounds whose buffer",
        ),
        (
            ("--rounds", "3", "--clients", "1", "--set", "strategy.norm_clip_factor=2"),
            "strategy.norm_clip_factor: there is one update",
        ),
        (
            ("--rounds", "1", "--set", "strategy.alpha_final=0.5"),
            "strategy.alpha_final: 'tinyreptile' does not ask for it, or not in so",
        ),
        (
            ("--rounds", "3", "--strategy", "transfer", "--set", "strategy.combine=median"),
            "strategy.combine: there is one update",
        ),
        (
            ("--rounds", "3", "--clients", "1", "--set", "strategy.outlier_factor=3"),
            "strategy.outlier_factor: there is one update",
        ),
        (
            ("--rounds", "3", "--clients", "2", "--set", "strategy.outlier_factor=3"),
            "strategy.outlier_factor: of 2 updates none can be told to be far",
        ),
        (
            ("--rounds", "3", "--clients", "4", "--set", "strategy.combine=trimmed-mean"),
            "strategy.combine: 0.2 of 4 updates is less",
        ),
        (
            ("--rounds", "3", "--clients", "5", "--set", "round.buffer=2", "--set", "simulation.slow_fraction=0.05"),
            "simulation.slow_fraction: of 5 devices",
        ),
        (
            ("--rounds", "3", "--passes", "1", "--set", "evaluation.passes=1", "--set", "client.replay_buffer_size=4"),
            "client.replay_buffer_size: devices go over their",
        ),
        (
            ("--rounds", "0", "--set", "evaluation.passes=1", "--set", "client.replay_buffer_size=4"),
            "client.replay_buffer_size: devices go over their samples once",
        ),
        (
            ("--strategy", "scratch", "--set", "evaluation.passes=1", "--set", "client.replay_buffer_size=4"),
            "client.replay_buffer_size: devices go over their samples",
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
        (
            "--set",
            "strategy.combine=trimmed-mean",
            "--set",
            "strategy.trim=0.2",
            "--set",
            "strategy.outlier_factor=5",
            "--set",
            "strategy.norm_clip_factor=2",
        ),
        (
            "--set",
            "strategy.alpha=0.5",
            "--set",
            "strategy.alpha_final=0.5",
            "--passes",
            "2",
            "--set",
            "client.batch=4",
        ),
        ("--strategy", "fedavg", "--passes", "2", "--set", "client.batch=4"),
        (
            "--set",
            "round.buffer=3",
            "--set",
            "simulation.slow_fraction=0.2",
            "--set",
            "simulation.slow_factor=2",
            "--set",
            "round.staleness_exponent=1",
            "--set",
            "round.max_staleness=5",
        ),
        ("--passes", "10000", "--set", "client.batch=0", "--rounds", "1", "--shots", "1"),
        ("--clients", "1", "--set", "strategy.norm_clip_factor=0.5"),
        (
            "--passes",
            "2",
            "--set",
            "client.batch=1",
            "--set",
            "client.replay_buffer_size=4",
            "--set",
            "client.loss_threshold=0.01",
        ),
    ],
)
def test_of_what_works_nothing_is_said(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert told(capsys, *SHORT, *words) == (0, "")


def test_what_new_devices_adapt_with_works_without_training(capsys: pytest.CaptureFixture[str]) -> None:
    words = with_settings("evaluation.passes=2", "client.replay_buffer_size=4", "client.loss_threshold=0.01")
    for untrained in (("--rounds", "0"), ("--strategy", "scratch")):
        assert told(capsys, *SINE, *untrained, *words) == (0, "")


def test_what_is_wrong_with_a_setting_is_said_at_once_with_where_it_was_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--set", "round.staleness_exponent=inf", "--set", "client.loss_threshold=-0.1", "--set", "clients.ways=3")
    code, message = told(capsys, *SHORT, *words)
    assert code == 3
    assert [line.strip() for line in message.splitlines()[1:]] == [
        "--set client.loss_threshold: -0.1 must be greater than or equal to 0",
        "--set clients: there is no such section (did you mean 'client'?)",
        "--set round.staleness_exponent: inf must be a finite number",
    ]


def test_it_says_whose_data_lies_idle(use_data: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    """As many devices as train in a round is not always what a new user means (docs/results/tasks.md, Keywords)."""
    use_data("room_occupancy_estimation")
    words = ("simulate", "--task", "presence", "--eval-tasks", "2", "--rounds", "1", "--workers", "1", "--json")
    code, note = told(capsys, *words, "--clients", "2")
    assert (code, note) == (0, "note: 2 of the 4 who own training data have devices; --devices 4 lets all take turns")
    for quiet in (["--clients", "2", "--devices", "2"], ["--clients", "4"], ["--clients", "2", "--rounds", "0"]):
        assert "own training data" not in told(capsys, *words, *quiet)[1]
    assert told(capsys, *SHORT) == (0, "")


def test_devices_that_have_the_data_of_one_owner_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--task", str(write_valves(tmp_path)), "--rounds", "1", "--devices", "5", "--eval-tasks", "1"]
    assert run(["simulate", *words, "--no-comparison"]) == 0
    said = capsys.readouterr().err
    assert "note: 5 devices have the data of 4 owners: device-1 and device-5 draw from the same one" in said
    assert "note: valves.csv has no time" in said
