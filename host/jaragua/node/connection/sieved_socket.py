"""A socket that the client library reads through a sieve."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import aiomqtt

from jaragua.node.connection.paced_reading import PacedReading
from jaragua.node.connection.sieve import FIRST_OWN_IDENTIFIER, Sieve

#: Read of a socket before everything else has its turn (M16.3); the second of one that is read with pauses (M16.9).
_CHUNK_BYTES: Final = 1 << 15
_PACED_CHUNK_BYTES: Final = 1 << 18
_WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SievedSocket:
    """What paho-mqtt uses of a non-blocking socket. What was left out is acknowledged between the library's packets."""

    def __init__(self, plain: socket.socket, sieve: Sieve, pace: PacedReading | None = None) -> None:
        """pace: is told when all that had come was read (M16.9)."""
        self._plain = plain
        self._sieve = sieve
        self._pace = pace
        self._ready = b""
        self._read = 0
        self._acknowledgements = b""
        self._is_within_a_packet = False
        self._had_its_turn = False

    def recv(self, count: int) -> bytes:
        """At most `count` bytes of what is to be read; b"" at the end of the connection. Raises: BlockingIOError."""
        if self._read == len(self._ready):
            if self._had_its_turn:
                raise BlockingIOError
            self._fill()
        piece = self._ready[self._read : self._read + count]
        self._read += len(piece)
        return piece

    def send(self, data: bytes) -> int:
        """As of a socket. `data` is a packet, or the rest of the last one. Raises: BlockingIOError."""
        if not self._is_within_a_packet:
            self._acknowledge()
            if self._acknowledgements:
                raise BlockingIOError
        self._is_within_a_packet = True
        sent = self._plain.send(data)
        self._is_within_a_packet = sent < len(data)
        return sent

    def send_between(self, packets: bytes) -> bool:
        """Whole packets, between those of the library; whether the socket has taken all that waits."""
        self._acknowledgements += packets
        if not self._is_within_a_packet:
            self._acknowledge()
        return not self._acknowledgements

    def pending(self) -> int:
        """Bytes that `recv` has without waiting. aiomqtt reads on until there are none; then others have their turn."""
        left = len(self._ready) - self._read
        if left:
            return left
        self._had_its_turn = False
        return self._plain.pending() if isinstance(self._plain, ssl.SSLSocket) else 0

    def fileno(self) -> int:
        """Of the socket."""
        return self._plain.fileno()

    def setblocking(self, flag: bool) -> None:
        """Of the socket."""
        self._plain.setblocking(flag)

    def close(self) -> None:
        """Of the socket."""
        if self._pace is not None:
            self._pace.end()
        self._plain.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def _fill(self) -> None:
        data = self._plain.recv(_CHUNK_BYTES) if self._pace is None else self._all_that_came(self._pace)
        self._had_its_turn = True
        self._read, self._ready = 0, b""
        if not data:
            return
        self._ready, acknowledgements = self._sieve.sift(data, time.monotonic())
        self._acknowledgements += acknowledgements
        if not self._is_within_a_packet:
            self._acknowledge()
        if not self._ready:
            raise BlockingIOError

    def _all_that_came(self, pace: PacedReading) -> bytes:
        """Up to a large chunk. Raises: BlockingIOError."""
        data = self._plain.recv(_PACED_CHUNK_BYTES)
        if data and isinstance(self._plain, ssl.SSLSocket):  # it gives one record at a time
            with suppress(*_WOULD_BLOCK):
                while len(data) < _PACED_CHUNK_BYTES and (more := self._plain.recv(_PACED_CHUNK_BYTES)):
                    data += more
        if data and len(data) < _PACED_CHUNK_BYTES:
            pace.pause(self._plain.fileno())
        return data

    def _acknowledge(self) -> None:
        """What the broker does not take now goes before the next packet."""
        with suppress(*_WOULD_BLOCK):
            while self._acknowledgements:
                self._acknowledgements = self._acknowledgements[self._plain.send(self._acknowledgements) :]


def sieve_of(client: aiomqtt.Client, make: Callable[[], Sieve], pace: PacedReading | None = None) -> None:
    """Have a client that is not connected yet read through a sieve, a new one for each connection.

    pace: of its only connection (M16.9). The library has no hook for this, so the method that makes its socket is
    wrapped.
    """
    library = client._client
    create = library._create_socket
    library._create_socket = lambda: SievedSocket(create(), make(), pace)  # type: ignore[method-assign, assignment, return-value, arg-type]


def sieved_socket_of(client: aiomqtt.Client) -> SievedSocket | None:
    """The socket of a connected client that `sieve_of` was called for."""
    found = client._client.socket()
    return found if isinstance(found, SievedSocket) else None


def keep_identifiers_apart(client: aiomqtt.Client) -> None:
    """Have the library count its packets below FIRST_OWN_IDENTIFIER; call it before each request."""
    if client._client._last_mid >= FIRST_OWN_IDENTIFIER - 2:
        client._client._last_mid = 0
