"""Names of networks out of names of files and models."""

from __future__ import annotations

import re


def identifier(name: str) -> str:
    """A name of any kind as the name of a network (a-z, 0-9 and '-', at most 32)."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-") or "model"
