"""Sentences and table cells are short enough to be understood at first reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.pages import ROOT, pages, prose_lines

#: Words of a sentence in README, tutorials and how-to pages.
LONGEST_SENTENCE = 35
#: Characters of a table's cell.
LONGEST_CELL = 120
#: Characters of a line of prose.
LONGEST_LINE = 120
#: Lines of README: two screens.
LONGEST_README = 110

_ITEM = re.compile(r"^([-*]|\d+\.) ")
_END = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`\[*(])")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def paragraphs(page: Path) -> Iterator[str]:
    """The prose of a page, without tables, headings and comments; a list item is a paragraph of its own."""
    lines: list[str] = []
    for line in [*prose_lines(page), ""]:
        text = line.strip()
        begins = re.match(r"^([-*]|\d+\.)\s", text)
        if not text or begins or text.startswith(("|", "#", "<!--", ":::")):
            yield " ".join(lines)
            lines = []
        if text and not text.startswith(("|", "#", "<!--", ":::")):
            lines.append(text[begins.end() :] if begins else text)


def sentences(page: Path) -> list[str]:
    return [sentence for text in paragraphs(page) for sentence in _END.split(_LINK.sub(r"\1", text)) if sentence]


def cells(page: Path) -> list[str]:
    """All cells of a page's tables, links as they are read."""
    rows = [line for line in prose_lines(page) if line.startswith("|")]
    return [cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", _LINK.sub(r"\1", row))]


USER_PAGES = [p for p in pages() if name_of(p).startswith(("README.md", "docs/tutorials/", "docs/how-to/"))]
TABLES = [p for p in pages() if p in USER_PAGES or name_of(p).startswith("docs/")]


def long_lines(page: Path) -> list[str]:
    """Lines of prose that are too long and could be broken; tables, pictures and generated texts cannot."""
    return [
        line
        for line in prose_lines(page)
        if len(line) > LONGEST_LINE and not line.startswith(("|", "!", "<!--")) and " " in line.strip()[:LONGEST_LINE]
    ]


@pytest.mark.parametrize("page", [p for p in TABLES if not name_of(p).startswith("docs/results/")], ids=name_of)
def test_lines_of_prose_are_broken(page: Path) -> None:
    assert long_lines(page) == []


def run_in_lists(page: Path) -> list[int]:
    """Lines where a list begins without an empty line before it: mkdocs would take it for text."""
    lines, is_list = ["", *prose_lines(page)], False
    found = []
    for number, line in enumerate(lines):
        begins = bool(_ITEM.match(line))
        if begins and not is_list and lines[number - 1].strip() and not lines[number - 1].startswith(("#", "|")):
            found.append(number)
        is_list = begins or (is_list and (not line.strip() or line.startswith(" ") or bool(lines[number - 1].strip())))
    return found


@pytest.mark.parametrize(
    "page", [p for p in pages() if "/" not in name_of(p) or name_of(p).startswith("docs/")], ids=name_of
)
def test_a_list_is_parted_from_the_text_before_it(page: Path) -> None:
    assert run_in_lists(page) == []


@pytest.mark.parametrize("page", USER_PAGES, ids=name_of)
def test_no_sentence_is_too_long(page: Path) -> None:
    assert [sentence for sentence in sentences(page) if len(sentence.split()) > LONGEST_SENTENCE] == []


@pytest.mark.parametrize("page", TABLES, ids=name_of)
def test_no_cell_is_too_long(page: Path) -> None:
    assert [cell for cell in cells(page) if len(cell) > LONGEST_CELL] == []


def test_the_readme_fits_on_two_screens() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_README
    assert [line for line in lines if len(line) > 120 and "](" not in line] == []


def test_sentences_and_cells_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Head\n\nOne two. Three [four](five.md)\nsix.\n\n- Item one.\n  More.\n- Item two.\n\n| a | b\\|c |\n"
    )
    assert sentences(page) == ["One two.", "Three four six.", "Item one.", "More.", "Item two."]
    assert cells(page) == ["", "a", "b\\|c", ""]
    assert run_in_lists(page) == []
    page.write_text("Text:\n- item\n  more\n- item\n\nText\n1. one\n")
    assert run_in_lists(page) == [2, 7]
