"""The truth of a run: one SQLite file in the run's folder, and what people read beside it."""

from jaragua.store.database import Store
from jaragua.store.records import Assignment, Initialisation, RoundRecord, RunRecord, StoredUpdate, StoredVersion
from jaragua.store.run_folder import RunFolder, holds_run, open_run, read_run

__all__ = [
    "Assignment",
    "Initialisation",
    "RoundRecord",
    "RunFolder",
    "RunRecord",
    "Store",
    "StoredUpdate",
    "StoredVersion",
    "holds_run",
    "open_run",
    "read_run",
]
