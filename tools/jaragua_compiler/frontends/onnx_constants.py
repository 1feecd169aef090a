"""The constants of an ONNX graph: tensors stored in the file, and the arithmetic on shapes exporters leave in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError

Constant = npt.NDArray[Any]

LARGEST_FOLDED = 4096
"""Numbers in a constant that is computed here; what exporters compute are shapes and pads, or views of weights."""
_DAMAGED = "Save the model again."

_BFLOAT16 = 16

_IN_INT32 = {2: "<u1", 3: "<i1", 4: "<u2", 5: "<i2", 6: "<i4", 9: "?", 10: "<f2", _BFLOAT16: "<u2"}
_DTYPES: dict[int, tuple[str, str]] = {
    **{kind: (dtype, "int32_data") for kind, dtype in _IN_INT32.items()},
    1: ("<f4", "float_data"),
    7: ("<i8", "int64_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
}
"""Of each TensorProto.DataType known here: the NumPy type of its bytes, and the field its numbers are in if not raw.

A bfloat16, which NumPy has not, is read as its 16 bits.
"""
_FIELDS = {"float_data": "<f4", "int32_data": "<i4", "int64_data": "<i8", "uint64_data": "<u8", "double_data": "<f8"}
_BITS = {10, _BFLOAT16}  # types whose field holds the bits of a number, not the number


def stored_tensor(place: str, tensor: Any) -> Constant:
    """A TensorProto as an array; bfloat16 becomes float32.

    Raises CompileError if it is not whole, stored elsewhere, or of a type no network here has.
    """
    kind, shape = int(tensor.data_type), tuple(int(size) for size in tensor.dims)
    if kind not in _DTYPES:
        raise CompileError(f"{place} is of a type unknown here ({_type_name(kind)}).", "Export it in float32.")
    if tensor.data_location == 1 or tensor.external_data:
        raise CompileError(f"{place} is stored in a file of its own.", "Export with external_data=False.")
    dtype = np.dtype(_DTYPES[kind][0])
    raw = tensor.raw_data or _field_bytes(place, tensor, kind)
    if min(shape, default=0) < 0 or len(raw) != math.prod(shape) * dtype.itemsize:
        count = len(raw) // dtype.itemsize
        raise CompileError(f"{place} has the shape {shape}, but {count} numbers in {len(raw)} bytes.", _DAMAGED)
    numbers = np.frombuffer(raw, dtype=dtype).reshape(shape)
    return _from_bfloat16(numbers) if kind == _BFLOAT16 else numbers


def _field_bytes(place: str, tensor: Any, kind: int) -> bytes:
    """What raw_data would hold, from the typed field of a tensor that has none."""
    name, field = _DTYPES[kind]
    stored = np.asarray(list(getattr(tensor, field)), dtype=_FIELDS[field])
    if not stored.size:
        return b""
    dtype = np.dtype("<u2") if kind in _BITS else np.dtype(name)
    with np.errstate(all="ignore"):
        converted = stored.astype(dtype)
    if dtype.kind != "f" and (converted != stored).any():
        raise CompileError(f"{place} has numbers in {field} that are no {_type_name(kind)}.", _DAMAGED)
    return converted.tobytes()


def _from_bfloat16(bits: Constant) -> Constant:
    """The upper halves of float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _type_name(kind: int) -> str:
    """ "FLOAT8E4M3FN"; the number of a type that ONNX has not."""
    import onnx

    names: dict[int, str] = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return names.get(kind, str(kind))


def fold(operator: str, attributes: dict[str, Any], inputs: list[Constant | None]) -> Constant | None:
    """The value of an operator whose inputs are all known; None if it is none of those that arrange numbers.

    Raises ValueError, IndexError or TypeError if its inputs do not go together.
    """
    known = [value for value in inputs if value is not None]
    too_large = operator not in VIEWS and sum(value.size for value in known) > LARGEST_FOLDED
    if operator not in _FOLDS or too_large:
        return None
    return _FOLDS[operator](attributes, inputs)


def _constant_of_shape(attributes: dict[str, Any], inputs: list[Any]) -> Constant:
    shape = [int(size) for size in inputs[0]]
    if min(shape, default=0) < 0 or math.prod(shape) > LARGEST_FOLDED:
        raise ValueError(f"a constant of the shape {shape}")
    value = attributes.get("value")
    return np.full(shape, 0.0 if value is None else value.reshape(-1)[0])


def _reshape(attributes: dict[str, Any], inputs: list[Any]) -> Constant:
    return np.asarray(inputs[0].reshape(resolved_shape(inputs[1], inputs[0].shape)))


def _slice(attributes: dict[str, Any], inputs: list[Any]) -> Constant:
    value, starts, ends = inputs[:3]
    axes, steps = [*inputs[3:], None, None][:2]
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    places = [slice(None)] * value.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        stop = None if step < 0 and end < -value.shape[axis] else int(end)
        places[int(axis)] = slice(int(start), stop, int(step))
    return np.asarray(value[tuple(places)])


def _cast(attributes: dict[str, Any], inputs: list[Any]) -> Constant:
    kind = int(attributes["to"])
    if kind == _BFLOAT16 or kind not in _DTYPES:
        raise ValueError(f"a constant is cast to {_type_name(kind)}")
    return np.asarray(inputs[0].astype(_DTYPES[kind][0]))


def _unsqueeze(attributes: dict[str, Any], inputs: list[Any]) -> Constant:
    axes = attributes["axes"] if len(inputs) < 2 else inputs[1]
    return np.asarray(np.expand_dims(inputs[0], tuple(int(axis) for axis in axes)))


def _squeeze(attributes: dict[str, Any], inputs: list[Any]) -> Constant:
    axes = attributes.get("axes") if len(inputs) < 2 else inputs[1]
    return np.asarray(np.squeeze(inputs[0], None if axes is None else tuple(int(axis) for axis in axes)))


VIEWS = {"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}  # as many numbers as before

_FOLDS: dict[str, Callable[[dict[str, Any], list[Any]], Constant]] = {
    "ConstantOfShape": _constant_of_shape,
    "Concat": lambda attributes, inputs: np.concatenate(inputs, axis=int(attributes["axis"])),
    "Reshape": _reshape,
    "Slice": _slice,
    "Transpose": lambda attributes, inputs: np.transpose(inputs[0], attributes.get("perm")),
    "Cast": _cast,
    "Gather": lambda attributes, inputs: np.take(inputs[0], inputs[1], axis=int(attributes.get("axis", 0))),
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Identity": lambda attributes, inputs: inputs[0],
    "Add": lambda attributes, inputs: inputs[0] + inputs[1],
    "Sub": lambda attributes, inputs: inputs[0] - inputs[1],
    "Mul": lambda attributes, inputs: inputs[0] * inputs[1],
}


def resolved_shape(target: npt.ArrayLike, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape a Reshape to `target` gives a value of `shape`: 0 keeps a size, -1 takes what is left."""
    sizes = [int(size) for size in np.asarray(target).reshape(-1)]
    kept = [shape[axis] if size == 0 and axis < len(shape) else size for axis, size in enumerate(sizes)]
    rest = math.prod(size for size in kept if size != -1)
    left = math.prod(shape) // rest if rest > 0 else 0
    return tuple(left if size == -1 else size for size in kept)
