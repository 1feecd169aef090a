"""P4: the words of a board in the gateway's log: escaped, and at a bounded rate."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from jaragua.gateway.board_log import BURST_LINES, LINES_PER_S, BoardLog
from jaragua.wire.definitions import PROTOCOL_MAJOR, PROTOCOL_MINOR, FrameType, LogLevel
from jaragua.wire.link.frames import Frame, Hello, Splitter, pack, unpack

FLOOD = 5000


def test_p4_the_rest_of_a_flood_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    log = BoardLog(lambda: now_s[0])
    for _ in range(1000):
        log.say("left", LogLevel.WARNING, "help")
    assert len(caplog.records) == BURST_LINES
    now_s[0] = 1.0
    log.say("left", LogLevel.WARNING, "help")
    assert f"left: {1000 - BURST_LINES} lines suppressed" in caplog.text


def test_p4_lines_nobody_sees_take_no_place(caplog: pytest.LogCaptureFixture) -> None:
    log = BoardLog(lambda: 0.0)
    with caplog.at_level(logging.INFO, "jaragua"):
        for _ in range(1000):
            log.say("left", LogLevel.DEBUG, "chatter")
        log.say("left", LogLevel.ERROR, "help")
    assert "help" in caplog.text
    assert "suppressed" not in caplog.text


async def flooding_board(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Opens a session, then says a terminal's commands in LOG frames, and closes."""
    splitter = Splitter()
    while data := await reader.read(4096):
        for frame in map(unpack, splitter.feed(data)):
            if frame.type == FrameType.HELLO:
                hello = Hello(Hello.unpack(frame.payload).nonce, 8, PROTOCOL_MAJOR, PROTOCOL_MINOR)
                writer.write(pack(Frame(FrameType.HELLO, hello.pack(), session=9)))
                line = pack(Frame(FrameType.LOG, b"\x00\x1b[2Jred\x1b[31m\r\nfake line\xc2\x9b", session=9))
                for _ in range(FLOOD):
                    writer.write(line)
                await writer.drain()
                writer.close()
                return


def test_p4_real_bytes_through_the_gateway(tmp_path: Path) -> None:
    async def main() -> bytes:
        server = await asyncio.start_server(flooding_board, "127.0.0.1", 0)
        url = "socket://{}:{}".format(*server.sockets[0].getsockname())
        options = ["--port", url, "--broker", "mqtt://127.0.0.1:1", "--fleet", "home", "--data-dir", str(tmp_path)]
        command = [sys.executable, "-m", "jaragua.cli.main", "gateway", *options]
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        said = b""
        async with asyncio.timeout(300):
            while b"lines suppressed" not in said:
                said += await process.stderr.readline()
        process.kill()
        await process.wait()
        server.close()
        return said

    said = asyncio.run(main())
    assert b"\x1b" not in said
    assert b"\xc2\x9b" not in said
    assert b"\\x1b[2Jred\\x1b[31m\\r\\nfake line\\x9b" in said
    assert said.count(b" says: ") < BURST_LINES + 300 * LINES_PER_S
    assert FLOOD > BURST_LINES + 300 * LINES_PER_S
