"""Hooks of mkdocs: CONTRIBUTING.md and CHANGELOG.md stand at the top of the repository, and in the site too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
#: Pages of the site that are not in docs/.
_OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside docs/."""
    from mkdocs.structure.files import File

    for name in _OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(_ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links as the site needs them: those pages stand one folder lower there than in the repository."""
    source = page.file.src_uri
    return _LINK.sub(lambda link: f"]({in_site(source, link['target'])})", markdown)


def in_site(source: str, target: str) -> str:
    """The target of a link in the page `source` (a path below docs/), as it is in the site."""
    if source in _OUTSIDE:
        return target.removeprefix("docs/")
    for name in _OUTSIDE:
        up = "../" * (source.count("/") + 1)
        if target.partition("#")[0] == up + name:
            return target.removeprefix("../")
    return target
