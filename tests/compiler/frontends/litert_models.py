"""Small LiteRT files for tests, written with the schema of its runtime, and what that runtime computes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="writing .tflite files needs ai-edge-litert")

_TYPES = {"float32": "FLOAT32", "int8": "INT8", "int32": "INT32", "uint8": "UINT8", "int16": "INT16"}
SAME, VALID = 0, 1


class File:
    """Grows a graph on an input tensor; every method returns the number of the tensor it made."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._buffers: list[Any] = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[str] = []
        self._random = np.random.default_rng(4)
        self.input = self.tensor(shape)

    def tensor(self, shape: tuple[int, ...], kind: str = "float32", buffer: int = 0, **quantisation: Any) -> int:
        made = schema.TensorT()
        made.shape, made.type, made.buffer = list(shape), getattr(schema.TensorType, _TYPES[kind]), buffer
        made.name = f"t{len(self._tensors)}"
        if quantisation:
            made.quantization = schema.QuantizationParametersT()
            for name, value in quantisation.items():
                setattr(made.quantization, name, value)
        self._tensors.append(made)
        return len(self._tensors) - 1

    def buffer(self, array: Any) -> int:
        made = schema.BufferT()
        made.data = np.frombuffer(array.tobytes(), np.uint8)
        self._buffers.append(made)
        return len(self._buffers) - 1

    def constant(self, array: Any, **quantisation: Any) -> int:
        return self.tensor(array.shape, str(array.dtype), self.buffer(array), **quantisation)

    def weights(self, *shape: int) -> int:
        return self.constant(self._random.normal(0, 0.5, shape).astype(np.float32))

    def shape(self, *sizes: int) -> int:
        return self.constant(np.array(sizes, np.int32))

    def operator(self, name: str, inputs: tuple[int, ...], output: tuple[int, ...], options: Any = None) -> int:
        if name not in self._codes:
            self._codes.append(name)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs = self._codes.index(name), list(inputs)
        made.outputs = [self.tensor(output)]
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._operators.append(made)
        return int(made.outputs[0])

    def conv(self, x: int, output: tuple[int, ...], weights: int, bias: int | None = None, relu: bool = False) -> int:
        options = schema.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = VALID, 1, 1
        options.dilationWFactor = options.dilationHFactor = 1
        options.fusedActivationFunction = int(relu)
        bias = self.constant(np.zeros(output[-1], np.float32)) if bias is None else bias
        return self.operator("CONV_2D", (x, weights, bias), output, options)

    def dense(self, x: int, outputs: int, weights: int, bias: int | None = None) -> int:
        bias = self.constant(np.zeros(outputs, np.float32)) if bias is None else bias
        return self.operator("FULLY_CONNECTED", (x, weights, bias), (1, outputs), schema.FullyConnectedOptionsT())

    def view(self, name: str, x: int, output: tuple[int, ...], arguments: tuple[int, ...]) -> int:
        """RESHAPE to a shape, EXPAND_DIMS at an axis, SQUEEZE of axes."""
        if name == "SQUEEZE":
            options = schema.SqueezeOptionsT()
            options.squeezeDims = list(arguments)
            return self.operator(name, (x,), output, options)
        options = schema.ReshapeOptionsT() if name == "RESHAPE" else schema.ExpandDimsOptionsT()
        if name == "RESHAPE":
            options.newShape = list(arguments)
        return self.operator(name, (x, self.shape(*arguments)), output, options)

    def mean(self, x: int, output: tuple[int, ...], axes: tuple[int, ...], keep: bool = False) -> int:
        options = schema.ReducerOptionsT()
        options.keepDims = keep
        return self.operator("MEAN", (x, self.shape(*axes)), output, options)

    def average_pool(self, x: int, output: tuple[int, ...], window: tuple[int, int]) -> int:
        options = schema.Pool2DOptionsT()
        options.padding, options.strideW, options.strideH = VALID, window[1], window[0]
        options.filterHeight, options.filterWidth = window
        return self.operator("AVERAGE_POOL_2D", (x,), output, options)

    def softmax(self, x: int, output: tuple[int, ...]) -> int:
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self.operator("SOFTMAX", (x,), output, options)

    def add(self, x: int, y: int, output: tuple[int, ...]) -> int:
        return self.operator("ADD", (x, y), output, schema.AddOptionsT())

    def content(self, output: int) -> bytes:
        """The bytes of the file whose one output this tensor is."""
        import flatbuffers

        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = [self.input], [output]
        model.version, model.subgraphs, model.buffers = 3, [graph], self._buffers
        model.operatorCodes = [self._code(name) for name in self._codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _code(self, name: str) -> Any:
        made = schema.OperatorCodeT()
        made.builtinCode = getattr(schema.BuiltinOperator, name)
        made.deprecatedBuiltinCode, made.version = min(made.builtinCode, 127), 1
        return made


def computed(path: Path, samples: Any) -> Any:
    """What the runtime makes of each sample [n, …] by itself: float64 [n, outputs]."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    place, end = (details()[0]["index"] for details in (interpreter.get_input_details, interpreter.get_output_details))
    rows = []
    for sample in samples:
        interpreter.set_tensor(place, sample[np.newaxis].astype(np.float32))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(end).reshape(-1).astype(np.float64))
    return np.stack(rows)
