"""A machine with chosen USB devices: folders as sysfs, /dev and /proc have them, whose ports are real terminals."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from jaragua.serial.ports.system import System


@dataclass
class FakeMachine:
    """`system` is what detection reads."""

    root: Path
    usb_count: int = 0
    system: System = field(init=False)

    def __post_init__(self) -> None:
        self.system = System(self.root / "sys", self.root / "dev", Path("/proc"))
        for folder in ("sys/class/tty", "sys/bus/usb/devices", "sys/module", "dev/serial/by-id"):
            (self.root / folder).mkdir(parents=True)

    def plug(self, usb: str, words: tuple[str, str, str] = ("", "", "")) -> Path:
        """A USB device without a port. usb: vendor:product; words: serial number, manufacturer, product."""
        self.usb_count += 1
        name = f"1-{self.usb_count}"
        folder = self.root / "sys/devices/pci0000:00/usb1" / name
        folder.mkdir(parents=True)
        vendor, _, product = usb.partition(":")
        files = {"idVendor": vendor, "idProduct": product}
        files |= dict(zip(("serial", "manufacturer", "product"), words, strict=True))
        for file, text in files.items():
            if text:
                (folder / file).write_text(f"{text}\n", encoding="utf-8")
        (self.root / "sys/bus/usb/devices" / name).symlink_to(folder)
        return folder

    def plug_board(self, usb: str, port: str, terminal: str, words: tuple[str, str, str] = ("", "", "")) -> str:
        """A USB device with a port; returns the port's path. ttyUSB ports lie one folder deeper, as adapters' do."""
        folder = self.plug(usb, words)
        device = folder / f"{folder.name}:1.0"
        if port.startswith("ttyUSB"):
            device = device / port
        device.mkdir(parents=True)
        self._add_port(port, device, terminal)
        if words[0]:
            link = self.root / "dev/serial/by-id" / f"usb-{words[1]}_{words[0]}-if00".replace(" ", "_")
            link.symlink_to(f"../../{port}")
        return str(self.root / "dev" / port)

    def add_built_in(self, port: str, terminal: str, uart: str = "4") -> None:
        """A port of the machine itself. uart: number of its type, "0" if there is no such chip."""
        device = self.root / "sys/devices/platform" / port
        device.mkdir(parents=True)
        self._add_port(port, device, terminal)
        (self.root / "sys/class/tty" / port / "type").write_text(uart, encoding="utf-8")

    def _add_port(self, port: str, device: Path, terminal: str) -> None:
        entry = self.root / "sys/class/tty" / port
        entry.mkdir()
        (entry / "device").symlink_to(os.path.relpath(device, entry))
        (self.root / "dev" / port).symlink_to(terminal)
