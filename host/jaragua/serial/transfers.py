"""Blobs down and updates up, resumed where they were broken off (L4.2, L4.7)."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import Final

from jaragua.serial import failures
from jaragua.serial.conversation import Conversation, OutOfSync
from jaragua.serial.failures import BoardRefused
from jaragua.wire.definitions import FrameType, Status
from jaragua.wire.messages import BlobBegin, BlobEnd, BlobState, UpdateRead

_OFFSET: Final = struct.Struct("<I")
#: Refusals of blob-end after which another blob-begin tells where to go on.
_RESUMABLE: Final = frozenset({Status.BAD_OFFSET, Status.INCOMPLETE, Status.NO_TRANSFER, Status.BAD_HASH})


async def stage(board: Conversation, blob: bytes, mtu: int) -> bytes:
    """Puts `blob` into the board's staged buffer unless it is there; returns its SHA-256. `mtu`: bytes of a payload."""
    sha256 = hashlib.sha256(blob).digest()
    state = await _begun(board, sha256, len(blob))
    if state.complete:
        return sha256
    chunk_bytes = mtu - _OFFSET.size
    for offset in range(state.offset, len(blob), chunk_bytes):
        await board.send(FrameType.DATA, _OFFSET.pack(offset) + blob[offset : offset + chunk_bytes])
    try:
        await board.command(lambda i: BlobEnd(i, sha256))
    except BoardRefused as error:
        if error.status in _RESUMABLE:
            raise OutOfSync(error) from error
        raise
    return sha256


async def _begun(board: Conversation, sha256: bytes, size_bytes: int) -> BlobState:
    """Where the transfer stands; a board that asks for a signature is given it (G33)."""
    try:
        return await board.ask(lambda i: BlobBegin(i, sha256, size_bytes), BlobState)
    except BoardRefused as error:
        signature = board.signature_of(sha256)
        if error.status != Status.NOT_SIGNED or signature is None:
            raise
    await board.command(lambda i: dataclasses.replace(signature, id=i))
    return await board.ask(lambda i: BlobBegin(i, sha256, size_bytes), BlobState)


async def read_rest(board: Conversation, job: int, blob: bytearray, blob_bytes: int) -> None:
    """Reads on from where `blob` ends until it has `blob_bytes`. BoardRestarted if the job is forgotten."""
    try:
        await board.command(lambda i: UpdateRead(i, job, len(blob)))
    except BoardRefused as error:
        if error.status == Status.NO_JOB:
            raise failures.restarted(board.url) from error
        raise
    while len(blob) < blob_bytes:
        item = await board.next()
        if isinstance(item, bytes) and item[: _OFFSET.size] == _OFFSET.pack(len(blob)):
            blob += item[_OFFSET.size :]
