"""The errors of the zoo."""

from jaragua_compiler.errors import HintedError


class ModelError(HintedError):
    """Something asked of the zoo that it cannot give: one sentence, and what to do about it."""


class DataError(ModelError):
    """Data that are missing, damaged, or too few for the task asked for."""
