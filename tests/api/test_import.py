"""`import jaragua`: names that are loaded when they are used, and quick without them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import jaragua
from jaragua.api.simulating import ShortSettings
from jaragua.cli.verbs.simulate import SETTINGS
from jaragua.settings import SHORT_NAMES, key

HEAVY = ("numpy", "pydantic", "asyncio", "typer", "safetensors", "matplotlib", "jaragua.api", "jaragua_compiler")


def imported_by(code: str) -> set[str]:
    """The modules that a fresh process has after some code."""
    printing = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", printing], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_alone_loads_nothing_heavy() -> None:
    assert imported_by("import jaragua").isdisjoint(HEAVY)


def test_a_name_loads_its_module() -> None:
    assert {"numpy", "jaragua.api.tasks"} <= imported_by("from jaragua import load_task")


def test_every_name_is_there_and_is_the_one_that_type_checkers_see() -> None:
    source = Path(jaragua.__file__).read_text(encoding="utf-8")
    seen = {
        alias.name: f"{node.module}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jaragua.")
        for alias in node.names
    }
    assert {*seen, "__version__"} == set(jaragua.__all__)
    for name, module in seen.items():
        assert getattr(jaragua, name) is getattr(sys.modules[module], name)
    assert set(jaragua.__all__) <= set(dir(jaragua))


def test_a_name_that_there_is_not_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        jaragua.simulat  # noqa: B018


def test_short_settings_are_the_options_of_the_command_line() -> None:
    assert {option.name: option.key for option in SETTINGS} == SHORT_NAMES
    ours = {name: path for name, path in SHORT_NAMES.items() if name not in ("task", "strategy")}
    assert get_type_hints(ShortSettings) == {name: key(path).type for name, path in ours.items()}
