"""P3: what a gate does not admit is left out of a stream of packets and acknowledged; all else goes on as it came."""

from __future__ import annotations

import itertools
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.mqtt_packets import publish
from jaragua.node.connection.sieve import FIRST_OWN_IDENTIFIER, HEAD_BYTES, Sieve, Verdict
from jaragua.node.connection.sieved_socket import SievedSocket

PINGRESP = b"\xd0\x00"


def puback(number: int) -> bytes:
    return b"\x40\x02" + struct.pack(">H", number)


class ByTopic:
    """Admits a topic that begins with `r`; `x` is too much, `e` comes elsewhere, too."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes, bool]] = []

    def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
        self.seen.append((topic, head, is_retained))
        return {b"x": Verdict.TOO_MUCH, b"e": Verdict.READ_ELSEWHERE}.get(topic[:1], Verdict.READ)


PACKETS = st.one_of(
    st.builds(
        publish,
        st.sampled_from([b"r/1", b"x/1", b"x/2", b"e/1", b"\xff", b""]),
        st.binary(max_size=300),
        st.sampled_from([0, 1, 2]),
        st.integers(1, 65535),
        st.booleans(),
    ),
    st.just(PINGRESP),
    st.builds(puback, st.integers(1, FIRST_OWN_IDENTIFIER - 1)),
)


def is_dropped(packet: bytes) -> bool:
    """As the gate above decides, of QoS 0 and 1."""
    if packet[0] & 0xF4 != 0x30:
        return False
    begin = 2 if packet[1] < 128 else 3
    return packet[begin + 2 : begin + 3] in (b"x", b"e") and packet[begin : begin + 2] != b"\0\0"


@given(packets=st.lists(PACKETS, max_size=12), cuts=st.lists(st.integers(0, 3000), max_size=12))
def test_p3_a_stream_is_sifted_alike_wherever_it_is_cut(packets: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(packets)
    dropped: list[int] = []
    sieve = Sieve(ByTopic(), lambda count, topic: dropped.append(count))
    ends = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    sifted = [sieve.sift(stream[begin:end], 0.0) for begin, end in itertools.pairwise(ends)]
    gone = [packet for packet in packets if is_dropped(packet)]
    assert b"".join(kept for kept, _ in sifted) == b"".join(one for one in packets if one not in gone)
    answered = b"".join(answers for _, answers in sifted)
    assert len(answered) == 4 * sum(packet[0] & 0x02 != 0 for packet in gone)
    assert sum(dropped) == sum(b"x/" in packet[:6] for packet in gone)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_p1_bytes_that_are_no_packets_are_given_on_and_raise_nothing(pieces: list[bytes]) -> None:
    sieve = Sieve(ByTopic(), lambda count, topic: None)
    given_on = b"".join(sieve.sift(piece, 0.0)[0] for piece in pieces)
    assert len(given_on) <= sum(map(len, pieces))


def test_p1_a_length_of_more_than_four_bytes_is_left_to_the_library() -> None:
    wrong = b"\x30\xff\xff\xff\xff\x7f" + bytes(20)
    assert Sieve(ByTopic(), lambda count, topic: None).sift(wrong, 0.0)[0][:5] == wrong[:5]


def test_p3_a_gate_sees_the_first_bytes_of_a_payload_and_whether_it_was_retained() -> None:
    """M16.2: 2,048 bytes of properties and payload."""
    assert HEAD_BYTES == 2048
    gate = ByTopic()
    sieve = Sieve(gate, lambda count, topic: None)
    long = publish(b"r/1", bytes(range(256)) * 100, retain=True)
    for begin in range(0, len(long), 5000):
        kept, _ = sieve.sift(long[begin : begin + 5000], 0.0)
    assert kept == long
    assert gate.seen == [(b"r/1", (b"\0" + bytes(range(256)) * 100)[:HEAD_BYTES], True)]


def test_p3_acknowledgements_of_what_is_dropped_go_between_the_packets_of_the_library() -> None:
    ours, brokers = socket.socketpair()
    with ours, brokers:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ours.setblocking(False)
        sieved = SievedSocket(ours, Sieve(ByTopic(), lambda count, topic: None))
        packet = publish(b"big", bytes(200_000))
        sent = sieved.send(packet)
        assert 0 < sent < len(packet)
        brokers.sendall(publish(b"x/1", number=11) + publish(b"r/1", number=12) + publish(b"e/1", number=13))
        assert sieved.recv(1000) == publish(b"r/1", number=12)
        brokers.settimeout(5.0)
        got = bytearray()
        while sent < len(packet):
            got += brokers.recv(1 << 16)
            try:
                sent += sieved.send(packet[sent:])
            except BlockingIOError:
                continue
        while True:
            try:
                sieved.send(PINGRESP)
            except BlockingIOError:
                got += brokers.recv(1 << 16)
                continue
            break
        wanted = packet + puback(11) + puback(13) + PINGRESP
        while len(got) < len(wanted):
            got += brokers.recv(1 << 16)
        assert bytes(got) == wanted


def test_acknowledgements_of_our_own_messages_are_taken_out_wherever_the_stream_is_cut() -> None:
    own, theirs = puback(FIRST_OWN_IDENTIFIER) + puback(65535), puback(FIRST_OWN_IDENTIFIER - 1)
    stream = own + theirs + publish(b"r/1") + own
    for cut in range(len(stream)):
        told: list[int] = []
        sieve = Sieve(ByTopic(), lambda count, topic: None, on_acknowledged=told.extend)
        kept = sieve.sift(stream[:cut], 0.0)[0] + sieve.sift(stream[cut:], 0.0)[0]
        assert kept == theirs + publish(b"r/1")
        assert told == [FIRST_OWN_IDENTIFIER, 65535] * 2


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("size", [0, 1, 200, 9000])
def test_a_message_that_is_taken_never_reaches_the_library(qos: int, size: int) -> None:
    """M16.5: topic and payload, without the properties; it is acknowledged."""

    class Taking(ByTopic):
        def admits(self, topic: bytes, head: bytes, now_s: float, *, is_retained: bool) -> Verdict:
            return Verdict.TAKEN if topic == b"t/1" else Verdict.READ

    got: list[tuple[bytes, bytes]] = []
    sieve = Sieve(Taking(), lambda count, topic: None, lambda topic, payload: got.append((topic, payload)))
    message, other = publish(b"t/1", bytes(range(256)) * 40, qos, 7), publish(b"r/1", b"y")
    stream = other + message[: len(message)] + other
    kept, answered = sieve.sift(stream, 0.0)
    assert kept == other * 2
    assert got == [(b"t/1", bytes(range(256)) * 40)]
    assert answered == (puback(7) if qos else b"")


def test_p3_after_a_piece_of_a_flood_others_have_their_turn() -> None:
    """M16.3: a connection is read for 32 KiB, and a piece that was under way, at a time."""
    ours, brokers = socket.socketpair()
    with ours, brokers:
        ours.setblocking(False)
        sieved = SievedSocket(ours, Sieve(ByTopic(), lambda count, topic: None))
        brokers.sendall(publish(b"r/1") * 6000)
        read = b""
        while sieved.pending() or not read:
            read += sieved.recv(100)
        assert len(read) <= 1 << 15
        while len(read) < len(publish(b"r/1") * 6000):
            read += sieved.recv(100)
            sieved.pending()
        assert read == publish(b"r/1") * 6000
        brokers.sendall(publish(b"x/1"))
        with pytest.raises(BlockingIOError):  # nothing but what is left out is no end of the connection
            sieved.recv(1)
        sieved.pending()
        brokers.shutdown(socket.SHUT_WR)
        assert sieved.recv(1) == b""
