"""The generated parts of docs/ are what the code says: verbs, keys of a run, errors, strategies, boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua_documents import board_files, generate, layers, regions


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: page.name)
def test_the_page_is_what_the_code_says(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == generate.current(page), "python -m jaragua_documents"


def test_the_picture_of_the_layers_is_that_of_the_contracts() -> None:
    drawn = layers.picture()
    assert layers.PICTURE.read_text(encoding="utf-8") == drawn, "python -m jaragua_documents"
    rooms = [room for column in layers.contracts() for layer in column for room in layer]
    assert drawn.count("<rect") == len(rooms)
    assert all(f">{room}</text>" in drawn for room in rooms)


def test_platformios_boards_are_those_of_the_table() -> None:
    stored = {path: path.read_text(encoding="utf-8") for path in board_files.FOLDER.glob("*.json")}
    assert stored == board_files.files(), "python -m jaragua_documents"


def test_every_generated_part_stands_in_a_page() -> None:
    found = {name for page in generate.pages() for name in regions.names_in(page.read_text(encoding="utf-8"))}
    assert found == set(generate.MAKERS)


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = "a\n<!-- generated: b -->\nold\n<!-- end -->\nc\n"
    assert regions.filled(page, {"b": lambda: "new"}) == "a\n<!-- generated: b -->\n\nnew\n\n<!-- end -->\nc\n"
    with pytest.raises(KeyError):
        regions.filled(page, {})
