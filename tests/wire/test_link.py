"""L1.3 to L3.6: the host's link against a board's end over lines of every badness, with a clock that tests move."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from jaragua.errors import ProtocolError
from jaragua.wire.definitions import (
    HEALTH_PERIOD_MS,
    MAX_PAYLOAD_BYTES,
    MAX_WINDOW,
    MIN_SEGMENT_BYTES,
    PROTOCOL_MINOR,
    RTO_CEILING_MS,
    RTO_FIRST_MS,
    RTO_FLOOR_MS,
    SEQUENCED,
    TIMEOUTS_UNTIL_LOST,
    FrameType,
    LogLevel,
    ResetCause,
    protocol_problem,
)
from jaragua.wire.link.frames import DELIMITER, Frame, Hello, pack, unpack
from jaragua.wire.link.link import (
    Announced,
    Link,
    LinkLost,
    LinkPhase,
    Logged,
    Noise,
    Received,
    SessionEnded,
    SessionOpened,
)
from jaragua.wire.link.retransmission import RetransmissionTimer

Make = Callable[..., Any]


def payloads(seed: int, count: int) -> list[tuple[FrameType, bytes]]:
    rng = random.Random(seed)
    kinds = sorted(SEQUENCED)
    return [(rng.choice(kinds), rng.randbytes(rng.randrange(MAX_PAYLOAD_BYTES + 1))) for _ in range(count)]


def frames_of(output: bytes) -> list[Frame]:
    return [unpack(piece) for piece in output.split(DELIMITER) if piece]


def opened(window: int = MAX_WINDOW) -> Link:
    link = Link(nonce=1, window=window)
    link.connect(0.0)
    nonce = Hello.unpack(frames_of(link.take_output())[0].payload).nonce
    answer = Frame(FrameType.HELLO, Hello(nonce, window, 1, 0).pack(), session=5)
    assert isinstance(link.receive(pack(answer), 10.0)[0], SessionOpened)
    return link


@pytest.mark.parametrize("seed", range(6))
def test_l3_everything_arrives_once_and_in_order_over_a_bad_line(make_wire: Make, seed: int) -> None:
    print(f"seed {seed}")
    wire = make_wire(seed)
    wire.open()
    for pipe in (wire.to_board, wire.to_host):
        pipe.loss, pipe.double, pipe.damage, pipe.reorder = 0.05, 0.05, 0.08, 0.05
    down, up = payloads(seed, 300), payloads(seed + 100, 300)
    for frame_type, payload in down:
        wire.host.send(frame_type, payload, wire.now_ms)
    for frame_type, payload in up:
        wire.board.send(frame_type, payload, wire.now_ms)
    wire.run(lambda: wire.host.waiting == 0 and wire.board.delivery.waiting == 0)
    assert wire.board.received == down
    assert [(event.frame_type, event.payload) for event in wire.of(Received)] == up
    assert wire.host.counters.retransmits > 0
    assert wire.host.counters.bad_crc + wire.host.counters.bad_frames > 0
    assert wire.host.counters.naks > 0
    assert wire.host.counters.duplicates > 0


def test_l3_5_a_quiet_line_counts_nothing_bad(wire: Any) -> None:
    wire.open()
    for frame_type, payload in payloads(3, 100):
        wire.host.send(frame_type, payload, wire.now_ms)
    wire.run(lambda: wire.host.waiting == 0)
    counters = wire.host.counters
    assert (counters.retransmits, counters.naks, counters.bad_crc, counters.bad_frames, counters.duplicates) == (0,) * 5
    assert counters.frames_out == 1 + 100  # HELLO and the payloads
    assert 9 <= counters.rtt_ms <= 14  # two ways of 5 ms, and the steps of the clock


def test_l1_3_a_host_writes_one_zero_before_its_first_frame() -> None:
    link = Link(nonce=1)
    link.connect(0.0)
    output = link.take_output()
    assert output[:1] == DELIMITER
    assert frames_of(output)[0].type == FrameType.HELLO


def test_l1_4_the_boot_line_is_shown_as_text() -> None:
    link = Link(nonce=1)
    line = "jaragua 0.1.0 test digits protocol 1.0"
    assert link.receive(f"{line}\r\n".encode() + DELIMITER, 0.0) == [Noise(line)]


def test_l1_2_an_unknown_type_is_counted_and_dropped() -> None:
    link = opened()
    assert link.receive(pack(Frame(15, b"new", session=5)), 20.0) == []
    assert link.counters.unknown_frames == 1


def test_l2_1_the_smaller_window_counts(make_wire: Make, make_board: Make) -> None:
    wire = make_wire(board=make_board(window=3))
    wire.open()
    for _ in range(9):
        wire.host.send(FrameType.MSG, b"x", wire.now_ms)
    assert len(frames_of(wire.host.take_output())) == 3


def test_l2_1_an_answer_to_another_nonce_opens_nothing() -> None:
    link = Link(nonce=1)
    link.connect(0.0)
    stale = Frame(FrameType.HELLO, Hello(999, 8, 1, 0).pack(), session=5)
    assert link.receive(pack(stale), 1.0) == []
    assert link.phase is LinkPhase.GREETING


def test_l5_1_a_board_slower_than_the_timeout_gets_the_time_it_needs() -> None:
    """Each answer comes 700 ms after its HELLO. Those to earlier ones open nothing, but make the host wait longer."""
    link = Link(nonce=1)
    link.connect(0.0)
    answers: list[tuple[float, Frame]] = []
    now_ms, sent = 0.0, 0
    while link.phase is LinkPhase.GREETING:
        for frame in frames_of(link.take_output()):
            sent += 1
            nonce = Hello.unpack(frame.payload).nonce
            answers.append((now_ms + 700, Frame(FrameType.HELLO, Hello(nonce, 8, 1, 0).pack(), session=5)))
        next_poll_ms = link.next_poll_ms()
        assert next_poll_ms is not None
        now_ms = min([next_poll_ms, *(when for when, _ in answers)])
        for one in [one for one in answers if one[0] <= now_ms]:
            answers.remove(one)
            link.receive(pack(one[1]), now_ms)
        link.poll(now_ms)
    assert link.phase is LinkPhase.OPEN
    assert 1 < sent < TIMEOUTS_UNTIL_LOST
    assert link._greeting.timeout_ms >= 2 * 700


def test_l2_1_every_hello_has_a_nonce_of_its_own() -> None:
    link = Link(nonce=0xFFFF)
    link.connect(0.0)
    link.poll(RTO_FIRST_MS)
    nonces = [Hello.unpack(frame.payload).nonce for frame in frames_of(link.take_output())]
    assert nonces == [0, 1]


def test_l2_2_hello_begins_the_sequences_anew_and_drops_what_was_queued(wire: Any) -> None:
    wire.open()
    wire.host.send(FrameType.MSG, b"old", wire.now_ms)
    wire.host.connect(wire.now_ms)
    assert wire.host.waiting == 0
    wire.run(lambda: wire.host.phase is LinkPhase.OPEN)
    wire.host.send(FrameType.MSG, b"new", wire.now_ms)
    wire.run(lambda: wire.board.received != [])
    assert wire.board.received == [(FrameType.MSG, b"new")]


def test_l2_3_a_reboot_is_noticed_by_the_next_frame_and_hello_is_said_again(wire: Any) -> None:
    wire.open()
    first = wire.host.session
    wire.board.reboot()
    wire.host.send(FrameType.MSG, b"into the void", wire.now_ms)
    wire.run(lambda: wire.host.session == wire.board.session != 0)
    assert wire.of(SessionEnded) == [SessionEnded(ResetCause.POWER_ON)]
    assert wire.host.session != first
    assert wire.board.received == []


def test_l2_3_a_reboot_is_noticed_by_its_boot_line_though_the_host_only_listens(wire: Any) -> None:
    wire.open()
    wire.board.reboot()
    start_ms = wire.now_ms
    wire.run(lambda: bool(wire.of(SessionEnded)))
    assert wire.now_ms - start_ms < RTO_FIRST_MS


def test_l2_3_a_reboot_whose_line_was_lost_is_noticed_by_its_silence(wire: Any) -> None:
    wire.open()
    wire.board.reboot()
    wire.board.take_output()
    wire.run(lambda: bool(wire.of(SessionEnded)), at_most_ms=2 * HEALTH_PERIOD_MS)


def test_l2_3_frames_of_another_session_are_not_taken() -> None:
    link = opened()
    assert link.receive(pack(Frame(FrameType.MSG, b"x", session=6)), 20.0) == []


def test_l2_3_resets_that_were_under_way_while_hello_was_said_again_end_nothing() -> None:
    link = opened()
    reset = pack(Frame(FrameType.RESET, bytes([ResetCause.PIN]), session=0))
    assert link.receive(reset + reset + reset, 20.0) == [SessionEnded(ResetCause.PIN)]


@pytest.mark.parametrize(
    ("major", "minor", "fine"),
    [
        (1, PROTOCOL_MINOR, True),
        (1, PROTOCOL_MINOR + 1, False),
        (2, 0, False),
        (0, 0, False),
        (1, PROTOCOL_MINOR - 2, False),
    ],
)
def test_l2_4_which_versions_go_together(major: int, minor: int, fine: bool) -> None:
    assert (protocol_problem(major, minor) == "") is fine


def test_l3_1_the_sequence_goes_round_at_256(wire: Any) -> None:
    wire.open()
    sent = [(FrameType.DATA, index.to_bytes(2, "little")) for index in range(600)]
    for frame_type, payload in sent:
        wire.host.send(frame_type, payload, wire.now_ms)
    wire.run(lambda: wire.host.waiting == 0)
    assert wire.board.received == sent


def test_l3_2_a_duplicate_is_acknowledged_again_and_counted() -> None:
    link = opened()
    message = pack(Frame(FrameType.MSG, b"x", seq=0, session=5))
    link.receive(message, 20.0)
    link.take_output()
    assert link.receive(message, 30.0) == []
    answer = frames_of(link.take_output())
    assert [(frame.type, frame.ack) for frame in answer] == [(FrameType.ACK, 1)]
    assert link.counters.duplicates == 1


def test_l3_2_one_nak_for_one_gap() -> None:
    link = opened()
    link.receive(pack(Frame(FrameType.MSG, b"b", seq=1, session=5)), 20.0)
    link.receive(pack(Frame(FrameType.MSG, b"c", seq=2, session=5)), 21.0)
    naks = [frame for frame in frames_of(link.take_output()) if frame.type == FrameType.NAK]
    assert [frame.ack for frame in naks] == [0]


def test_l3_2_a_bad_crc_is_answered_with_nak() -> None:
    link = opened()
    damaged = bytearray(pack(Frame(FrameType.MSG, b"hello", seq=0, session=5)))
    damaged[-3] ^= 1
    link.receive(bytes(damaged), 20.0)
    assert [frame.type for frame in frames_of(link.take_output())] == [FrameType.NAK]
    assert link.counters.bad_crc == 1


def test_l3_2_nak_sends_again_from_ack() -> None:
    link = opened()
    for payload in (b"a", b"b", b"c"):
        link.send(FrameType.MSG, payload, 20.0)
    link.take_output()
    link.receive(pack(Frame(FrameType.NAK, session=5, ack=1)), 25.0)
    again = frames_of(link.take_output())
    assert [(frame.seq, frame.payload) for frame in again] == [(1, b"b"), (2, b"c")]
    assert link.counters.retransmits == 2


def test_l3_2_an_acknowledgement_of_what_was_not_sent_is_ignored() -> None:
    link = opened()
    link.send(FrameType.MSG, b"a", 20.0)
    link.receive(pack(Frame(FrameType.ACK, session=5, ack=9)), 25.0)
    assert link.waiting == 1


def segment(offset: int, payload: bytes, rest: int, seq: int = 0) -> bytes:
    return pack(Frame(FrameType.DATA, payload, seq=seq, session=5, offset=offset, rest=rest))


def test_l3_7_segments_make_one_message() -> None:
    link = opened()
    assert link.receive(segment(0, b"abcd", 6), 20.0) == []
    assert [(frame.ack, frame.ack_offset) for frame in frames_of(link.take_output())] == [(0, 4)]
    assert link.receive(segment(2, b"cdefg", 3), 21.0) == []  # sent again in other segments: what is new counts
    assert link.receive(segment(7, b"hij", 0), 22.0) == [Received(FrameType.DATA, b"abcdefghij")]
    assert [(frame.ack, frame.ack_offset) for frame in frames_of(link.take_output())][-1] == (1, 0)


def test_l3_7_a_segment_ahead_is_a_gap_and_one_behind_a_duplicate() -> None:
    link = opened()
    link.receive(segment(0, b"abcd", 6), 20.0)
    link.take_output()
    assert link.receive(segment(7, b"hij", 0), 21.0) == []
    assert [(frame.type, frame.ack_offset) for frame in frames_of(link.take_output())] == [(FrameType.NAK, 4)]
    assert link.receive(segment(1, b"bcd", 6), 22.0) == []
    assert link.counters.duplicates == 1


def test_l3_7_a_segment_of_another_message_under_the_same_number_is_counted_and_dropped() -> None:
    link = opened()
    link.receive(segment(0, b"abcd", 6), 20.0)
    assert link.receive(segment(4, b"x", 0), 21.0) == []
    assert link.counters.bad_frames == 1


def test_l3_8_a_loss_halves_the_segments_and_clean_frames_double_them() -> None:
    link = opened()
    for _ in range(8):
        link.send(FrameType.DATA, bytes(MAX_PAYLOAD_BYTES), 20.0)
    link.take_output()
    link.receive(pack(Frame(FrameType.NAK, session=5)), 25.0)
    again = frames_of(link.take_output())
    assert [(frame.seq, frame.offset, len(frame.payload)) for frame in again] == [(0, 0, 120), (0, 120, 120)]
    link.receive(pack(Frame(FrameType.ACK, session=5, ack=8)), 30.0)
    for index in range(13):
        link.send(FrameType.DATA, bytes(MAX_PAYLOAD_BYTES), 40.0)
        assert len(frames_of(link.take_output())) == (2 if index < 10 else 1)  # 20 frames of 14 are more than 256
        link.receive(pack(Frame(FrameType.ACK, session=5, ack=9 + index)), 41.0)


def test_l3_8_no_segment_is_smaller_than_the_smallest_and_the_size_outlives_the_session() -> None:
    link = opened()
    link.send(FrameType.DATA, bytes(MAX_PAYLOAD_BYTES), 20.0)
    for _ in range(40):
        link.receive(pack(Frame(FrameType.NAK, session=5)), 25.0)
    link.take_output()
    assert link.size.most_bytes == MIN_SEGMENT_BYTES
    link.connect(30.0)
    assert link.size.most_bytes == MIN_SEGMENT_BYTES


def test_l3_3_a_link_that_is_answered_is_not_lost() -> None:
    link = opened()
    link.send(FrameType.MSG, b"x", 20.0)
    for _ in range(3 * TIMEOUTS_UNTIL_LOST):
        now_ms = link.next_poll_ms()
        assert now_ms is not None
        assert link.poll(now_ms) == []
        link.receive(pack(Frame(FrameType.NAK, session=5)), now_ms)
    assert link.phase is LinkPhase.OPEN


def test_l3_3_timeouts_double_up_to_the_ceiling_and_then_the_link_is_lost(wire: Any) -> None:
    wire.open()
    wire.cut = True
    wire.host.send(FrameType.MSG, b"x", wire.now_ms)
    sent_ms = []
    while not wire.of(LinkLost):
        before = wire.host.counters.retransmits
        wire.step()
        if wire.host.counters.retransmits > before:
            sent_ms.append(wire.now_ms)
    gaps = [later - earlier for earlier, later in pairwise(sent_ms)]
    assert len(sent_ms) == TIMEOUTS_UNTIL_LOST - 1
    assert gaps[0] == 2 * RTO_FLOOR_MS
    assert all(later == min(2 * earlier, RTO_CEILING_MS) for earlier, later in pairwise(gaps))
    assert wire.host.phase is LinkPhase.LOST


def test_l3_3_hello_is_repeated_until_the_link_counts_as_lost() -> None:
    link = Link(nonce=1)
    link.connect(0.0)
    events: list[object] = []
    now_ms = link.next_poll_ms()
    while now_ms is not None:
        events += link.poll(now_ms)
        now_ms = link.next_poll_ms()
    assert events == [LinkLost()]
    assert len(frames_of(link.take_output())) == TIMEOUTS_UNTIL_LOST


def test_l3_3_timeout_after_rfc_6298() -> None:
    timer = RetransmissionTimer()
    assert timer.timeout_ms == RTO_FIRST_MS
    timer.measured(100.0)
    timer.progressed()
    assert timer.timeout_ms == 100 + 4 * 50
    timer.measured(60.0)
    timer.progressed()
    assert timer.smoothed_rtt_ms == 95.0
    assert timer.timeout_ms == 95 + 4 * (50 + (40 - 50) / 4)
    for _ in range(100):
        timer.measured(1.0)
        timer.progressed()
    assert timer.timeout_ms == RTO_FLOOR_MS


def test_l3_3_a_frame_that_was_sent_again_measures_nothing() -> None:
    link = opened()
    measured_ms = link.counters.rtt_ms
    link.send(FrameType.MSG, b"a", 20.0)
    deadline_ms = link.next_poll_ms()
    assert deadline_ms is not None
    link.poll(deadline_ms)
    link.receive(pack(Frame(FrameType.ACK, session=5, ack=1)), deadline_ms + 500)
    assert (link.waiting, link.counters.rtt_ms) == (0, measured_ms)


@pytest.mark.parametrize(("window", "acks"), [(1, [1, 2, 3, 4, 5]), (2, [1, 2, 3, 4, 5]), (8, [2, 4, 5])])
def test_l3_4_acknowledged_every_frame_or_every_second_and_when_idle(window: int, acks: list[int]) -> None:
    link = opened(window)
    link.receive(b"".join(pack(Frame(FrameType.MSG, b"x", seq=seq, session=5)) for seq in range(5)), 20.0)
    assert [frame.ack for frame in frames_of(link.take_output())] == acks


def test_l3_4_a_frame_that_goes_out_anyway_acknowledges() -> None:
    link = opened()
    link.receive(pack(Frame(FrameType.MSG, b"x", seq=0, session=5)), 20.0)
    link.take_output()
    link.send(FrameType.MSG, b"y", 21.0)
    assert [(frame.type, frame.ack) for frame in frames_of(link.take_output())] == [(FrameType.MSG, 1)]


def test_l3_6_log_and_event_are_handed_on(wire: Any) -> None:
    wire.open()
    wire.board.say(FrameType.LOG, bytes([LogLevel.WARNING]) + "grüß".encode())
    wire.board.say(FrameType.EVENT, b"\x01")
    wire.run(lambda: bool(wire.of(Announced)))
    assert wire.of(Logged) == [Logged(LogLevel.WARNING, "grüß")]
    assert wire.of(Announced) == [Announced(b"\x01")]


def test_nothing_is_sent_without_a_session() -> None:
    with pytest.raises(ProtocolError, match="no session"):
        Link(nonce=1).send(FrameType.MSG, b"x", 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_l1_3_random_bytes_do_no_harm(seed: int) -> None:
    print(f"seed {seed}")
    rng, link = random.Random(seed), opened()
    for now_ms in range(200):
        assert not [event for event in link.receive(rng.randbytes(100), float(now_ms)) if not isinstance(event, Noise)]
        link.take_output()
    assert link.receive(DELIMITER + pack(Frame(FrameType.MSG, b"x", session=5)), 300.0) == [
        Received(FrameType.MSG, b"x")
    ]


def test_l3_3_something_new_acknowledged_ends_the_doubling() -> None:
    timer = RetransmissionTimer()
    timer.timed_out()
    timer.timed_out()
    assert timer.timeout_ms == 4 * RTO_FIRST_MS
    timer.progressed()
    assert (timer.timeout_ms, timer.timeouts_in_a_row) == (RTO_FIRST_MS, 0)
