"""L3.8 to L3.12: what the link makes of damaged, dropped and doubled bytes; no board, no clock but the simulation's."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from jaragua.wire.definitions import (
    FLIGHT_ON_NOISE,
    FRAME_OVERHEAD_BYTES,
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    MIN_SEGMENT_BYTES,
    FrameType,
)
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.delivery import Delivery
from jaragua.wire.link.frames import Frame, pack
from jaragua.wire.link.link import LinkLost, LinkPhase, Received
from jaragua.wire.link.noise import RATES, FixedSize, Noise, best_size, goodput, survival, table, transfer
from jaragua.wire.link.segments import SegmentSize

PROTOCOL_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"


@pytest.mark.parametrize("payload_bytes", [0, 1, 15, 239, 240])
def test_l3_10_the_overhead_of_a_frame(payload_bytes: int) -> None:
    assert len(pack(Frame(FrameType.DATA, bytes(payload_bytes)))) == payload_bytes + FRAME_OVERHEAD_BYTES
    assert HEADER_BYTES < FRAME_OVERHEAD_BYTES


def test_l3_10_survival_is_what_a_noisy_line_does() -> None:
    noise, data = Noise(random.Random(3), 0.01), bytes(range(1, 46))
    arrived = sum(noise.spoil(data) == data for _ in range(4000)) / 4000
    assert arrived == pytest.approx(survival(len(data) - FRAME_OVERHEAD_BYTES - 1, 0.01), abs=0.03)


@pytest.mark.parametrize(("payload_bytes", "rate", "under_way"), [(240, 0.0, 8), (15, 0.01, 1), (60, 0.005, 2)])
def test_l3_11_goodput_is_the_formula_of_the_page(payload_bytes: int, rate: float, under_way: int) -> None:
    survives = (1 - rate) ** (payload_bytes + 15)
    wanted = payload_bytes / (payload_bytes + 14) * survives / (survives + under_way * (1 - survives))
    assert goodput(payload_bytes, rate, under_way) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("payload_bytes", [30, 60, 120])
def test_l3_11_a_simulated_line_delivers_about_that_fraction(payload_bytes: int) -> None:
    """With frames of one size, over its 11.52 bytes a millisecond; waiting for timeouts costs up to a third."""
    rate, seeds = 0.003, range(3)
    found = [transfer(rate, seed, 12_000, FixedSize(payload_bytes)).bytes_per_s / 11_520 for seed in seeds]
    wanted = goodput(payload_bytes, rate, FLIGHT_ON_NOISE)
    assert 0.6 * wanted < sum(found) / len(found) < 1.1 * wanted


@pytest.mark.parametrize("window", [1, 2, 3, 8])
def test_l3_9_below_the_whole_size_two_frames_are_under_way(window: int) -> None:
    """firmware/test/test_link.c has the same of the board."""
    size = SegmentSize()
    assert size.flight(window) == window
    sender = Delivery(1, window, LinkCounters(), size)
    size.wasted(300)
    assert size.most_bytes == 120
    assert size.flight(window) == min(window, 2)
    for _ in range(3):
        sender.send(FrameType.MSG, bytes(240), 0.0)
    assert len(sender.outgoing) == min(window, 2)


@pytest.mark.parametrize("rate", [0.001, 0.005, 0.01])
def test_l3_12_the_best_size_of_one_frame_under_way_has_a_closed_form(rate: float) -> None:
    half = FRAME_OVERHEAD_BYTES / 2
    assert best_size(rate) == pytest.approx(math.sqrt(half**2 + FRAME_OVERHEAD_BYTES / rate) - half, abs=1.0)


@pytest.mark.parametrize("rate", [0.002, 0.005, 0.01])
def test_l3_8_the_size_settles_near_the_best(rate: float) -> None:
    """Within a third of the best goodput that the formula allows."""
    last = transfer(rate, seed=5).segment_bytes
    best = best_size(rate, FLIGHT_ON_NOISE)
    assert goodput(last, rate, FLIGHT_ON_NOISE) > 0.66 * goodput(best, rate, FLIGHT_ON_NOISE)


@pytest.mark.parametrize("transfer_seed", range(4))
@pytest.mark.parametrize("rate", [0.001, 0.005, 0.01])
def test_l3_8_up_to_one_percent_everything_arrives(rate: float, transfer_seed: int) -> None:
    done = transfer(rate, transfer_seed, total_bytes=4800)
    assert (done.payload_bytes, done.broken_off) == (4800, False)


@pytest.mark.parametrize("transfer_seed", range(3))
def test_l3_8_two_percent_still_make_progress(transfer_seed: int) -> None:
    done = transfer(0.02, transfer_seed, total_bytes=2400)
    assert done.payload_bytes == 2400


def test_l3_8_a_clean_line_carries_whole_payloads_as_fast_as_before() -> None:
    fitted, whole = transfer(0.0, seed=1), transfer(0.0, 1, size=FixedSize())
    assert fitted == whole
    assert fitted.segment_bytes == MAX_PAYLOAD_BYTES


def test_l3_8_sizes_are_halves_of_the_whole() -> None:
    assert MAX_PAYLOAD_BYTES >> 4 == MIN_SEGMENT_BYTES


def test_the_table_of_the_document_is_that_of_the_command() -> None:
    """Two of its rows, made again."""
    page = PROTOCOL_PAGE.read_text(encoding="utf-8")
    for row in table(1, 24_000, [RATES[0], RATES[4]]).splitlines():
        assert row in page


@pytest.mark.parametrize("error_rate", [0.005, 0.01])
def test_l3_8_a_whole_session_survives_a_noisy_line(make_wire: Any, error_rate: float) -> None:
    """HELLO, messages of all lengths both ways, over a line that spoils bytes: everything once and in order."""
    wire = make_wire(11)
    rng = random.Random(11)
    for pipe in (wire.to_board, wire.to_host):
        pipe.noise = Noise(rng, error_rate)
    down, up = ([rng.randbytes(rng.randrange(1, 241)) for _ in range(40)] for _ in range(2))
    wire.open()
    for payload in down:
        wire.host.send(FrameType.DATA, payload, wire.now_ms)
    for payload in up:
        wire.board.send(FrameType.DATA, payload, wire.now_ms)
    wire.run(lambda: wire.host.waiting == 0 and wire.board.delivery.waiting == 0, at_most_ms=600_000)
    assert [payload for _, payload in wire.board.received] == down
    assert [event.payload for event in wire.of(Received)] == up
    assert wire.of(LinkLost) == []
    assert wire.host.phase is LinkPhase.OPEN
    assert wire.host.size.most_bytes < MAX_PAYLOAD_BYTES
