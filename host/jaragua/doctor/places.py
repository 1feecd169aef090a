"""Folders: whether they can be written, have room, and let what was built in them be run. Nothing is made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from jaragua.doctor.check import Check

_MEGABYTE = 1_000_000
#: What a run, an outbox or a cache needs at the least, in bytes.
ENOUGH_BYTES = 20 * _MEGABYTE


def check_folder(name: str, purpose: str, folder: Path, mend: str, *, is_run_from: bool = False) -> Check:
    """A folder that is written to, and that may not be there yet. is_run_from: libraries built there are loaded."""
    problem = problem_of(folder, is_run_from=is_run_from)
    room = "" if problem else f", {_free(folder) // _MEGABYTE:,} MB free"
    return Check(name, purpose, not problem, True, f"{folder}{room}" if not problem else f"{folder}: {problem}", mend)


def problem_of(folder: Path, *, is_run_from: bool = False) -> str:
    """What is wrong with a folder, "" if nothing is."""
    there = _nearest(folder)
    if not there.is_dir():
        return f"{there} is not a folder"
    if _is_read_only(there):
        return "its disk is read-only"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"no right to write in {there}"
    if is_run_from and os.statvfs(there).f_flag & os.ST_NOEXEC:
        return "its disk is mounted noexec: what is built there cannot be loaded"
    if _free(folder) < ENOUGH_BYTES:
        return f"its disk has {_free(folder) / _MEGABYTE:.1f} MB left"
    return ""


def _nearest(folder: Path) -> Path:
    """The folder, or what is there of the way to it."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))


def _is_read_only(there: Path) -> bool:
    return bool(os.statvfs(there).f_flag & os.ST_RDONLY)


def _free(folder: Path) -> int:
    return shutil.disk_usage(_nearest(folder)).free
