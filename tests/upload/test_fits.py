"""M40, M41: what a gateway sees of an image before it touches a board."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from images import built_image
from jaragua.boards import environment
from jaragua.errors import ToolError
from jaragua.upload import fits

FAMILY = {"pico": 0xE48BFF56, "rpipico2": 0xE48BFF59}


def uf2_block(address: int, family: int, first: int = 0x0A324655) -> bytes:
    return struct.pack("<8I476xI", first, 0x9E5D5157, 0x2000, address, 256, 0, 1, family, 0x0AB16F30)


def hex_line(kind: int, address: int, data: bytes) -> str:
    record = bytes([len(data), address >> 8, address & 0xFF, kind]) + data
    return f":{(record + bytes([-sum(record) & 0xFF])).hex().upper()}\n"


def vectors(stack: int, start: int) -> bytes:
    return struct.pack("<2I", stack, start) + bytes(100)


def problem(image: bytes, board: str, form: str = "", processor: str = "x86_64") -> str:
    """What is wrong, "" if nothing is."""
    found = environment(board)
    try:
        fits.check(image, found, form or found.image, processor)
    except ToolError as error:
        return error.message.removeprefix(f"the image is not one for {board}: ")
    return ""


def test_m41_a_uf2_file_has_the_family_of_the_chip_and_lies_in_its_flash() -> None:
    good = uf2_block(0x1000_0000, FAMILY["pico"])
    assert problem(good, "pico") == ""
    assert "another family of chips (0xe48bff56)" in problem(good, "rpipico2")
    assert "outside of the board's flash" in problem(uf2_block(0x2000_0000, FAMILY["pico"]), "pico")
    assert "no UF2 file" in problem(uf2_block(0x1000_0000, FAMILY["pico"], first=1), "pico")
    assert "damaged" in problem(good[:-1], "pico")


def test_m41_a_hex_file_has_its_checksums_and_lies_in_the_flash() -> None:
    end = hex_line(1, 0, b"")
    assert problem((hex_line(0, 0x100, b"abcd") + end).encode(), "bbcmicrobit") == ""
    assert problem((hex_line(4, 0, b"\0\3") + hex_line(0, 0xFFFC, b"abcd") + end).encode(), "bbcmicrobit") == ""
    beyond = hex_line(4, 0, b"\0\4") + hex_line(0, 0, b"abcd")
    assert "0x00040000, outside" in problem(beyond.encode(), "bbcmicrobit")
    assert "a checksum in it is wrong" in problem(b":0400000061626364FF\n", "bbcmicrobit")
    assert "no HEX file" in problem(b"\x7fELF", "bbcmicrobit")
    assert "damaged" in problem(b":zz\n", "bbcmicrobit")


def test_m41_a_bin_file_begins_with_vectors_of_the_board_and_fits_into_its_flash() -> None:
    assert problem(vectors(0x2000_5000, 0x0800_0101), "bluepill_f103c8") == ""
    assert "vectors of this board" in problem(vectors(0x2002_0000, 0x0800_0101), "bluepill_f103c8")
    assert "the board's flash 65,536" in problem(vectors(0x2000_5000, 0x0800_0101) + bytes(65536), "bluepill_f103c8")
    assert "damaged" in problem(b"\0", "bluepill_f103c8")


def test_m40_an_image_has_a_largest_size() -> None:
    assert "it is empty" in problem(b"", "native")
    assert "6,291,456 are possible" in problem(b"\x7fELF" + bytes(fits.MOST_BYTES), "native")


@pytest.mark.board
def test_m41_a_linked_image_names_its_board(tmp_path: Path) -> None:
    image = built_image("qemu_m4").read_bytes()
    assert problem(image, "qemu_m4") == ""
    assert "it does not name this board" in problem(image, "qemu_m7")
    assert "another processor (number 40)" in problem(image, "qemu_rv32")
    assert "outside" in problem(image.replace(b"qemu_m4\0", b"pico\0\0\0\0"), "pico", "elf")
    assert "no ELF file" in problem(image[1:], "qemu_m4")


def test_m41_the_image_of_a_process_is_for_the_gateways_processor() -> None:
    image = built_image("native").read_bytes()
    assert problem(image, "native") == ""
    assert "not for this computer's processor (aarch64)" in problem(image, "native", processor="aarch64")
