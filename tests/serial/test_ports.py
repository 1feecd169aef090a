"""Ports by URL, and the one sentence for each thing that can be wrong with one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import pty
import socket
import sys
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jaragua.errors import PortError
from jaragua.serial import Transport, open_transport
from jaragua.serial.link_driver import LinkDriver
from limits import GENEROUS_S


async def echo(transport: Transport, other_end: int) -> bytes:
    """Sends through the port, answers from the other end, returns what came back."""
    transport.write(b"to the board\x00\xff")
    await asyncio.to_thread(os.read, other_end, 100)
    os.write(other_end, b"\x00\x11\x13\x03\r\n\xff")
    return await transport.read()


def test_a_pty_passes_every_byte() -> None:
    async def main() -> None:
        master, slave = pty.openpty()
        tty.setraw(master)
        transport = await open_transport(os.ttyname(slave))
        assert await echo(transport, master) == b"\x00\x11\x13\x03\r\n\xff"
        await transport.close()
        os.close(slave)
        os.close(master)

    asyncio.run(main())


def test_a_pty_whose_other_end_closes_ends_the_stream() -> None:
    async def main() -> None:
        master, slave = pty.openpty()
        transport = await open_transport(os.ttyname(slave))
        os.close(slave)
        os.close(master)
        assert await transport.read() == b""
        await transport.close()

    asyncio.run(main())


@pytest.mark.parametrize("family", ["socket", "unix"])
def test_a_socket_passes_bytes(family: str, tmp_path: Path) -> None:
    async def main() -> None:
        if family == "unix":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(tmp_path / "port"))
            url = f"unix://{tmp_path / 'port'}"
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        listener.listen()
        transport = await open_transport(url)
        connection, _ = listener.accept()
        assert await echo(transport, connection.fileno()) == b"\x00\x11\x13\x03\r\n\xff"
        connection.close()
        assert await transport.read() == b""
        await transport.close()
        listener.close()

    asyncio.run(main())


@contextlib.asynccontextmanager
async def both_ends() -> AsyncIterator[tuple[Transport, socket.socket]]:
    """An open port that is a socket, and the socket of the board's side."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Connections inherit it: a kernel with large buffers would take megabytes for a board that reads nothing.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        transport = await open_transport(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        connection, _ = listener.accept()
        with connection:
            yield transport, connection


def test_a_port_that_takes_nothing_is_closed_all_the_same() -> None:
    async def main() -> None:
        async with both_ends() as (transport, connection):
            for _ in range(1024):  # until the kernel takes no more, whatever its buffers are
                transport.write(bytes(1 << 16))
            assert transport._writer.transport.get_write_buffer_size() > 0
            async with asyncio.timeout(GENEROUS_S):
                await transport.close()
            connection.settimeout(GENEROUS_S)
            with contextlib.suppress(ConnectionResetError):
                while await asyncio.to_thread(connection.recv, 1 << 20):
                    pass

    asyncio.run(main())


def test_a_port_is_closed_although_its_closing_is_cancelled() -> None:
    async def main() -> None:
        async with both_ends() as (transport, connection):
            driver = LinkDriver(transport, lambda event: None)
            driver.start()
            closing = asyncio.create_task(driver.close())
            await asyncio.sleep(0)  # it waits for the reader now
            closing.cancel()
            await asyncio.wait([closing])
            assert closing.cancelled()
            assert await asyncio.to_thread(connection.recv, 1) == b""

    asyncio.run(main())


def refused(url: str) -> PortError:
    with pytest.raises(PortError) as caught:
        asyncio.run(open_transport(url))
    assert "\n" not in caught.value.message
    return caught.value


def test_a_port_that_does_not_exist_is_told_with_those_that_do() -> None:
    error = refused("/dev/ttyNOWHERE0")
    assert error.message == "port /dev/ttyNOWHERE0 does not exist"
    assert "port" in error.hint


def test_a_port_without_rights_is_told_with_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    import serial

    def forbidden(*_arguments: object, **_options: object) -> None:
        raise serial.SerialException(errno.EACCES, "Permission denied")

    monkeypatch.setattr("serial.Serial", forbidden)
    assert "usermod -a -G dialout" in refused("/dev/ttyACM0").hint


@pytest.mark.skipif(sys.platform != "linux", reason="locks of serial ports are Linux'")
def test_a_port_in_use_is_told() -> None:
    master, slave = pty.openpty()
    fcntl.flock(slave, fcntl.LOCK_EX)
    assert "in use" in refused(os.ttyname(slave)).message
    os.close(slave)
    os.close(master)


def test_a_baud_rate_that_is_none_is_told() -> None:
    with pytest.raises(PortError, match="baud"):
        asyncio.run(open_transport("/dev/ttyACM0", baud=-1))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("tcp://127.0.0.1:4000", "is not a port"),
        ("socket://127.0.0.1", "no host and port"),
        ("socket://:4000", "no host and port"),
        ("socket://127.0.0.1:x", "no host and port"),
        ("socket://127.0.0.1:1", "cannot connect"),
        ("unix:///nowhere/at/all", "cannot connect"),
        ("/dev/null", "is not a serial port"),
        ("/dev", "is a folder"),
    ],
)
def test_what_is_no_port_is_told(url: str, why: str) -> None:
    error = refused(url)
    assert why in error.message
    assert error.hint
