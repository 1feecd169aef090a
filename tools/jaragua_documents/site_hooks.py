"""Hooks of mkdocs: pages from outside docs/ (CONTRIBUTING.md, CHANGELOG.md), and no page that loads from a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
#: Pages of the site that are not in docs/.
_OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md")
#: A script, picture, style sheet or font that a browser would load from another server.
_LOADED = re.compile(r"""(?:src="|rel="stylesheet" href="|url\()(?P<address>(?:https?:)?//[^")]+)""")
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


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Raises: PluginError for a page that needs a network."""
    from mkdocs.exceptions import PluginError

    if address := loaded_from(output):
        raise PluginError(f"{page.file.src_uri} loads {address}: the site must work offline")
    return output


def loaded_from(html: str) -> str:
    """The first address of another server that a browser loads with the page, or ""."""
    found = _LOADED.search(html)
    return found["address"] if found else ""
