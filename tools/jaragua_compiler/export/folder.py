"""A folder that appears whole or not at all, and never replaces what somebody else wrote."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
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


def check_replaceable(folder: Path, *, force: bool) -> None:
    """Raises CompileError if what is at `folder` must not be replaced, or if it has no parent to be made in."""
    folder = _absolute(folder)
    if not folder.parent.is_dir():
        raise CompileError(f"{folder.parent} is no folder to make {folder.name!r} in.", "Make it first.")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CompileError(f"{folder} is a file.", "Name another folder with --out.")
    if folder in (Path.home(), *(Path.cwd() / "here").parents):
        raise CompileError(f"{folder} is not to be replaced.", "Name a folder inside it with --out.")
    try:
        reason = None if force else _foreign(folder)
    except OSError as error:
        raise CompileError(
            f"{folder} cannot be read: {error.strerror or error}.", "Name another with --out."
        ) from error
    if reason is not None:
        raise CompileError(
            f"{folder} is there already, and {reason}.", "Name another with --out, or replace all of it with --force."
        )


def write_folder(files: Mapping[str, bytes], folder: Path, *, force: bool) -> None:
    """Write beside, then rename: whoever looks sees the old folder or the new one. Raises CompileError."""
    check_replaceable(folder, force=force)
    folder = _absolute(folder)
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        draft.mkdir()
        for name, content in files.items():
            (draft / name).write_bytes(content)
        _swap(draft, folder)
    except OSError as error:
        raise CompileError(
            f"{folder} cannot be written: {error.strerror or error}.", "Check the disk and the rights of the folder."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _absolute(folder: Path) -> Path:
    """Links followed, so that what is replaced is a folder and no link to one."""
    return folder.resolve()


def _swap(draft: Path, folder: Path) -> None:
    if not folder.exists():
        os.rename(draft, folder)
        return
    aside = draft.with_suffix(".old")
    os.rename(folder, aside)
    try:
        os.rename(draft, folder)
    except BaseException:
        os.rename(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _foreign(folder: Path) -> str | None:
    """Why a folder is not just what an earlier run wrote; None if it is, or is empty."""
    present = {path.name for path in folder.iterdir()}
    if not present:
        return None
    hashes = _hashes(folder / MANIFEST)
    if hashes is None:
        return f"`{_MAKER}` did not make it"
    for name in sorted(present - {MANIFEST}):
        path = folder / name
        if name not in hashes:
            return f"{name} was added to it"
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != hashes[name]:
            return f"{name} was changed in it"
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
