"""S6.1: cycles from traced instructions and the reference manuals' tables."""

from __future__ import annotations

import pytest

from jaragua.semantics.models.builds import BuildKey
from jaragua.semantics.models.measure import linked_plan, start_of, steps_of
from jaragua_bench.emulated import board, toolchain
from jaragua_bench.emulated.cycles import Instruction, cycles, cycles_of, disassembled
from jaragua_bench.emulated.toolchain import ToolError
from jaragua_bench.steps.steps import write_input
from jaragua_models import get

#: Of the manuals' tables: core, mnemonic, operands, whether it jumps, least and most cycles.
TABLE = [
    ("cortex_m0plus", "adds", "r0, r1, r2", False, (1, 1)),
    ("cortex_m0plus", "muls", "r0, r1", False, (1, 1)),
    ("cortex_m0plus", "ldrh", "r0, [r1, #2]", False, (2, 2)),
    ("cortex_m0plus", "stmia", "r0!, {r1, r2, r3}", False, (4, 4)),
    ("cortex_m0plus", "push", "{r4-r7, lr}", False, (6, 6)),
    ("cortex_m0plus", "pop", "{r4, r5, pc}", True, (6, 6)),
    ("cortex_m0plus", "beq", "100", True, (2, 2)),
    ("cortex_m0plus", "beq", "100", False, (1, 1)),
    ("cortex_m0plus", "bl", "100", True, (3, 3)),
    ("cortex_m0plus", "bx", "lr", True, (2, 2)),
    ("cortex_m0", "beq", "100", True, (3, 3)),
    ("cortex_m0", "bl", "100", True, (4, 4)),
    ("cortex_m0", "bx", "lr", True, (3, 3)),
    ("cortex_m0", "pop", "{r4, r5, pc}", True, (7, 7)),
    ("cortex_m3", "muls", "r0, r1", False, (1, 1)),
    ("cortex_m3", "mla", "r0, r1, r2, r3", False, (2, 2)),
    ("cortex_m3", "smull", "r0, r1, r2, r3", False, (3, 5)),
    ("cortex_m3", "smlal", "r0, r1, r2, r3", False, (4, 7)),
    ("cortex_m3", "ldrh", "r0, [r1, #2]", False, (1, 2)),
    ("cortex_m3", "pop", "{r4, r5, pc}", True, (4, 7)),
    ("cortex_m3", "bne", "100", True, (2, 4)),
    ("cortex_m4", "mla", "r0, r1, r2, r3", False, (1, 1)),
    ("cortex_m4", "smlad", "r0, r1, r2, r3", False, (1, 1)),
    ("cortex_m4", "ldr", "r0, [r1]", False, (1, 2)),
    ("cortex_m4", "ldrd", "r0, r1, [r2]", False, (2, 3)),
    ("cortex_m4", "ldmia", "r0!, {r1, r2, r3, r4}", False, (4, 5)),
    ("cortex_m4", "stmdb", "sp!, {r4-r9, sl, fp, lr}", False, (9, 10)),
    ("cortex_m4", "udiv", "r0, r1, r2", False, (2, 12)),
    ("cortex_m4", "bne", "100", True, (2, 4)),
    ("cortex_m4", "bne", "100", False, (1, 1)),
    ("cortex_m4", "it", "eq", False, (0, 1)),
]


@pytest.mark.parametrize(("core", "name", "operands", "jumps", "expected"), TABLE)
def test_s6_1_each_class_has_the_cycles_of_the_manual(
    core: str, name: str, operands: str, jumps: bool, expected: tuple[int, int]
) -> None:
    assert cycles(core, Instruction(name, operands), jumps=jumps) == expected


@pytest.mark.board
def test_s6_1_the_traced_instructions_are_those_that_are_counted() -> None:
    """Beside the call itself: the bench counts the instructions that pass the arguments."""
    model, key = get("sine"), BuildKey("cortex_m0plus", "w16", "all")
    compiled, blob = linked_plan(model, key, start_of(model))
    steps = steps_of(model, compiled, blob)[:2]
    records = board.run(compiled, steps, core=toolchain.CORTEX_M0PLUS, counted=True)
    counted = sum(one.train_instructions for one, _ in records)
    elf, data = board.build(compiled, toolchain.CORTEX_M0PLUS), write_input(compiled, steps)
    found = cycles_of(elf, data, toolchain.CORTEX_M0PLUS, "jrg_model_train")
    assert set(found) == {"cortex_m0plus", "cortex_m0", "cortex_m3"}
    for one in found.values():
        assert 0 <= counted - one.instructions <= 8 * len(steps)
        assert one.instructions < one.low <= one.high < 2 * one.instructions
    with pytest.raises(ToolError, match="has no function nosuch"):
        cycles_of(elf, data, toolchain.CORTEX_M0PLUS, "nosuch")
    program, functions = disassembled(elf)
    assert functions["jrg_model_train"].start in program
