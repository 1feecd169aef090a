"""Links between docs/ and pages beside it, and what must not be loaded from a network."""

from __future__ import annotations

import pytest

from jaragua_documents.site_hooks import in_site, loaded_from


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("CONTRIBUTING.md", "docs/how-to/new-board.md#w", "how-to/new-board.md#w"),
        ("CONTRIBUTING.md", "CHANGELOG.md", "CHANGELOG.md"),
        ("index.md", "../CONTRIBUTING.md#rules", "CONTRIBUTING.md#rules"),
        ("tutorials/a.md", "../../CONTRIBUTING.md", "../CONTRIBUTING.md"),
        ("tutorials/a.md", "../glossary.md", "../glossary.md"),
    ],
)
def test_links_are_those_of_the_site(source: str, target: str, expected: str) -> None:
    assert in_site(source, target) == expected


def test_what_comes_from_another_server_is_found() -> None:
    assert loaded_from('<a href="https://www.ray.io">Ray</a><script src="../a.js">') == ""
    assert loaded_from('<script src="https://unpkg.com/x">') == "https://unpkg.com/x"
    assert loaded_from('<link rel="stylesheet" href="//fonts.example/f.css">') == "//fonts.example/f.css"
