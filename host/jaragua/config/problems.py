"""What can be wrong with a configuration, each problem with its place and its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from jaragua.reasons import value_in_words
from jaragua.settings import SECTIONS, keys_of


@dataclass(frozen=True, order=True)
class Problem:
    """One problem: the path of the key, what is wrong with it, what to write instead."""

    place: tuple[str, ...]
    message: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """The problem in one line."""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{'.'.join(self.place)}: {self.message}{remedy}"


def unknown_sections(document: Mapping[str, Any]) -> list[Problem]:
    """Tables that no run has."""
    return [
        Problem((name,), "there is no such section", _did_you_mean(name, list(SECTIONS)))
        for name in document
        if name not in SECTIONS
    ]


def from_pydantic(error: ValidationError, *, defaults_known: bool) -> list[Problem]:
    """Pydantic's errors in this project's words.

    While the model is unknown, keys that its defaults would have filled are not complained about.
    """
    return [
        _described(details)
        for details in error.errors(include_url=False)
        if details["type"] != "missing" or defaults_known or details["loc"] == ("model", "name")
    ]


def _described(details: ErrorDetails) -> Problem:
    place = tuple(str(part) for part in details["loc"])
    section = SECTIONS.get(place[0]) if place else None
    if details["type"] == "extra_forbidden" and section is not None:
        return Problem(place, "there is no such key", _did_you_mean(place[-1], list(keys_of(place[0]))))
    if details["type"] == "missing":
        return Problem(place, "this key is needed")
    if details["type"] == "string_pattern_mismatch":
        length = 23 if place == ("run", "name") else 32
        return Problem(place, f"{details['input']!r} does not fit", f"1 to {length} of a-z, 0-9 and -")
    if details["type"] == "value_error":
        return Problem(place, details["msg"].removeprefix("Value error, "))
    words = value_in_words(details["msg"])
    return Problem(place, f"{details['input']!r} {words[:1].lower()}{words[1:]}")


def cross_problems(filled: Mapping[str, Any]) -> list[Problem]:
    """Values that are each right but do not fit together; values that are not numbers are pydantic's to refuse."""
    quorum = _number(filled, "round", "quorum")
    limits = {"strategy.clients_per_round": _number(filled, "strategy", "clients_per_round")}
    limits["devices.minimum"] = _number(filled, "devices", "minimum")
    problems = [
        Problem(("round", "quorum"), f"{quorum:g} is more than {name} = {limit:g}", f"at most {limit:g}")
        for name, limit in limits.items()
        if quorum is not None and limit is not None and quorum > limit
    ]
    buffer, clients = _number(filled, "round", "buffer"), limits["strategy.clients_per_round"]
    if buffer is not None and clients is not None and buffer > clients:
        message = f"{buffer:g} is more than strategy.clients_per_round = {clients:g}"
        problems.append(Problem(("round", "buffer"), message, f"at most {clients:g}: so many devices are at work"))
    alpha, final = _number(filled, "strategy", "alpha"), _number(filled, "strategy", "alpha_final")
    if alpha is not None and final is not None and final > alpha:
        problems.append(Problem(("strategy", "alpha_final"), f"{final:g} is more than alpha = {alpha:g}"))
    return problems


def fleet_problems(filled: Mapping[str, Any]) -> list[Problem]:
    """What only a simulation can do."""
    if _number(filled, "run", "rounds") != 0:
        return []
    return [Problem(("run", "rounds"), "a fleet cannot run 0 rounds", "at least 1; `jaragua simulate` takes 0")]


def _number(filled: Mapping[str, Any], section: str, key: str) -> float | None:
    table = filled[section]
    value = table.get(key) if isinstance(table, dict) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _did_you_mean(word: str, known: list[str]) -> str:
    matches = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{matches[0]}'?" if matches else f"known: {', '.join(known)}"
