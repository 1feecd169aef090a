"""Front ends: files of other tools -> (Network, weights), the same for the same net whichever tool wrote it."""

from jaragua_compiler.frontends.keras import from_keras

__all__ = ["from_keras"]
