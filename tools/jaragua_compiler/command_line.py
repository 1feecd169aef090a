"""What every `python -m …` of this project does with an error: one sentence, what to do, an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Protocol, cast


class _Told(Protocol):
    """What all errors of the project have, whichever tree they are of."""

    message: str
    hint: str
    exit_code: int


def exit_code_of(command: Callable[[], int | None], *kinds: type[Exception]) -> int:
    """Run a command; returns its exit code, 0 for None. Errors of these kinds are said on stderr, others go on.

    If the reader of stdout has gone (`| head`), it is 1, and nothing is said.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a sign that stdout has no letters for ends no command
    try:
        code = command() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # or the interpreter complains at its exit
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return 1
    except kinds as error:
        told = cast(_Told, error)
        print(f"error: {told.message}", *([told.hint] if told.hint else []), sep="\n", file=sys.stderr)
        return told.exit_code
