"""Errors have one definition: the tree, the page about it, and what a command prints are the same."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jaragua import errors
from jaragua.cli import failure
from jaragua.node.outbox import Outbox
from jaragua_compiler.errors import CompileError
from jaragua_models import DataError, ModelError


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


def test_missing_data_of_the_zoo_end_as_the_page_says() -> None:
    assert failure.of(DataError("no file", "get it")) == failure.Failure("data", 8, "no file", "get it")


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


@pytest.mark.parametrize(
    ("number", "end"), [(errno.ENOSPC, ("store", 9)), (errno.EROFS, ("store", 9)), (errno.EACCES, ("error", 1))]
)
def test_what_the_machine_refuses_is_no_fault_of_ours(number: int, end: tuple[str, int]) -> None:
    found = failure.of(OSError(number, os.strerror(number), "/cache/jaragua"))
    assert (found.code, found.exit_code) == end
    assert found.message == f"/cache/jaragua: {os.strerror(number)}"
    assert found.hint


def test_a_full_disk_ends_the_same_way_whoever_noticed_it() -> None:
    """In the words of who noticed, with the exit code of the cause."""
    try:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise errors.BrokerError("the broker's folder cannot be written", "give another") from error
    except errors.BrokerError as error:
        found = failure.of(error)
    assert (found.code, found.exit_code) == ("store", 9)
    assert (found.message, found.hint) == ("the broker's folder cannot be written", "give another")


def test_a_log_that_cannot_be_written_is_no_second_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    assert failure.of(ZeroDivisionError("x")).exit_code == 70


@pytest.mark.parametrize(
    ("place", "variable"),
    [("/home/ana/.cache/jaragua/engines", "XDG_CACHE_HOME"), ("/home/ana", "XDG_STATE_HOME")],
)
def test_a_home_that_cannot_be_written_names_the_variable(
    place: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ana")
    found = failure.of(OSError(errno.EACCES, "Permission denied", place))
    assert found.hint == f"set {variable} to a folder you may write to"
    assert "rights" in failure.of(OSError(errno.EACCES, "Permission denied", "/srv/data")).hint


def test_a_user_without_a_home_is_told_what_to_set() -> None:
    found = failure.of(RuntimeError("Could not determine home directory."))  # what Path.home() raises
    assert (found.exit_code, found.message) == (9, "this user has no home folder")
    assert all(name in found.hint for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"))


def test_the_outbox_of_a_home_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.StoreError, match="cannot be used: a file is in its place") as caught:
        Outbox(tmp_path / "file" / "outbox.sqlite3")
    assert "XDG_STATE_HOME" in caught.value.hint
    assert "--data-dir" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "encoding", "said"),
    [("läufe", "ascii", "LC_ALL"), ("gr\udcfc", "utf-8", "rename")],
)
def test_a_name_that_cannot_be_encoded_is_no_fault_of_ours(
    name: str, encoding: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: encoding)
    with pytest.raises(UnicodeEncodeError) as caught:
        name.encode(encoding)
    found = failure.of(caught.value)
    assert found.exit_code == 1
    assert name in found.message
    assert said in found.hint
