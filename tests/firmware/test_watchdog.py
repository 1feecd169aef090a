"""A board that hangs comes back by itself and says why; one that waits, or whose host does not read, is left alone.

The board's clock runs with its instructions here, and jumps to its next timer while it sleeps (emulator.md): a
busy machine can make these tests slow, but no time-out comes early.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulated_images import PATIENCE_S, Terminal, build_test_image, switched_on

from jaragua.wire.definitions import ResetCause

WATCHDOG_MS = 500
#: Of each buffer between board and host, so that a board whose host does not read soon waits for it.
BUFFER_BYTES = 4096


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """firmware/test/hang.c."""
    return build_test_image("hang.c", tmp_path_factory.mktemp("hang"), f"-DJRG_PORT_WATCHDOG_MS={WATCHDOG_MS}")


@pytest.fixture
def board(image: Path) -> Iterator[Terminal]:
    """The board, after its first start."""
    with switched_on(image, sleeps=False, buffer_bytes=BUFFER_BYTES) as terminal:
        assert terminal.read_until(b"\n") == started_by(ResetCause.POWER_ON)
        yield terminal


def started_by(cause: ResetCause) -> bytes:
    """The line of hang.c."""
    return b"started by %d\n" % cause


@pytest.mark.board
@pytest.mark.parametrize("hang", [b"h", b"i", b"s"], ids=["interrupts on", "interrupts off", "broken stack"])
def test_a_board_that_hangs_comes_back_and_says_watchdog(board: Terminal, hang: bytes) -> None:
    """W1, twice: the watchdog runs again after the restart it made."""
    for _ in range(2):
        board.write(hang)
        assert board.read_until(b"\n") == started_by(ResetCause.WATCHDOG)


@pytest.mark.board
def test_a_board_whose_handlers_are_dead_comes_back_too(board: Terminal) -> None:
    """W5: the second time-out resets it; nobody was left to note why."""
    board.write(b"d")
    assert board.read_until(b"\n") == started_by(ResetCause.PIN)
    board.write(b"h")
    assert board.read_until(b"\n") == started_by(ResetCause.WATCHDOG)


@pytest.mark.board
def test_a_board_that_only_waits_is_left_alone(board: Terminal) -> None:
    """W2, W3, for ten time-outs."""
    board.write(b"w")
    assert board.read_until(b"\n") == b"waited\n"


@pytest.mark.board
def test_a_board_whose_host_does_not_read_is_left_alone(board: Terminal) -> None:
    """W3: the board says when one byte of its has waited for ten time-outs; a restart would say another line."""
    board.write(b"r")
    assert _said_after_a_pause(board).strip(b".") == b"written\n"


def _said_after_a_pause(board: Terminal) -> bytes:
    """Not reading is what is tested here: longer and longer, until the board has noticed."""
    pause_s = 0.05
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s *= 2
        said = board.read_some(8 * BUFFER_BYTES)
        if b"\n" in said:
            return said
    raise AssertionError("the board never waited")
