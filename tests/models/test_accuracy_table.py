"""The accuracy table (accuracy.md) in short: `make accuracy` is the long form, with 1,000 tasks and more a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaragua_bench.accuracy import STUDIES, Row, Study, compare, main, study_model
from jaragua_compiler import CompileError, initial_weights
from jaragua_models import get

BAR_POINTS = 0.5


def _keeps_the_bar(row: Row) -> bool:
    """False if the difference is outside the bar by more than so few tasks leave open."""
    return all(found.points >= -BAR_POINTS - found.half_width for found in row.differences)


def test_integer_training_of_digits_is_as_accurate_as_float32() -> None:
    rows = study_model("digits", Study((1, 4), tasks=50, rounds=30))
    assert [(row.passes, row.tasks) for row in rows] == [(1, 50), (4, 50)]
    assert rows[0].float32 < rows[1].float32
    assert all(map(_keeps_the_bar, rows))


def test_integer_training_of_keywords_is_as_accurate_as_float32(use_data: Callable[[str], Path]) -> None:
    use_data("speech_commands")
    (row,) = study_model("keywords-mel", Study((4,), tasks=40, rounds=40))
    assert row.float32 > 30.0  # one in five by chance
    assert _keeps_the_bar(row)


def test_weights_that_are_too_coarse_are_seen() -> None:
    """The comparison can fail: a start with one huge weight a row leaves int8 no steps for the others."""
    model = get("digits")
    weights = initial_weights(model.network, 1)
    for matrix, _ in weights:
        matrix[:, 0] = 500.0 * np.abs(matrix).max()
    (row,) = compare(model, weights, Study((4,), tasks=30))
    assert row.differences[1].points < -BAR_POINTS - row.differences[1].half_width


def test_the_table_has_digits_keywords_and_omniglot_over_a_thousand_tasks() -> None:
    assert list(STUDIES) == ["digits", "keywords-mel", "omniglot-cnn"]
    assert all(study.tasks >= 1000 for study in STUDIES.values())


def test_a_regression_is_refused_with_what_can_be_studied(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "sine"]) == CompileError.exit_code
    assert "sine is evaluated by its error" in (said := capsys.readouterr().err)
    assert "Take one of digits, keywords-mel, omniglot-cnn." in said
