"""What is wrong when no board can be reached, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jaragua.serial.ports.discovery import UsbDevice, ports, usb_devices
from jaragua.serial.ports.holders import holders, running
from jaragua.serial.ports.system import HERE, System, group_of, is_member, user_name

#: Takes serial adapters for Braille displays, and their ports away (Ubuntu bug 1958224).
_BRAILLE: Final = "brltty"
_MODEMS: Final = "ModemManager"
_USUAL_GROUP: Final = "dialout"


@dataclass(frozen=True)
class Problem:
    """`what` is wrong, in one sentence; `mend` says what to do."""

    what: str
    mend: str


def no_port(system: System = HERE) -> Problem:
    """Why there is no port at all."""
    known = [device for device in usb_devices(system) if device.known is not None]
    waiting = [device for device in known if device.known is not None and device.known.is_bootloader]
    without_port = [device for device in known if device not in waiting]
    if without_port and not _on_a_port(without_port[0], system):
        return _no_driver(without_port[0], system)
    if waiting:
        return Problem(
            f"{waiting[0].title} ({waiting[0].number}) waits for an upload and has no serial port",
            f"Upload a firmware with `jaragua flash --environment {_environment(waiting[0])}`, "
            "or press its reset button once; "
            "a board behind a debug probe needs a serial adapter, too.",
        )
    return Problem(
        "no board is plugged in",
        "Check the cable: some carry no data. `dmesg --follow` shows whether the machine sees the board; "
        "`jaragua emulate` starts boards without hardware.",
    )


def no_rights(path: str) -> Problem:
    """Why this user may not open a port."""
    group, user = group_of(path) or _USUAL_GROUP, user_name()
    if is_member(user, group):
        mend = f"Log out and in again, or run `newgrp {group}`: {user} was added to {group} after this login."
    else:
        mend = f"Run `sudo usermod -a -G {group} {user}`, then log out and in again."
    return Problem(f"you may not open port {path}: it belongs to the group {group}", mend)


def in_use(path: str, system: System = HERE) -> Problem:
    """Which program has a port."""
    found = holders(path, system)
    if not found:
        return Problem(
            f"port {path} is in use by another program",
            f"`sudo fuser -v {path}` names it. Close it, or give another port.",
        )
    names = ", ".join(map(str, found))
    if any(one.name == _MODEMS for one in found):
        mend = f"Run `sudo systemctl stop {_MODEMS}`: it takes every new port for a modem for some seconds."
    else:
        mend = f"Close it (`kill {found[0].pid}`), or give another port."
    return Problem(f"port {path} is in use by {names}", mend)


def absent(path: str, system: System = HERE) -> Problem:
    """Why a port that was named is not there."""
    there = ports(system)
    if there:
        names = ", ".join(f"{port.path} ({port.title})" for port in there)
        return Problem(f"port {path} does not exist", f"These ports exist: {names}.")
    problem = no_port(system)
    return Problem(f"port {path} does not exist", f"{problem.what[:1].upper()}{problem.what[1:]}. {problem.mend}")


def _environment(device: UsbDevice) -> str:
    assert device.known is not None
    return device.known.environments[0]


def _on_a_port(device: UsbDevice, system: System) -> bool:
    return any(port.usb == device for port in ports(system))


def _no_driver(device: UsbDevice, system: System) -> Problem:
    known = device.known
    assert known is not None
    what = f"{device.title} ({device.number}) is plugged in, but has no serial port"
    if running(_BRAILLE, system):
        return Problem(f"{what}: {_BRAILLE} takes it for a Braille display", f"Run `sudo apt-get remove {_BRAILLE}`.")
    loaded = (system.sys / "module" / known.driver).is_dir()
    if known.driver and not loaded:
        return Problem(f"{what}: its driver is not loaded", f"Run `sudo modprobe {known.driver}`.")
    return Problem(what, "Unplug it and plug it in again; `dmesg` tells what the driver says of it.")
