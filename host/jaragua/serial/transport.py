"""Ports by URL: `/dev/tty…` and ptys (pyserial), `socket://host:port`, `unix://path`; bytes both ways in asyncio."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from jaragua.errors import PortError

if TYPE_CHECKING:
    from jaragua.serial.ports.diagnosis import Problem

DEFAULT_BAUD: Final = 115200
#: One turn of one port: a few milliseconds of work.
_READ_BYTES: Final = 4096
#: What waits to be written to a port that takes nothing; the rest is lost, as on a cable, and the link sends it again.
_MOST_UNWRITTEN_BYTES: Final = 256 * 1024
#: How long a port that is closed may take to accept what was written to it.
_FLUSH_SECONDS: Final = 1.0
_BUSY: Final = frozenset({errno.EBUSY, errno.EAGAIN})


class Transport:
    """An open port. `url` names it in messages."""

    def __init__(
        self,
        url: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        read_end: asyncio.BaseTransport | None = None,
    ) -> None:
        """`read_end`: what else must be closed, where reading and writing are two pipes."""
        self.url = url
        self._reader = reader
        self._writer = writer
        self._read_end = read_end

    async def read(self) -> bytes:
        """The next bytes, b"" when the port has gone away."""
        try:
            return await self._reader.read(_READ_BYTES)
        except OSError:  # a pty whose other end was closed, an unplugged adapter
            return b""

    def write(self, data: bytes) -> None:
        """Queues bytes to be written. Of a port that takes none, they are dropped beyond 256 KiB (P3)."""
        if self._writer.is_closing() or self._writer.transport.get_write_buffer_size() > _MOST_UNWRITTEN_BYTES:
            return
        self._writer.write(data)

    async def close(self) -> None:
        """Closes the port; a second call does nothing. What the port does not take in time is not written any more."""
        if self._read_end is not None:
            self._read_end.close()
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), _FLUSH_SECONDS)
        except OSError:  # already gone, or (TimeoutError) not flushed
            return
        finally:
            if self._writer.transport.get_write_buffer_size():
                self._writer.transport.abort()


class PortNameError(PortError):
    """What was given as a port can never be one, however long one waits for it."""


def check_port(url: str) -> None:
    """PortNameError if `url` is no port by its form. Whether it is there, only opening it can tell."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme not in _OPENERS:
        raise PortNameError(
            f"{url!r} is not a port: Jaragua knows no {scheme}://",
            "Give a device such as /dev/ttyACM0, socket://host:port or unix://path.",
        )
    if scheme == "socket" and separator:
        _host_and_port(url)
    elif not (rest or (scheme and not separator)) or "\0" in url:
        raise PortNameError(f"{url!r} names no port", "Give a device such as /dev/ttyACM0, or unix://path.")


async def open_transport(url: str, baud: int = DEFAULT_BAUD) -> Transport:
    """Opens the port; PortError says why it cannot be, and what to do."""
    check_port(url)
    scheme, separator, rest = url.partition("://")
    if not separator:
        return await _open_serial(url, baud)
    return await _OPENERS[scheme](url, rest)


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port is None:
        raise PortNameError(f"{url!r} has no host and port", "Write it as socket://127.0.0.1:4000.")
    return host, port


async def _open_socket(url: str, _rest: str) -> Transport:
    host, port = _host_and_port(url)
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise PortError(
            f"cannot connect to {url}: {_reason(error)}",
            "Check that the board is there: `jaragua emulate` prints its ports.",
        ) from error
    return Transport(url, reader, writer)


async def _open_unix(url: str, path: str) -> Transport:
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        raise PortError(f"cannot connect to {url}: {_reason(error)}", "Check that the board is there.") from error
    return Transport(url, reader, writer)


_OPENERS: Final[dict[str, Callable[[str, str], Awaitable[Transport]]]] = {"socket": _open_socket, "unix": _open_unix}


async def _open_serial(path: str, baud: int) -> Transport:
    import serial  # pyserial; not needed for sockets

    try:
        # Exclusive: two programs on one port would take each other's bytes.
        port = serial.Serial(path, baud, timeout=0, exclusive=True)
    except (OSError, ValueError) as error:
        raise _serial_error(path, baud, error) from error
    try:
        return await _streams_of(path, port.fileno())
    finally:
        port.close()  # the streams hold descriptors of their own, which keep settings and lock


async def _streams_of(path: str, descriptor: int) -> Transport:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    os.set_blocking(descriptor, False)
    read_end, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(descriptor), "rb", 0)
    )
    write_end, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(os.dup(descriptor), "wb", 0)
    )
    return Transport(path, reader, asyncio.StreamWriter(write_end, protocol, reader, loop), read_end)


def _serial_error(path: str, baud: int, error: OSError | ValueError) -> PortError:
    from jaragua.serial.ports import diagnosis

    number = getattr(error, "errno", None)
    if isinstance(error, ValueError):
        return PortError(f"port {path} cannot be set to {baud} baud", "Choose another baud rate.")
    if number == errno.ENOENT:
        return _of_problem(diagnosis.absent(path))
    if number in (errno.EACCES, errno.EPERM):
        return _of_problem(diagnosis.no_rights(path))
    if number == errno.EISDIR:
        return PortError(f"{path} is a folder, not a serial port", _existing_ports())
    if "Inappropriate ioctl" in str(error):  # pyserial keeps the number of ENOTTY in a text
        return PortError(f"{path} is not a serial port", _existing_ports())
    if number in _BUSY:
        return _of_problem(diagnosis.in_use(path))
    return PortError(f"port {path} cannot be opened: {_reason(error)}", _existing_ports())


def _of_problem(problem: Problem) -> PortError:
    return PortError(problem.what, problem.mend)


def _existing_ports() -> str:
    from jaragua.serial.ports import diagnosis

    return diagnosis.absent("").mend


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
