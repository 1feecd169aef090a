"""What travels between server and devices, and how many bytes that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jaragua.coordinator.codec import ModelCodec
from jaragua.simulate.engine import VirtualFleet
from jaragua.strategies import ClientWork, Vector
from jaragua.strategies.compression import decode, encode

Memory = dict[str, NDArray[Any]]


class Channel(Protocol):
    """One direction after the other: `send` a round's start, then `receive` what its devices learned."""

    def send(self, vector: Vector, devices: Sequence[str]) -> tuple[bytes, int]:
        """What all devices start from, and the bytes that went to these."""
        ...

    def receive(self, devices: Sequence[str], learned: Vector) -> tuple[Vector, int]:
        """What arrives of float64 [devices, parameters], and the bytes that came."""
        ...

    def memory(self) -> Memory:
        """All it must remember if it is to go on later."""
        ...


class WholeBlobs:
    """Every device is sent the whole start and returns its whole weights."""

    def __init__(self, fleet: VirtualFleet) -> None:
        self._fleet = fleet
        self._bytes = 0

    def send(self, vector: Vector, devices: Sequence[str]) -> tuple[bytes, int]:
        """A blob each."""
        start = self._fleet.start(vector)
        self._bytes = len(start)
        return start, len(start) * len(devices)

    def receive(self, devices: Sequence[str], learned: Vector) -> tuple[Vector, int]:
        """A blob each."""
        return learned, self._bytes * len(devices)

    def memory(self) -> Memory:
        """Nothing."""
        return {}


class Differences:
    """Devices hold what was published before, and are sent what changed since; so is the server.

    `local_layers` are never sent: they start as the run's first weights, which a device draws from the seed. A device
    that missed rounds is sent all differences it missed, or the whole start if that is shorter. What
    the server's own encoding left out is part of its next difference, and a device's of its next update.
    """

    def __init__(self, fleet: VirtualFleet, codec: ModelCodec, work: ClientWork, first: Vector, memory: Memory) -> None:
        """first: the run's first weights. memory: what `memory` gave, empty for a new run."""
        self._fleet = fleet
        self._work = work
        self._whole_bytes = len(fleet.start(first))
        self._blocks = _shared_blocks(codec, work)
        self._shared = sum(self._blocks)
        self._bits = work.delta_bits or 16
        self._published: Vector = memory.get("published", first.copy())
        self._sent_bytes: list[int] = memory.get("sent_bytes", np.zeros(0, np.int64)).tolist()
        self._versions = _by_device(memory, "version:")
        self._left_out = _by_device(memory, "left-out:")

    def send(self, vector: Vector, devices: Sequence[str]) -> tuple[bytes, int]:
        """Publish what changed since the last round."""
        changed = vector[: self._shared] - self._published[: self._shared]
        if changed.any():
            data = encode(changed, self._blocks, self._work.download_share, self._bits)
            self._published = self._published.copy()
            self._published[: self._shared] += decode(data, self._blocks)
            self._sent_bytes.append(len(data))
        down = sum(self._catch_up(device) for device in devices)
        return self._fleet.start(self._published), down

    def receive(self, devices: Sequence[str], learned: Vector) -> tuple[Vector, int]:
        """What each device learned and has not sent yet, as far as it is sent."""
        arrived, up = np.zeros_like(learned), 0
        for row, device in enumerate(devices):
            wanted = learned[row, : self._shared] + self._left_out.get(device, 0.0)
            data = encode(wanted, self._blocks, self._work.upload_share, self._bits)
            arrived[row, : self._shared] = decode(data, self._blocks)
            self._left_out[device] = (wanted - arrived[row, : self._shared]).astype(np.float32)
            up += len(data)
        return arrived, up

    def memory(self) -> Memory:
        """What is published, who has which version of it, and what every device has not sent yet."""
        named: Memory = {"published": self._published, "sent_bytes": np.array(self._sent_bytes, np.int64)}
        named |= {f"version:{device}": version for device, version in self._versions.items()}
        return named | {f"left-out:{device}": rest for device, rest in self._left_out.items()}

    def _catch_up(self, device: str) -> int:
        """Bytes from what the device has to what is published now. All draw the first weights from the seed."""
        has = int(self._versions.get(device, np.array(0)))
        self._versions[device] = np.array(len(self._sent_bytes))
        return min(sum(self._sent_bytes[has:]), self._whole_bytes)


def channel_for(
    fleet: VirtualFleet, codec: ModelCodec, work: ClientWork, first: Vector, memory: Mapping[str, NDArray[Any]]
) -> Channel:
    """Whole blobs, unless the work says that less is sent."""
    return Differences(fleet, codec, work, first, dict(memory)) if work.compressed else WholeBlobs(fleet)


def _shared_blocks(codec: ModelCodec, work: ClientWork) -> list[int]:
    """Numbers of each tensor that is sent: all but those of the last `local_layers`."""
    shapes = codec.plan.shapes
    sent = shapes[: len(shapes) - work.local_layers]
    return [int(np.prod(shape)) for pair in sent for shape in pair]


def _by_device(memory: Memory, prefix: str) -> Memory:
    return {name.removeprefix(prefix): value for name, value in memory.items() if name.startswith(prefix)}
