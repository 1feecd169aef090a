"""The serial ports of this machine with the USB identity of what is plugged in; on Linux read from sysfs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from jaragua.serial.ports.known_usb import KnownUsb, known_usb
from jaragua.serial.ports.system import HERE, System

Kind = Literal["usb", "built-in", "emulated"]

#: How many folders of sysfs lie between a port and the USB device it belongs to, and one to spare.
_MOST_LEVELS: Final = 5
_NO_UART: Final = "0"
_NUMBERS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True)
class UsbDevice:
    """What a USB device says of itself; `key` is vendor and product."""

    key: tuple[int, int]
    serial_number: str = ""
    manufacturer: str = ""
    product: str = ""

    @property
    def known(self) -> KnownUsb | None:
        """What is known of its identity."""
        return known_usb().get(self.key)

    @property
    def title(self) -> str:
        """What is plugged in, in words."""
        if self.known is not None:
            return self.known.title
        return " ".join(part for part in (self.manufacturer, self.product) if part) or self.number

    @property
    def number(self) -> str:
        """`vendor:product`, as lsusb writes it."""
        return f"{self.key[0]:04x}:{self.key[1]:04x}"


@dataclass(frozen=True)
class Port:
    """A port that can be opened. `path`: what to open; `stable`: a name that stays when boards are plugged anew."""

    path: str
    kind: Kind
    stable: str = ""
    usb: UsbDevice | None = None
    note: str = ""
    """What is known of an emulated board."""
    named: tuple[str, ...] = ()
    """Its environment."""

    @property
    def title(self) -> str:
        """What is plugged in, in words."""
        return self.usb.title if self.usb is not None else self.note or "serial port of this machine"

    @property
    def serial_number(self) -> str:
        """Of the USB device, "" if it has none."""
        return self.usb.serial_number if self.usb is not None else ""

    @property
    def environments(self) -> tuple[str, ...]:
        """Environments of platformio.ini whose board this may be."""
        known = self.usb.known if self.usb is not None else None
        return known.environments if known is not None else self.named

    def is_called(self, name: str) -> bool:
        """Whether `name` is its path, its stable name, the last part of one, or its serial number."""
        names = {self.path, self.stable, Path(self.path).name, Path(self.stable).name, self.serial_number}
        return name in names - {""}


def ports(system: System = HERE) -> list[Port]:
    """All ports, those on USB first, each kind in the order of its numbers."""
    tty = system.sys / "class" / "tty"
    found = _of_sysfs(system, tty) if tty.is_dir() else _of_pyserial()
    return sorted(found, key=lambda port: (port.kind != "usb", _natural(port.path)))


def usb_devices(system: System = HERE) -> list[UsbDevice]:
    """Everything on USB, whether it has a port or not."""
    folder = system.sys / "bus" / "usb" / "devices"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [device for path in paths if (device := _usb_device(system, path)) is not None]


def _of_sysfs(system: System, tty: Path) -> Iterator[Port]:
    stable = _stable_names(system)
    for entry in tty.iterdir():
        path = system.dev / entry.name
        if not (entry / "device").exists() or not path.exists():
            continue  # consoles, pseudo terminals, and what udev has not made yet
        usb = _usb_above(system, entry / "device")
        name = stable.get(os.path.realpath(path), "")
        if usb is not None:
            yield Port(str(path), "usb", name, usb)
        elif system.text(entry / "type") != _NO_UART:
            yield Port(str(path), "built-in", name)


def _usb_above(system: System, device: Path) -> UsbDevice | None:
    """The USB device that a port belongs to."""
    folder = Path(os.path.realpath(device))
    for _ in range(_MOST_LEVELS):
        if (found := _usb_device(system, folder)) is not None:
            return found
        folder = folder.parent
    return None


def _usb_device(system: System, folder: Path) -> UsbDevice | None:
    vendor, product = system.text(folder / "idVendor"), system.text(folder / "idProduct")
    try:
        key = int(vendor, 16), int(product, 16)
    except ValueError:
        return None
    return UsbDevice(key, *(system.text(folder / name) for name in ("serial", "manufacturer", "product")))


def _stable_names(system: System) -> dict[str, str]:
    """Where a port is -> the name that udev made of its USB identity and serial number."""
    folder = system.dev / "serial" / "by-id"
    links = sorted(folder.iterdir()) if folder.is_dir() else []
    return {os.path.realpath(link): str(link) for link in links}


def _of_pyserial() -> Iterator[Port]:
    """Where there is no sysfs."""
    from serial.tools import list_ports

    for found in list_ports.comports():
        if found.vid is None:
            yield Port(found.device, "built-in")
            continue
        words = (found.serial_number or "", found.manufacturer or "", found.product or "")
        yield Port(found.device, "usb", usb=UsbDevice((found.vid, found.pid), *words))


def _natural(name: str) -> list[tuple[int, str]]:
    """ttyACM10 stands behind ttyACM9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBERS.split(name)]
