"""Finds the generated parts of a page and replaces them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

#: A part of a page: begins with this comment, ends with `<!-- end -->`.
_REGION = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def names_in(page: str) -> list[str]:
    """The names of a page's generated parts, in their order."""
    return [region["name"] for region in _REGION.finditer(page)]


def filled(page: str, makers: Mapping[str, Callable[[], str]]) -> str:
    """The page with each part as its maker writes it. Raises: KeyError for a name that nothing makes."""
    return _REGION.sub(lambda region: f"{region[1]}\n{makers[region['name']]().strip()}\n\n{region[3]}", page)
