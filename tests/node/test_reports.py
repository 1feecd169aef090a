"""One line a round of what a node's devices did."""

from __future__ import annotations

from typing import Any

from jaragua.node.reports import Adapted, JobRefused, RoundLog, Trained, describe
from jaragua.wire.messages import RunState


def trained(device: str, number: int, **changes: Any) -> Trained:
    fields = {"samples": 10, "loss": 0.5, "metric": "accuracy", "score": 0.6, "instructions": 0, "seconds": 1.0}
    return Trained(device, "r1", number, **fields | changes)


def state(number: int, phase: str = "training", run: str = "r1") -> RunState:
    return RunState(run, number, 40, phase, "digits", "", bytes(32), 0, 1)


def test_a_round_is_one_line_when_the_next_begins() -> None:
    said: list[str] = []
    log = RoundLog(said.append)
    log.run_is(state(3))
    log.add(trained("left", 3, samples=10, loss=1.0, score=0.2))
    log.add(trained("right", 3, samples=30, loss=0.6, score=0.6, seconds=2.5))
    log.run_is(state(3))
    assert said == []
    log.run_is(state(4))
    assert said == ["round 3 of 40: left, right, 40 samples, loss 0.7000, accuracy 50.0 %, 2.50 s"]


def test_the_last_round_is_told_when_the_run_has_ended_and_many_devices_are_counted() -> None:
    said: list[str] = []
    log = RoundLog(said.append)
    for number in range(5):
        log.add(trained(f"d{number}", 40, metric="mse", score=0.25))
    log.run_is(state(40, "finished"))
    assert said == ["round 40 of 40: 5 devices, 50 samples, loss 0.5000, squared error 0.25, 1.00 s"]


def test_adaptations_are_told_with_means() -> None:
    said: list[str] = []
    log = RoundLog(said.append)
    log.add(Adapted("left", "r1", 2, "accuracy", 0.2, 0.8, 40, 1.0))
    log.add(Adapted("right", "r1", 2, "accuracy", 0.4, 0.9, 40, 1.0))
    log.run_is(state(5))
    assert said == ["adaptation 2: left, right, accuracy 30.0 % before, 85.0 % after"]


def test_rounds_of_another_run_are_told_and_none_are_kept_for_ever() -> None:
    said: list[str] = []
    log = RoundLog(said.append)
    for number in range(1000):
        log.add(trained("left", number))
    log.run_is(state(1, run="r2"))
    assert len(said) == 64
    assert said[-1].startswith("round 999 of")


def test_what_a_peer_says_stays_one_printable_line() -> None:
    assert describe(JobRefused("left", "r1", "no\n\x1b[31m")) == "refused: no\\n\\x1b[31m"
