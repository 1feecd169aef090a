"""Reads messages that differ in a device and one number, as the commands of a round do: the rest is decoded once.

A simulated device looks at little of what it is sent, and its own work is to be small beside that of a coordinator.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from jaragua.wire import messages
from jaragua.wire.cbor import plain_cbor

MessageT = TypeVar("MessageT", bound=messages.TrainCommand | messages.UpdateAck)

_MOST_FORMS: Final = 256
#: CBOR (RFC 8949, 3.1): of texts and numbers whose length or value is in the head, and of those that have it behind it.
_TEXT: Final = 0x60
_LONGEST_IN_HEAD: Final = 23
_BYTES_OF_NUMBER: Final = {24: 2, 25: 3, 26: 5, 27: 9}


class AlikeReader(Generic[MessageT]):
    """Of one kind of message. number: a field whose value is not looked at; "" for none."""

    def __init__(self, kind: type[MessageT], number: str = "") -> None:
        self._kind = kind
        self._device = plain_cbor.dumps("device")
        self._number = plain_cbor.dumps(number) if number else b""
        self._known: dict[tuple[bytes, bytes, bytes], MessageT] = {}
        """Messages without their device and number, decoded."""

    def read(self, payload: bytes) -> tuple[MessageT, str]:
        """A message that has the same fields, but for device and number; and the device. Raises: MessageError."""
        begin = payload.find(self._device) + len(self._device)
        text = begin + 1
        end = text + payload[begin] - _TEXT
        if begin < len(self._device) or not text <= end <= text + _LONGEST_IN_HEAD:
            return self._decoded(payload)
        between, rest = b"", payload[end:]
        if self._number:
            place = rest.find(self._number) + len(self._number)
            if place < len(self._number):
                return self._decoded(payload)
            between, rest = rest[:place], rest[place + _BYTES_OF_NUMBER.get(rest[place], 1) :]
        form = payload[:begin], between, rest
        found = self._known.get(form)
        if found is None:
            found, device = self._decoded(payload)
            if device.encode() != payload[text:end]:
                return found, device
            if len(self._known) >= _MOST_FORMS:
                self._known.clear()
            self._known[form] = found
        return found, payload[text:end].decode()

    def _decoded(self, payload: bytes) -> tuple[MessageT, str]:
        message = messages.decode(self._kind, payload)
        return message, message.device
