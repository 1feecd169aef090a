"""Where a user's things are kept if nothing else is said (XDG base directories), and what to set if they cannot be."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from jaragua.errors import StoreError

#: Of the XDG base directories that this project writes to: variable -> where it points by default.
VARIABLES = {"XDG_STATE_HOME": "~/.local/state", "XDG_CACHE_HOME": "~/.cache"}


def state_folder() -> Path:
    """Folder of outboxes and logs. Raises: StoreError if this user has no home folder and XDG_STATE_HOME is not set."""
    return _base("XDG_STATE_HOME") / "jaragua"


def cache_folder() -> Path:
    """Folder of what can be built or fetched again. Raises: StoreError as `state_folder`, for XDG_CACHE_HOME."""
    return _base("XDG_CACHE_HOME") / "jaragua"


def runtime_folders() -> list[Path]:
    """Where programs of this user that run now can be found: sockets, ports. A program uses the first that it can make.

    A program without a login session (a service) has no XDG_RUNTIME_DIR, so whoever looks for one looks in all.
    """
    user = os.getuid()
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}")
    return [session / "jaragua", Path(tempfile.gettempdir()) / f"jaragua-{user}" / "run"]


def make_runtime_folder() -> Path:
    """The first of `runtime_folders` that can be made; others can neither read nor write there. Raises: StoreError."""
    for folder in runtime_folders():
        if folder.parent.is_dir() or folder.parent.parent == Path(tempfile.gettempdir()):
            with suppress(OSError):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if is_private(folder):
                    return folder
    raise StoreError(
        "there is no folder for sockets of this user", "set XDG_RUNTIME_DIR to a folder that only you may write to"
    )


def is_private(folder: Path) -> bool:
    """Whether a folder is this user's, and nobody else may write there."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o022


def variable_for(path: str) -> str:
    """The variable that would lead a path elsewhere, "" if none does: it lies in its folder, or holds that folder."""
    place = Path(path)
    for variable in VARIABLES:
        try:
            base = _base(variable)
        except StoreError:
            continue
        if place.is_relative_to(base) or (place != Path("/") and base.is_relative_to(place)):
            return variable
    return ""


def _base(variable: str) -> Path:
    named = os.environ.get(variable) or os.path.expanduser(VARIABLES[variable])
    if named.startswith("~"):
        raise StoreError("this user has no home folder", f"set HOME, or {variable}, to a folder you may write to")
    return Path(named)
