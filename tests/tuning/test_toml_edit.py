"""Values are set in a TOML file, and no other byte of it changes."""

from __future__ import annotations

import tomllib

import pytest

from jaragua.errors import ConfigurationError
from jaragua.tuning.toml_edit import with_values

FILE = """# my valves
[task]   # what
kind = "table"
held_out = ["m7"]  # never trained on

[defaults]
rounds = 300   # enough
# passes = 2

[network]
hidden = [32]            # small
"""


def test_a_key_keeps_its_place_and_its_comment_and_others_are_added() -> None:
    sections = {"defaults": {"rounds": 200, "strategy": "fedavg", "learning_rate": 0.05}, "network": {"hidden": []}}
    assert (
        with_values(FILE, sections)
        == """# my valves
[task]   # what
kind = "table"
held_out = ["m7"]  # never trained on

[defaults]
rounds = 200   # enough
strategy = "fedavg"
learning_rate = 0.05
# passes = 2

[network]
hidden = []            # small
"""
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_section_that_is_missing_comes_last(newline: str, end: str) -> None:
    text = ("[task]\nkind = 'a # b'" + end).replace("\n", newline)
    changed = with_values(text, {"defaults": {"passes": 16}})
    assert changed.startswith(text.rstrip("\r\n"))
    assert tomllib.loads(changed) == {"task": {"kind": "a # b"}, "defaults": {"passes": 16}}
    assert changed.replace("\r\n", "").count("\n") == (
        0 if newline == "\r\n" and end else changed.count("\n") - changed.count("\r\n")
    )


def test_setting_the_same_again_changes_nothing() -> None:
    sections = {"defaults": {"passes": 16, "strategy": "fedavg"}}
    once = with_values(FILE, sections)
    assert with_values(once, sections) == once


@pytest.mark.parametrize("text", ["defaults.rounds = 3\n", "[defaults]\nhidden = [\n1,\n]\n", "defaults = 3\n"])
def test_a_file_that_would_not_say_so_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="do not fit"):
        with_values(text, {"defaults": {"rounds": 5, "hidden": [2]}})
