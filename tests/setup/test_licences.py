"""What `make lint` makes of the licences of packages."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from setup.loading import SETUP, program

licences = program("licences")
RULES: dict[str, Any] = tomllib.loads((SETUP / "licences.toml").read_text(encoding="utf-8"))


def package(
    name: str = "one", expression: str = "UNKNOWN", classifier: str = "UNKNOWN", text: str = "UNKNOWN"
) -> dict[str, str]:
    return {"Name": name, "License-Expression": expression, "License-Classifier": classifier, "License-Metadata": text}


@pytest.mark.parametrize(
    "fine",
    [
        package(expression="Apache-2.0 OR GPL-3.0-only"),
        package(expression="BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0"),
        package(expression="MPL-2.0 AND (Apache-2.0 OR MIT)", classifier="anything"),
        package(classifier="Apache Software License; MIT License"),
        package(classifier="DFSG approved; MIT License"),
        package(text="MIT"),
    ],
)
def test_licences_of_the_list_pass(fine: dict[str, str]) -> None:
    assert licences.problems([fine], RULES) == []


@pytest.mark.parametrize(
    "wrong",
    [
        package(expression="GPL-3.0-only"),
        package(expression="MIT AND AGPL-3.0-only"),
        package(expression="MIT AND (GPL-2.0-only OR AGPL-3.0-only)"),
        package(classifier="MIT License; GNU General Public License (GPL)"),
        package(classifier="DFSG approved"),
        package(text="ask the author"),
        package(),
    ],
)
def test_others_and_unknown_ones_do_not(wrong: dict[str, str]) -> None:
    found = licences.problems([wrong], RULES)
    assert len(found) == 1
    assert "not on the list" in found[0]


def test_an_exception_has_a_licence_and_a_reason() -> None:
    assert all(len(one["why"]) > 20 and one["licence"] for one in RULES["exceptions"].values())
    assert licences.problems([package("docutils", classifier="GNU General Public License (GPL)")], RULES) == []


def test_an_exception_that_nothing_needs_is_named() -> None:
    assert "can go" in licences.problems([package("soxr", expression="MIT")], RULES)[0]


def test_a_package_that_names_another_licence_than_it_has_needs_its_exception() -> None:
    assert licences.problems([package("unicorn", classifier="BSD License")], RULES) == []
    (found,) = licences.problems([package("unicorn", expression="GPL-2.0-only")], RULES)
    assert "no longer" in found
