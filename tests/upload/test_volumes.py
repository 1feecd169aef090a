"""Drives that boards show: which one is the board's, and what happens when an image is copied to it."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import pytest

from jaragua.boards import environment
from jaragua.cli.main import run
from jaragua.errors import ToolError, UsageError
from jaragua.flash.target import environment_without_port
from jaragua.upload import volumes
from jaragua.upload.methods import Upload, carry_out, usable_method
from limits import GENEROUS_S

PICO, PICO_2, MICROBIT = environment("pico"), environment("rpipico2"), environment("bbcmicrobit")
#: As the boot ROM of the RP2040 writes it (RP2040 Datasheet, 2.8.3.2), and that of the RP2350.
INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {}\r\n"


def drive(folder: Path, board_id: str) -> Path:
    """A drive of a UF2 boot loader."""
    folder.mkdir(parents=True)
    (folder / volumes.INFO).write_text(INFO.format(board_id))
    return folder


class BootLoader(threading.Thread):
    """Takes the drive away as soon as it holds a whole UF2 file, as boot loaders do; `image`: what it took."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.image = folder, b""

    def run(self) -> None:
        deadline_s = time.monotonic() + GENEROUS_S
        while time.monotonic() < deadline_s and not self._has_taken():
            time.sleep(0.01)
        shutil.rmtree(self.folder)

    def _has_taken(self) -> bool:
        for path in self.folder.glob("*.uf2"):
            self.image = path.read_bytes()
            blocks = len(self.image) // 512
            return blocks > 0 and int.from_bytes(self.image[24:28], "little") == blocks
        return False


def test_a_drive_is_found_by_what_its_boot_loader_says_not_by_its_name(tmp_path: Path) -> None:
    """The name of the folder is the system's choice: RPI-RP21 for a second board."""
    own = drive(tmp_path / "user" / "RPI-RP21", "RPI-RP2")
    drive(tmp_path / "user" / "RPI-RP2", "RP2350")
    assert volumes.find_volume(PICO, [str(tmp_path)]) == own
    assert volumes.find_volume(PICO_2, [str(tmp_path)]) == tmp_path / "user" / "RPI-RP2"
    assert volumes.find_volume(MICROBIT, [str(tmp_path)]) is None


def test_another_drive_is_found_by_its_name_if_it_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of that name that is no drive is not written to."""
    own, folder = tmp_path / "user" / "MICROBIT", tmp_path / "NODE_F446RE"
    for place in (own, folder):
        place.mkdir(parents=True)
    monkeypatch.setattr(volumes.os.path, "ismount", lambda path: path == own)
    assert volumes.find_volume(MICROBIT, [str(tmp_path)]) == own
    assert volumes.find_volume(environment("nucleo_f446re"), [str(tmp_path)]) is None


def test_a_drive_that_refuses_an_image_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DAPLink writes FAIL.TXT; a UF2 boot loader that does not go away has not taken the image."""
    image = tmp_path / "firmware.hex"
    image.write_bytes(b":00000001FF\n")
    (tmp_path / "FAIL.TXT").write_text("error: The application file format is unknown\r\ntype: user\r\n")
    with pytest.raises(ToolError, match="The application file format is unknown type: user"):
        volumes.write(image, tmp_path, MICROBIT)
    monkeypatch.setattr(volumes, "_TAKEN_S", 0.05)
    stuck = drive(tmp_path / "stuck", "RPI-RP2")
    with pytest.raises(ToolError, match="is still there"):
        volumes.write(image, stuck, PICO)
    gone = tmp_path / "gone"
    with pytest.raises(ToolError, match="takes no image: No such file"):
        volumes.write(image, gone, MICROBIT)


def test_a_board_without_a_port_is_the_one_whose_drive_is_there(tmp_path: Path) -> None:
    own = drive(tmp_path / "drive", "RP2350")
    assert environment_without_port(None, own, []) == "rpipico2"
    assert environment_without_port(None, None, ["pico"]) == "pico"
    assert environment_without_port("bluepill_f103c8", None, []) == "bluepill_f103c8"
    assert environment_without_port("nano33ble", None, []) is None  # PlatformIO needs its port
    assert environment_without_port(None, None, []) is None
    with pytest.raises(UsageError, match="is not the drive of a board that is known"):
        environment_without_port(None, tmp_path, [])
    with pytest.raises(UsageError, match="there is no folder"):
        environment_without_port(None, tmp_path / "nowhere", [])
    with pytest.raises(UsageError, match="bluepill_f103c8 or pico"):
        environment_without_port(None, None, ["bluepill_f103c8", "pico"])
    with pytest.raises(UsageError, match="is that of RP2350, RPI-RP2 was expected"):
        carry_out(Upload(PICO, tmp_path / "firmware.uf2", volume=own))


def test_without_a_drive_or_a_tool_the_exact_commands_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "BASES", (str(tmp_path),))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="no drive RPI-RP2 is mounted and picotool is not installed") as caught:
        usable_method(Upload(PICO, Path("firmware.uf2")))
    assert "while you hold BOOTSEL" in caught.value.hint
    assert "picotool load -v -x firmware.uf2" in caught.value.hint
    with pytest.raises(ToolError, match="dfu-util is not installed") as caught:
        usable_method(Upload(environment("adafruit_feather_f405"), Path("firmware.bin")))
    assert "dfu-util -a 0 -s 0x08000000:leave -D firmware.bin" in caught.value.hint
    assert "openocd -f interface/stlink.cfg" in caught.value.hint


@pytest.mark.cross
def test_flash_builds_and_writes_to_the_drive_of_a_board_without_a_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`jaragua flash --volume` on a Pico that waits for an image: the boot loader gets all blocks, and goes."""
    own = drive(tmp_path / "drive", "RPI-RP2")
    boot_loader = BootLoader(own)
    boot_loader.start()
    assert run(["flash", "--volume", str(own), "--model", "sine", "--json"]) == 0
    boot_loader.join(GENEROUS_S)
    told = capsys.readouterr()
    data = json.loads(told.out)["data"]
    assert (data["environment"], data["port"], data["verified"]) == ("pico", None, False)
    assert not own.exists()
    assert boot_loader.image[28:32] == PICO.uf2_family.to_bytes(4, "little")
    assert b"sine\0" in boot_loader.image
    assert run(["flash", "--volume", str(own), "--start", "w.safetensors", "--environment", "pico"]) == 2
    assert "the board has none" in capsys.readouterr().err
