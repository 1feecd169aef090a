"""How a device computes a network: description -> graph -> plan -> C, the NumPy reference, and the native engine."""

from jaragua_compiler.codegen.emitter import emit
from jaragua_compiler.engine_protocol import Engine, StepResult
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends import from_keras
from jaragua_compiler.graph.initial_weights import first_weights, initial_weights
from jaragua_compiler.graph.network import (
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
from jaragua_compiler.planning.plan import Plan, plan
from jaragua_compiler.quantisation.blob import (
    exponents,
    pack,
    quantise_error_clip,
    quantise_inputs,
    quantise_loss_threshold,
    quantise_targets,
    unpack,
)
from jaragua_compiler.quantisation.exponents import Exponents, calibrate
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.engine import ReferenceEngine

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
    "first_weights",
    "freeze",
    "from_keras",
    "initial_weights",
    "pack",
    "plan",
    "quantise_error_clip",
    "quantise_inputs",
    "quantise_loss_threshold",
    "quantise_targets",
    "unpack",
]
