"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """purpose: what it is for. needed: whether the role cannot do without. found: what is there, or what is wrong.

    mend: the command or the step that mends it, also where nothing is broken.
    """

    name: str
    purpose: str
    ok: bool
    needed: bool
    found: str
    mend: str

    @property
    def is_missing(self) -> bool:
        """Whether the role has to wait for it."""
        return self.needed and not self.ok
