"""What a run's folder held before it is begun anew, or gone on with after a loss: kept in a folder of its own."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Final

from jaragua.errors import StoreError
from jaragua.reasons import reason_of

EARLIER: Final = "earlier-"
LOCK: Final = ".lock"


def move_aside(path: Path) -> Path | None:
    """Move all that a folder holds into `earlier-<n>`; None if it holds nothing. Raises: StoreError."""
    return _set_aside(path, move=True)


def copy_aside(path: Path) -> Path | None:
    """The same, but what is there stays as well."""
    return _set_aside(path, move=False)


def _set_aside(path: Path, *, move: bool) -> Path | None:
    found = [one for one in sorted(path.iterdir()) if one.name != LOCK and not one.name.startswith(EARLIER)]
    if not found:
        return None
    target = next(one for one in (path / f"{EARLIER}{number}" for number in count(1)) if not one.exists())
    try:
        target.mkdir()
        for one in found:
            _keep(one, target / one.name, move=move)
    except OSError as error:
        message = f"what is in {path} cannot be kept in {target.name}: {reason_of(error)}"
        raise StoreError(message, "make room, or correct the permissions of the folder; nothing was started") from error
    return target


def _keep(one: Path, target: Path, *, move: bool) -> None:
    if move:
        one.rename(target)
    elif one.is_dir():
        shutil.copytree(one, target)
    else:
        shutil.copy2(one, target)
