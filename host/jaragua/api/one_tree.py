"""One tree of errors for Python code: the compiler and the zoo, which do not know the host, have trees of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jaragua import errors
from jaragua_compiler.errors import CompileError, ToolchainError
from jaragua_models.errors import DataError, ModelError


@contextmanager
def one_tree() -> Iterator[None]:
    """Errors of the compiler and of the zoo become a `JaraguaError` with the same words. Also a decorator."""
    try:
        yield
    except ToolchainError as error:
        raise errors.ToolError(error.message, error.hint) from error
    except DataError as error:
        raise errors.DataError(error.message, error.hint) from error
    except (CompileError, ModelError) as error:
        raise errors.ModelError(error.message, error.hint) from error
