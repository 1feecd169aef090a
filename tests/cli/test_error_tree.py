"""Errors have one definition: the tree, the page about it, and what a command prints are the same."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jaragua import errors
from jaragua.cli import error_page, failure
from jaragua_compiler.errors import CompileError
from jaragua_models import ModelError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def test_the_page_is_what_the_definitions_say() -> None:
    assert PAGE.read_text() == error_page.page(), "python -m jaragua.cli.error_page > docs/errors.md"


def test_every_kind_has_a_name_of_its_own_and_says_what_to_do() -> None:
    kinds = list(errors.kinds())
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(kind.meaning and kind.remedy for kind in kinds)
    assert all(kind.exit_code not in (0, 128) for kind in kinds)


@pytest.mark.parametrize("kind", list(errors.kinds()))
def test_every_kind_ends_with_its_code(kind: type[errors.JaraguaError]) -> None:
    found = failure.of(kind("it is so", "do this"))
    assert found == failure.Failure(kind.code, kind.exit_code, "it is so", "do this")


def test_the_compilers_and_the_zoos_errors_end_like_a_model_error() -> None:
    assert failure.of(CompileError("bad layer", "change it")) == failure.Failure("compile", 7, "bad layer", "change it")
    assert failure.of(ModelError("no model", "take one")) == failure.Failure("model", 7, "no model", "take one")


def test_an_unexpected_error_keeps_its_traceback_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("JARAGUA_DEBUG", raising=False)
    try:
        raise ZeroDivisionError("a bug\nof ours")
    except ZeroDivisionError as error:
        found = failure.of(error)
    log = tmp_path / "jaragua" / "last-error.log"
    assert (found.code, found.exit_code, found.message) == ("internal", 70, "unexpected ZeroDivisionError: a bug")
    assert str(log) in found.hint
    assert "test_error_tree.py" in log.read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_the_machine_refuses_is_no_fault_of_ours(number: int) -> None:
    found = failure.of(OSError(number, os.strerror(number), "/cache/jaragua"))
    assert (found.code, found.exit_code) == ("error", 1)
    assert found.message == f"/cache/jaragua: {os.strerror(number)}"
    assert found.hint


def test_a_log_that_cannot_be_written_is_no_second_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    assert failure.of(ZeroDivisionError("x")).exit_code == 70
