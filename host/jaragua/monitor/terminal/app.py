"""The interface itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Footer, Header, Input, RichLog, Static

from jaragua.errors import JaraguaError
from jaragua.monitor import requests
from jaragua.monitor.filters import Filter, HealthChanges, filter_of
from jaragua.monitor.hexdump import line_of_bytes
from jaragua.monitor.limit import LineLimit
from jaragua.monitor.session import Monitor, Notice, Watching
from jaragua.monitor.stamps import Stamps, Timestamp
from jaragua.monitor.terminal.commands import LocalCommand, completions, help_text, parse
from jaragua.monitor.terminal.panel import Panel
from jaragua.monitor.text import styled
from jaragua.serial.lines import Line
from jaragua.wire.definitions import LogLevel

#: Lines that can be scrolled back to.
_MOST_LINES: Final = 5000
_STATES: Final = {
    Notice.WAITING: "waiting for the port",
    Notice.LISTENING: "listening",
    Notice.ATTACHED: "a gateway has it (read-only)",
    Notice.SILENT: "nobody answers",
    Notice.GONE: "went away; waiting for it",
    Notice.BACK: "is back",
    Notice.LET_GO: "the gateway has ended",
}


class Completions(Suggester):
    """Suggests how a command goes on; the key for right takes it, and so does Tab."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first line that the text could become."""
        return next(iter(completions(value)), None) if value else None


