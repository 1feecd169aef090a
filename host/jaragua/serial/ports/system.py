"""Where the operating system tells of ports and processes; a test gives folders of its own."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class System:
    """Roots of sysfs, the devices and the processes."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")

    def text(self, path: Path) -> str:
        """The first line of a small file, "" if it cannot be read."""
        try:
            return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
        except OSError:
            return ""


HERE = System()


def may_open(path: str) -> bool:
    """Whether this process has the rights to read and write `path`."""
    return os.access(path, os.R_OK | os.W_OK)


def group_of(path: str) -> str:
    """The group that owns a port, "" if it cannot be told."""
    try:
        return grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        return ""


def user_name() -> str:
    """The name of the user of this process, or the number."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def is_member(user: str, group: str) -> bool:
    """Whether the group's entry lists the user. A login before that entry was made does not have the right yet."""
    try:
        return user in grp.getgrnam(group).gr_mem
    except KeyError:
        return False
