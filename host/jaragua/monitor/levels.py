"""Names of the levels of a line, for command lines."""

from __future__ import annotations

from enum import StrEnum


class LevelName(StrEnum):
    """As `wire.definitions.LogLevel`, in words."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"
