"""The bits of operators stand in definitions.toml alone: what is made of them is as it says."""

from __future__ import annotations

import pytest

from jaragua.wire.codegen import operators
from jaragua.wire.definitions import OPERATOR_TEXTS, Operator
from jaragua_compiler.operators.bits import BITS
from jaragua_compiler.operators.registry import UNWEIGHTED


@pytest.mark.parametrize(
    ("path", "text"), [(operators.HEADER, operators.header_text()), (operators.MODULE, operators.module_text())]
)
def test_the_committed_file_is_made_of_the_definition(path: object, text: str) -> None:
    found = (operators.ROOT / str(path)).read_text(encoding="utf-8")
    assert found == text, "python -m jaragua.wire.codegen.operators"


def test_every_bit_is_used_once() -> None:
    bits = [row.bit for row in OPERATOR_TEXTS.values()]
    assert len(bits) == len(set(bits))
    assert all(0 <= bit < 32 for bit in bits)
    assert {row.of for row in OPERATOR_TEXTS.values()} == {"model", "board"}


def test_python_knows_the_bits_of_models_and_boards() -> None:
    assert {member.name.lower(): member.value for member in Operator} == {
        row.name: row.bit for row in OPERATOR_TEXTS.values()
    }
    assert {row.name: 1 << row.bit for row in OPERATOR_TEXTS.values() if row.of == "model"} == BITS


def test_every_operator_without_weights_has_a_bit() -> None:
    assert {one.bit for one in UNWEIGHTED} <= set(BITS)
