"""Captures and their replay (T11 to T13): what a real board said, recorded and decoded again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import jaragua_models
from jaragua.cli.main import run
from jaragua.emulate import EmulatedBoard
from jaragua.errors import DataError
from jaragua.monitor.capture import CaptureWriter, open_capture
from jaragua.monitor.overheard import Eavesdropper
from jaragua.serial import Board
from jaragua.serial.lines import Line
from jaragua_compiler import calibrate, initial_weights, pack, plan


def digits_blob() -> bytes:
    model = jaragua_models.get("digits")
    layout = plan(model.network)
    weights = initial_weights(model.network, 1)
    return pack(layout, weights, calibrate(layout, weights, model.tasks.calibration()))


class Recorder:
    """Keeps the bytes of a link as `jaragua monitor --capture` does."""

    def __init__(self, writer: CaptureWriter) -> None:
        self._writer = writer
        self.time_s = 100.0

    def on_link_event(self, event: object) -> None:
        """Not needed."""

    def on_bytes(self, data: bytes, out: bool) -> None:
        self.time_s += 0.001
        self._writer.add(data, out, self.time_s)


@pytest.fixture
def recorded(native_board: EmulatedBoard, tmp_path: Path) -> Path:
    """A session of a real board: identify, health, a blob that comes in many frames, a refusal."""
    path = tmp_path / "session.jsonl"

    async def work(writer: CaptureWriter) -> None:
        async with Board(native_board.url, listener=Recorder(writer)) as board:
            await board.health()
            await board.upload(digits_blob())
            await board.cancel(5)

    with CaptureWriter(path, native_board.url, 100.0) as writer:
        asyncio.run(work(writer))
    return path


def decoded(path: Path) -> list[Line]:
    link = Eavesdropper()
    return [line for chunk in open_capture(path).chunks() for line in link.feed(chunk.data, out=chunk.out)]


def test_t11_t12_a_session_is_recorded_and_decoded(recorded: Path, native_board: EmulatedBoard) -> None:
    lines = decoded(recorded)
    asked = [line.fields["request"] for line in lines if line.kind == "request"]
    assert asked == ["identify", "health-read", "blob-begin", "blob-end", "cancel"]
    told = [line.kind for line in lines]
    assert told.index("session") < told.index("identity") < told.index("health") < told.index("job-state")
    assert next(line for line in lines if line.kind == "identity").fields["uid"] == native_board.uid.hex()
    assert sum(line.kind == "data" for line in lines) > 10
    assert "malformed" not in told


def test_t12_the_bytes_of_a_board_alone_are_decoded(recorded: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(b"boot\r\n" + b"".join(chunk.data for chunk in open_capture(recorded).chunks() if not chunk.out))
    kinds = [line.kind for line in decoded(raw)]
    assert kinds[0] == "text"
    assert {"session", "identity", "health", "job-state"} <= set(kinds)
    assert "request" not in kinds


def test_t13_frames_that_come_again_are_shown_once(recorded: Path) -> None:
    link = Eavesdropper()
    chunks = list(open_capture(recorded).chunks())
    once = [line for chunk in chunks for line in link.feed(chunk.data, out=chunk.out)]
    again = Eavesdropper()
    twice = [
        line for chunk in chunks for _ in range(2) for line in again.feed(b"\0" + chunk.data + b"\0", out=chunk.out)
    ]
    unnumbered = ("data", "log", "text")  # they have no number, or are cut here
    kinds = [[line.kind for line in lines if line.kind not in unnumbered] for lines in (once, twice)]
    assert kinds[0] == kinds[1]


def test_t13_a_capture_may_begin_within_a_session(recorded: Path) -> None:
    chunks = list(open_capture(recorded).chunks())
    link = Eavesdropper()
    late = [line for chunk in chunks[len(chunks) // 2 :] for line in link.feed(chunk.data, out=chunk.out)]
    assert any(line.kind == "job-state" for line in late)


def test_the_verb_shows_times_of_the_capture_and_a_summary(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(recorded), "--timestamp", "start", "--hide", "data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[0].split()[0]) < 1
    assert any("health-read" in line for line in lines)
    assert "sessions: 1" in lines[-1]
    assert run(["replay", str(recorded), "--json", "--only", "identity"]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["event"] for document in documents] == ["identity", "link"]
    assert run(["replay", str(recorded), "--hex", "--only", "bytes"]) == 0
    assert " > 0000  " in capsys.readouterr().out


def test_t12_lines_that_cannot_be_read_are_counted_and_skipped(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, *rest = recorded.read_text(encoding="utf-8").splitlines()
    recorded.write_text("\n".join([head, "no json", *rest, '{"t": 1, "out": true, "hex": "0"}']), encoding="utf-8")
    assert run(["replay", str(recorded)]) == 0
    told = capsys.readouterr()
    assert f"{recorded}:2: this line cannot be read" in told.err
    assert "skipped: 2" in told.err
    assert "identity" in told.out


@pytest.mark.parametrize("first", [b'{"jaragua_capture": 2, "port": "", "started": 0}\n', b'{"jaragua_capture": x}\n'])
def test_a_capture_that_is_none_is_a_sentence(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(first)
    with pytest.raises(DataError):
        open_capture(path)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(tmp_path / "nothing")]) == DataError.exit_code
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_random_bytes_are_decoded_to_nothing_and_end_nothing(seed: int, tmp_path: Path) -> None:
    import random

    path = tmp_path / "noise"
    path.write_bytes(random.Random(seed).randbytes(200_000))
    assert all(line.kind in ("text", "malformed", "session", "log") for line in decoded(path))
