"""The forms in which devices of one run compute: the model's own, float32, the other format of weights (R14), and the
last layer alone (R35).
"""

from __future__ import annotations

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.models import other_formats

#: Where a blob names its architecture (A6).
ARCHITECTURE = slice(8, 16)
#: Of a device in float32, of integer weights of 16 and of 8 bits.
FLOAT, WORDS, BYTES = 2, 1, 0


class Formats:
    """Codecs by architecture. `own` is the model's; devices of the others are sent blobs of their own."""

    def __init__(self, own: ModelCodec, *, alone: bool, whole: bool = False) -> None:
        """alone: devices of other formats do not take part; whole: nor those that train the last layer alone."""
        self.own = own
        others = [] if alone else [one for one in other_formats(own.model) if not (whole and one.network.held)]
        found = [own, *map(ModelCodec, others)]
        self._codecs = {codec.architecture: codec for codec in found}

    @property
    def architectures(self) -> frozenset[bytes]:
        """Of all devices that can take part."""
        return frozenset(self._codecs)

    @property
    def others(self) -> list[ModelCodec]:
        """All but the model's own."""
        return [codec for codec in self._codecs.values() if codec is not self.own]

    def of(self, architecture: bytes) -> ModelCodec:
        """The codec of devices of that architecture; the model's own for one that is not known."""
        return self._codecs.get(architecture, self.own)

    def of_blob(self, blob: bytes) -> ModelCodec:
        """The codec of the device that a blob comes from."""
        return self.of(blob[ARCHITECTURE])

    def precision(self, encoding: str, update: bytes) -> int:
        """How fine the weights are that an update speaks of: the more the finer."""
        if encoding == "f32":
            return FLOAT
        return BYTES if self.of_blob(update).plan.per_channel else WORDS
