"""A folder of `jaragua compile` appears whole or not at all, and takes nobody else's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jaragua_compiler import CompileError
from jaragua_compiler.export.folder import MANIFEST, check_replaceable, with_manifest, write_folder

FILES = with_manifest({"a.c": b"int a;\n", "b.bin": b"\0\1"}, {"network": "net"})
OTHER = with_manifest({"a.c": b"int b;\n"}, {"network": "net"})


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(folder: Path, force: bool = False) -> CompileError:
    with pytest.raises(CompileError) as caught:
        write_folder(OTHER, folder, force=force)
    return caught.value


def test_a_new_folder_holds_the_files_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    write_folder(FILES, tmp_path / "out", force=False)
    assert content(tmp_path / "out") == FILES
    assert os.listdir(tmp_path) == ["out"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_folder(FILES, tmp_path / "out", force=False)
    assert content(tmp_path / "out") == FILES


def test_what_an_earlier_run_made_is_replaced_whole(tmp_path: Path) -> None:
    write_folder(FILES, tmp_path / "out", force=False)
    write_folder(OTHER, tmp_path / "out", force=False)
    assert content(tmp_path / "out") == OTHER
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_somebody_else_made_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    assert "`jaragua compile` did not make it" in refused(tmp_path / "out").message
    assert content(tmp_path / "out") == {"thesis.tex": b"years of work"}


@pytest.mark.parametrize("manifest", ["{", "[]", '{"made_by": "someone"}', '{"made_by": "jaragua compile"}'])
def test_a_manifest_that_is_none_of_ours_does_not_open_a_folder(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST).write_text(manifest)
    refused(tmp_path / "out")


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    write_folder(FILES, tmp_path / "out", force=False)
    (tmp_path / "out" / "a.c").write_text("int mine;\n")
    assert "a.c was changed in it" in refused(tmp_path / "out").message
    write_folder(OTHER, tmp_path / "out", force=True)
    assert content(tmp_path / "out") == OTHER


def with_own_files(folder: Path) -> None:
    """What a user builds and writes in a folder."""
    (folder / "selftest").write_bytes(b"\x7fELF")
    (folder / "build").mkdir()
    (folder / "build" / "a.o").write_bytes(b"object")
    (folder / "link").symlink_to("nowhere")


def own_files_are_there(folder: Path) -> bool:
    return (
        (folder / "selftest").read_bytes() == b"\x7fELF"
        and (folder / "build" / "a.o").read_bytes() == b"object"
        and os.readlink(folder / "link") == "nowhere"
    )


@pytest.mark.parametrize("force", [False, True])
def test_files_that_somebody_added_stay_and_are_no_reason_to_refuse(force: bool, tmp_path: Path) -> None:
    write_folder(FILES, tmp_path / "out", force=False)
    with_own_files(tmp_path / "out")
    write_folder(OTHER, tmp_path / "out", force=force)
    assert own_files_are_there(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*OTHER, "selftest", "build", "link"}
    assert os.listdir(tmp_path) == ["out"]


def test_an_added_file_of_a_name_that_is_to_be_written_is_named(tmp_path: Path) -> None:
    write_folder(OTHER, tmp_path / "out", force=False)
    (tmp_path / "out" / "b.bin").write_text("mine")
    with pytest.raises(CompileError, match=r"b\.bin in it is of somebody else"):
        write_folder(FILES, tmp_path / "out", force=False)
    assert (tmp_path / "out" / "b.bin").read_text() == "mine"


def test_force_writes_over_files_of_its_names_alone(tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "a.c").write_text("int mine;\n")
    write_folder(OTHER, tmp_path / "out", force=True)
    assert content(tmp_path / "out" / "deep") == {}
    (tmp_path / "out" / "deep").rmdir()
    assert content(tmp_path / "out") == OTHER


def test_not_even_force_replaces_a_folder_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "out" / "a.c").mkdir(parents=True)
    (tmp_path / "out" / "a.c" / "thesis.tex").write_text("years of work")
    assert "a.c in it is a folder" in refused(tmp_path / "out", force=True).message
    assert (tmp_path / "out" / "a.c" / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("name", ["selftest", "build", "link"])
def test_a_run_stopped_while_it_moves_added_files_loses_none(
    name: str, stopped: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(FILES, tmp_path / "out", force=False)
    with_own_files(tmp_path / "out")
    rename = os.rename

    def stop(source: Path, target: Path) -> None:
        if source.name == name and ".old" in source.parent.name:
            raise stopped
        rename(source, target)

    monkeypatch.setattr(os, "rename", stop)
    with pytest.raises((CompileError, KeyboardInterrupt)):
        write_folder(OTHER, tmp_path / "out", force=False)
    assert own_files_are_there(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, "selftest", "build", "link"}
    assert os.listdir(tmp_path) == ["out"]


def test_force_does_not_replace_the_home_or_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home" / "work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home" / "work")
    for folder in (Path("."), tmp_path / "home", tmp_path, Path("/")):
        assert "must not be replaced" in refused(folder, force=True).message
    assert (tmp_path / "home" / "work").is_dir()


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    assert "is a file" in refused(tmp_path / "out", force=True).message


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_folder(FILES, tmp_path / "link", force=False)
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "real") == FILES


def test_a_folder_without_a_place_to_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="is not a folder, so 'out' cannot be made"):
        check_replaceable(tmp_path / "none" / "out", force=False)


@pytest.mark.parametrize("force", [False, True])
def test_a_write_that_fails_leaves_what_was_there(force: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(FILES, tmp_path / "out", force=False)

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "cannot be written: No space left on device" in refused(tmp_path / "out", force).message
    assert content(tmp_path / "out") == FILES
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, OSError])
def test_a_run_stopped_between_the_two_renames_puts_the_old_one_back(
    stopped: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(FILES, tmp_path / "out", force=False)
    rename = os.rename

    def stop_at_the_second(source: Path, target: Path) -> None:
        if str(source).endswith(".part"):
            raise stopped
        rename(source, target)

    monkeypatch.setattr(os, "rename", stop_at_the_second)
    with pytest.raises((CompileError, KeyboardInterrupt)):
        write_folder(OTHER, tmp_path / "out", force=False)
    assert content(tmp_path / "out") == FILES
    assert os.listdir(tmp_path) == ["out"]
