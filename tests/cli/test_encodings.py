"""Text is read and written in UTF-8 wherever the product runs, never in the encoding of the user's locale."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PRODUCT = ("host", "broker", "models", "tools/jaragua_compiler", "tools/platform")


def _sources() -> Iterator[tuple[Path, ast.Module]]:
    for room in PRODUCT:
        for path in sorted((REPOSITORY / room).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _decodes_by_locale(call: ast.Call) -> bool:
    """Whether a call opens or decodes text in whatever encoding the user's locale has."""
    names = {keyword.arg for keyword in call.keywords}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if "encoding" in names:
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) <= (name == "write_text")
    if name == "open" and not (
        isinstance(call.func, ast.Attribute) and _is_of(call.func.value, "os", "tarfile", "wave")
    ):
        return "b" not in _mode(call, isinstance(call.func, ast.Attribute))
    if name in ("TemporaryFile", "NamedTemporaryFile"):
        return any("b" not in mode for mode in _constants(call)) and bool(_constants(call))
    return bool(names & {"text", "universal_newlines"})


def _is_of(value: ast.expr, *modules: str) -> bool:
    return isinstance(value, ast.Name) and value.id in modules


def _mode(call: ast.Call, is_method: bool) -> str:
    """Of `open(path, mode)` or `path.open(mode)`; what is no constant is taken to be of bytes."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[0 if is_method else 1 :][
        :1
    ]
    if not given:
        return "r"
    return str(given[0].value) if isinstance(given[0], ast.Constant) else "b"


def _constants(call: ast.Call) -> list[str]:
    given = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return [str(one.value) for one in given if isinstance(one, ast.Constant)]


def _calls(module: ast.Module) -> Iterator[ast.Call]:
    """All calls but the awaited ones, which open no file."""
    awaited = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Await)}
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and id(node) not in awaited:
            yield node


def test_nothing_is_read_or_written_in_the_encoding_of_the_locale() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{call.lineno}"
        for path, module in _sources()
        for call in _calls(module)
        if _decodes_by_locale(call)
    ]
    assert found == [], "give encoding="


@pytest.mark.parametrize(
    ("code", "by_locale"),
    [
        ("path.read_text()", True),
        ("path.read_text(errors='replace')", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, encoding='utf-8')", False),
        ("path.open()", True),
        ("path.open('rb')", False),
        ("open(path, 'w')", True),
        ("open(path, mode='wb')", False),
        ("os.open(path, flags)", False),
        ("subprocess.run(command, text=True)", True),
        ("subprocess.run(command, text=True, encoding='utf-8')", False),
        ("subprocess.run(command)", False),
        ("tempfile.TemporaryFile()", False),
        ("tempfile.NamedTemporaryFile('w')", True),
    ],
)
def test_the_search_for_such_calls_finds_them(code: str, by_locale: bool) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert _decodes_by_locale(call) is by_locale
