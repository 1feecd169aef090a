"""What answers on a port and is no board of this release: silence, other firmware or version, nonsense (L2.4, L4.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from jaragua.errors import JaraguaError, ProtocolError
from jaragua.serial import Board, BoardSilent, BoardVersionError
from jaragua.wire import messages
from jaragua.wire.definitions import PROTOCOL_MAJOR, PROTOCOL_MINOR, FrameType
from jaragua.wire.frames import Frame

OpenFake = Callable[[Callable[[Frame], list[Frame]]], AbstractAsyncContextManager[str]]


def failure_of(open_fake: OpenFake, answer: Callable[[Frame], list[Frame]], timeout_s: float = 5.0) -> JaraguaError:
    """The error that opening a board ends with."""

    async def main() -> JaraguaError:
        async with open_fake(answer) as url:
            with pytest.raises(JaraguaError) as caught:
                async with Board(url, open_timeout_s=timeout_s):
                    pass
        return caught.value

    return asyncio.run(main())


def in_session(frame: Frame, payload: bytes) -> list[Frame]:
    """An answer to a MSG: acknowledged, and with a payload of our choice."""
    return [Frame(FrameType.MSG, payload, seq=0, ack=(frame.seq + 1) % 256, session=9)]


@pytest.mark.parametrize(("major", "minor"), [(PROTOCOL_MAJOR + 1, 0), (0, 0), (PROTOCOL_MAJOR, PROTOCOL_MINOR + 1)])
def test_l2_4_another_version_is_told_with_the_command_that_updates(
    open_fake: OpenFake, greet: Any, major: int, minor: int
) -> None:
    error = failure_of(open_fake, lambda frame: greet(frame, major, minor))
    assert isinstance(error, BoardVersionError)
    assert f"the board speaks protocol {major}.{minor}" in error.message
    assert "pio run" in error.hint


def test_silence_is_told_as_such(open_fake: OpenFake) -> None:
    error = failure_of(open_fake, lambda _frame: [], timeout_s=0.3)
    assert isinstance(error, BoardSilent)
    assert "no board of Jaragua answers" in error.message


def test_other_firmware_is_quoted() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(b"MicroPython v1.24\r\n>>> \x00")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = "socket://{}:{}".format(*server.sockets[0].getsockname())
        with pytest.raises(BoardSilent, match="it printed"):
            async with Board(url, open_timeout_s=0.3):
                pass
        server.close()

    asyncio.run(main())


def test_a_session_without_answers_is_silence(open_fake: OpenFake, greet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaragua.serial.conversation._ANSWER_S", 0.3)
    error = failure_of(open_fake, lambda frame: greet(frame, PROTOCOL_MAJOR, PROTOCOL_MINOR))
    assert isinstance(error, BoardSilent)
    assert "does not answer" in error.message


@pytest.mark.parametrize("payload", [b"", b"\xff" * 9, bytes.fromhex("821901f401"), bytes.fromhex("8218630a")])
def test_l4_9_a_message_that_is_none_is_a_protocol_error(open_fake: OpenFake, greet: Any, payload: bytes) -> None:
    def answer(frame: Frame) -> list[Frame]:
        return greet(frame, PROTOCOL_MAJOR, PROTOCOL_MINOR) or in_session(frame, payload)

    error = failure_of(open_fake, answer)
    assert isinstance(error, ProtocolError)
    assert error.message


def test_l4_1_the_wrong_answer_is_a_protocol_error(open_fake: OpenFake, greet: Any) -> None:
    def answer(frame: Frame) -> list[Frame]:
        if frame.type != FrameType.MSG:
            return list(greet(frame, PROTOCOL_MAJOR, PROTOCOL_MINOR))
        request = messages.decode_request(frame.payload)
        return in_session(frame, messages.encode(messages.BlobState(request.id, 0, False)))

    error = failure_of(open_fake, answer)
    assert isinstance(error, ProtocolError)
    assert "BlobState" in error.message


def test_a_port_that_goes_away_during_a_request_is_told() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = "socket://{}:{}".format(*server.sockets[0].getsockname())
        with pytest.raises(JaraguaError, match="went away"):
            async with Board(url):
                pass
        server.close()

    asyncio.run(main())


def test_a_board_that_was_not_opened_says_so() -> None:
    with pytest.raises(JaraguaError, match="has not been asked"):
        _ = Board("/dev/nowhere").identity
    with pytest.raises(JaraguaError, match="not open"):
        asyncio.run(Board("/dev/nowhere").health())


def test_jobs_begin_at_a_random_number() -> None:
    first, second = Board("x"), Board("x")
    assert first.new_job() != second.new_job()
    assert first.new_job() == first.new_job() - 1
