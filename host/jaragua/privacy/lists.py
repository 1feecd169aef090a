"""The lists and answers of a secure sum as bytes (U3 to U5), checked when they are read. Pure.

A roster: u16 count, then for each device, sorted: u8 length, name, keys. A list of devices: u16 count, then u16 places
in the roster, from 0 on, rising. What is appended to a list of included devices: the sealed shares of each but oneself.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Final

from jaragua.privacy import shamir
from jaragua.privacy.errors import SecureError
from jaragua.privacy.secrets import KEYS_BYTES, SEALED_BYTES, PublicKeys
from jaragua.wire.topics import is_id

#: U3.1: of a round. Of fewer a sum says too much.
LEAST_DEVICES: Final = 3
_MOST_DEVICES: Final = 10_000
_COUNT: Final = struct.Struct("<H")


def threshold_of(devices: int) -> int:
    """U3.2: shares that give a secret, and answers that a stage needs."""
    return 2 * devices // 3 + 1


class Roster:
    """The devices of a sum and their keys, in the order of names."""

    def __init__(self, keys: Mapping[str, PublicKeys]) -> None:
        """Raises: SecureError for fewer devices than a sum may have."""
        if not LEAST_DEVICES <= len(keys) <= _MOST_DEVICES:
            raise SecureError(f"a sum of {len(keys)} devices is not possible: at least {LEAST_DEVICES}")
        self.devices = tuple(sorted(keys))
        self._keys = dict(keys)
        self._places = {device: place for place, device in enumerate(self.devices)}

    def __len__(self) -> int:
        return len(self.devices)

    def __contains__(self, device: str) -> bool:
        return device in self._places

    @property
    def threshold(self) -> int:
        """t of U3.2."""
        return threshold_of(len(self))

    def keys(self, device: str) -> PublicKeys:
        """Of a device of the roster."""
        return self._keys[device]

    def place(self, device: str) -> int:
        """Where a device stands, from 0 on; its shares are the polynomials at this place and 1."""
        return self._places[device]

    def others(self, device: str) -> list[str]:
        """All but one, in order."""
        return [one for one in self.devices if one != device]

    @cached_property
    def data(self) -> bytes:
        """As it is sent."""
        parts = [bytes([len(device)]) + device.encode() + self._keys[device].data for device in self.devices]
        return _COUNT.pack(len(parts)) + b"".join(parts)

    @cached_property
    def sha256(self) -> bytes:
        """What shares are bound to (U3.3)."""
        return hashlib.sha256(self.data).digest()


class Reader:
    """Takes a message apart. Raises: SecureError where it is cut off or goes on."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        end = self._place + count
        if end > len(self._data):
            raise SecureError("the message is cut off")
        found, self._place = self._data[self._place : end], end
        return found

    def end(self) -> None:
        """Nothing follows."""
        if self._place != len(self._data):
            raise SecureError(f"{len(self._data) - self._place} bytes follow where none should")

    def roster(self) -> Roster:
        """U6.2: sorted, each device once."""
        keys: dict[str, PublicKeys] = {}
        last = ""
        for _ in range(self._count()):
            name = self.take(self.take(1)[0]).decode("ascii", "replace")
            if not is_id(name) or name <= last:
                raise SecureError("the devices of a list are not names in their order")
            keys[name] = PublicKeys.read(self.take(KEYS_BYTES))
            last = name
        return Roster(keys)

    def devices(self, roster: Roster) -> tuple[str, ...]:
        """Some of a roster, in its order."""
        places = [self._count() for _ in range(self._count())]
        if any(right <= left for left, right in pairwise(places)):
            raise SecureError("a list of devices is not in order")
        if places and places[-1] >= len(roster):
            raise SecureError("a list names devices that are not in the roster")
        return tuple(roster.devices[place] for place in places)

    def sealed(self, devices: Sequence[str]) -> dict[str, bytes]:
        """Of each device its sealed shares."""
        return {device: self.take(SEALED_BYTES) for device in devices}

    def shares(self, devices: Sequence[str]) -> dict[str, int]:
        """Of each device one share in clear."""
        return {device: shamir.read(self.take(shamir.SHARE_BYTES)) for device in devices}

    def _count(self) -> int:
        return int(_COUNT.unpack(self.take(_COUNT.size))[0])


def places(roster: Roster, devices: Sequence[str]) -> bytes:
    """A list of devices, in the order of the roster."""
    return b"".join(_COUNT.pack(number) for number in (len(devices), *sorted(roster.place(one) for one in devices)))
