"""K1 to K5, K7, K10: the flash functions of each chip save and load, on models of its flash controller.

What runs is the machine code of the board's image, on Unicorn's core; flash_controllers.py has the models, which take
no mistake. No real board has run it.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulated_images import FIRMWARE, build_test_image
from flash_controllers import CONTROLLERS, Flash, PowerCut, Rp2, Stm32, Stm32F1, Stm32F7
from flash_machine import Machine
from keep_images import LIBRARIES, driver_of, environment_with_memory, keeping_image
from unicorn import UcError

from jaragua.boards import environment, environments
from jaragua.boards.environments import Region
from long_form import first_of

OK, NOTHING, TOO_LARGE, WORN, FAILED = range(5)
KEEP_PAGE = FIRMWARE.parent / "docs" / "reference" / "keep.md"
HEADER_BYTES = 32
#: Of what is saved, in parts, as a board saves weights, flag, classes and learner (K8); more than an STM32F1's page.
PARTS = (180, 1, 30, 60)
WORDS = sum(PARTS)
#: Cuts of each board; the long form has them at every operation of a save, several times.
CUTS = 60, 2_000
ENDURANCE = {"nrf51": 20_000, "nano33ble": 10_000, "stm32": 10_000, "rp2": 100_000}


class KeepingBoard:
    """A machine whose jrg_keep is called as the firmware calls it."""

    def __init__(self, name: str, image: Path) -> None:
        self.machine = Machine(environment_with_memory(name), image)
        self.flash: Flash = CONTROLLERS[name](self.machine)
        self.random = np.random.default_rng(1)
        self._key = self.machine.reserve(8)
        self._parts = self.machine.reserve(8 * len(PARTS))
        self._state = self.machine.reserve(4 * WORDS)
        self._erases = self.machine.reserve(4)

    def geometry(self) -> int:
        """The address of what jrg_port_flash returns."""
        return self.machine.call("jrg_port_flash")

    def drawn(self) -> list[int]:
        """A state, with words of ones in it, which change no cell."""
        words = self.random.integers(0, 1 << 32, WORDS, np.uint64)
        words[::16] = 0xFFFFFFFF
        return [int(word) for word in words]

    def save(self, words: list[int]) -> int:
        self._lay_out(words)
        status = self._call("jrg_keep_save", len(PARTS), self._erases)
        self.flash.end_of_call()
        return status

    def load(self) -> tuple[int, list[int]]:
        self._lay_out([0] * WORDS)
        return self._call("jrg_keep_load", len(PARTS)), self.machine.words(self._state, WORDS)

    def saves(self) -> int:
        return self.machine.call("jrg_keep_saves", self.geometry())

    def counted_erases(self) -> int:
        (count,) = self.machine.words(self._erases, 1)
        return count

    def _lay_out(self, words: list[int]) -> None:
        self.machine.write_words(self._key, [0x04030201, 0x08070605])
        ends = np.cumsum(PARTS)
        table = [(self._state + 4 * int(end - count), 4 * count) for end, count in zip(ends, PARTS, strict=True)]
        self.machine.write_words(self._parts, [value for row in table for value in row])
        self.machine.write_words(self._state, words)

    def _call(self, name: str, *more: int) -> int:
        return self.machine.call(name, self.geometry(), self._key, self._parts, *more)


@pytest.fixture(scope="module")
def image_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Images, as tests ask for them."""
    folder = tmp_path_factory.mktemp("keeping")
    return _Images(folder)


