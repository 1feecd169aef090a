"""Front ends: files of other tools -> (Network, weights), the same for the same net whichever tool wrote it."""

from jaragua_compiler.frontends.keras import from_keras
from jaragua_compiler.frontends.litert import from_litert
from jaragua_compiler.frontends.onnx import from_onnx

__all__ = ["from_keras", "from_litert", "from_onnx"]
