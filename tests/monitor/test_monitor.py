"""`jaragua monitor` beside nothing else than a board."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from images import built_image
from jaragua.emulate import EmulatedBoard, NativeBoard
from jaragua.monitor.last_port import last_port, remember
from jaragua.wire.definitions import PROTOCOL_MAJOR, PROTOCOL_MINOR, FrameType
from jaragua.wire.link.frames import Frame, Hello, Splitter, pack, unpack
from limits import GENEROUS_S


@pytest.fixture(scope="module")
def native_image() -> Path:
    return built_image("native", "digits")


class Verb:
    """A running `jaragua monitor`, read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line_with(self, words: str) -> str:
        """The next line with these words; queue.Empty if none comes in time."""
        deadline = time.monotonic() + GENEROUS_S
        while words not in (line := self._lines.get(timeout=max(0.0, deadline - time.monotonic()))):
            pass
        return line

    def wait_listening(self) -> None:
        assert self.process.stderr is not None
        assert "listening" in self.process.stderr.readline()

    def told(self, words: str) -> None:
        """Waits for these words on stderr."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline()):
            assert line, f"it has ended without {words!r}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(GENEROUS_S)


@contextmanager
def monitoring(url: str, *options: str) -> Iterator[Verb]:
    command = [sys.executable, "-m", "jaragua.cli.main", "monitor", "--port", url, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Verb(process)
        finally:
            process.kill()


def test_lines_for_a_person_and_a_summary_at_the_end(emulated: EmulatedBoard) -> None:
    with monitoring(emulated.url) as verb:
        verb.line_with("is open, protocol 1.0")
        assert emulated.uid.hex() in verb.line_with("identity")
        assert "0 retransmits" in verb.line_with("health")
        assert verb.stop() == 0
        assert "sessions: 1" in verb.line_with("link")


def test_json_lines_for_a_program(native_board: EmulatedBoard) -> None:
    with monitoring(native_board.url, "--json") as verb:
        identity = json.loads(verb.line_with('"identity"'))
        health = json.loads(verb.line_with('"health"'))
        assert verb.stop() == 0
        summary = json.loads(verb.line_with('"link"'))
    assert identity["model"] == "digits"
    assert health["retransmits"] == 0
    assert summary["sessions"] == 1


def test_l1_4_the_boot_line_of_a_board_is_shown(native_image: Path) -> None:
    """A board that is switched on while the monitor already listens on its port."""
    with board_and_listener_on_one_line(native_image) as (url, switch_on), monitoring(url) as verb:
        verb.wait_listening()
        switch_on()
        assert "protocol 1.0" in verb.line_with("text")
        verb.line_with("identity")
        assert verb.stop() == 0


def test_text_of_other_firmware_is_shown_as_it_is() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        with monitoring(os.ttyname(slave)) as verb:
            os.read(master, 100)  # HELLO: the monitor listens
            os.write(master, b"MicroPython v1.24\r\n>>> ")
            assert "MicroPython v1.24" in verb.line_with("text")
            assert verb.stop() == 0
    finally:
        os.close(slave)
        os.close(master)


def test_a_silent_port_is_explained() -> None:
    """Nobody is at the other end, as on an emulated board's port that a gateway has."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        with monitoring(os.ttyname(slave)) as verb:
            verb.wait_listening()
            assert verb.process.stderr is not None
            assert f"no board of Jaragua answers on {os.ttyname(slave)} yet" in verb.process.stderr.readline()
            assert verb.stop() == 0
    finally:
        os.close(slave)
        os.close(master)


def test_a_board_that_is_reset_and_enumerates_anew_is_watched_on(native_image: Path, tmp_path: Path) -> None:
    """Its port vanishes and comes back under the same name, as a board's on USB does."""
    port = tmp_path / "ttyACM0"
    with NativeBoard(native_image) as board:
        port.symlink_to(board.url)
        with monitoring(str(port)) as verb:
            verb.line_with("identity")
            port.unlink()
            board.restart()
            verb.told("went away; waiting for it")
            port.symlink_to(board.url)
            verb.told("is back")
            verb.line_with("identity")
            assert verb.stop() == 0
            assert "sessions: 2" in verb.line_with("link")


def test_a_port_that_is_not_there_yet_is_waited_for_when_told(native_image: Path, tmp_path: Path) -> None:
    port = tmp_path / "ttyACM0"
    with monitoring(str(port), "--wait") as verb:
        verb.told("is not there yet")
        with NativeBoard(native_image) as board:
            port.symlink_to(board.url)
            verb.line_with("identity")
            assert verb.stop() == 0


