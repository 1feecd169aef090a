"""Between the vectors that strategies move and the blobs that devices train: all the coordinator knows of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ProtocolError
from jaragua.strategies import Vector
from jaragua.strategies.compression import decode
from jaragua.strategies.vectors import Layers, flat, layers_of, shared_blocks
from jaragua_compiler import calibrate, first_weights, pack, plan, unpack
from jaragua_compiler.errors import CompileError
from jaragua_compiler.floating.form import float_bytes, pack_floats
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import unpack_integers
from jaragua_compiler.quantisation.calibration import calibration_rows
from jaragua_compiler.quantisation.many_blobs import Unpacking, faults, unpack_many
from jaragua_models import Model


class ModelCodec:
    """Vectors are float64 [parameters]: per layer the weights row by row, then the biases."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._plan = plan(model.network)
        self._samples = calibration_rows(model.tasks.calibration())
        self._last_base: tuple[str, bytes, Vector] | None = None

    @property
    def plan(self) -> Plan:
        """How devices compute the network."""
        return self._plan

    @property
    def calibration(self) -> NDArray[np.float32]:
        """The samples from which exponents are estimated, float32 [n, inputs]."""
        return self._samples

    @cached_property
    def held(self) -> int:
        """So many first numbers of a vector its devices do not train (R35)."""
        held = [shapes for layer, shapes in zip(self._plan.layers, self._plan.shapes, strict=True) if layer.held]
        return sum(math.prod(part) for shapes in held for part in shapes)

    @property
    def architecture(self) -> bytes:
        """The id of the network's architecture (A6.2)."""
        return self._plan.architecture

    @property
    def blob_bytes(self) -> int:
        """Length of every blob of this network."""
        return self._plan.blob_bytes

    def initial(self, seed: int) -> Vector:
        """The first weights of a run (A2.7)."""
        return flat(first_weights(self.model.network, seed))

    def pack(self, vector: Vector) -> bytes:
        """The blob of a vector, with exponents estimated anew from the calibration samples (A2.6).

        Raises: CompileError if a weight is not finite or does not fit any format.
        """
        _require_numbers(vector)
        weights = self._layers(vector)
        return pack(self._plan, weights, calibrate(self._plan, weights, self._samples))

    def pack_floats(self, vector: Vector) -> bytes:
        """The float32 form of a vector (M9). Raises: CompileError if a weight is not finite in it."""
        return pack_floats(self._plan, self._layers(vector))

    def unpacked(self, blob: bytes) -> Vector:
        """The numbers of a blob. Raises: CompileError if it is none of this network."""
        return flat(unpack(self._plan, blob))

    def check(self, encoding: str, update: bytes, local_layers: int = 0) -> str:
        """Why an update cannot be of this network, "" if it can."""
        try:
            if encoding == "f32":
                self._floats(update)
            elif encoding == "difference":
                decode(update, shared_blocks(self._plan.shapes, local_layers))
            else:
                unpack_integers(self._plan, update)
        except (CompileError, ProtocolError) as error:
            return error.message
        return ""

    def learned(self, encoding: str, base: bytes, update: bytes, local_layers: int = 0) -> Vector:
        """What a device's update says it learned, float64 [parameters].

        A blob, or the float32 form (M9): the difference to `base`, the rounded weights it started from, so that the
        rounding is not mistaken for learning, and small outer steps add up from round to round (R5). A difference
        (M10): what it says of the layers that are sent, nothing of the others. 0 in layers that the device holds (R35).
        Raises: CompileError, ProtocolError.
        """
        if encoding != "difference":
            learned: Vector = self._numbers(encoding, update) - self._base(encoding, base)
            learned[: self.held] = 0.0
            return learned
        blocks = shared_blocks(self._plan.shapes, local_layers)
        result = np.zeros(sum(shared_blocks(self._plan.shapes, 0)))
        result[: sum(blocks)] = decode(update, blocks)
        return result

    def learned_by_all(
        self,
        encoding: str,
        base: bytes,
        updates: Sequence[bytes],
        local_layers: int = 0,
        how: Unpacking | None = None,
    ) -> Vector:
        """`learned` of each of several updates of one start, float64 [updates, parameters], with the same bits."""
        if encoding != "blob":
            return np.array([self.learned(encoding, base, update, local_layers) for update in updates])
        result = unpack_many(self._plan, updates, how or Unpacking())
        result -= self._base(encoding, base)
        result[:, : self.held] = 0.0
        return result

    def faults(self, blobs: Sequence[bytes]) -> list[str]:
        """`check` of each of several blobs."""
        return faults(self._plan, blobs)

    def trained(self, initialisation: Vector, base: bytes, update: bytes) -> Vector:
        """What a device's blob means for the float64 initialisation: φ + (trained - start)."""
        moved: Vector = initialisation + self.learned("blob", base, update)
        return moved

    def arrays(self, vector: Vector) -> Mapping[str, NDArray[np.float64]]:
        """Named arrays for a safetensors file."""
        named: dict[str, NDArray[np.float64]] = {}
        for index, (weights, biases) in enumerate(self._layers(vector)):
            named[f"layers.{index}.weight"] = weights
            named[f"layers.{index}.bias"] = biases
        return named

    def _base(self, encoding: str, base: bytes) -> Vector:
        """The numbers of a start: all updates of a round are compared with the same one."""
        if self._last_base is None or self._last_base[:2] != (encoding, base):
            self._last_base = encoding, base, self._numbers(encoding, base)
        return self._last_base[2]

    def _numbers(self, encoding: str, weights: bytes) -> Vector:
        return self._floats(weights) if encoding == "f32" else self.unpacked(weights)

    def _floats(self, packed: bytes) -> Vector:
        """The numbers of a float32 form, finite or not: which updates are believed is for R17 to say."""
        if len(packed) != float_bytes(self._plan):
            raise CompileError(f"weights in float32: {len(packed)} bytes, this network has {float_bytes(self._plan)}.")
        return np.frombuffer(packed, "<f4").astype(np.float64)

    def _layers(self, vector: Vector) -> Layers:
        return layers_of(vector, self._plan.shapes)


def _require_numbers(vector: Vector) -> None:
    """Raises: CompileError if float32 cannot hold a weight: then no format can hold what it computes."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(vector.astype(np.float32))
    if not finite.all():
        count = len(finite) - int(finite.sum())
        raise CompileError(
            f"{count} of {len(finite)} weights are no finite numbers, or too large for float32.",
            "Look at what made them: the training diverged, or a strategy of your own divided by zero.",
        )
