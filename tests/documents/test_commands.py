"""Every command block of every page is run here, or says why it is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from documents.blocks import COMMANDS, Block, blocks, run_all
from documents.pages import ROOT, pages, prose_lines

#: How a line begins that somebody would type into a terminal.
_TYPED = re.compile(r"^(\$ |sudo |make |\.venv|jaragua |python3? |pip |pio |cd |tools/|PYTHONPATH=|cc |git )")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def is_user_page(page: Path) -> bool:
    """README, tutorials and how-to pages: what somebody reads who has never seen the project."""
    name = name_of(page)
    return name == "README.md" or name.startswith(("docs/tutorials/", "docs/how-to/"))


def of_site(page: Path) -> bool:
    return "/" not in name_of(page) or name_of(page).startswith("docs/")


PAGES = [page for page in pages() if of_site(page)]
FOUND = {page: list(blocks(page.read_text(encoding="utf-8"))) for page in PAGES}


def undecided(found: list[Block]) -> list[str]:
    """Faults of a page's blocks: a command without a mark of its language, a reason that is empty."""
    faults = []
    for block in found:
        if block.mark and not block.note:
            faults.append(f"{block.line}: '{block.mark}' without a word behind it")
        first = next(iter(block.body.splitlines()), "")
        if block.language not in COMMANDS and not block.mark and _TYPED.match(first):
            faults.append(f"{block.line}: commands in a block that is not sh, console or python")
    return faults


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_block_is_run_or_says_why_not(page: Path) -> None:
    assert undecided(FOUND[page]) == []
    indented = [line for line in prose_lines(page) if line.startswith("    ") and _TYPED.match(line.strip())]
    assert indented == [], "commands stand in fenced blocks"


@pytest.mark.parametrize("page", [page for page in PAGES if is_user_page(page)], ids=name_of)
def test_every_block_of_a_user_page_names_its_language(page: Path) -> None:
    assert [block.line for block in FOUND[page] if not block.language] == []


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.is_run for block in FOUND[page])], ids=name_of)
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path) -> None:
    run_all(FOUND[page], tmp_path)


def test_a_fault_of_a_page_is_found(tmp_path: Path) -> None:
    page = "<!-- not run: -->\n```sh\nmake demo\n```\n\n```\njaragua run x\n```\n\n```text\nno command\n```\n"
    assert [fault.partition(":")[0] for fault in undecided(list(blocks(page)))] == ["2", "6"]
    with pytest.raises(AssertionError, match="not printed: c"):
        run_all(list(blocks("```console\n$ echo a b c\na … c\nc\n```\n")), tmp_path)
    with pytest.raises(AssertionError, match="line 1"):
        run_all(list(blocks("```sh\nfalse\n```\n")), tmp_path)
