"""What is plugged in, read from a machine's folders; the boards behind the ports are real firmware on ptys."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from common.fake_machine import FakeMachine
from jaragua.emulate import EmulatedBoard
from jaragua.serial.patience import Patience
from jaragua.serial.ports import diagnosis
from jaragua.serial.ports.discovery import Port, ports
from jaragua.serial.ports.holders import holders
from jaragua.serial.ports.known_usb import known_usb
from jaragua.serial.ports.survey import survey
from jaragua.serial.transport import open_transport

NANO = ("5A0C11", "Arduino", "Nano 33 BLE")


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


@pytest.fixture
def terminal() -> Iterator[str]:
    """A port at whose other end nobody is."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_every_port_has_its_usb_identity(machine: FakeMachine, terminal: str) -> None:
    machine.add_built_in("ttyS0", terminal)
    machine.add_built_in("ttyS1", terminal, uart="0")
    machine.plug_board("0403:6001", "ttyUSB10", terminal)
    machine.plug_board("10c4:ea60", "ttyUSB9", terminal)
    nano = machine.plug_board("2341:805a", "ttyACM0", terminal, NANO)
    machine.plug_board("dead:beef", "ttyACM1", terminal, ("", "Acme", "Thing"))
    found = ports(machine.system)
    assert [Path(port.path).name for port in found] == ["ttyACM0", "ttyACM1", "ttyUSB9", "ttyUSB10", "ttyS0"]
    assert [port.title for port in found] == [
        "Arduino Nano 33 BLE (nRF52840)",
        "Acme Thing",
        "serial adapter (CP210x)",
        "serial adapter (FT232)",
        "serial port of this machine",
    ]
    first = found[0]
    assert (first.path, first.serial_number, first.environments) == (nano, "5A0C11", ("nano33ble",))
    assert first.usb is not None
    assert first.usb.number == "2341:805a"


def test_a_port_is_known_by_its_serial_number_and_by_udevs_name(machine: FakeMachine, terminal: str) -> None:
    path = machine.plug_board("2341:805a", "ttyACM0", terminal, NANO)
    (port,) = ports(machine.system)
    assert port.stable.endswith("by-id/usb-Arduino_5A0C11-if00")
    for name in (path, "ttyACM0", "5A0C11", port.stable, "usb-Arduino_5A0C11-if00"):
        assert port.is_called(name)
    assert not port.is_called("")
    assert not port.is_called("ttyACM1")


def test_the_table_of_usb_identities_can_be_read() -> None:
    assert known_usb()[0x2E8A, 0x0003].is_bootloader
    assert not known_usb()[0x2341, 0x805A].is_bootloader


def test_each_board_is_asked_who_it_is(machine: FakeMachine, native_board: EmulatedBoard, terminal: str) -> None:
    machine.plug_board("2341:805a", "ttyACM0", native_board.url, NANO)
    machine.plug_board("0403:6001", "ttyUSB0", terminal)
    machine.add_built_in("ttyS0", terminal)
    no_terminal = machine.root / "no terminal"
    no_terminal.touch()
    machine.plug_board("0403:6001", "ttyUSB1", str(no_terminal))
    hasty = replace(Patience(), greeting_s=0.5)
    silent = {"ttyUSB0", "ttyS0", "ttyUSB1"}
    quick = asyncio.run(survey([port for port in ports(machine.system) if Path(port.path).name in silent], hasty))
    assert [one.state for one in quick] == ["silent", "unusable", "not asked"]
    assert "no board of Jaragua answers" in quick[0].why
    assert "is not a serial port" in quick[1].why
    (found,) = asyncio.run(survey([ports(machine.system)[0]]))
    assert found.state == "ready"
    assert (found.who["uid"], found.who["model"]) == (native_board.uid.hex(), "digits")


def test_a_port_that_another_process_has_is_told_with_that_process(terminal: str) -> None:
    script = f"import sys; port = open({terminal!r}, 'rb', 0); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        (holder,) = holders(terminal)
        assert holder.pid == other.pid
        problem = diagnosis.in_use(terminal)
        assert f"(process {other.pid})" in problem.what
        assert f"kill {other.pid}" in problem.mend
        (found,) = asyncio.run(survey([Port(terminal, "usb")]))
        assert (found.state, str(other.pid) in found.why) == ("in use", True)
        other.stdin.close()
    assert holders(terminal) == []


