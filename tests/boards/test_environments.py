"""The one table of boards: it is complete, and what is made of it agrees with it."""

from __future__ import annotations

import re

import pytest

from jaragua.boards import environment, environments, find_by_usb, kind_of
from jaragua.errors import UsageError
from jaragua_compiler.planning.boards import boards

UPLOADS = {"mass_storage", "picotool", "openocd", "dfu", "platformio"}
EMULATORS = {"", "qemu", "rp2040js", "process"}


def test_every_environment_says_what_is_needed_to_use_it() -> None:
    for one in environments():
        assert one.title, one.name
        assert set(one.upload) <= UPLOADS, one.name
        assert one.emulator in EMULATORS, one.name
        assert one.is_emulated or one.is_a_board, one.name
        assert bool(one.uf2_family) == (one.image == "uf2"), one.name
        assert bool(one.volume) == ("mass_storage" in one.upload), one.name
        assert bool(one.openocd) == ("openocd" in one.upload), one.name
        assert bool(one.machine) == (one.emulator == "qemu"), one.name
        assert all(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", text) for text in (*one.usb, *one.usb_upload)), one.name


def test_the_receive_ring_is_a_power_of_two() -> None:
    """Its index is a remainder that the C takes with a mask."""
    assert [one.name for one in environments() if one.ring_bytes & (one.ring_bytes - 1)] == []


def test_what_a_board_keeps_is_reserved() -> None:
    """A network that `jaragua compile` and `deploy` let on a board leaves the flash of keep_bytes alone."""
    kept = {one.name: one.keep_bytes for one in environments() if one.keep_bytes}
    reserved = {one.name: one.reserve_flash_bytes for one in boards() if one.name in kept}
    assert {"bbcmicrobit", "nucleo_f446re", "adafruit_feather_f405", "pico"} <= set(reserved)
    assert [name for name, size_bytes in reserved.items() if size_bytes < kept[name] + 32768] == []


def test_a_board_is_found_by_its_usb_id() -> None:
    assert [one.name for one in find_by_usb(0x0D28, 0x0204)] == ["bbcmicrobit"]
    assert [one.name for one in find_by_usb(0x2E8A, 0x0003)] == ["pico"]
    assert find_by_usb(0xFFFF, 0xFFFF) == []


def test_a_name_that_is_none_suggests_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        environment("bluepill")
    assert "bluepill_f103c8" in caught.value.hint


def test_every_board_is_of_a_kind() -> None:
    """M1."""
    assert [kind_of(name) for name in ("bbcmicrobit", "pico", "qemu_rv32", "native")] == [
        "cortex-m0",
        "cortex-m0+",
        "risc-v",
        "cortex-m4",
    ]
    assert "board" not in [kind_of(one.name) for one in environments()]
    assert kind_of("somebody's own") == "board"
