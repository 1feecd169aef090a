"""`jaragua bench --batches`: TinyReptile beside batch Reptile on the emulated board, and how it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.errors import UsageError
from jaragua.experiments.reptile_search.grid import TASKS, Schedule
from jaragua_bench import batch_reptile
from jaragua_bench.batch_reptile import Case, Work, cases, cases_text
from jaragua_bench.emulated import board
from jaragua_bench.emulated.toolchain import ToolError
from jaragua_bench.steps.steps import Counts, Outcome, Step
from jaragua_compiler import Plan


@pytest.mark.board
def test_b3_every_step_of_20_tasks_is_counted_from_one_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of the tasks is in the table; a result that is not the native engine's ends the bench."""
    on_the_board = board.run
    seen: list[tuple[list[Step], list[Counts]]] = []

    def watched(layout: Plan, steps: list[Step], *, counted: bool) -> list[tuple[Counts, Outcome]]:
        records = on_the_board(layout, steps, counted=counted)
        seen.append((steps, [counts for counts, _ in records]))
        if len(seen) == 3:  # of the second comparison: one bit of the board's result is wrong
            counts, outcome = records[-1]
            records[-1] = (counts, replace(outcome, blob=outcome.blob[:-1] + bytes([outcome.blob[-1] ^ 1])))
        return records

    monkeypatch.setattr(board, "run", watched)
    case = Case(8, Work(1, 1, 0.01), (Work(2, 4, 0.04),), 3)
    (found,) = batch_reptile.compare("sine", [case])
    (stream, streamed), (batch, batched) = seen
    assert (len(stream), len(batch), batch_reptile.TASKS) == (20 * 8, 20 * 8 * 2, 20)
    assert {step.blob for step in (*stream, *batch)} == {None, stream[0].blob}  # one start for both
    assert sum(step.blob is not None for step in stream) == 20  # each task begins from it
    for cost, counts in ((found.tiny_reptile, streamed), (found.batch_reptile, batched)):
        assert cost.instructions == round(sum(one.train_instructions for one in counts) / 20)
    with pytest.raises(ToolError, match="computes other bits"):
        list(batch_reptile.compare("sine", [case]))


@pytest.mark.board
def test_batch_reptile_costs_more_instructions_and_the_ram_of_sums_and_samples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case(8, Work(1, 1, 0.01), (Work(2, 4, 0.04), Work(1, 2, 0.02)), 3)
    twice = Case(8, Work(2, 1, 0.01), (Work(2, 4, 0.04),), 3)
    choosy_work = Case(
        8, Work(2, 1, 0.01, loss_threshold=0.2, replay_buffer_size=3), (Work(2, 4, 0.04, loss_threshold=0.2),), 3
    )
    monkeypatch.setattr(batch_reptile, "cases", lambda: {"sine": [case, twice, choosy_work]})
    assert run(["bench", "--batches", "--json"]) == 0
    several, single, kept, choosy = json.loads(capsys.readouterr().out)["data"]["comparisons"]
    tiny, batch = several["tiny_reptile"], several["batch_reptile"]
    assert (several["samples"], several["passes"], several["batch"]) == (8, 2, 4)
    assert batch["instructions"] > 1.5 * tiny["instructions"]
    # Of 8 samples 7 inputs and 8 targets: the inputs at hand are in the engine's own buffer.
    assert (tiny["samples_bytes"], batch["samples_bytes"]) == (2, 30)
    assert batch["ram_bytes"] - tiny["ram_bytes"] >= 28 + 4 * 1153  # a sum for each weight and bias
    assert single["batch_reptile"]["samples_bytes"] == 2  # one pass keeps nothing
    assert tiny["instructions"] < single["batch_reptile"]["instructions"] < batch["instructions"]
    assert (kept["tiny_passes"], kept["tiny_reptile"]["samples_bytes"]) == (2, 30)  # B5: several passes keep all
    assert kept["tiny_reptile"]["instructions"] > 1.5 * tiny["instructions"]
    # The same work, from the start that two passes make: other rows have a zero gradient, the same bytes are taken.
    assert kept["batch_reptile"]["ram_bytes"] == batch["ram_bytes"]
    # B6: what teaches nothing costs its forward pass alone, and of 8 samples 3 are held.
    assert choosy["tiny_reptile"]["samples_bytes"] == 2 * 2 + 3 * 2
    assert 0 < choosy["tiny_reptile"]["passed_over"] < 1
    assert 0 < choosy["batch_reptile"]["passed_over"] < 1
    assert choosy["tiny_reptile"]["instructions"] < kept["tiny_reptile"]["instructions"]
    assert choosy["batch_reptile"]["instructions"] < batch["instructions"]


def test_every_task_of_the_search_has_its_works() -> None:
    known = cases()
    assert set(known) == set(TASKS)
    for name, of_task in known.items():
        streams = [(case.stream, case.shots) for case in of_task]
        found = [
            (shots, Schedule(one.passes, one.batch, one.loss_threshold, one.replay_buffer_size))
            for one, shots in streams
        ]
        assert found == [stream for task in TASKS[name] for stream in task.streams]
        for case in of_task:
            accumulations = [(1, 2), (1, 3)] if (case.stream.passes, case.stream.loss_threshold) == (1, 0) else []
            orders = [(work.passes, work.batch) for work in case.works]
            assert orders[len(orders) - len(accumulations) :] == accumulations
            assert all(batch >= 5 for _, batch in orders[: len(orders) - len(accumulations)])
            assert len(orders) > len(accumulations)


def test_what_is_read_is_written_again() -> None:
    file = Path(batch_reptile.__file__).with_name(batch_reptile.CASES_NAME)
    assert cases_text(cases()) == file.read_text()


def test_a_task_without_a_comparison_is_refused() -> None:
    assert run(["bench", "--batches", "--model", "omniglot"]) == UsageError.exit_code
