"""The sines: is every task one wave of the papers' distribution?"""

import numpy as np
import pytest

from jaragua_models import ModelError, Task
from jaragua_models.sine.tasks import AMPLITUDE, X_LIMIT, SineTasks

TASKS = SineTasks()


def residual(task: Task) -> tuple[float, float, float]:
    """Amplitude, phase and largest residual of the sine that fits support and query best."""
    x = X_LIMIT * np.concatenate([task.support.x, task.query.x]).astype(np.float64)
    y = np.concatenate([task.support.y, task.query.y]).astype(np.float64)
    basis = np.hstack([np.sin(x), np.cos(x)])
    factors = np.linalg.lstsq(basis, y, rcond=None)[0]
    sine, cosine = factors[:, 0]
    return float(np.hypot(sine, cosine)), float(np.arctan2(cosine, sine)), float(np.abs(basis @ factors - y).max())


@pytest.mark.parametrize("seed", range(20))
def test_support_and_query_lie_on_one_wave_of_the_distribution(seed: int) -> None:
    for task in (TASKS.train_task("board-1", seed, 1, 16), TASKS.held_out_task(seed, 1, 16, 50)):
        amplitude, phase, largest = residual(task)
        assert largest < 1e-5
        assert AMPLITUDE[0] <= amplitude <= AMPLITUDE[1] + 1e-6
        assert -1e-6 <= phase <= np.pi + 1e-6


def test_equal_arguments_give_equal_tasks_and_others_do_not() -> None:
    first, again, other = (TASKS.train_task(device, 3, 1, 8) for device in ("a", "a", "b"))
    assert np.array_equal(first.support.x, again.support.x)
    assert np.array_equal(first.query.y, again.query.y)
    assert not np.array_equal(first.support.y, other.support.y)


def test_held_out_queries_lie_evenly_over_the_range() -> None:
    x = TASKS.held_out_task(1, 1, 8, 50).query.x[:, 0]
    assert (x[0], x[-1]) == (-1, 1)
    assert np.ptp(np.diff(x)) < 1e-6


@pytest.mark.parametrize(("ways", "shots", "queries"), [(5, 8, 50), (0, 8, 50), (1, 0, 50), (1, 8, -1)])
def test_counts_that_make_no_sense_are_refused(ways: int, shots: int, queries: int) -> None:
    with pytest.raises(ModelError) as caught:
        TASKS.held_out_task(1, ways, shots, queries)
    assert caught.value.hint


def test_many_supports_are_those_of_single_tasks_to_the_bit() -> None:
    devices, seeds = [f"device-{number}" for number in range(40)], list(range(2**62, 2**62 + 40))
    together = TASKS.train_supports(devices, seeds, 1, 16)
    alone = [TASKS.train_task(device, seed, 1, 16).support for device, seed in zip(devices, seeds, strict=True)]
    for name in ("x", "y"):
        parts = np.concatenate([getattr(samples, name) for samples in alone])
        assert getattr(together, name).tobytes() == parts.tobytes()
        assert getattr(together, name).shape == parts.shape
