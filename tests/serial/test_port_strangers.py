"""What answers on a port and is no board of this release: silence, other firmware or version, nonsense (L2.4, L4.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from typing import Any

import pytest

from common.identity import IDENTITY
from common.socket_ports import Serve, socket_port
from jaragua.errors import JaraguaError, ProtocolError, UsageError
from jaragua.serial import Board, BoardSilent, BoardVersionError
from jaragua.serial.conversation import Attempts
from jaragua.serial.failures import BoardBabbles
from jaragua.serial.patience import PATIENCE_VARIABLE, Patience, patience_of
from jaragua.wire import messages
from jaragua.wire.definitions import PROTOCOL_MAJOR, PROTOCOL_MINOR, FrameType
from jaragua.wire.link.frames import Frame, Splitter, pack, unpack
from jaragua.wire.messages import Identity

#: For what must end in silence.
HASTY = Patience(greeting_s=0.3, silence_s=0.3, answer_s=60)
OpenFake = Callable[[Callable[[Frame], list[Frame]]], AbstractAsyncContextManager[str]]


def identity_on(serve: Serve, patience: Patience | None = None) -> Identity:
    """What says who it is on a port that `serve` answers."""

    async def main() -> Identity:
        async with socket_port(serve) as url, Board(url, patience=patience) as board:
            return board.identity

    return asyncio.run(main())


def failure_of(
    open_fake: OpenFake, answer: Callable[[Frame], list[Frame]], patience: Patience | None = None
) -> JaraguaError:
    """The error that opening a board ends with."""

    async def main() -> JaraguaError:
        async with open_fake(answer) as url:
            with pytest.raises(JaraguaError) as caught:
                async with Board(url, patience=patience):
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
    assert "jaragua flash --port" in error.hint


def test_silence_is_told_as_such(open_fake: OpenFake) -> None:
    error = failure_of(open_fake, lambda _frame: [], HASTY)
    assert isinstance(error, BoardSilent)
    assert "no board of Jaragua answers" in error.message


def test_other_firmware_is_quoted() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(b"MicroPython v1.24\r\n>>> \x00")
        writer.close()

    with pytest.raises(BoardSilent, match="it printed"):
        identity_on(serve, HASTY)


def test_l5_2_a_session_without_answers_is_silence(open_fake: OpenFake, greet: Any) -> None:
    error = failure_of(open_fake, lambda frame: greet(frame, PROTOCOL_MAJOR, PROTOCOL_MINOR), HASTY)
    assert isinstance(error, BoardSilent)
    assert "has been silent for 0.3 s" in error.message


def an_ack(frame: Frame) -> list[Frame]:
    return [Frame(FrameType.ACK, ack=(frame.seq + 1) % 256, session=9)]


def test_l5_3_a_board_that_sends_other_things_is_slow_and_not_silent(open_fake: OpenFake, greet: Any) -> None:
    """It acknowledges each probe of the host and never answers: given up after `answer_s`, with other words."""
    patience = Patience(greeting_s=60, silence_s=60, answer_s=1)
    error = failure_of(open_fake, lambda frame: greet(frame, PROTOCOL_MAJOR, PROTOCOL_MINOR) or an_ack(frame), patience)
    assert isinstance(error, BoardSilent)
    assert "is there, but has not answered a request for 1 s" in error.message


def test_l5_2_an_answer_that_takes_longer_than_silence_may_is_waited_for_while_frames_come(greet: Any) -> None:
    """LOG frames every 50 ms for 3 s, then the answer; `silence_s` is 1 s, and the board counts as there."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = Splitter()
        while data := await reader.read(4096):
            for piece in splitter.feed(data):
                frame = unpack(piece)
                writer.write(b"".join(map(pack, greet(frame, PROTOCOL_MAJOR, PROTOCOL_MINOR))))
                if frame.type != FrameType.MSG:
                    continue
                for _ in range(60):
                    writer.write(pack(Frame(FrameType.LOG, b"\x02still at work", ack=1, session=9)))
                    await asyncio.sleep(0.05)
                request = messages.decode_request(frame.payload)
                answer = messages.encode(replace(IDENTITY, id=request.id))
                writer.write(b"".join(map(pack, in_session(frame, answer))))
        writer.close()

    assert identity_on(serve, Patience(greeting_s=60, silence_s=1, answer_s=60)).model == IDENTITY.model


def test_l5_4_the_factor_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "3")
    assert patience_of(None) == Patience(30, 90, 900)
    assert patience_of(2) == Patience(20, 60, 600)
    for bad in ("soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(PATIENCE_VARIABLE, bad)
        with pytest.raises(UsageError):
            patience_of(None)


def test_l5_5_attempts_with_a_step_forward_are_not_counted_against_a_request() -> None:
    attempts = Attempts()
    for _ in range(9):
        attempts.broke_off(0)
    attempts.broke_off(50)
    assert not attempts.used_up
    for _ in range(10):
        attempts.broke_off(1)
    assert attempts.used_up


def test_l5_7_a_port_that_only_babbles_is_named() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"\x01" * 4096)
                await writer.drain()

    with pytest.raises(BoardBabbles, match="not one frame"):
        identity_on(serve)


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

    with pytest.raises(JaraguaError, match="went away"):
        identity_on(serve)


def test_a_board_that_was_not_opened_says_so() -> None:
    with pytest.raises(JaraguaError, match="has not been asked"):
        _ = Board("/dev/nowhere").identity
    with pytest.raises(JaraguaError, match="not open"):
        asyncio.run(Board("/dev/nowhere").health())


def test_jobs_begin_at_a_random_number() -> None:
    first, second = Board("x"), Board("x")
    assert first.new_job() != second.new_job()
    assert first.new_job() == first.new_job() - 1
