"""The Markdown pages of this project as the tests of the documents read them: links, anchors, fenced blocks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^\s*(```|~~~)")
_LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
_CODE = re.compile(r"`[^`]*`")


def pages() -> list[Path]:
    """All Markdown files under version control, or that are about to be."""
    return _listed("*.md")


def text_files() -> list[Path]:
    """All files in which people read: code, configuration, Markdown."""
    return _listed(
        *(f"*.{ending}" for ending in ("md", "py", "toml", "c", "h", "cpp", "cddl", "sh", "ini")), "Makefile"
    )


def _listed(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in sorted(set(listed.stdout.split("\0"))) if name and (path := ROOT / name).is_file()]


def prose_lines(page: Path) -> list[str]:
    """The lines outside fenced blocks; those inside are empty, so that numbers of lines stay."""
    lines, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        is_fence = bool(_FENCE.match(line))
        lines.append("" if inside or is_fence else line)
        inside ^= is_fence
    return lines


def links(page: Path) -> list[tuple[int, str]]:
    """(line number, target) of each link or picture outside code."""
    return [
        (number, target)
        for number, line in enumerate(prose_lines(page), start=1)
        for target in _LINK.findall(_outside_code(line))
    ]


def _outside_code(line: str) -> str:
    """The line without code spans, except where these are the text of a link."""
    return _CODE.sub(lambda code: "code" if line[code.end() : code.end() + 2] == "](" else "", line)


def anchors(page: Path) -> set[str]:
    """The fragments a link may name: of each heading, as both GitHub and mkdocs spell it."""
    found: set[str] = set()
    for line in prose_lines(page):
        if heading := _HEADING.match(line):
            found.add(_slug(heading[1]))
    return found


def _slug(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")
