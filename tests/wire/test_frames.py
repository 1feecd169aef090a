"""L1: frames."""

import zlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua.wire.definitions import (
    HELLO_BYTES,
    MAX_ENCODED_BYTES,
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    PROTOCOL_MAJOR,
    SEQUENCED,
    FrameType,
)
from jaragua.wire.link import cobs
from jaragua.wire.link.frames import BadCrcError, Frame, FrameError, Hello, Splitter, pack, unpack


@st.composite
def _frames(draw: st.DrawFn) -> Frame:
    """Any frame that may be on the wire: whole ones of every type, segments of sequenced ones (L1.3)."""
    payload = draw(st.binary(max_size=MAX_PAYLOAD_BYTES))
    kind = draw(st.integers(0, 15))
    offset = rest = 0
    if kind in SEQUENCED and payload:
        offset = draw(st.integers(0, MAX_PAYLOAD_BYTES - len(payload)))
        rest = draw(st.integers(0, MAX_PAYLOAD_BYTES - len(payload) - offset))
    seq, ack, ack_offset = (draw(st.integers(0, 255)) for _ in range(3))
    session, major = draw(st.integers(0, 65535)), draw(st.integers(0, 15))
    return Frame(kind, payload, seq, ack, session, major, offset, rest, ack_offset)


frames = _frames()


def test_l1_1_layout_byte_for_byte() -> None:
    frame = Frame(FrameType.MSG, b"\x01\x02", seq=3, ack=4, session=0x0605, offset=8, rest=9, ack_offset=7)
    body = bytes([0x12, 8, 3, 4, 0x05, 0x06, 19, 7, 1, 2])
    expected = body + zlib.crc32(body).to_bytes(4, "little")
    assert cobs.decode(pack(frame)[:-1]) == expected


@given(frames)
def test_l1_1_a_frame_comes_back(frame: Frame) -> None:
    encoded = pack(frame)
    assert encoded.index(0) == len(encoded) - 1 < MAX_ENCODED_BYTES
    assert unpack(encoded[:-1]) == frame


@given(frames, st.integers(0, 10**6), st.integers(1, 255))
def test_l1_3_one_damaged_byte_is_always_noticed(frame: Frame, place: int, flip: int) -> None:
    encoded = bytearray(pack(frame)[:-1])
    encoded[place % len(encoded)] ^= flip
    with pytest.raises(FrameError):
        unpack(bytes(encoded))


@given(st.binary(max_size=400))
def test_l1_3_any_bytes_are_a_frame_or_a_frame_error(data: bytes) -> None:
    with suppress(FrameError):
        unpack(data)


def raw(body: bytes) -> bytes:
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))


def test_l1_3_a_short_frame_is_refused() -> None:
    with pytest.raises(FrameError, match="too short"):
        unpack(raw(b"\x12\x00\x00"))


def test_l1_3_a_long_frame_is_refused() -> None:
    with pytest.raises(FrameError, match="too long"):
        unpack(b"\x01" * (MAX_FRAME_BYTES + 2))


@pytest.mark.parametrize(
    ("kind", "offset", "total"),
    [(2, 7, 9), (2, 0, 2), (3, 239, 240), (3, 0, 241), (5, 0, 9), (8, 1, 4), (15, 0, 9)],
    ids=str,
)
def test_l1_3_a_segment_that_does_not_lie_in_its_message_is_refused(kind: int, offset: int, total: int) -> None:
    with pytest.raises(FrameError, match=r"do not fit a message|cannot be a segment"):
        unpack(raw(bytes([0x10 | kind, offset, 0, 0, 0, 0, total, 0]) + b"abc"))


def test_l1_3_a_segment_of_nothing_is_refused() -> None:
    with pytest.raises(FrameError, match="cannot be a segment"):
        unpack(raw(bytes([0x12, 0, 0, 0, 0, 0, 9, 0])))


def test_l1_3_a_wrong_crc_has_its_own_name() -> None:
    encoded = bytearray(pack(Frame(FrameType.ACK, b"\x07" * 8)))
    encoded[-2] ^= 0x80
    with pytest.raises(BadCrcError):
        unpack(bytes(encoded[:-1]))


def test_l1_1_a_payload_that_does_not_fit_is_refused() -> None:
    with pytest.raises(FrameError, match="does not fit"):
        pack(Frame(FrameType.MSG, bytes(MAX_PAYLOAD_BYTES + 1)))


def test_l2_1_hello_payload() -> None:
    hello = Hello(nonce=0x1234, window=8, major=1, minor=0)
    assert hello.pack() == bytes([0x34, 0x12, 8, 1, 0])
    assert len(hello.pack()) == HELLO_BYTES
    assert Hello.unpack(hello.pack()) == hello
    with pytest.raises(FrameError):
        Hello.unpack(hello.pack()[:-1])


@given(
    st.lists(frames.map(lambda frame: replace(frame, major=PROTOCOL_MAJOR)), max_size=5),
    st.lists(st.integers(1, 40), max_size=40),
)
def test_l1_1_a_stream_may_be_cut_anywhere(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(map(pack, sent))
    splitter, seen, at = Splitter(), [], 0
    for length in [*cuts, len(stream)]:
        seen += [unpack(piece) for piece in splitter.feed(stream[at : at + length])]
        at += length
    assert seen == sent


def test_l1_4_lines_of_other_firmware_are_pieces_though_no_zero_ends_them() -> None:
    splitter = Splitter()
    assert list(splitter.feed(b"Hello")) == []
    assert list(splitter.feed(b", world\r\nand")) == [b"Hello, world\r\n"]
    assert list(splitter.feed(b" more\n")) == [b"and more\n"]


def test_l1_3_a_stream_without_an_end_is_not_kept() -> None:
    splitter = Splitter()
    pieces = [piece for _ in range(100) for piece in splitter.feed(b"x" * 100)]
    assert sum(map(len, pieces)) > 10_000 - 5 * MAX_ENCODED_BYTES
