"""What travels between server and devices, and how many bytes that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation.clients.engine import Learned, VirtualFleet
from jaragua.simulation.clients.mixed_clients import floats_among
from jaragua.simulation.rounds.state import SavedArrays
from jaragua.simulation.settings import Simulation
from jaragua.strategies import ClientWork, Vector
from jaragua.strategies.compression import Residual, decode, encode, encode_with_residual
from jaragua.strategies.vectors import shared_blocks

#: A weight in the float32 form (M9).
_FLOAT_BYTES: Final = 4
#: Empty residual: nothing was withheld.
NOTHING: Final[Residual] = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Sent:
    """What one device sends. learned: float64 [parameters], what arrives; residual: what it owes once this counted."""

    learned: Vector
    bytes: int
    residual: Residual


class Channel(Protocol):
    """One direction after the other: `send` a round's start, then `receive` what its devices learned."""

    def send(self, vector: Vector, devices: Sequence[str]) -> tuple[bytes, int]:
        """What all devices start from, and the bytes that went to these."""
        ...

    def receive(self, devices: Sequence[str], learned: Vector | Learned) -> tuple[Vector | Learned, int]:
        """What arrives of float64 [devices, parameters], in place of that or not, and the bytes that came."""
        ...

    def sent(self, device: str, learned: Vector) -> Sent:
        """What a device makes of float64 [parameters]; it owes what it owed before until `counted`."""
        ...

    def counted(self, device: str, residual: Residual) -> None:
        """The server has that update: from now on the device owes what it left out."""
        ...

    def arrays(self) -> SavedArrays:
        """All it must remember if it is to go on later; what comes after changes no array of it."""
        ...


class WholeBlobs:
    """Every device is sent the whole start and returns its whole weights."""

    def __init__(self, fleet: VirtualFleet, float_fraction: float) -> None:
        """float_fraction: of the devices of a round, that exchange float32 (M9) in the place of blobs."""
        self._fleet = fleet
        self.float_fraction = float_fraction
        self._blob_bytes = 0
        self._bytes = 0

    def send(self, vector: Vector, devices: Sequence[str]) -> tuple[bytes, int]:
        """A blob each."""
        start = self._fleet.start(vector)
        in_float32 = floats_among(len(devices), self.float_fraction)
        self._blob_bytes = len(start)
        self._bytes = len(start) * (len(devices) - in_float32) + _FLOAT_BYTES * len(vector) * in_float32
        return start, self._bytes

    def receive(self, devices: Sequence[str], learned: Vector | Learned) -> tuple[Vector | Learned, int]:
        """A blob each."""
        return learned, self._bytes

    def sent(self, device: str, learned: Vector) -> Sent:
        """A blob."""
        return Sent(learned.copy(), self._blob_bytes, NOTHING)

    def counted(self, device: str, residual: Residual) -> None:
        """Nothing was left out."""

    def arrays(self) -> SavedArrays:
        """Nothing."""
        return {}


class Differences:
    """Devices hold what was published before, and are sent what changed since; so is the server.

    `local_layers` are never sent: they start as the run's first weights, which a device draws from the seed. First
    weights that no seed gives (`--start`) are sent whole. A device that missed rounds is sent all differences it
    missed, or the whole start if that is shorter. What the server's own encoding and the devices' format left out is
    part of its next difference, and what a device left out of its next update.
    """

    def __init__(
        self,
        fleet: VirtualFleet,
        codec: ModelCodec,
        work: ClientWork,
        first: Vector,
        arrays: SavedArrays,
        *,
        is_drawn: bool = True,
    ) -> None:
        """first: the run's first weights; is_drawn: from its seed. arrays: what `arrays` gave, empty for a new run."""
        self._fleet = fleet
        self._work = work
        self._whole_bytes = len(fleet.start(first))
        self._first_bytes = 0 if is_drawn else self._whole_bytes
        self._blocks = shared_blocks(codec.plan.shapes, work.local_layers)
        self._shared = sum(self._blocks)
        self._bits = work.delta_bits or 16
        self._first = first
        self._start = arrays["start"].tobytes() if "start" in arrays else fleet.start(first)
        self._sent_bytes: NDArray[np.int64] = arrays.get("sent_bytes", np.zeros(0, np.int64))
        self._versions = _by_device(arrays, "version:")
        self._residuals = _by_device(arrays, "residual:")

    def send(self, vector: Vector, devices: Sequence[str]) -> tuple[bytes, int]:
        """Publish what changed since the last round; in the first one the start is drawn, or sent whole."""
        is_first = not len(self._sent_bytes) and np.array_equal(vector, self._first)
        self._sent_bytes = np.append(self._sent_bytes, self._first_bytes if is_first else self._publish(vector))
        down = sum(self._catch_up(device) for device in devices)
        return self._start, down

    def receive(self, devices: Sequence[str], learned: Vector | Learned) -> tuple[Vector, int]:
        """What each device learned and has not sent yet, as far as it is sent."""
        learned = learned if isinstance(learned, np.ndarray) else learned.matrix()
        arrived, up = np.zeros_like(learned), 0
        for row, device in enumerate(devices):
            sent = self.sent(device, learned[row])
            self.counted(device, sent.residual)
            arrived[row] = sent.learned
            up += sent.bytes
        return arrived, up

    def sent(self, device: str, learned: Vector) -> Sent:
        """What it learned and what it owes, as far as it is sent."""
        wanted = learned[: self._shared] + self._residuals.get(device, 0.0)
        data, residual = encode_with_residual(wanted, self._blocks, self._work.upload_fraction, self._bits)
        arrived = np.zeros_like(learned)
        arrived[: self._shared] = decode(data, self._blocks)
        return Sent(arrived, len(data), residual)

    def counted(self, device: str, residual: Residual) -> None:
        """It owes this from now on, and nothing else."""
        self._residuals[device] = residual

    def arrays(self) -> SavedArrays:
        """What is published, who has which version of it, and what every device has not sent yet."""
        start = np.frombuffer(self._start, np.uint8)
        named: SavedArrays = {"start": start, "sent_bytes": self._sent_bytes}
        named |= {f"version:{device}": version for device, version in self._versions.items()}
        return named | {f"residual:{device}": residual for device, residual in self._residuals.items()}

    def _publish(self, vector: Vector) -> int:
        """The next start: the last one's numbers and what is sent of the way to the vector. Bytes of what is sent."""
        published = self._fleet.numbers(self._start)
        changed = vector[: self._shared] - published[: self._shared]
        if not changed.any():
            return 0
        data = encode(changed, self._blocks, self._work.download_fraction, self._bits)
        published[: self._shared] += decode(data, self._blocks)
        self._start = self._fleet.start(published)
        return len(data)

    def _catch_up(self, device: str) -> int:
        """Bytes from what the device has to what is published now."""
        has = int(self._versions.get(device, np.array(0)))
        self._versions[device] = np.array(len(self._sent_bytes))
        return min(int(self._sent_bytes[has:].sum()), self._whole_bytes)


def channel_for(
    fleet: VirtualFleet, codec: ModelCodec, work: ClientWork, first: Vector, arrays: SavedArrays, simulation: Simulation
) -> Channel:
    """Whole blobs, unless the work says that less is sent."""
    if work.compressed:
        return Differences(fleet, codec, work, first, arrays, is_drawn=not simulation.start)
    return WholeBlobs(fleet, simulation.float_fraction)


def _by_device(arrays: SavedArrays, prefix: str) -> SavedArrays:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
