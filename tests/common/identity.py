"""What a board made up by a test says of itself."""

from __future__ import annotations

from jaragua.wire.definitions import PROTOCOL_MAJOR, PROTOCOL_MINOR
from jaragua.wire.messages import Identity

IDENTITY = Identity(
    id=1, major=PROTOCOL_MAJOR, minor=PROTOCOL_MINOR, firmware="1", build=bytes(8), board="fake", uid=bytes(8),
    model="digits", architecture=bytes(8), blob_bytes=4, inputs=1, outputs=1, classifier=True, staged=b"", working=b"",
    mtu=240, window=8, reset_cause=1, ram_bytes=262144, flash_bytes=1048576, arena_bytes=1000, operators=1,
)  # fmt: skip
