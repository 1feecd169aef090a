"""A folder whose files appear all together or not at all. Whatever else lies in it stays where it is."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jaragua_compiler.errors import CompileError

MANIFEST = "jaragua.json"
_MAKER = "jaragua compile"


def with_manifest(files: Mapping[str, bytes], facts: Mapping[str, Any]) -> dict[str, bytes]:
    """The files and the manifest that names them, by which a later run knows the folder as its own."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = {"made_by": _MAKER, **facts, "files": hashes}
    return {**files, MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}


def with_fact(files: Mapping[str, bytes], key: str, value: Any) -> dict[str, bytes]:
    """The files of `with_manifest` with one more fact in the manifest."""
    manifest = json.loads(files[MANIFEST])
    facts = {name: told for name, told in manifest.items() if name not in ("made_by", "files")}
    others = {name: content for name, content in files.items() if name != MANIFEST}
    return with_manifest(others, facts | {key: value})


def check_replaceable(folder: Path, *, force: bool, names: Collection[str] = ()) -> None:
    """Raises CompileError if files of these names must not be written to `folder`, or if it cannot be made.

    `force` allows to write over files that an earlier run did not write, or that were changed since.
    """
    folder = _absolute(folder)
    if not folder.parent.is_dir():
        raise CompileError(f"{folder.parent} is not a folder, so {folder.name!r} cannot be made.", "Make it first.")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CompileError(f"{folder} is a file.", "Name another folder with --out.")
    if folder in (Path.home(), *(Path.cwd() / "here").parents):
        raise CompileError(f"{folder} must not be replaced.", "Name a folder inside it with --out.")
    try:
        reason = _in_the_way(folder, names) or (None if force else _foreign(folder, names))
    except OSError as error:
        raise CompileError(
            f"{folder} cannot be read: {error.strerror or error}.", "Name another with --out."
        ) from error
    if reason is not None:
        raise CompileError(
            f"{folder} is there already, and {reason}.",
            "Name another with --out, or write over it with --force; files of other names stay.",
        )


def write_folder(files: Mapping[str, bytes], folder: Path, *, force: bool) -> None:
    """Write beside, then rename: whoever looks sees the old files or the new ones. Raises CompileError.

    What an earlier run wrote is replaced; everything else in the folder is moved to the new one.
    """
    check_replaceable(folder, force=force, names=files)
    folder = _absolute(folder)
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        draft.mkdir()
        for name, content in files.items():
            (draft / name).write_bytes(content)
        _swap(draft, folder, set(files))
    except OSError as error:
        raise CompileError(
            f"{folder} cannot be written: {error.strerror or error}.", "Check the disk and the rights of the folder."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _absolute(folder: Path) -> Path:
    """Links followed, so that what is replaced is a folder and no link to one."""
    return folder.resolve()


def _swap(draft: Path, folder: Path, written: set[str]) -> None:
    if not folder.exists():
        os.rename(draft, folder)
        return
    replaced = written | set(_hashes(folder / MANIFEST) or ()) | {MANIFEST}
    kept = [path.name for path in folder.iterdir() if path.name not in replaced or path.is_dir()]
    aside = draft.with_suffix(".old")
    os.rename(folder, aside)
    try:
        os.rename(draft, folder)
        _move(kept, aside, folder)
    except BaseException:
        if folder.exists():
            os.rename(folder, draft)
        os.rename(aside, folder)
        raise
    _remove(aside, replaced)


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    """All of them or none."""
    moved: list[str] = []
    try:
        for name in names:
            os.rename(source / name, target / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            os.rename(target / name, source / name)
        raise


def _remove(folder: Path, names: set[str]) -> None:
    """What was replaced; a file of another name that came meanwhile stays, and the folder with it."""
    with suppress(OSError):  # the new files are in their place: what is left over is no failure
        for path in folder.iterdir():
            if path.name in names:
                path.unlink()
        folder.rmdir()


def _in_the_way(folder: Path, names: Collection[str]) -> str | None:
    """What not even --force writes over."""
    found = [name for name in sorted(names) if (folder / name).is_dir()]
    return f"{found[0]} in it is a folder" if found else None


def _foreign(folder: Path, names: Collection[str]) -> str | None:
    """Why files must not be written into a folder; None if an earlier run made it and its files are as they were.

    Files that an earlier run did not write are no reason, unless one has a name that is to be written now.
    """
    present = {path.name for path in folder.iterdir()}
    if not present:
        return None
    hashes = _hashes(folder / MANIFEST)
    if hashes is None:
        return f"`{_MAKER}` did not make it"
    for name in sorted(present - {MANIFEST}):
        path = folder / name
        if name in hashes:
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != hashes[name]:
                return f"{name} was changed in it"
        elif name in names:
            return f"{name} in it is of somebody else"
    return None


def _hashes(path: Path) -> dict[str, str] | None:
    """File name -> SHA-256 from a manifest; None if it is none of ours."""
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict) or manifest.get("made_by") != _MAKER:
        return None
    hashes = manifest.get("files")
    return hashes if isinstance(hashes, dict) else None
