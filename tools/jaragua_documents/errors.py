"""Exit codes of the commands, status codes and reset causes of a board."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from jaragua.errors import exit_code_table
from jaragua_documents.markdown import code, table


def exit_codes() -> str:
    """What each exit code means and what to do."""
    return exit_code_table()


def statuses() -> str:
    """What a board answers when it refuses a request."""
    return table(
        ("number", "name", "what happened", "what to do"),
        ((str(one["number"]), code(one["name"]), one["meaning"], one["remedy"]) for one in _definitions()["status"]),
    )


def reset_causes() -> str:
    """Why a board restarted or ended a session."""
    causes: dict[str, int] = _definitions()["reset_causes"]
    return table(("number", "name"), ((str(number), code(name)) for name, number in causes.items()))


def _definitions() -> dict[str, Any]:
    return tomllib.loads(files("jaragua.wire").joinpath("definitions.toml").read_text(encoding="utf-8"))
