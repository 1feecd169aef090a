"""The errors of the zoo."""


class ModelError(Exception):
    """Something asked of the zoo that it cannot give: one sentence, and what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DataError(ModelError):
    """Data that are missing, damaged, or too few for the task asked for."""
