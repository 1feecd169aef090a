"""An ONNX file as nodes with plain Python attributes, before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.draft import refusal
from jaragua_compiler.frontends.onnx_constants import Constant, stored_tensor

LARGEST_FILE_BYTES = 256 << 20  # far above any network of a microcontroller
DAMAGED = "Save the model again."


@dataclass(frozen=True)
class OnnxNode:
    """A node of the graph, its attributes as Python values, and where it is."""

    operator: str
    place: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]

    def refused(self, reason: str, nearest: str) -> CompileError:
        """What is said of a node that cannot be taken."""
        return refusal(self.place, reason, nearest)

    def integers(self, name: str, default: list[int]) -> list[int]:
        """An attribute that is a list of whole numbers."""
        return [int(number) for number in self.attributes.get(name, default)]


def read_graph(path: Path) -> Any:
    """The GraphProto of a file. Raises CompileError if it is no whole one."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise CompileError("reading an .onnx file needs the package onnx.", "pip install onnx") from error
    try:
        size_bytes = path.stat().st_size
        if size_bytes > LARGEST_FILE_BYTES:
            raise CompileError(f"{path} has {size_bytes} bytes; this is no network for a microcontroller.")
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except (DecodeError, ValueError, RuntimeError) as error:
        raise CompileError(f"{path} is not a whole ONNX file.", DAMAGED) from error
    if not model.graph.node or not model.graph.output:
        raise CompileError(f"{path} is not a whole ONNX file: it holds no graph.", DAMAGED)
    return model.graph


def node_of(item: Any) -> OnnxNode:
    """A NodeProto. Raises CompileError if it is none of ONNX's own operators."""
    place = f"ONNX node {item.name or ', '.join(item.output)!r} ({item.op_type})"
    if item.domain not in ("", "ai.onnx") or not item.output:
        raise refusal(place, f"it is none of ONNX's own operators ({item.domain})", "operators of ai.onnx")
    attributes = {attribute.name: _attribute(place, attribute) for attribute in item.attribute}
    return OnnxNode(str(item.op_type), place, list(item.input), list(item.output), attributes)


def _attribute(place: str, attribute: Any) -> Any:
    """The value of an attribute of a kind the operators here have (AttributeProto.AttributeType)."""
    fields: dict[int, str] = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints"}
    if attribute.type == 4:
        return stored_tensor(f"{place}: its attribute {attribute.name!r}", attribute.t)
    if attribute.type not in fields:
        raise refusal(place, f"its attribute {attribute.name!r} is of an unknown kind", "numbers, text or tensors")
    value = getattr(attribute, fields[attribute.type])
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def constant_of(node: OnnxNode) -> Constant:
    """What a Constant node holds."""
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            return np.asarray(node.attributes[name])
    raise node.refused(f"it holds {', '.join(node.attributes) or 'nothing'}", "a tensor or numbers")
