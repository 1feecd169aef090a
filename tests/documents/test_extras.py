"""The table of extras: every extra has a sentence, and every sentence an extra."""

from __future__ import annotations

import pytest

from jaragua_documents.extras import rows


def test_a_row_has_name_purpose_and_packages_without_versions() -> None:
    found = rows({"a": "does a"}, {"a": ["one>=1,<2", "two[x]==3; python_version < '3.12'", "one>=1.5"]})
    assert found == [("`a`", "does a", "`one`, `two[x]`")]


def test_long_lists_are_cut() -> None:
    names = [f"p{number}" for number in range(8)]
    assert (
        rows({"a": "x"}, {"a": ["self[b,c,d]", *names]})[0][2] == "3 extras of `self`, `p0`, `p1`, `p2`, `p3`, 4 more"
    )


@pytest.mark.parametrize(("described", "extras"), [({}, {"new": ["one"]}), ({"gone": "was there"}, {})])
def test_an_extra_without_a_sentence_is_an_error(described: dict[str, str], extras: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=r"differ in (new|gone)"):
        rows(described, extras)
