"""One thing that was looked at, and the one command that installs what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """purpose: what it is for. needed: whether the role cannot do without. found: what is there, or what is wrong.

    mend: the command or the step that mends it, also where nothing is broken. packages: Debian's, that bring it.
    """

    name: str
    purpose: str
    ok: bool
    needed: bool
    found: str
    mend: str
    packages: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Whether the role has to wait for it."""
        return self.needed and not self.ok


def install_command(packages: Iterable[str]) -> str:
    """One command for Debian packages; on a system without apt-get, their names. "" for none."""
    names = " ".join(dict.fromkeys(packages))
    if not names:
        return ""
    if shutil.which("apt-get"):
        return f"sudo apt-get install -y --no-install-recommends {names}"
    return f"install with your system's package manager: {names} (Debian's names)"


def missing_packages(checks: Iterable[Check]) -> list[str]:
    """Debian packages that a role has to wait for, each once."""
    return list(dict.fromkeys(name for check in checks if check.is_missing for name in check.packages))
