"""Where the tap of a port is (T6)."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from jaragua import folders


def socket_name(port: str) -> str:
    """The name of the socket in its folder. port: a URL or a path, also a symbolic link."""
    name = port if "://" in port else os.path.realpath(port)
    return f"tap-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.sock"


def socket_paths(port: str) -> list[Path]:
    """Where the tap of a port may be: in the run-time folders that nobody else can write to."""
    paths = [folder / socket_name(port) for folder in folders.runtime_folders() if folders.is_private(folder)]
    return [path for path in paths if path.is_socket()]


async def is_served(path: Path) -> bool:
    """Whether a gateway listens there. One that was killed leaves its socket."""
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    writer.close()
    return True
