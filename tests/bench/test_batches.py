"""`jaragua bench --batches`: TinyReptile beside batch Reptile on the emulated board, and how it refuses."""

from __future__ import annotations

import json

import pytest

from jaragua.cli.main import run
from jaragua.errors import UsageError
from jaragua_compiler import CompileError
from jaragua_compiler.bench import batch_reptile
from jaragua_compiler.bench.batch_reptile import Case, Work, compare


@pytest.mark.board
def test_batch_reptile_costs_more_instructions_and_the_ram_of_sums_and_samples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(batch_reptile, "CASES", {"sine": Case((Work(2, 4, 0.04),), 0.01, (8,))})
    monkeypatch.setattr(batch_reptile, "_ROUNDS_MOST", 3)
    assert run(["bench", "--batches", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["data"]["comparisons"]
    tiny, batch = found["tiny_reptile"], found["batch_reptile"]
    assert (found["samples"], found["passes"], found["batch"]) == (8, 2, 4)
    assert batch["instructions"] > 1.5 * tiny["instructions"]
    assert (tiny["samples_bytes"], batch["samples_bytes"]) == (4, 32)
    assert batch["ram_bytes"] - tiny["ram_bytes"] >= 28 + 4 * 1153  # a sum for each weight and bias


def test_a_task_without_a_comparison_is_refused() -> None:
    assert run(["bench", "--batches", "--model", "presence"]) == UsageError.exit_code
    with pytest.raises(CompileError, match="no comparison for 'presence'"):
        next(compare("presence"))
