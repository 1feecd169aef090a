"""Where units, options and state are: of the system, or of a user."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from jaragua.errors import ToolError, UsageError


@dataclass(frozen=True)
class Places:
    """Folders as the running service sees them. root: where they lie now, of an image that is being made; else /."""

    is_system: bool
    units: Path
    config: Path
    state: Path
    root: Path = Path("/")

    def now(self, path: Path) -> Path:
        """Where a path lies at the moment."""
        return self.root / path.relative_to("/")


def places(*, is_system: bool, root: Path | None = None) -> Places:
    """Folders of the system, or of this user. Raises: UsageError."""
    if is_system:
        units, config, state = Path("/etc/systemd/system"), Path("/etc/jaragua"), Path("/var/lib/jaragua")
        return Places(True, units, config, state, (root or Path("/")).absolute())
    if root is not None:
        raise UsageError("--root is for services of the system", "leave out --user")
    home = Path(os.path.expanduser("~"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local/state")
    return Places(False, config / "systemd/user", config / "jaragua", state / "jaragua")


def program() -> Path:
    """`jaragua` as it is installed beside this Python. Raises: ToolError."""
    path = Path(sys.executable).absolute().with_name("jaragua")
    if not path.is_file():
        raise ToolError(f"there is no {path}", "install the package with pip, in an environment of its own")
    return path


def check_program(path: Path, found: Places) -> None:
    """A user of its own cannot enter the home of another one. Raises: UsageError."""
    if found.is_system and any(path.is_relative_to(home) for home in ("/home", "/root", "/run/user")):
        raise UsageError(
            f"services of the system cannot run {path}: it is in the home of a user",
            "install Jaragua into /opt/jaragua (python3 -m venv /opt/jaragua), or give --user",
        )
