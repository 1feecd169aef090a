"""Where a user's things are kept if nothing else is said (XDG base directories), and what to set if they cannot be."""

from __future__ import annotations

import os
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
