"""Between the vectors that strategies move and the blobs that devices train: all the coordinator knows of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from jaragua.strategies import Vector
from jaragua_compiler import calibrate, initial_weights, pack, plan, unpack
from jaragua_compiler.errors import CompileError
from jaragua_compiler.plan import Plan
from jaragua_models import Model

#: Of the calibration samples, evenly taken: ranges hardly need more, and they are estimated anew in every round.
_MOST_SAMPLES = 64


class ModelCodec:
    """Vectors are float64 [parameters]: per layer the weights row by row, then the biases."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._plan = plan(model.network)
        samples = model.tasks.calibration()
        self._samples = samples[:: -(-len(samples) // _MOST_SAMPLES)]

    @property
    def plan(self) -> Plan:
        """How devices compute the network."""
        return self._plan

    @property
    def architecture(self) -> bytes:
        """The id of the network's architecture (A6.2)."""
        return self._plan.architecture

    @property
    def blob_bytes(self) -> int:
        """Length of every blob of this network."""
        return self._plan.blob_bytes

    def initial(self, seed: int) -> Vector:
        """The random start of a run."""
        return _flat(initial_weights(self.model.network, seed))

    def pack(self, vector: Vector) -> bytes:
        """The blob of a vector, with exponents estimated anew from the calibration samples (A2.6).

        Raises: CompileError if a weight is not finite or does not fit any format.
        """
        weights = self._layers(vector)
        return pack(self._plan, weights, calibrate(self._plan, weights, self._samples))

    def check(self, blob: bytes) -> str:
        """Why a blob cannot be weights of this network, "" if it can."""
        try:
            unpack(self._plan, blob)
        except CompileError as error:
            return error.message
        return ""

    def trained(self, initialisation: Vector, base: bytes, update: bytes) -> Vector:
        """What a device's update means for the float64 initialisation: φ + (trained - start).

        The device started from `base`, the initialisation rounded to its format. What it learned is the difference to
        that, so the rounding is not mistaken for learning, and small outer steps add up from round to round.
        """
        learned = _flat(unpack(self._plan, update)) - _flat(unpack(self._plan, base))
        moved: Vector = initialisation + learned
        return moved

    def arrays(self, vector: Vector) -> Mapping[str, NDArray[np.float64]]:
        """Named arrays for a safetensors file."""
        named: dict[str, NDArray[np.float64]] = {}
        for index, (weights, biases) in enumerate(self._layers(vector)):
            named[f"layers.{index}.weight"] = weights
            named[f"layers.{index}.bias"] = biases
        return named

    def _layers(self, vector: Vector) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        layers = []
        offset = 0
        for shape, (biases,) in self._plan.shapes:
            count = math.prod(shape)
            weights = vector[offset : offset + count].reshape(shape)
            layers.append((weights, vector[offset + count : offset + count + biases]))
            offset += count + biases
        return layers


def _flat(weights: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Vector:
    return np.concatenate([part.ravel() for layer in weights for part in layer])
