"""`jaragua boards`, and how every verb finds its port; the machine's folders are chosen, the boards real firmware."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.fake_machine import FakeMachine
from jaragua.cli.main import run
from jaragua.cli.port_choice import chosen_port
from jaragua.emulate import EmulatedBoard
from jaragua.errors import PortError, UsageError

NANO = ("5A0C11", "Arduino", "Nano 33 BLE")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """What every verb of this process finds; no emulated board of another test among it."""
    made = FakeMachine(tmp_path / "machine")
    monkeypatch.setattr("jaragua.serial.ports.system.HERE", made.system)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return made


@pytest.fixture
def plug(machine: FakeMachine) -> Iterator[Callable[[int], list[str]]]:
    """Plugs in ports at whose other ends nobody is; returns their paths."""
    open_ends: list[int] = []

    def plugged(count: int) -> list[str]:
        paths = []
        for number in range(count):
            open_ends.extend(pty.openpty())
            terminal = os.ttyname(open_ends[-1])
            paths.append(machine.plug_board("2341:805a", f"ttyACM{number}", terminal, (f"S{number}", "Arduino", "")))
        return paths

    yield plugged
    for descriptor in open_ends:
        os.close(descriptor)


def test_what_is_plugged_in_is_listed(
    machine: FakeMachine, native_board: EmulatedBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    path = machine.plug_board("2341:805a", "ttyACM0", native_board.url, NANO)
    assert run(["boards", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["data"]["boards"]
    assert (entry["port"], entry["usb"], entry["serial_number"]) == (path, "2341:805a", "5A0C11")
    assert (entry["state"], entry["model"], entry["uid"]) == ("ready", "digits", native_board.uid.hex())
    assert entry["flash"] is None  # it was not given a file to keep anything in
    assert run(["boards"]) == 0
    told = capsys.readouterr().out
    assert all(word in told for word in (path, "Arduino Nano 33 BLE", "5A0C11", "digits", "ready"))


def test_nothing_plugged_in_is_said_with_what_to_do(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "no board is plugged in" in told.err
    assert "cable" in told.err


def test_the_only_port_is_taken(plug: Callable[[int], list[str]]) -> None:
    (path,) = plug(1)
    assert chosen_port(None) == path


def test_a_port_can_be_named_by_its_serial_number(plug: Callable[[int], list[str]]) -> None:
    paths = plug(2)
    assert chosen_port("S1") == paths[1]
    assert chosen_port("ttyACM0") == paths[0]
    assert chosen_port("/dev/elsewhere") == "/dev/elsewhere"


def test_without_a_terminal_several_ports_are_a_sentence_that_names_them(plug: Callable[[int], list[str]]) -> None:
    paths = plug(2)
    with pytest.raises(UsageError) as caught:
        chosen_port(None)
    assert all(path in caught.value.message for path in paths)
    assert "--port" in caught.value.hint


def test_the_machines_own_port_is_not_taken_unasked(machine: FakeMachine, plug: Callable[[int], list[str]]) -> None:
    """It may be a console."""
    master, slave = pty.openpty()
    machine.add_built_in("ttyAMA0", os.ttyname(slave))
    with pytest.raises(PortError, match="no board is plugged in") as caught:
        chosen_port(None)
    assert "ttyAMA0" in caught.value.hint
    (path,) = plug(1)
    assert chosen_port(None) == path
    os.close(master)
    os.close(slave)


def test_no_port_is_what_is_wrong(machine: FakeMachine) -> None:
    machine.plug("1a86:7523")
    with pytest.raises(PortError, match="its driver is not loaded") as caught:
        chosen_port(None)
    assert "modprobe ch341" in caught.value.hint


def test_a_person_at_a_terminal_is_asked(plug: Callable[[int], list[str]]) -> None:
    """In a child whose terminal is a pty; the answer 7 is none, so it is asked again."""
    paths = plug(2)
    child, terminal = pty.fork()
    if child == 0:
        try:
            sys.stdin, sys.stderr = os.fdopen(0), os.fdopen(2, "w")
            os.write(1, f"took {chosen_port(None)}\n".encode())
        finally:
            os._exit(0)
    os.write(terminal, b"7\n2\n")
    told = b""
    try:
        while chunk := os.read(terminal, 4096):
            told += chunk
    except OSError:  # the child has ended
        pass
    os.close(terminal)
    os.waitpid(child, 0)
    assert told.count(b"Which one? [1-2]") == 2
    assert f"took {paths[1]}" in told.decode()
