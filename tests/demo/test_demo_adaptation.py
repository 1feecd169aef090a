"""What the demonstration's newcomer does is what the strategy says."""

from __future__ import annotations

from pathlib import Path

from jaragua.demo.demo import Demonstration, DemoSettings
from jaragua.strategies import ClientWork


def newcomer(strategy: str, tmp_path: Path) -> tuple[ClientWork, int | None]:
    show = Demonstration(DemoSettings(directory=tmp_path, strategy=strategy))
    training = show._trial(0, b"").training
    assert isinstance(training, ClientWork)
    return training, show._enrolled()


def test_it_takes_one_pass_of_steps(tmp_path: Path) -> None:
    work, classes = newcomer("tinyreptile", tmp_path)
    assert (work.learning_rate, work.passes, work.prototypes, classes) == (0.1, 1, False, None)


def test_m18_it_enrols_its_samples_under_prototypes(tmp_path: Path) -> None:
    work, classes = newcomer("protoreptile", tmp_path)
    assert (work.passes, work.prototypes, work.enrolled_shots) == (0, True, 0)
    assert classes == 10  # digits have ten labels, of which a task has five
