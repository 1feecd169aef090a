"""Every relative link of every Markdown page leads to a file of this project, and its fragment to a heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from documents.pages import ROOT, anchors, links, pages, text_files

#: A page as code, help texts and error messages name it.
_PAGE = re.compile(r"\bdocs/[a-z-]+(?:/[a-z-]+)*\.md\b")

#: A source file as pages name it, from the top of the repository or of a package.
_FILE = re.compile(r"`((?:[a-z_0-9]+/)+[a-z_0-9.]+\.(?:py|c|h|cpp|toml|cddl|sh|ld))`")
_ROOTS = [ROOT / folder for folder in ("", "host/jaragua", "tools/jaragua_compiler", "models/jaragua_models", "models")]


def broken(page: Path) -> list[str]:
    """ "line: target, what is wrong" for each link that leads nowhere."""
    return [f"{number}: {target}: {fault}" for number, target in links(page) if (fault := fault_of(page, target))]


def fault_of(page: Path, target: str) -> str:
    if target.startswith(("https://", "http://", "mailto:")):
        return ""
    name, _, fragment = target.partition("#")
    aim = (page.parent / name).resolve() if name else page
    if not aim.exists():
        return "no such file in this project"
    if fragment and aim.suffix == ".md" and fragment not in anchors(aim):
        return "no such heading"
    return ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def named_in_text() -> dict[str, list[str]]:
    """The pages of docs/ that any file of the project names, and who names them."""
    names: dict[str, list[str]] = {}
    for place in text_files():
        for page in _PAGE.findall(place.read_text(encoding="utf-8", errors="ignore")):
            names.setdefault(page, []).append(str(place.relative_to(ROOT)))
    return names


def test_every_page_that_code_names_exists() -> None:
    assert {page: places for page, places in named_in_text().items() if not (ROOT / page).is_file()} == {}


def missing_files(page: Path) -> list[str]:
    """Files of the repository that a page names as code, and that are not there; NAME in capitals is a placeholder."""
    named = _FILE.findall(page.read_text(encoding="utf-8"))
    return [name for name in named if not any((root / name).is_file() for root in _ROOTS)]


@pytest.mark.parametrize(
    "page", [page for page in pages() if page.name != "CHANGELOG.md" and page.is_relative_to(ROOT / "docs")]
)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert missing_files(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One two\n\n[here](#one-two) [there](#three) `[code](gone.md)`\n\n```\n[code](gone.md)\n```\n")
    assert broken(page) == ["3: #three: no such heading"]
    page.write_text("[`code`](gone.md)\n![picture](gone.svg)\n")
    assert [line.split(": ")[1] for line in broken(page)] == ["gone.md", "gone.svg"]
    page.write_text("`tests/gone.py` `node/node.py` `strategies/NAME.py`\n")
    assert missing_files(page) == ["tests/gone.py"]
