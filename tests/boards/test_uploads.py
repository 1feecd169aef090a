"""What is uploaded to a board: the first 256 bytes of a Pico's image, and UF2 files."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FLASH = 0x1000_0000


def checksum(data: bytes) -> int:
    """RP2040 Datasheet, 2.8.1.3: CRC-32, the most significant bit first, nothing inverted at the end."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C1_1DB7 if crc & 0x8000_0000 else crc << 1) & 0xFFFF_FFFF
    return crc


@pytest.fixture(scope="module")
def boot2(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The section as the assembler makes it."""
    folder = tmp_path_factory.mktemp("boot2")
    source = ROOT / "firmware" / "ports" / "rp2" / "jrg_boot.c"
    subprocess.run(
        ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-c", str(source), "-o", "boot.o"], cwd=folder, check=True
    )
    command = ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".boot2", "boot.o", "boot.bin"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "boot.bin").read_bytes()


@pytest.mark.cross
def test_the_second_stage_has_its_length_and_checksum(boot2: bytes) -> None:
    assert len(boot2) == 256
    assert struct.unpack("<I", boot2[252:])[0] == checksum(boot2[:252])


def test_the_checksum_is_the_published_one() -> None:
    """CRC-32/MPEG-2 of the usual test string."""
    assert checksum(b"123456789") == 0x0376_E6E7


@pytest.fixture(scope="module")
def upload() -> ModuleType:
    """The builder's script; its folder is no package, for SCons loads it."""
    place = ROOT / "tools" / "platform" / "builder" / "upload.py"
    spec = importlib.util.spec_from_file_location("upload", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_uf2_file_says_the_image_in_blocks(upload: ModuleType) -> None:
    """github.com/microsoft/uf2: 512 bytes a block, 256 of them payload, magic numbers at both ends."""
    image = bytes(range(256)) + b"tail"
    blocks = upload.uf2(image, FLASH, 0xE48B_FF56)
    assert len(blocks) == 2 * 512
    for number in range(2):
        block = blocks[512 * number :][:512]
        words = struct.unpack("<8I", block[:32])
        assert words == (0x0A324655, 0x9E5D5157, 0x2000, FLASH + 256 * number, 256, number, 2, 0xE48B_FF56)
        assert struct.unpack("<I", block[508:])[0] == 0x0AB16F30
        assert block[32 : 32 + 256] == image[256 * number :][:256].ljust(256, b"\0")