def test_p4_a_socket_closes_and_reopens_and_its_escapes_stay_text() -> None:
    """Words with a terminal's commands in them; each connection is closed after its words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = "socket://{}:{}".format(*server.getsockname())
        with monitoring(url) as verb:
            for number in (1, 2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(100)  # HELLO: the monitor listens
                    connection.sendall(f"boot {number}\r\n".encode() + b"\x00" + escaping_log(connection))
                    assert "\\x1b[31mred" in verb.line_with("log")
                verb.told("went away")
            assert verb.stop() == 0


def escaping_log(connection: socket.socket) -> bytes:
    """The answer to a HELLO, and a LOG of its session."""
    nonce = None
    splitter = Splitter()
    while nonce is None:
        for piece in splitter.feed(connection.recv(100)):
            nonce = Hello.unpack(unpack(piece).payload).nonce
    hello = Hello(nonce, 8, PROTOCOL_MAJOR, PROTOCOL_MINOR).pack()
    log = Frame(FrameType.LOG, b"\x01\x1b[31mred\nnext", session=9)
    return pack(Frame(FrameType.HELLO, hello, session=9)) + pack(log)


def test_a_port_that_does_not_exist_is_one_sentence() -> None:
    command = [sys.executable, "-m", "jaragua.cli.main", "monitor", "--port", "/dev/ttyNOWHERE0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=GENEROUS_S, check=False)
    assert done.returncode == 4
    assert done.stdout == ""
    assert "port /dev/ttyNOWHERE0 does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def board_and_listener_on_one_line(image: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Two ptys joined in the middle, so that the port is there before the board is."""
    host_end, host_port = pty.openpty()
    board_end, board_port = pty.openpty()
    for descriptor in (host_port, board_port):
        tty.setraw(descriptor)
    started: list[subprocess.Popen[bytes]] = []
    pumps = [
        threading.Thread(target=pump, args=ends, daemon=True) for ends in ((host_end, board_end), (board_end, host_end))
    ]
    for thread in pumps:
        thread.start()
    try:
        yield (
            os.ttyname(host_port),
            lambda: started.append(subprocess.Popen([str(image), os.ttyname(board_port)])),
        )
    finally:
        for process in started:
            process.kill()
            process.wait()
        for descriptor in (host_port, board_port):
            os.close(descriptor)
        for thread in pumps:
            thread.join(5)
        for descriptor in (host_end, board_end):
            os.close(descriptor)


def pump(source: int, target: int) -> None:
    """Ends when either end's port is closed (EIO)."""
    try:
        while data := os.read(source, 4096):
            os.write(target, data)
    except OSError:
        return


def test_several_boards_are_watched_at_once(native_image: Path) -> None:
    with (
        NativeBoard(native_image) as one,
        NativeBoard(native_image) as other,
        monitoring(one.url, "--port", other.url, "--json") as verb,
    ):
        found = {}
        while len(found) < 2:
            document = json.loads(verb.line_with('"identity"'))
            found[document["port"]] = document["uid"]
        assert found == {Path(board.url).name: board.uid.hex() for board in (one, other)}
        assert verb.stop() == 0


def test_lines_go_into_a_log_file_and_bytes_into_a_capture(native_board: EmulatedBoard, tmp_path: Path) -> None:
    log, capture = tmp_path / "board.log", tmp_path / "board.jsonl"
    log.write_text("what was there\n", encoding="utf-8")
    options = ["--log", str(log), "--capture", str(capture), "--send", "health-read", "--send", "cancel 7"]
    with monitoring(native_board.url, *options, "--timestamp", "iso8601") as verb:
        assert "job=7" in verb.line_with("request    cancel")
        verb.line_with("job-state")
        assert verb.stop() == 0
    lines = log.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "what was there"
    assert any("identity" in line and native_board.uid.hex() in line for line in lines)
    assert "sessions: 1" in lines[-1]
    done = subprocess.run(
        [sys.executable, "-m", "jaragua.cli.main", "replay", str(capture), "--only", "request,job-state", "--json"],
        capture_output=True,
        text=True,
        timeout=GENEROUS_S,
        check=True,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event.get("request", event["event"]) for event in events][-3:] == ["cancel", "job-state", "link"]


def test_raw_bytes_of_other_firmware_pass_unchanged_and_nothing_is_sent() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    command = [sys.executable, "-m", "jaragua.cli.main", "monitor", "--port", os.ttyname(slave), "--raw"]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert b"listening" in process.stderr.readline()
            os.write(master, b"\x00\xffraw\x1b[0m")
            assert process.stdout.read(8) == b"\x00\xffraw\x1b[0"[:8]
            process.send_signal(signal.SIGINT)
            assert process.wait(GENEROUS_S) == 0
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1)
    finally:
        os.close(slave)
        os.close(master)


def test_the_port_of_the_last_time_is_watched_again(native_board: EmulatedBoard, tmp_path: Path) -> None:
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    pipe = subprocess.PIPE
    for words in (["--port", native_board.url], ["--last"]):
        command = [sys.executable, "-m", "jaragua.cli.main", "monitor", *words]
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as one:
            assert native_board.uid.hex() in Verb(one).line_with("identity")
            one.send_signal(signal.SIGINT)
            assert one.wait(GENEROUS_S) == 0
    done = subprocess.run(
        [sys.executable, "-m", "jaragua.cli.main", "monitor", "--last"],
        env=environment | {"XDG_STATE_HOME": str(tmp_path / "empty")},
        capture_output=True,
        text=True,
        timeout=GENEROUS_S,
        check=False,
    )
    assert (done.returncode, "no port was watched before" in done.stderr) == (2, True)


def test_a_port_that_is_not_there_is_not_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    remember(str(tmp_path), [])
    remember(str(tmp_path / "misspelt"), [])
    assert last_port([]) == str(tmp_path)


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(native_board: EmulatedBoard, no_color: str, coloured: bool) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "jaragua.cli.main", "monitor", "--port", native_board.url]
    environment = os.environ | {"NO_COLOR": no_color, "TERM": "xterm-256color"}
    try:
        with subprocess.Popen(command, stdout=slave, stderr=subprocess.PIPE, env=environment) as process:
            told = b""
            while b"architecture" not in told:
                told += os.read(master, 4096)
            process.send_signal(signal.SIGINT)
            assert process.wait(GENEROUS_S) == 0
        assert (b"\x1b[36m" in told) == coloured
    finally:
        os.close(slave)
        os.close(master)
