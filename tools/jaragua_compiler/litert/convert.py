"""From a network to a `.tflite` file that trains: made on a machine with TensorFlow, run where there is only LiteRT."""

from __future__ import annotations

import json
import math
import tempfile
from typing import Any

import flatbuffers
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.litert.traced_network import TracedNetwork
from jaragua_compiler.litert.training_file import FORMAT, METADATA_NAME
from jaragua_compiler.planning.plan import Plan


def convert(plan: Plan, weights: Weights) -> bytes:
    """The file's bytes: five signatures (docs/reference/litert.md) over variables that start with these weights.

    Only built-in operators are allowed: the converter refuses any other. Raises CompileError if layers are frozen.
    """
    words = _words(plan)  # first: a network whose constants are not known has no architecture id (A10.6)
    network = TracedNetwork(plan.network, weights)
    functions = _functions(plan, network)
    module = tf.Module()
    module.kept = [network.variables, list(functions.values())]  # what a saved module does not refer to is lost
    signatures = {name: function.get_concrete_function() for name, function in functions.items()}
    return _with_metadata(_converted(module, signatures), words)


def _functions(plan: Plan, network: TracedNetwork) -> dict[str, Any]:
    x = tf.TensorSpec([1, plan.network.input_size], tf.float32, "x")
    label, numbers = tf.TensorSpec([1], tf.int32, "y"), tf.TensorSpec([1, plan.network.outputs], tf.float32, "y")
    y = label if plan.network.classifier else numbers
    # No input is a scalar: on aarch64, runtimes resize one out of bounds (docs/reference/litert.md).
    rate = tf.TensorSpec([1], tf.float32, "rate")
    parameters = sum(math.prod(one.shape) for one in network.variables)
    weights = tf.TensorSpec([parameters], tf.float32, "weights")
    return {
        "train": tf.function(network.train, input_signature=[x, y, rate]),
        "evaluate": tf.function(network.evaluate, input_signature=[x, y]),
        "infer": tf.function(network.infer, input_signature=[x]),
        "save": tf.function(network.save, input_signature=[]),
        "restore": tf.function(network.restore, input_signature=[weights]),
    }


def _converted(module: Any, signatures: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = True
        return bytes(converter.convert())


def _words(plan: Plan) -> bytes:
    """What the file says of itself."""
    words = {"format": FORMAT, "architecture": plan.architecture.hex(), "network": plan.network.name}
    return json.dumps(words).encode()


def _with_metadata(content: bytes, words: bytes) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(words)
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
