"""Semi-asynchronous rounds (R13) in the simulator: what they equal, that they repeat and resume, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.command_lines import with_settings
from jaragua.cli.main import run
from jaragua.errors import ConfigurationError, StoreError
from jaragua.simulation import Buffered, SimulationProgress, SimulationResult, device_names, simulate

SLOW = Buffered(2, max_staleness=2, slow_fraction=0.4, slow_factor=6.0)


class Stop(Exception):
    """What ends a simulation early in these tests."""


def learned(result: SimulationResult) -> tuple[object, ...]:
    """All of a result but how long it took on this machine."""
    return result.final_hash, result.time, result.client_tasks, result.bytes_up, result.bytes_down, result.scores


@pytest.fixture
def slow(make: Any) -> Any:
    """Twelve rounds with late and with old updates."""

    def changed(**changes: Any) -> Any:
        return make(**{"rounds": 12, "clients": 6, "devices": device_names(9), "buffered": SLOW} | changes)

    return changed


@pytest.mark.parametrize("engine", ["w16", "w8", "float32"])
@pytest.mark.parametrize("buffered", [Buffered(3), Buffered(3, slow_fraction=0.4, staleness_exponent=1.0)])
def test_r13_a_buffer_for_all_at_work_is_a_round(make: Any, engine: str, buffered: Buffered) -> None:
    whole, with_a_clock = simulate(make(engine=engine)), simulate(make(engine=engine, buffered=buffered))
    assert with_a_clock.final_hash == whole.final_hash
    assert (with_a_clock.bytes_up, with_a_clock.bytes_down) == (whole.bytes_up, whole.bytes_down)
    assert whole.time is None
    assert with_a_clock.time is not None
    assert (with_a_clock.time.mean_age, with_a_clock.time.late, with_a_clock.time.updates) == (0.0, 0, 18)


def test_r13_3_staleness_and_age_decide_what_is_learned(slow: Any) -> None:
    results = [simulate(slow(buffered=Buffered(2, 4, power, slow_fraction=0.4))) for power in (0.0, 0.5, 1.0)]
    assert len({result.final_hash for result in results}) == 3
    assert len({result.time for result in results}) == 1
    assert results[0].time is not None
    assert results[0].time.mean_age > 0.5


def test_slow_devices_cost_rounds_that_wait_for_them_more_than_buffered_ones(slow: Any) -> None:
    """The same number of updates."""
    waiting, taking = (
        simulate(slow(rounds=24 // buffer, buffered=Buffered(buffer, slow_fraction=0.4, slow_factor=6.0))).time
        for buffer in (6, 2)
    )
    assert waiting is not None
    assert taking is not None
    assert waiting.updates == taking.updates == 24
    assert waiting.finish > 1.5 * taking.finish


def test_it_repeats_and_the_number_of_workers_changes_nothing(slow: Any) -> None:
    results = [simulate(slow(shots=64), workers=workers) for workers in (1, 1, 3)]
    assert len({learned(result) for result in results}) == 1
    assert results[0].time is not None
    assert results[0].time.late > 0


def test_what_worker_processes_draw_is_what_would_be_drawn_here(slow: Any) -> None:
    """Enough tasks that another process draws them ahead."""
    wanted = slow(rounds=900, clients=5, shots=2, buffered=Buffered(4, slow_fraction=0.2), task="digits", ways=2)
    assert learned(simulate(wanted, workers=1)) == learned(simulate(wanted, workers=2))


@pytest.mark.parametrize("stopped_after", [1, 5, 11])
def test_what_was_stopped_goes_on_to_the_same_end(slow: Any, tmp_path: Path, stopped_after: int) -> None:
    def stop(now: SimulationProgress) -> None:
        if now.rounds_done == stopped_after:
            raise Stop

    with pytest.raises(Stop):
        simulate(slow(), state_folder=tmp_path, on_progress=stop)
    assert learned(simulate(slow(), state_folder=tmp_path)) == learned(simulate(slow()))
    again = simulate(slow(), state_folder=tmp_path)
    assert learned(again) == learned(simulate(slow()))
    assert again.client_tasks_per_second == 0.0


def test_the_state_keeps_what_devices_at_work_will_return_and_no_more(slow: Any, tmp_path: Path) -> None:
    result = simulate(slow(), state_folder=tmp_path)
    with np.load(tmp_path / "simulation.npz") as saved:
        kept = [name for name in saved.files if name.startswith("learned:")]
    assert result.time is not None
    assert 0 < len(kept) <= 4


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (Buffered(2, 3, slow_fraction=0.4, slow_factor=6.0), "max_staleness"),
        (None, "buffer, compute_time_sigma, max_staleness"),
    ],
)
def test_a_folder_of_another_clock_is_refused(slow: Any, tmp_path: Path, other: Buffered | None, names: str) -> None:
    simulate(slow(), state_folder=tmp_path)
    with pytest.raises(StoreError, match=f"other values of {names}"):
        simulate(slow(buffered=other), state_folder=tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"buffered": Buffered(7)}, "a buffer of 7 is more than clients = 6"),
        ({"buffered": Buffered(0)}, "buffer is 0"),
        ({"buffered": Buffered(2, 0)}, "max_staleness is 0"),
        ({"buffered": Buffered(2, staleness_exponent=float("nan"))}, "staleness_exponent is nan"),
        ({"buffered": Buffered(2, compute_time_sigma=9.0)}, "compute_time_sigma is 9"),
        ({"buffered": Buffered(2, slow_fraction=1.1)}, r"slow_fraction is 1\.1"),
        ({"buffered": Buffered(2, slow_factor=0.5)}, r"slow_factor is 0\.5"),
        ({"strategy": "transfer"}, "'transfer' cannot be simulated with a buffer: it trains on the samples of all"),
        ({"strategy": "scratch"}, "it trains nothing"),
        ({"float_fraction": 0.5}, r"simulation\.float_fraction"),
    ],
)
def test_what_does_not_go_together_is_refused(slow: Any, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        simulate(slow(**changes))


SHORT = ("simulate", "--task", "sine", "--rounds", "4", "--clients", "4", "--eval-tasks", "3")


def test_the_verb_says_what_the_clock_says(capsys: pytest.CaptureFixture[str]) -> None:
    clock = with_settings(
        "round.buffer=2",
        "round.max_staleness=3",
        "round.staleness_exponent=1",
        "simulation.slow_fraction=0.5",
        "simulation.slow_factor=8",
    )
    assert run([*SHORT, *clock]) == 0
    assert "of a median device's work; mean age" in capsys.readouterr().out


def test_numbers_of_a_clock_without_a_buffer_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT, "--set", "round.max_staleness=3", "--set", "simulation.slow_fraction=0.5"]) == 2
    assert "without round.buffer, round.max_staleness would change nothing" in capsys.readouterr().err
