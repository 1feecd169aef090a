"""The one exception tree of the compiler; the command line renders it like every other error of the project."""

from __future__ import annotations


class HintedError(Exception):
    """An error a person can act on: `message` says what is wrong and where in one sentence, `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CompileError(HintedError):
    """A network, its weights, a blob or a build tool is not usable."""


class ToolchainError(CompileError):
    """A C compiler is missing or fails, or what it built cannot be kept or loaded on this machine."""
