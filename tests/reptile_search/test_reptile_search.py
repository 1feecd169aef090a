"""`make reptile-search`: the search on made-up evaluations, the tables, and a tiny search on simulations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jaragua.experiments.reproduce import Store
from jaragua.experiments.reptile_search import __main__ as command
from jaragua.experiments.reptile_search import table
from jaragua.experiments.reptile_search.grid import STREAM, TASKS, Schedule, Task, Trials, shortened
from jaragua.experiments.reptile_search.run import Simulations, Size, searched
from jaragua.experiments.reptile_search.search import EQUAL_POINTS, Evaluate, Found, at_best_rate, search
from jaragua_bench.batch_reptile import Case, Comparison, Cost, Work

TRIALS = Trials((0.1, 0.2, 0.4), (1, 2))


def evaluate_of(points: Callable[[Schedule], float], best_rate: float = 0.2) -> Evaluate:
    """An schedule is as good as said at its best rate, and worse at any other; seeds differ a little."""
    return lambda schedule, rate, seed: points(schedule) - 50 * abs(rate - best_rate) + 0.1 * seed


def test_b2_the_best_rate_is_that_of_all_seeds_among_the_scouts_best() -> None:
    points = {
        (0.1, 1): 80.0, (0.1, 2): 60.0, (0.1, 3): 60.0,
        (0.2, 1): 79.0, (0.2, 2): 79.0, (0.2, 3): 79.0,
        (0.3, 1): 99.0, (0.3, 2): 10.0, (0.3, 3): 99.0,
        (0.4, 1): 10.0, (0.4, 2): 99.0, (0.4, 3): 99.0,
    }  # fmt: skip
    asked: set[tuple[float, int]] = set()

    def evaluate(_: Schedule, rate: float, seed: int) -> float:
        asked.add((rate, seed))
        return points[rate, seed]

    found = at_best_rate(STREAM, Trials((0.1, 0.2, 0.3, 0.4), (1, 2, 3), scouts=2), evaluate)
    assert (found.rate, found.points, found.at_edge) == (0.2, (79.0, 79.0, 79.0), False)
    assert asked == set(points) - {(0.3, 3), (0.4, 3)}


def test_a_rate_at_the_end_of_the_grid_is_marked() -> None:
    assert at_best_rate(STREAM, TRIALS, evaluate_of(lambda schedule: 80, best_rate=0.5)).at_edge


def test_b6_no_rate_below_the_least_one_is_tried() -> None:
    found = search(TRIALS, evaluate_of(lambda schedule: 80, best_rate=0.1), Schedule(2, 1, 0.1), least_rate=0.2)
    assert found.stream.rate == 0.2
    assert not found.stream.at_edge
    assert {one.rate for one in found.equal.found} == {0.1}


def test_b2_the_fewest_passes_that_learn_within_a_point_are_taken() -> None:
    def points(schedule: Schedule) -> float:
        return (
            80
            if schedule == STREAM
            else {1: 70, 2: 80 - EQUAL_POINTS - 0.1, 3: 80 - EQUAL_POINTS + 0.1}[schedule.passes]
        )

    found = search(TRIALS, evaluate_of(points))
    assert [one.schedule for one in found.equal.found] == [Schedule(3, 5), Schedule(3, 10)]
    assert found.equal.learns_as_well
    assert found.several is None
    assert [one.schedule for one in found.accumulations] == [Schedule(1, 2), Schedule(1, 3)]


def test_b2_where_one_pass_is_enough_that_of_several_passes_is_found_too() -> None:
    found = search(TRIALS, evaluate_of(lambda schedule: 80 if schedule.batch != 5 else 70))
    assert [one.schedule for one in found.equal.found] == [Schedule(1, 10)]
    assert found.several
    assert [one.schedule for one in found.several.found] == [Schedule(2, 10)]


def test_tinyreptile_of_two_passes_is_compared_too() -> None:
    def points(schedule: Schedule) -> float:
        return 80 if schedule == Schedule(2, 1) or schedule.passes == 3 else 70

    found = search(TRIALS, evaluate_of(points), Schedule(2, 1))
    assert found.stream.schedule == Schedule(2, 1)
    assert [one.schedule for one in found.equal.found] == [Schedule(3, 5), Schedule(3, 10)]
    assert (found.several, found.accumulations) == (None, ())
    size = counted_size(found, 2000)
    (row,) = table.batch_table([size]).splitlines()[2:]
    assert "| 2 × 1, 0.2: " in row
    assert size.cheapest.stream == Work(2, 1, 0.2)
    assert table.accumulation_table([size]).splitlines()[2:] == []


def test_b6_a_stream_that_passes_over_what_it_knows_meets_batch_reptile_that_does_not_and_that_does() -> None:
    choosy = Schedule(2, 1, 0.1, 20)

    def points(schedule: Schedule) -> float:
        passes_needed = 2 if schedule.loss_threshold else 3
        return 80 if schedule == choosy or schedule.passes == passes_needed else 70

    found = search(TRIALS, evaluate_of(points), choosy)
    assert [one.schedule for one in found.equal.found] == [Schedule(3, 5), Schedule(3, 10)]
    assert found.alike
    assert [one.schedule for one in found.alike.found] == [Schedule(2, 5, 0.1), Schedule(2, 10, 0.1)]
    size = counted_size(found, 2000)
    assert size.cheapest == Case(5, Work(2, 1, 0.2, 0.1, 20), (Work(3, 10, 0.2), Work(2, 10, 0.2, 0.1)), 300)
    plain, alike = table.selective_table([size]).splitlines()[2:]
    assert "| 2 × 1, replay buffer 20, loss threshold 0.1, 0.2: 0.801 ± 0.006 | 3 × 10, 0.2: " in plain
    assert "| 2 × 10, loss threshold 0.1, 0.2: " in alike
    assert plain.endswith("| 2.00 | 25% | 0% | yes |")
    assert table.batch_table([size]).splitlines()[2:] == []


def test_b6_every_size_of_every_task_has_its_memory() -> None:
    for task in [tasks[0] for tasks in TASKS.values()]:
        sizes = [shots for shots, schedule in task.streams if schedule.loss_threshold]
        assert sizes == list(task.shots)
        assert len(task.streams) == len(task.shots) * (len(task.stream_passes) + 1)
    longer = TASKS["omniglot-cnn"][1]
    assert longer.streams == [(shots, STREAM) for shots in longer.shots]


def test_b2_that_none_learns_as_well_is_said() -> None:
    found = search(TRIALS, evaluate_of(lambda schedule: 80 if schedule == STREAM else 50))
    assert not found.equal.learns_as_well
    assert {one.schedule.passes for one in found.equal.found} == {8}
    rows = table.batch_table([Size(TASKS["digits"][0], 1, found)]).splitlines()
    assert rows[2].endswith("| none learns as well |")


def counted_size(found: Found, ram_bytes: int) -> Size:
    """Every work costs three times TinyReptile's instructions, less the more samples a step has."""
    size = Size(TASKS["digits"][0], 5, found)
    tiny, passes = Cost(1000, 1000, 0, 0.25), found.stream.schedule.passes

    def cost(batch: int) -> Cost:
        return Cost(3000 - batch, ram_bytes, 0)

    comparisons = [
        Comparison("digits", 25, passes, one.schedule.passes, one.schedule.batch, tiny, cost(one.schedule.batch))
        for one in size.works
    ]
    return replace(size, comparisons=tuple(comparisons))