def test_a_locked_port_names_the_command_that_finds_its_user(terminal: str) -> None:
    """The lock is this process' own, which is no other program."""
    with open(terminal, "rb", 0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Exception, match="in use by another program") as caught:
            asyncio.run(open_transport(terminal))
        assert f"fuser -v {terminal}" in getattr(caught.value, "hint", "")


def test_no_board_at_all_is_a_matter_of_the_cable(machine: FakeMachine) -> None:
    machine.plug("1d6b:0002", ("", "Linux", "root hub"))
    problem = diagnosis.no_port(machine.system)
    assert problem.what == "no board is plugged in"
    assert "cable" in problem.mend


def test_a_board_without_a_port_is_a_matter_of_the_driver(machine: FakeMachine) -> None:
    machine.plug("1a86:7523")
    assert diagnosis.no_port(machine.system).mend == "Run `sudo modprobe ch341`."
    (machine.root / "sys/module/ch341").mkdir()
    assert "dmesg" in diagnosis.no_port(machine.system).mend


def test_a_program_that_takes_adapters_for_braille_displays_is_named(machine: FakeMachine, tmp_path: Path) -> None:
    (tmp_path / "proc/77").mkdir(parents=True)
    (tmp_path / "proc/77/comm").write_text("brltty\n", encoding="utf-8")
    machine.plug("1a86:7523")
    problem = diagnosis.no_port(replace(machine.system, proc=tmp_path / "proc"))
    assert "brltty" in problem.what
    assert problem.mend == "Run `sudo apt-get remove brltty`."


def test_modem_manager_is_stopped_not_killed(tmp_path: Path, machine: FakeMachine, terminal: str) -> None:
    (tmp_path / "proc/88/fd").mkdir(parents=True)
    (tmp_path / "proc/88/cmdline").write_bytes(b"/usr/sbin/ModemManager\0--debug\0")
    (tmp_path / "proc/88/fd/5").symlink_to(terminal)
    problem = diagnosis.in_use(terminal, replace(machine.system, proc=tmp_path / "proc"))
    assert problem.what.endswith("is in use by ModemManager (process 88)")
    assert "systemctl stop ModemManager" in problem.mend


def test_a_board_in_its_bootloader_is_told(machine: FakeMachine) -> None:
    machine.plug("2e8a:0003")
    problem = diagnosis.no_port(machine.system)
    assert "Raspberry Pi Pico (RP2040) (2e8a:0003) waits for an upload" in problem.what
    assert "`jaragua flash --environment pico`" in problem.mend


def test_a_port_that_is_not_there_is_told_with_those_that_are(machine: FakeMachine, terminal: str) -> None:
    problem = diagnosis.absent("/dev/ttyACM7", machine.system)
    assert problem.what == "port /dev/ttyACM7 does not exist"
    assert "No board is plugged in" in problem.mend
    path = machine.plug_board("2341:805a", "ttyACM0", terminal, NANO)
    assert f"{path} (Arduino Nano 33 BLE (nRF52840))" in diagnosis.absent("/dev/ttyACM7", machine.system).mend


@pytest.mark.skipif(os.geteuid() != 0, reason="ONLY ROOT can become another user, who has no rights to a port")
def test_a_user_without_rights_is_told_the_command(terminal: str) -> None:
    os.chown(terminal, 0, 20)
    os.chmod(terminal, 0o660)
    told = as_nobody(lambda: refusal(terminal))
    assert f"you may not open port {terminal}" in told
    assert "sudo usermod -a -G dialout nobody" in told


def refusal(path: str) -> str:
    try:
        asyncio.run(open_transport(path))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return f"{error}\n{getattr(error, 'hint', '')}"
    return "opened"


def as_nobody(function: Callable[[], str]) -> str:
    """What the function returns in a process of a user without any rights; what it imports is loaded before."""
    import serial.tools.list_ports  # noqa: F401

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writing, function().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        told = answer.read().decode()
    os.waitpid(child, 0)
    return told
