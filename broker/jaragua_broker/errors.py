"""What can be wrong with a broker of our own. Each error has one sentence, and what to do about it."""

from __future__ import annotations


class StartError(Exception):
    """The broker cannot start, or its data folder cannot be used."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MissingError(StartError):
    """mosquitto is not installed."""
