"""Make the operator bits of a model from ``definitions.toml``: the header of the kernels, and the compiler's module.

``python -m jaragua.wire.codegen.operators`` writes both in a clone. They are committed, as the compiler and the C of
``jaragua compile`` stand without the host; tests/wire/test_operator_bits.py compares them with the definition.
"""

from __future__ import annotations

from pathlib import Path

from jaragua.wire.definitions import OPERATOR_TEXTS, OperatorText

ROOT = Path(__file__).parents[4]
HEADER = Path("firmware/lib/jrg_nn/core/jrg_nn_operators.h")
MODULE = Path("tools/jaragua_compiler/operators/bits.py")

_HEADER = """\
/* Bits of jrg_model_info.operators. Made from host/jaragua/wire/definitions.toml; do not edit. */
#ifndef JRG_NN_OPERATORS_H
#define JRG_NN_OPERATORS_H

{lines}

#endif
"""

_MODULE = """\
\"\"\"Bits of jrg_model_info.operators. Made from host/jaragua/wire/definitions.toml; do not edit.\"\"\"

from __future__ import annotations

from typing import Final

BITS: Final[dict[str, int]] = {{
{lines}
}}
"""


def header_text() -> str:
    """The C header."""
    width = max(len(f"{row.name}{row.bit}") for row in _of_models())
    return _HEADER.format(lines="\n".join(_define(row, width) for row in _of_models()))


def module_text() -> str:
    """The Python module."""
    return _MODULE.format(lines="\n".join(f'    "{row.name}": 1 << {row.bit},' for row in _of_models()))


def main() -> None:
    """Write both files."""
    (ROOT / HEADER).write_text(header_text(), encoding="utf-8")
    (ROOT / MODULE).write_text(module_text(), encoding="utf-8")


def _of_models() -> list[OperatorText]:
    return [row for row in OPERATOR_TEXTS.values() if row.of == "model"]


def _define(row: OperatorText, width: int) -> str:
    """One line, its comment under the others, as clang-format wants it."""
    space = " " * (1 + width - len(f"{row.name}{row.bit}"))
    return f"#define JRG_MODEL_OPERATOR_{row.name.upper()} (1u << {row.bit}){space}/* {row.meaning} */"


if __name__ == "__main__":
    main()
