"""A line to a PostgreSQL server that is cut at a chosen message of its protocol."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SOCKET: Final = ".s.PGSQL.5432"
TO_SERVER, TO_CLIENT = "to the server", "to the client"


class CuttingRelay:
    """Carries messages between clients and the server until the armed one, at whose place it cuts all lines."""

    def __init__(self, server: Path) -> None:
        """server: the folder of its socket."""
        self._server = server
        self.folder = Path(tempfile.mkdtemp(prefix="jrg-relay-"))
        self._lock = threading.Lock()
        self._lines: set[socket.socket] = set()
        self._armed, self._left = "", 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / _SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """End all lines."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self._cut()
        for thread in self._threads:
            thread.join()
        for one in self._lines:
            one.close()
        shutil.rmtree(self.folder)

    def arm(self, direction: str, number: int) -> None:
        """From now on: cut instead of carrying the number-th message of a direction (1, 2, …)."""
        with self._lock:
            self._armed, self._left = direction, number

    def disarm(self) -> bool:
        """Carry everything; whether the armed message had come."""
        with self._lock:
            came, self._armed = not self._armed, ""
            return came

    def cut(self) -> None:
        """Cut every line now."""
        self._cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._server / _SOCKET))
            except OSError:
                client.close()
                server.close()
                continue
            self._lines |= {client, server}
            for source, sink, direction in ((client, server, TO_SERVER), (server, client, TO_CLIENT)):
                thread = threading.Thread(target=self._carry, args=(source, sink, direction), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        is_first = direction == TO_SERVER  # the start of a session has no type
        with contextlib.suppress(OSError, EOFError):
            while True:
                message = _message(source, is_first)
                is_first = False
                if self._is_due(direction):
                    self._cut()
                    break
                sink.sendall(message)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _is_due(self, direction: str) -> bool:
        with self._lock:
            if self._armed != direction:
                return False
            self._left -= 1
            if self._left == 0:
                self._armed = ""
            return self._left == 0

    def _cut(self) -> None:
        for one in list(self._lines):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cutting_relay(server: Path) -> Iterator[CuttingRelay]:
    """A relay that ends with the block."""
    relay = CuttingRelay(server)
    try:
        yield relay
    finally:
        relay.close()


def _message(source: socket.socket, is_first: bool) -> bytes:
    """One message of the protocol: a type of one byte, a length that counts itself, and its content."""
    head = _exactly(source, 4 if is_first else 5)
    (length,) = struct.unpack("!I", head[-4:])
    return head + _exactly(source, length - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        more = source.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return bytes(found)