class CommandLine(Input):
    """A line to type commands into; up and down go through those of before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=True),
        Binding("up", "before", "Earlier command", show=False),
        Binding("down", "after", "Later command", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="a request, such as health-read; help lists all", suggester=Completions())
        self._history: list[str] = []
        self._place = 0

    def remember(self, text: str) -> None:
        """Keeps a command."""
        self._history.append(text)
        self._place = len(self._history)

    def action_complete(self) -> None:
        """Takes what all completions have in common, or the only one."""
        found = completions(self.value)
        if found:
            self.value = found[0] if len(found) == 1 else _common(found, self.value)
            self.cursor_position = len(self.value)

    def action_before(self) -> None:
        """The command before."""
        self._go(-1)

    def action_after(self) -> None:
        """The command after."""
        self._go(1)

    def _go(self, step: int) -> None:
        self._place = min(max(0, self._place + step), len(self._history))
        self.value = self._history[self._place] if self._place < len(self._history) else ""
        self.cursor_position = len(self.value)


class MonitorApp(App[None]):
    """Watches ports, each as `jaragua monitor` does. Ends with Ctrl-Q or `quit`."""

    TITLE = "jaragua monitor"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #lines { width: 1fr; }
    #panel { width: 34; border-left: solid $primary; padding: 0 1; }
    CommandLine { dock: bottom; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit"),
        Binding("ctrl+l", "run('clear')", "Clear"),
        Binding("f2", "run('health')", "Health"),
        Binding("f3", "run('hex')", "Bytes"),
        Binding("f4", "run('pause')", "Pause"),
        Binding("f6", "run('next')", "Next board"),
    ]

    def __init__(self, urls: Sequence[str], how: Watching, chosen: Filter | None = None) -> None:
        """how: ports that are absent are waited for in any case. chosen: which lines are shown at first."""
        super().__init__()
        how = replace(how, wait=True, wants_bytes=True)
        self.monitors = [self._monitor(place, url, how) for place, url in enumerate(urls)]
        self.panels = [Panel(url) for url in urls]
        self.current = 0
        """The board that requests are sent to."""
        self._chosen = chosen or Filter()
        self._health = [HealthChanges() for _ in urls]
        self._limits = [LineLimit(partial(self._write, place)) for place in range(len(urls))]
        self._stamps = Stamps(Timestamp.CLOCK, time.time())
        self._all_health = self._shows_bytes = self._is_paused = False
        self._watching: list[asyncio.Task[None]] = []
        # Kept, as lines may come until the ports are closed, when the screen has no parts any more.
        self._lines = RichLog(id="lines", max_lines=_MOST_LINES, wrap=True, markup=False)
        self._side = Static(id="panel", markup=False)

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield Header()
        with Horizontal():
            yield self._lines
            yield self._side
        yield CommandLine()
        yield Footer()

    def on_mount(self) -> None:
        """Begins to watch."""
        self.query_one(CommandLine).focus()
        self._watching = [asyncio.create_task(self._watch(place)) for place in range(len(self.monitors))]
        self._refresh_panel()

    async def on_unmount(self) -> None:
        """Closes the ports."""
        for task in self._watching:
            task.cancel()
        if self._watching:
            await asyncio.wait(self._watching)

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """A command was typed."""
        text, line = event.value.strip(), self.query_one(CommandLine)
        line.value = ""
        if text:
            line.remember(text)
            await self.action_run(text)

    async def action_run(self, text: str) -> None:
        """Carries out a command; what is wrong with it is a line."""
        try:
            command = parse(text)
            if isinstance(command, LocalCommand):
                self._do(command)
            else:
                monitor = self.monitors[self.current]
                await monitor.send(requests.parse(command, monitor.next_id()))
        except JaraguaError as error:
            self._say(f"{error.message}; {error.hint}" if error.hint else error.message, LogLevel.ERROR)

    def _do(self, command: LocalCommand) -> None:
        match command.name:
            case "help":
                self._say(help_text(command.words))
            case "clear":
                self._lines.clear()
            case "pause":
                self._is_paused = not self._is_paused
            case "health":
                self._all_health = not self._all_health
            case "hex":
                self._shows_bytes = not self._shows_bytes
            case "only":
                self._chosen = filter_of(command.words, (), "debug", "")
            case "next":
                self.current = (self.current + 1) % len(self.monitors)
            case "quit":
                self.exit()
        self._refresh_panel()

    def _monitor(self, place: int, url: str, how: Watching) -> Monitor:
        return Monitor(
            url,
            lambda notice: self._on_notice(place, notice),
            lambda line: self._on_line(place, line),
            how,
            lambda data, out: self._on_bytes(place, data, out),
        )

    async def _watch(self, place: int) -> None:
        try:
            await self.monitors[place].run()
        except JaraguaError as error:
            self.panels[place].state = error.message
            self._say(f"{error.message}; {error.hint}", LogLevel.ERROR)

    def _on_notice(self, place: int, notice: Notice) -> None:
        self.panels[place].state = _STATES[notice]
        self._refresh_panel()

    def _on_line(self, place: int, line: Line) -> None:
        self.panels[place].take(line)
        is_news = self._health[place].passes(line)
        if (is_news or self._all_health) and self._chosen.passes(line) and not self._is_paused:
            self._limits[place](line)
        self._refresh_panel()

    def _on_bytes(self, place: int, data: bytes, out: bool) -> None:
        if self._shows_bytes and not self._is_paused:
            self._write(place, line_of_bytes(data, out=out))

    def _write(self, place: int, line: Line) -> None:
        port = self.panels[place].port.rpartition("/")[2] if len(self.panels) > 1 else ""
        now_s = time.time()
        self._lines.write(styled(line, self._stamps.text(now_s, port), port))

    def _say(self, text: str, level: LogLevel = LogLevel.INFO) -> None:
        self._lines.write(styled(Line("monitor", text, level=level), "", ""))

    def _refresh_panel(self) -> None:
        shown = [name for name, is_on in self._switches() if is_on]
        self.sub_title = ", ".join([self.panels[self.current].port, *shown])
        self._side.update(Text(self.panels[self.current].text()))

    def _switches(self) -> Sequence[tuple[str, bool]]:
        return (("paused", self._is_paused), ("all health", self._all_health), ("bytes", self._shows_bytes))


def _common(lines: Sequence[str], least: str) -> str:
    """The longest beginning of all lines; not shorter than what was typed."""
    first, last = min(lines), max(lines)
    length = next((place for place, letter in enumerate(first) if letter != last[place : place + 1]), len(first))
    return max(first[:length], least, key=len)
