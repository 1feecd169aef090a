"""A folder that the processes of one test run share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_VARIABLE = "JARAGUA_TEST_RUN"


def run_folder() -> Path:
    """For what is made once in a run, whichever process comes first."""
    return Path(os.environ[_VARIABLE])


def make_run_folder() -> None:
    """Called once in a run, by the process that starts the others."""
    os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="jaragua-tests-")


def remove_run_folder() -> None:
    """At the end of the run, by the process that made it."""
    shutil.rmtree(os.environ.pop(_VARIABLE))
