"""SQLite files that the program itself does not write."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def database_of_version(path: Path, version: int) -> Path:
    """An empty file that says it has the format `version`."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    return path
