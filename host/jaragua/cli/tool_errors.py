"""Programs that the bench runs: what it raises of them, in the errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jaragua.errors import ToolError


@contextmanager
def tool_errors() -> Iterator[None]:
    """The bench does not know this package's errors: here a missing or failing program gets its exit code."""
    from jaragua_bench.emulated import toolchain

    try:
        yield
    except toolchain.ToolError as error:
        raise ToolError(error.message, error.hint) from error
