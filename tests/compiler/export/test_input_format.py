"""Readings become inputs by integers alone (docs/reference/compile.md, I1 to I4)."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export import InputColumn, InputFormat, fitted_format
from jaragua_compiler.export.inputs.input_format import GRID_EXPONENT

# name -> readings of one column, from a generator
COLUMNS = {
    "two decimals": lambda g, n: np.round(g.normal(21, 3, n), 2),
    "whole numbers": lambda g, n: g.integers(0, 4096, n).astype(float),
    "yes or no": lambda g, n: g.integers(0, 2, n).astype(float),
    "any real": lambda g, n: g.normal(-3, 0.4, n),
    "large, changes little": lambda g, n: 1.7e9 + g.normal(0, 900, n).round(),
    "tiny": lambda g, n: g.normal(0, 1e-12, n),
    "huge": lambda g, n: g.normal(0, 1e14, n),
    "constant": lambda g, n: np.full(n, 7.25),
}


def drawn(seed: int, rows: int = 2000) -> tuple[np.random.Generator, InputFormat, np.ndarray]:
    generator = np.random.default_rng(seed)
    values = np.stack([draw(generator, rows) for draw in COLUMNS.values()], axis=1)
    deviation = values.std(axis=0)
    scale = 4 * np.where(deviation > 0, deviation, 1)
    return generator, fitted_format(list(COLUMNS), values.mean(axis=0), scale, values), values


def test_a_standardised_number_is_that_of_real_arithmetic_to_a_small_part_of_an_input_unit(seed: int) -> None:
    _, found, values = drawn(seed)
    offset, scale = (np.array([getattr(column, name) for column in found.columns]) for name in ("offset", "scale"))
    real = np.clip((values - offset) / scale, -1, 1)
    assert np.abs(found.standardised(values) - real).max() < 2.0**-17  # a quarter of the finest input unit


def test_raw_integers_of_decimals_are_the_same_from_float32_and_from_float64(seed: int) -> None:
    _, found, values = drawn(seed)
    np.testing.assert_array_equal(
        found.raw(values)[:, :4], found.raw(values.astype(np.float32).astype(np.float64))[:, :4]
    )
    assert [column.per_unit for column in found.columns[:3]] == [100, 1, 1]
    assert [column.name for column in found.columns if column.wide] == ["large, changes little"]


def test_the_integers_of_a_column_are_those_of_its_rule(seed: int) -> None:
    """I2 and I3 beside a computation without rounding but the last."""
    generator, found, values = drawn(seed, 50)
    raw = found.raw(values) + generator.integers(-3, 4, values.shape).astype(np.int32)
    grid = found.of_raw(raw).astype(np.float64) * 2**GRID_EXPONENT
    for place, column in enumerate(found.columns):
        for one, got in zip(raw[:, place].tolist(), grid[:, place].tolist(), strict=True):
            real = (one / Fraction(column.per_unit) - Fraction(column.offset)) / Fraction(column.scale)
            expected = max(-1, min(1, real)) * 2**GRID_EXPONENT
            assert abs(got - expected) <= Fraction(3, 4), column.name


def test_what_is_out_of_range_is_cut_off() -> None:
    found = InputFormat((InputColumn("t", 20.0, 8.0, 100.0),))
    assert found.standardised([[28.0], [12.0], [1e30], [-1e30], [20.0]])[:, 0].tolist() == [1, -1, 1, -1, 0]


def test_columns_go_round_the_inputs_of_a_window() -> None:
    found = InputFormat((InputColumn("x", 0.0, 2.0), InputColumn("y", 0.0, 4.0)))
    assert found.standardised([[1, 1, 2, 2]])[0].tolist() == [0.5, 0.25, 1, 0.5]
    with pytest.raises(CompileError, match="2 columns, the network 3 inputs"):
        found.standardised([[1, 2, 3]])


def test_a_format_travels_as_json(seed: int) -> None:
    _, found, _ = drawn(seed)
    assert InputFormat.from_facts(json.loads(json.dumps(found.facts()))) == found


@pytest.mark.parametrize("facts", [{}, {"columns": [{"name": "a"}]}, {"columns": 3}, {"columns": [{"nam": 1}]}])
def test_damaged_facts_are_refused(facts: dict[str, object]) -> None:
    with pytest.raises(CompileError, match="damaged"):
        InputFormat.from_facts(facts)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (InputColumn("a", 0.0, 0.0), "are no format"),
        (InputColumn("a", float("nan"), 1.0), "are no format"),
        (InputColumn("a", 1e12, 1.0), "do not suit"),
        (InputColumn("a", 0.0, 1e-9), "do not suit"),
    ],
)
def test_a_column_that_its_integers_cannot_hold_is_refused(column: InputColumn, reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        InputFormat((column,))


def test_readings_too_much_alike_for_integers_are_refused() -> None:
    readings = np.pi * 1e9 + np.linspace(0, 1e-3, 50).reshape(-1, 1)
    with pytest.raises(CompileError, match="change too little"):
        fitted_format(["p"], readings.mean(axis=0), readings.std(axis=0), readings)


def test_readings_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(CompileError, match="not a finite number"):
        InputFormat((InputColumn("a", 0.0, 1.0),)).raw([[float("nan")]])