def test_b2_the_cheapest_of_those_that_learn_as_well_has_the_row() -> None:
    """B4: one pass in steps of 2 or 3 samples is no batch Reptile: it has a table of its own."""
    found = search(TRIALS, evaluate_of(lambda schedule: 80 if schedule == STREAM or schedule.passes == 2 else 40))
    size = counted_size(found, 2000)
    (row,) = table.batch_table([size]).splitlines()[2:]
    assert "| 2 × 10, 0.2: 0.801 ± 0.006 | +0.0 ± 0.0 | 1,000 | 2,990 | 2.99 | 1,000 | 2,000 | 2.00 | yes |" in row
    assert [(work.passes, work.batch) for work in size.cheapest.works] == [(2, 10), (1, 2), (1, 3)]
    assert len(table.accumulation_table([size]).splitlines()) == 4
    assert table.batch_table([counted_size(found, 1999)]).endswith("| no: RAM |")


def test_b2_a_point_of_a_squared_error_is_a_hundredth_of_the_waves_mean_square() -> None:
    assert TASKS["digits"][0].point == 0.01
    assert TASKS["sine"][0].point == pytest.approx(-0.0425, abs=1e-4)


@pytest.fixture(scope="module")
def tiny() -> Task:
    return shortened(TASKS["sine"][0])


def test_b1_both_do_in_a_round_what_a_new_device_does_with_the_same_devices_rounds_and_alpha() -> None:
    """TinyReptile takes one sample a step; batch Reptile several passes in mini-batches."""
    task = TASKS["digits"][0]
    tiny, batch = (task.simulation(schedule, 0.1, 5, 1) for schedule in (STREAM, Schedule(3, 10)))
    assert (tiny.strategy, batch.strategy) == ("tinyreptile", "reptile")
    for one, (passes, samples) in ((tiny, (1, 1)), (batch, (3, 10))):
        assert (one.passes, one.batch) == (one.evaluation.passes, one.evaluation.batch) == (passes, samples)
    same = {"strategy": "", "passes": 0, "batch": 0, "evaluation": None}
    assert replace(tiny, **same) == replace(batch, **same)


def test_a_tiny_search_gives_a_row_and_repeats_none_of_its_simulations(tiny: Task, tmp_path: Path) -> None:
    store, said = Store(tmp_path), list[str]()
    first, again = (Simulations(tiny, store, 1, said.append) for _ in range(2))
    sizes = searched(first, tiny)
    assert said
    assert [size.is_selective for size in sizes] == [False, True]
    assert {len(size.found.stream.points) for size in sizes} == {len(tiny.trials.seeds)}
    records = sorted(tmp_path.glob("records/*"))
    changed = [path.stat().st_mtime_ns for path in records]
    assert len(records) == len(first.outcomes)
    assert searched(again, tiny) == sizes
    assert [path.stat().st_mtime_ns for path in records] == changed
    assert first.seconds == again.seconds > 0


def test_the_command_prints_all_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--short", "--task", "sine", "--no-board", "--workers", "1", "--folder", str(tmp_path)]
    assert command.main(words) == 0
    shown = capsys.readouterr().out
    assert shown.count("| sine | 8 |") >= 3
    assert "bar met" in shown
    assert "2 × 1, " not in shown
    assert "| sine | 8 | 1 × 1, replay buffer 16, loss threshold 0.1, " in shown
    assert "Simulations: " in shown
