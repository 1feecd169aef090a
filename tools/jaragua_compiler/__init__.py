"""How a device computes a network: description -> graph -> plan -> C, the NumPy reference, and the native engine."""

from jaragua_compiler.blob import exponents, pack, quantise_inputs, quantise_least_loss, quantise_targets, unpack
from jaragua_compiler.emitter import emit
from jaragua_compiler.engine import Engine, StepResult
from jaragua_compiler.errors import CompileError
from jaragua_compiler.exponents import Exponents, calibrate
from jaragua_compiler.freeze import freeze
from jaragua_compiler.frontends import from_keras
from jaragua_compiler.initial import initial_weights
from jaragua_compiler.native import NativeEngine
from jaragua_compiler.network import (
    Activation,
    Add,
    AveragePool2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    Network,
)
from jaragua_compiler.plan import Plan, plan
from jaragua_compiler.rate import LearningRate
from jaragua_compiler.reference import ReferenceEngine

__all__ = [
    "Activation",
    "Add",
    "AveragePool2D",
    "CompileError",
    "Conv2D",
    "Dense",
    "DepthwiseConv2D",
    "Engine",
    "Exponents",
    "Flatten",
    "GlobalAveragePool2D",
    "LearningRate",
    "MaxPool2D",
    "NativeEngine",
    "Network",
    "Plan",
    "ReferenceEngine",
    "StepResult",
    "calibrate",
    "emit",
    "exponents",
    "freeze",
    "from_keras",
    "initial_weights",
    "pack",
    "plan",
    "quantise_inputs",
    "quantise_least_loss",
    "quantise_targets",
    "unpack",
]
