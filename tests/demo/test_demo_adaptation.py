"""What the demonstration's newcomer does is what the strategy says, and what it refuses before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.own_task import write_valves
from jaragua.demo.demo import Demonstration, DemoSettings
from jaragua.errors import DataError
from jaragua.strategies import ClientWork


def newcomer(strategy: str, tmp_path: Path) -> tuple[ClientWork, int | None]:
    show = Demonstration(DemoSettings(directory=tmp_path, strategy=strategy))
    training = show._trial(0, b"").training
    assert isinstance(training, ClientWork)
    return training, show.enrolled()


def test_it_takes_one_pass_of_steps(tmp_path: Path) -> None:
    work, classes = newcomer("tinyreptile", tmp_path)
    assert (work.learning_rate, work.passes, work.prototypes, classes) == (0.1, 1, False, None)


def test_m18_it_enrols_its_samples_under_prototypes(tmp_path: Path) -> None:
    work, classes = newcomer("protoreptile", tmp_path)
    assert (work.passes, work.prototypes, work.enrolled_shots) == (0, True, 0)
    assert classes == 10  # digits have ten labels, of which a task has five


def test_a_device_with_too_few_samples_is_named_before_anything_is_built(tmp_path: Path) -> None:
    """Training device m2 has two readings of each state, then held-out device m5: a task takes five."""
    path = write_valves(tmp_path)
    rows = path.with_name("valves.csv").read_text().splitlines()
    settings = DemoSettings(directory=tmp_path / "demo", model=str(path), boards=2)
    Demonstration(settings)._check_samples()
    for machine in ("m2", "m5"):
        own = [row for row in rows if row.startswith(f"{machine},")]
        few = tmp_path / machine
        write_valves(few).with_name("valves.csv").write_text(
            "\n".join(one for one in rows if one not in own[6:]) + "\n"
        )
        with pytest.raises(DataError, match=rf"device '{machine}' has"):
            Demonstration(DemoSettings(directory=few, model=str(few / "valves.toml"), boards=2))._check_samples()
