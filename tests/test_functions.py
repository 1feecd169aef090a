"""Functions stay small: at most 60 lines and 8 parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES = 60
MOST_PARAMETERS = 8


def too_large(source: str) -> Iterator[str]:
    """Name and size of each function of a module that is too large."""
    for one in ast.walk(ast.parse(source)):
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        taken = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
        parameters = len(taken) - (1 if taken and taken[0].arg in ("self", "cls") else 0)
        lines = (one.end_lineno or one.lineno) - one.lineno + 1
        if lines > MOST_LINES or parameters > MOST_PARAMETERS:
            yield f"{one.name}: {lines} lines, {parameters} parameters"


def test_no_function_is_too_large() -> None:
    modules = [path for room in ("host", "tools", "models", "broker") for path in (ROOT / room).rglob("*.py")]
    assert len(modules) > 300
    found = [f"{path.relative_to(ROOT)}: {one}" for path in modules for one in too_large(path.read_text("utf-8"))]
    assert found == []


def test_what_is_too_large_is_found() -> None:
    long = "def long():\n" + "    pass\n" * MOST_LINES
    many = f"def many(self, {', '.join(f'p{n}' for n in range(MOST_PARAMETERS + 1))}): ..."
    assert list(too_large(f"{long}\n{many}")) == ["long: 61 lines, 0 parameters", "many: 1 lines, 9 parameters"]
