"""P4: what a peer sent reaches no terminal and no log but as escapes, whatever prints it."""

from __future__ import annotations

import io
import json
import logging

import pytest

from jaragua.cli import output
from jaragua.node.program import OneLineFormatter
from jaragua.printable import printable, printable_json

#: Escape sequences of C0 and C1, a bell, DEL, marks of direction, separators, a lone surrogate.
NASTY = "a\x1b[2Jb\x07c\x9b31md\x7fe\u202ef\u2066g\u2028h\udc80i\r\nj\x00"


@pytest.mark.parametrize("char", [chr(code) for code in (*range(32), *range(127, 160), 0x202E, 0x2066, 0x2028, 0xDC80)])
def test_p4_every_control_character_becomes_an_escape(char: str) -> None:
    assert printable(f"x{char}y").isprintable()
    assert json.loads(printable_json(json.dumps(f"x{char}y", ensure_ascii=False))) == f"x{char}y"
    assert printable_json(json.dumps(char, ensure_ascii=False)).isprintable()


def test_p4_what_is_printable_stays_and_what_is_kept_stays() -> None:
    assert printable("grüß dich [red] …") == "grüß dich [red] …"
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_p4_one_formatter_for_every_log_line() -> None:
    record = logging.LogRecord("jaragua", logging.WARNING, "", 0, "%s says: %s", ("b", NASTY), None)
    assert OneLineFormatter("%(message)s").format(record).isprintable()


def test_p4_a_traceback_stands_below_its_line_without_control_characters() -> None:
    try:
        raise ValueError(NASTY)
    except ValueError as error:
        record = logging.LogRecord(
            "jaragua", logging.ERROR, "", 0, "broken", (), (type(error), error, error.__traceback__)
        )
    first, *rest = OneLineFormatter("%(message)s").format(record).split("\n")
    assert first == "broken"
    assert rest
    assert all(line.isprintable() for line in rest)


def test_p4_what_the_command_says_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    output.say(NASTY)
    output.show(NASTY)
    output.print_document({"name": NASTY})
    table = output.new_table("t\x1b", ("name\x9b", False))
    table.add_row(NASTY)
    table.add_row("[red]x[/red]")
    output.show_table(table)
    shown = capsys.readouterr()
    for line in (shown.out + shown.err).splitlines():
        assert "\x1b" not in line
        assert "\x9b" not in line
        assert "\u202e" not in line
    assert "[red]x[/red]" in shown.out


def test_p4_a_console_of_a_terminal_shows_markup_as_text() -> None:
    console = output.console()
    console.file = io.StringIO()
    console.print("[red]board\x1b[0m")
    assert "[red]board\\x1b[0m" in console.file.getvalue()
