"""Certificates and signatures are computed by the package cryptography, which a fleet on loopback does not need."""

from __future__ import annotations

import importlib.util

from jaragua.errors import ToolError


def check() -> None:
    """Raises: ToolError if it is not installed."""
    if importlib.util.find_spec("cryptography") is None:
        raise ToolError(
            "the Python package cryptography is not installed; certificates and signatures need it",
            "install it: pip install 'jaragua[trust]', or Debian's python3-cryptography",
        )
