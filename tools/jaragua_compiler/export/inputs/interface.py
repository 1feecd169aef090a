"""What goes into a model and what comes out of it, in the user's words. It travels with the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.input_format import InputFormat

DataKind = Literal["table", "audio", "images"]
Parameter = int | float | str | bool
_DAMAGED = "the description of a model's inputs is damaged."
_HINT = "Make the weights again, with the TOML file of their task."


@dataclass(frozen=True)
class ModelInterface:
    """Inputs and outputs of a model of one's own data.

    classes: names of the outputs in their order; none if a label means another class in every task. inputs: columns of
    a table with their scaling (I1 to I4). front_end: numbers of what makes the inputs of recordings (F1 to F13), images
    or windows of rows.
    """

    kind: DataKind
    classes: tuple[str, ...] = ()
    inputs: InputFormat | None = None
    front_end: Mapping[str, Parameter] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For jaragua.json and input.json."""
        return {
            "kind": self.kind,
            "classes": list(self.classes),
            "inputs": None if self.inputs is None else self.inputs.facts(),
            "front_end": dict(self.front_end),
        }

    def to_json(self) -> str:
        """One form for equal contents: its SHA-256 names it on the broker (M17)."""
        return json.dumps(self.facts(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelInterface:
        """What `to_json` wrote. Raises: CompileError for anything else."""
        try:
            facts = json.loads(text)
            kind, classes, inputs, front_end = (facts[key] for key in ("kind", "classes", "inputs", "front_end"))
            found = cls(kind, tuple(classes), None if inputs is None else InputFormat.from_facts(inputs), front_end)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise CompileError(_DAMAGED, _HINT) from error
        if kind not in get_args(DataKind) or not _are_names(found):
            raise CompileError(_DAMAGED, _HINT)
        return found

    def check_same_data(self, other: ModelInterface, origin: str) -> None:
        """Raises: CompileError if `other`, that of `origin`, has other columns, classes or a front end of its own."""
        for what, mine, others in (
            ("kind", self.kind, other.kind),
            ("columns", self.columns, other.columns),
            ("classes", self.classes, other.classes),
            ("front end", dict(self.front_end), dict(other.front_end)),
        ):
            if mine != others:
                raise CompileError(
                    f"{origin}: its {what} are {_said(others)}, those of the task {_said(mine)}.",
                    "Give the TOML file of the task that the weights were trained on.",
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the inputs' columns."""
        return () if self.inputs is None else tuple(column.name for column in self.inputs.columns)


def _are_names(found: ModelInterface) -> bool:
    texts = all(isinstance(name, str) for name in found.classes)
    return texts and isinstance(found.front_end, dict) and all(map(_is_parameter, found.front_end.items()))


def _is_parameter(entry: tuple[object, object]) -> bool:
    return isinstance(entry[0], str) and isinstance(entry[1], int | float | str | bool)


def _said(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
