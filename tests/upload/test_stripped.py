"""M53: a linked image without its debug information is loaded as it was."""

from __future__ import annotations

import io

import pytest
from elftools.elf.elffile import ELFFile

from images import built_image
from jaragua.upload.stripped import stripped


def parts(image: bytes) -> tuple[list[tuple[int, bytes]], dict[str, int], set[str]]:
    """What is loaded and where, symbols, names of sections."""
    read = ELFFile(io.BytesIO(image))
    # Headers of the file are loaded with a process; they tell where its section table is.
    loaded = [(one["p_paddr"], one.data()[0 if one["p_offset"] else 64 :]) for one in read.iter_segments("PT_LOAD")]
    table = read.get_section_by_name(".symtab")
    symbols = {one.name: one["st_value"] for one in table.iter_symbols()}
    return loaded, symbols, {one.name for one in read.iter_sections()}


@pytest.mark.parametrize("environment", ["native", pytest.param("qemu_m4", marks=pytest.mark.board)])
def test_m53_what_is_loaded_and_the_symbols_stay(environment: str) -> None:
    """Of 64 bits and of 32."""
    image = built_image(environment).read_bytes()
    (loaded, symbols, names), (now, now_symbols, now_names) = parts(image), parts(stripped(image))
    assert (now, now_symbols) == (loaded, symbols)
    assert names - now_names == {name for name in names if name.startswith(".debug_")} != set()
    assert len(stripped(image)) < len(image) / 4
    assert stripped(stripped(image)) == stripped(image)


def test_m53_what_is_no_whole_elf_file_stays_as_it_is() -> None:
    image = built_image("native").read_bytes()
    for other in (b"", b":00000001FF\n", image[:3], image[:60], image[: len(image) // 2], b"UF2\n" + bytes(508)):
        assert stripped(other) == other
