"""The extras of pyproject.toml, for the page about the installation."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaragua_documents.markdown import code, table

PROJECT = Path(__file__).parents[2] / "pyproject.toml"

#: A cell names so many packages; of more it says how many there are.
MOST = 5

_NAME = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[(?P<extras>[A-Za-z0-9._,-]+)\])?")


def rows(described: Mapping[str, str], extras: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    """Of each extra: its name, what it is for, its packages. In the order of `extras`.

    Raises:
        ValueError: extras and descriptions do not have the same names.
    """
    if described.keys() != extras.keys():
        wrong = ", ".join(sorted(described.keys() ^ extras.keys()))
        raise ValueError(f"pyproject.toml: [tool.jaragua.extras] and the extras differ in {wrong}")
    return [(code(name), described[name], _packages(extras[name])) for name in extras]


def _packages(requirements: Sequence[str]) -> str:
    found = [_NAME.match(one) for one in requirements]
    names = list(dict.fromkeys(_shown(one) for one in found if one))
    more = [f"{len(names) - MOST} more"] if len(names) > MOST else []
    return ", ".join(names[:MOST] + more)


def _shown(requirement: re.Match[str]) -> str:
    extras = (requirement["extras"] or "").split(",")
    return code(requirement[0]) if len(extras) == 1 else f"{len(extras)} extras of {code(requirement['name'])}"


def table_of_extras() -> str:
    """The table of the page."""
    project: dict[str, Any] = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    described, extras = project["tool"]["jaragua"]["extras"], project["project"]["optional-dependencies"]
    return table(("extra", "what it is for", "packages"), rows(described, extras))
