"""Small ONNX models for tests, grown node by node, and what ONNX's own reference computes of them."""

from __future__ import annotations

from typing import Any

import numpy as np


class Graph:
    """Grows an ONNX graph on the value `x`; every method returns the name of what it made."""

    def __init__(self, generator: np.random.Generator | None = None) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._random = generator or np.random.default_rng(4)

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, *values: float, dtype: type = np.float32, shape: tuple[int, ...] | None = None) -> str:
        array: Any = np.asarray(values, dtype).reshape((len(values),) if shape is None else shape)
        return self.stored(array)

    def weights(self, *shape: int) -> str:
        return self.stored(self._random.normal(0, 0.5, shape).astype(np.float32))

    def shape(self, *sizes: int) -> str:
        return self.constant(*sizes, dtype=np.int64)

    def dense(self, x: str, inputs: int, outputs: int = 3) -> str:
        return self.node("Gemm", x, self.weights(outputs, inputs), self.weights(outputs), transB=1)

    def conv(
        self, x: str, inputs: int = 2, outputs: int = 3, kernel: tuple[int, int] = (3, 3), **attributes: Any
    ) -> str:
        return self.node("Conv", x, self.weights(outputs, inputs, *kernel), self.weights(outputs), **attributes)

    def stored(self, array: Any) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self, last: str, shape: tuple[Any, ...], outputs: tuple[Any, ...] = (1, 3)) -> Any:
        """The ModelProto that computes the value `last` of an `x` of this shape."""
        from onnx import TensorProto, helper

        sizes = (("x", shape), (last, outputs))
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes]
        built = helper.make_graph(self.nodes, "graph", ends[:1], ends[1:], self.constants)
        return helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def computed(model: Any, samples: Any) -> Any:
    """What ONNX's reference makes of each sample [n, *shape] by itself: float64 [n, outputs]."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)
    rows = [evaluator.run(None, {"x": sample[np.newaxis].astype(np.float32)})[0] for sample in samples]
    return np.concatenate([np.asarray(row, dtype=np.float64).reshape(1, -1) for row in rows])
