"""`jaragua monitor --tui`, driven as a person does (textual's pilot), with real boards."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from images import built_image
from jaragua.cli.main import run
from jaragua.emulate import EmulatedBoard, NativeBoard
from jaragua.errors import UsageError
from jaragua.monitor.session import Watching
from jaragua.monitor.terminal.commands import completions, help_text, parse
from jaragua.serial.lines import Line
from jaragua.serial.tap.server import Tap
from limits import GENEROUS_S

pytest.importorskip("textual", reason="NO TEXTUAL: `make setup-test` installs it")

from textual.pilot import Pilot
from textual.widgets import RichLog

from jaragua.monitor.terminal.app import CommandLine, MonitorApp

#: textual's own animations and timers run in the pilot, too; the screen is wide enough for a whole line.
SIZE = (140, 40)


def lines_of(app: MonitorApp) -> str:
    """All words that the list of lines shows, wherever it breaks a line."""
    return " ".join(" ".join(strip.text for strip in app.query_one(RichLog).lines).split())


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    async with asyncio.timeout(GENEROUS_S):
        while not condition():
            await pilot.pause(0.02)


def drive(urls: list[str], story: Callable[[MonitorApp, Pilot[None]], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        app = MonitorApp(urls, Watching())
        async with app.run_test(size=SIZE) as pilot:
            await story(app, pilot)

    asyncio.run(main())


async def typed(pilot: Pilot[None], text: str) -> None:
    """Types a command, key by key, and Enter."""
    names = {" ": "space", "-": "minus", "=": "equals_sign", ",": "comma"}
    await pilot.press(*(names.get(letter, letter) for letter in text), "enter")


def test_requests_are_sent_by_name_and_completed(native_board: EmulatedBoard) -> None:
    async def story(app: MonitorApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.panels[0].identity)
        assert native_board.uid.hex() in app.panels[0].text()
        await pilot.press("c", "a", "tab")
        assert app.query_one(CommandLine).value == "cancel"
        await typed(pilot, " 5")
        await until(pilot, lambda: "job 5: " in lines_of(app))
        assert "request cancel job=5" in lines_of(app)
        await pilot.press("up")
        assert app.query_one(CommandLine).value == "cancel 5"
        await pilot.press("down")
        assert app.query_one(CommandLine).value == ""
        await typed(pilot, "helth-read")
        await until(pilot, lambda: "did you mean 'health-read'?" in lines_of(app))
        await typed(pilot, "help cancel")
        await until(pilot, lambda: "cancel job=int" in lines_of(app))

    drive([native_board.url], story)


def test_keys_switch_what_is_shown(native_board: EmulatedBoard) -> None:
    async def story(app: MonitorApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.panels[0].identity)
        await pilot.press("f3")
        await until(pilot, lambda: " < 0000" in lines_of(app))
        await pilot.press("f4")
        assert "paused" in app.sub_title
        shown = lines_of(app)
        heard = app.panels[0].health.get("uptime_ms")
        await until(pilot, lambda: app.panels[0].health.get("uptime_ms") != heard)
        assert lines_of(app) == shown
        await pilot.press("f4", "f3", "ctrl+l")
        await typed(pilot, "only request")
        await typed(pilot, "identify")
        await until(pilot, lambda: "request identify" in lines_of(app))
        assert "identity" not in lines_of(app)

    drive([native_board.url], story)


def test_a_board_that_is_unplugged_is_waited_for(tmp_path: Path) -> None:
    with NativeBoard(built_image("native"), link=tmp_path / "ttyACM0") as board:

        async def story(app: MonitorApp, pilot: Pilot[None]) -> None:
            await until(pilot, lambda: app.panels[0].identity)
            board.stop()
            await until(pilot, lambda: "waiting for it" in app.panels[0].state)
            await typed(pilot, "health-read")
            await until(pilot, lambda: "no session is open" in lines_of(app))
            board.start()
            sessions = lines_of(app).count("is open, protocol")
            await until(pilot, lambda: lines_of(app).count("is open, protocol") > sessions)

        drive([board.url], story)


def test_the_next_board_gets_the_requests(native_board: EmulatedBoard) -> None:
    with NativeBoard(built_image("native")) as other:

        async def story(app: MonitorApp, pilot: Pilot[None]) -> None:
            await until(pilot, lambda: app.panels[0].identity and app.panels[1].identity)
            await pilot.press("f6")
            await typed(pilot, "cancel 9")
            await until(pilot, lambda: f"{Path(other.url).name} request" in lines_of(app))
            assert other.url in app.sub_title

        drive([native_board.url, other.url], story)


def test_rounds_of_a_gateway_stand_beside_the_lines(tmp_path: Path) -> None:
    """A gateway's tap, which takes no requests; what it says is shown as text, whatever is in it."""
    port = str(tmp_path / "ttyACM0")

    async def story(app: MonitorApp, pilot: Pilot[None]) -> None:
        tap = Tap(port, {"node": "gw", "fleet": "home"})
        await tap.open()
        await until(pilot, lambda: tap.is_watched)
        tap.say(Line("round", "round 3: [red]loss[/] \x1b[31m0.5", {"round": 3, "loss": 0.5, "score": "x"}))
        await until(pilot, lambda: "round 3: [red]loss[/] \\x1b[31m0.5" in lines_of(app))
        assert "    3   0.5000   0.000" in app.panels[0].text()
        assert "read-only" in app.panels[0].state
        await typed(pilot, "identify")
        await until(pilot, lambda: "gateway's board takes no requests" in lines_of(app))
        await tap.close()

    drive([port], story)


def test_commands_are_told_from_requests() -> None:
    assert parse("identify") == "identify"
    assert completions("he") == ["help", "health", "hex", "health-read"]
    assert completions("help can") == ["help cancel"]
    assert "forget" in help_text(())
    assert help_text(("clear",)).startswith("clear: ")
    with pytest.raises(UsageError, match="there is no command 'xyzzy'"):
        parse("xyzzy")


def test_without_a_terminal_it_is_a_sentence(native_board: EmulatedBoard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["monitor", "--tui", "--port", native_board.url]) == UsageError.exit_code
    assert "--tui needs a terminal" in capsys.readouterr().err


def test_the_verb_draws_on_a_terminal_and_ends_with_its_key(native_board: EmulatedBoard) -> None:
    terminal, slave = pty.openpty()
    command = [sys.executable, "-m", "jaragua.cli.main", "monitor", "--tui", "--port", native_board.url]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"}
    try:
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
            told, until_s = b"", time.monotonic() + GENEROUS_S
            while native_board.uid.hex().encode() not in told:
                assert time.monotonic() < until_s, told
                if select.select([terminal], [], [], 1.0)[0]:
                    told += os.read(terminal, 4096)
            os.write(terminal, b"\x11")
            while process.poll() is None:
                if select.select([terminal], [], [], 0.1)[0]:  # it restores the terminal as it ends
                    os.read(terminal, 4096)
            assert process.returncode == 0
    finally:
        os.close(slave)
        os.close(terminal)
