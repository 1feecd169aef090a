"""Decodes a link from outside, in both directions, without taking part in it (T12, T13). Sans I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from jaragua.serial import lines
from jaragua.serial.lines import Line
from jaragua.wire import messages
from jaragua.wire.definitions import SEQUENCED, FrameType, LogLevel
from jaragua.wire.link import link
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.frames import BadCrcError, Frame, FrameError, Hello, Splitter, is_text, unpack
from jaragua.wire.messages import MessageError

_SEQUENCE: Final = 256
#: So many frames in a row that are none of those expected: the capture has lost the one that was.
_LOST_AFTER: Final = 32


@dataclass
class _Direction:
    """Puts the messages of one direction together (L3.2, L3.7)."""

    splitter: Splitter = field(default_factory=Splitter)
    expected: int | None = None
    """Number of the next message; None: the first that begins is taken (T13)."""
    partial: bytes = b""
    missed: int = 0

    def restart(self) -> None:
        """A session begins."""
        self.expected, self.partial, self.missed = 0, b"", 0

    def take(self, frame: Frame) -> bytes | None:
        """The message that a frame completes."""
        if self.expected is None and frame.offset == 0:
            self.expected = frame.seq
        if frame.seq != self.expected or frame.offset > len(self.partial):
            self._note_missed(frame)
            return None
        self.missed = 0
        self.partial = self.partial[: frame.offset] + frame.payload
        if len(self.partial) < frame.total:
            return None
        message, self.partial = self.partial, b""
        self.expected = (frame.seq + 1) % _SEQUENCE
        return message

    def _note_missed(self, frame: Frame) -> None:
        if self.expected is None or (frame.seq - self.expected) % _SEQUENCE >= _SEQUENCE // 2:
            return  # sent again
        self.missed += 1
        if self.missed >= _LOST_AFTER:
            self.expected, self.partial, self.missed = None, b"", 0


class Eavesdropper:
    """Bytes of a port in, lines out; `counters` count what was seen, as a host does."""

    def __init__(self) -> None:
        self._in, self._out = _Direction(), _Direction()
        self._session: int | None = None
        self.counters = LinkCounters()

    def feed(self, data: bytes, *, out: bool) -> list[Line]:
        """The lines that these bytes complete."""
        side = self._out if out else self._in
        if out:
            self.counters.bytes_out += len(data)
        else:
            self.counters.bytes_in += len(data)
        return [line for piece in side.splitter.feed(data) for line in self._piece(piece, side)]

    def _piece(self, piece: bytes, side: _Direction) -> list[Line]:
        try:
            frame = unpack(piece)
        except FrameError as error:
            return self._damaged(piece, error, side)
        if side is self._out:
            self.counters.frames_out += 1
            return self._of_host(frame)
        self.counters.frames_in += 1
        return [lines.of_event(event) for event in self._of_board(frame)]

    def _damaged(self, piece: bytes, error: FrameError, side: _Direction) -> list[Line]:
        if is_text(piece):
            texts = (line.strip() for line in piece.decode("ascii").splitlines())
            return [lines.of_event(link.Noise(text)) for text in texts if text]
        text, newline, rest = piece.rpartition(b"\n")
        if newline and rest and is_text(text):  # printed before a frame, without a 0x00 between them
            return [*self._piece(text, side), *self._piece(rest, side)]
        if isinstance(error, BadCrcError):
            self.counters.bad_crc += 1
        else:
            self.counters.bad_frames += 1
        return []

    def _of_host(self, frame: Frame) -> list[Line]:
        if frame.type not in SEQUENCED:
            return []
        message = self._out.take(frame)
        if message is None:
            return []
        if frame.type != FrameType.MSG:
            return [Line("data", f"{len(message)} bytes to the board", {"out": True}, LogLevel.DEBUG)]
        try:
            return [lines.of_request(messages.decode_request(message))]
        except MessageError as error:
            fields = {"payload": message.hex(), "reason": error.message}
            return [Line("malformed", error.message, fields, LogLevel.WARNING)]

    def _of_board(self, frame: Frame) -> list[link.LinkEvent]:
        if frame.type == FrameType.HELLO:
            return self._hello(frame)
        if frame.type == FrameType.RESET:
            self._session = None
            return [link.SessionEnded(frame.payload[0] if frame.payload else 0)]
        if frame.type == FrameType.LOG:
            return [link.Logged(frame.payload[0] if frame.payload else 0, frame.payload[1:].decode(errors="replace"))]
        if frame.type == FrameType.EVENT:
            return [link.Announced(frame.payload)]
        message = self._in.take(frame) if frame.type in SEQUENCED else None
        return [link.Received(frame.type, message)] if message is not None else []

    def _hello(self, frame: Frame) -> list[link.LinkEvent]:
        try:
            hello = Hello.unpack(frame.payload)
        except FrameError:
            self.counters.bad_frames += 1
            return []
        if frame.session in (0, self._session):
            return []
        self._session = frame.session
        self.counters.sessions += 1
        self._in.restart()
        self._out.restart()
        return [link.SessionOpened(frame.session, hello)]