class _Images(dict[str, Path]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> Path:
        (self._folder / name).mkdir()
        self[name] = keeping_image(name, self._folder / name)
        return self[name]


@pytest.fixture(params=CONTROLLERS)
def board(request: pytest.FixtureRequest, image_of: dict[str, Path]) -> KeepingBoard:
    return KeepingBoard(request.param, image_of[request.param])


pytestmark = pytest.mark.cross


@pytest.fixture(autouse=True)
def _machines_are_freed() -> Iterator[None]:
    """A machine and its model know each other. Its core is freed here, and not while another one runs."""
    yield
    gc.collect()


def operations_of_a_save(board: KeepingBoard) -> int:
    """Erases, and units that are written: each part, and the header, begins a unit of its own where it has to."""
    before = board.flash.operations
    assert board.save(board.drawn()) == OK
    return board.flash.operations - before


def test_k1_the_pages_are_those_of_the_chip(board: KeepingBoard) -> None:
    """The linker leaves them out of the image, and half of them have room for the largest weights of the board."""
    one = board.machine.board
    start, page_bytes, pages, endurance = board.machine.words(board.geometry(), 4)
    assert (start, page_bytes) == (board.machine.keep_start, board.flash.page_bytes)
    assert (page_bytes * pages, pages % 2) == (one.keep_bytes, 0)
    assert endurance == ENDURANCE[one.port]
    end_of_image = one.flash.origin + board.machine.symbols.address("jrg_port_flash_bytes")
    if one.needs_a_framework:  # whose linker script knows nothing of it: it is a part of the image
        assert one.flash.origin < start < start + one.keep_bytes <= end_of_image
        assert start % page_bytes == 0
        return
    assert end_of_image <= start
    assert one.keep_bytes // 2 >= one.model_ram_bytes + HEADER_BYTES


def test_k3_what_was_saved_last_is_loaded_after_a_reset(board: KeepingBoard) -> None:
    """K4, K5, K9, too: nothing at first; generations; erases of the two slots by turns."""
    assert board.load() == (NOTHING, [0] * WORDS)
    needed = -(-(4 * WORDS + HEADER_BYTES) // board.flash.page_bytes)
    slot_pages = board.machine.board.keep_bytes // board.flash.page_bytes // 2
    for generation in range(1, 6):
        state = board.drawn()
        assert board.save(state) == OK
        assert board.counted_erases() == generation * needed
        assert board.load() == (OK, state)
        assert board.saves() == generation
    assert board.flash.erases == {slot * slot_pages + page: 3 - slot for slot in (0, 1) for page in range(needed)}
    board.flash.start()
    assert board.load() == (OK, state)


@pytest.mark.parametrize("times", first_of(CUTS, 1))
def test_k7_after_a_cut_there_is_the_old_or_the_new_state(board: KeepingBoard, times: int) -> None:
    """Each cut falls on the flash that the cuts before it have left. The last operation writes the header's end."""
    count = operations_of_a_save(board)
    _, saved = board.load()
    found_new = 0
    for cut in cut_points(count, times):
        wanted, before = board.drawn(), board.saves()
        board.flash.operations_left = cut
        try:
            assert board.save(wanted) == OK
            assert cut == count
        except PowerCut:
            assert cut < count
        board.flash.start()
        status, found = board.load()
        assert status == OK
        assert found in (saved, wanted), cut
        assert board.saves() == before + (found == wanted)
        found_new += found == wanted
        saved = found
    assert found_new > 0


def cut_points(count: int, times: int) -> list[int]:
    """As many, spread over the operations of a save, with the first, the last, and `count`: no cut at all."""
    if times > count:
        return [i % (count + 1) for i in range(times)]
    return sorted({*(i * count // (times - 10) for i in range(times - 10)), *range(count - 8, count + 1), 0, 1})


def test_k10_without_its_controller_a_board_has_no_flash(image_of: dict[str, Path]) -> None:
    """As on emulators: QEMU's STM32 reads as 0, and rp2040js has no ROM."""
    for name in (name for name in CONTROLLERS if environment(name).port in ("stm32", "rp2")):
        machine = Machine(environment(name), image_of[name])
        if environment(name).port == "rp2":
            controller = CONTROLLERS[name]
            assert issubclass(controller, Rp2)
            controller(machine, has_rom=False)
        else:
            controller = CONTROLLERS[name]
            assert issubclass(controller, Stm32)
            address = controller.registers & ~0xFFF
            machine.add_device(address, lambda _offset: 0, lambda _offset, _value: None)
        assert machine.call("jrg_port_flash") == 0, name


def test_k10_an_stm32_with_other_pages_has_no_flash(image_of: dict[str, Path]) -> None:
    """An F7 whose option bytes make two banks, and an F1 whose pages have 2 KB."""
    seven, one = (KeepingBoard(name, image_of[name]) for name in ("nucleo_f767zi", "bluepill_f103c8"))
    assert isinstance(seven.flash, Stm32F7)
    assert isinstance(one.flash, Stm32F1)
    seven.flash.is_one_bank = False
    one.flash.size_kb = 256
    assert (seven.geometry(), one.geometry()) == (0, 0)


def test_k10_an_f4_keeps_nothing_in_its_second_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board of 2 MB that somebody adds to the table; its last sectors have other numbers."""
    small = environment("adafruit_feather_f405")
    large = replace(small, flash=Region(small.flash.origin, 2 * small.flash.size_bytes))
    monkeypatch.setattr("emulated_images.environment", lambda _name: large)
    image = build_test_image("keep/keep_board.c", tmp_path, name=small.name, also=LIBRARIES)
    monkeypatch.setattr("test_keep_drivers.environment_with_memory", lambda _name: large)
    assert KeepingBoard(small.name, image).geometry() == 0


@pytest.mark.parametrize("name", [name for name in CONTROLLERS if environment(name).port == "stm32"])
def test_k10_a_controller_that_was_left_unlocked_is_locked(name: str, image_of: dict[str, Path]) -> None:
    """By a boot loader that jumps into the image."""
    board = KeepingBoard(name, image_of[name])
    assert isinstance(board.flash, Stm32)
    board.flash.control = 0
    assert board.geometry() != 0
    assert board.flash.is_locked
    assert board.save(board.drawn()) == OK


#: Mistakes that a driver could have: board, a place of its source, and what stands there by mistake.
MISTAKES = [
    ("adafruit_feather_f405", "CONTROLLER(KEY) = KEY_2;", ""),
    ("pico", "jrg_cpu_interrupts_off();", ""),
    ("bluepill_f103c8", "wait();\n    }", "}"),
    ("adafruit_feather_f405", "CONTROLLER(KEY) = KEY_1;", ""),
    ("adafruit_feather_f405", "CONTROLLER(STATE) = ERRORS;", ""),
    ("adafruit_feather_f405", "= PROGRAM | WORDS;", "= PROGRAM;"),
    ("adafruit_feather_f405", "to[i] = words[i];\n        wait();", "to[i] = words[i];"),
    ("adafruit_feather_f405", "SECTORS_BEFORE = 4", "SECTORS_BEFORE = 5"),
    ("adafruit_feather_f405", "SECTORS_BEFORE = 4", "SECTORS_BEFORE = 3"),
    ("adafruit_feather_f405", "CONTROLLER(CONTROL) = what;", ""),
    ("adafruit_feather_f405", "jrg_chip_feed();", ""),
    ("adafruit_feather_f405", "wait();\n    }\n    lock();", "wait();\n    }"),
    ("adafruit_feather_f405", "CONTROLLER(0) &= ~(1u << 10);", ""),
    ("bluepill_f103c8", "+ page * PAGE_BYTES", ""),
    ("bluepill_f103c8", "i < 2 * count", "i < count"),
    ("pico", '__attribute__((section(".ram_code"), noinline))', "__attribute__((noinline))"),
    ("pico", "rom->flush();", ""),
    ("pico", "rom->leave_reading();", ""),
    ("pico", "((void (*)(void))((uintptr_t)rom->read_again | 1u))();", ""),
    ("pico", "memset(page, 0xFF, sizeof page)", "memset(page, 0, sizeof page)"),
    ("pico", "jrg_chip_feed();", ""),
    ("rpipico2", "lookup(code, SECURE_ARM)", "lookup(code, 16)"),
    ("nano33ble", "mbed_mpu_manager_lock_rom_write();", ""),
    ("nano33ble", "wait();\n    }\n    set_mode(kRead);", "}\n    set_mode(kRead);"),
    ("nano33ble", "set_mode(kRead);\n    mbed", "mbed"),
    ("bbcmicrobit", "set_mode(MODE_WRITE);", ""),
]


@pytest.mark.parametrize("mistake", first_of(MISTAKES, 3), ids=lambda mistake: f"{mistake[0]}: {mistake[1]}")
def test_k10_the_models_find_mistakes(tmp_path: Path, mistake: tuple[str, str, str]) -> None:
    """A driver that does what a manual forbids does not pass the tests above."""
    name, place, written = mistake
    source = driver_of(name).read_text(encoding="utf-8")
    assert place in source
    wrong = tmp_path / f"wrong{driver_of(name).suffix}"
    wrong.write_text(source.replace(place, written), encoding="utf-8")
    board = KeepingBoard(name, keeping_image(name, tmp_path, wrong))
    with pytest.raises((AssertionError, UcError)):
        save_thrice(board)


def save_thrice(board: KeepingBoard) -> None:
    """So that the second slot is used, and the first again."""
    for _ in range(3):
        assert board.save(board.drawn()) == OK


def test_the_page_has_each_board_that_keeps_its_weights() -> None:
    """keep.md's table: erase page and slot, against the table of boards and the pages of the chips."""
    text = KEEP_PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^\| `([a-z0-9_]+)` \| .* \| (\d+) KB \| (\d+) KB \| .* \|$", text, re.MULTILINE)
    rows = {name: (int(page), int(slot)) for name, page, slot in found}
    assert set(rows) == {one.name for one in environments() if one.keep_bytes} | {"native"}
    for name, controller in CONTROLLERS.items():
        slot_bytes = environment(name).keep_bytes // 2
        assert rows[name] == (controller.page_bytes // 1024, slot_bytes // 1024), name
