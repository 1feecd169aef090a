"""What a folder's C offers beyond the network: its names, and what is known of the readings and classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.files.prefix import prefix_of
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.export.memory import Row
from jaragua_compiler.graph.network import Network

_COLUMN_BYTES = 16  # of I2: addend, multiplier, shift
_READINGS_CODE_BYTES = 448  # at -O2, on the safe side for either core
_POINTER_BYTES = 4


@dataclass(frozen=True)
class Component:
    """prefix: of every name in the C; None: made of the network's name. inputs: how readings become inputs, if it is
    known; classes: the names of the labels in their order, empty if they are not known.
    """

    prefix: str | None = None
    inputs: InputFormat | None = None
    classes: tuple[str, ...] = ()

    def checked(self, network: Network) -> str:
        """The prefix. Raises CompileError if C cannot have it, or if columns or classes are not the network's."""
        if self.inputs is not None:
            self.inputs.check_inputs(network.input_size)
        if self.classes and (len(self.classes) != network.outputs or not network.classifier):
            raise CompileError(
                f"network {network.name!r} has {network.outputs} outputs, and {len(self.classes)} names of classes.",
                "Give a name for each output of a classifier.",
            )
        return prefix_of(self.prefix, network.name)

    def flash(self) -> tuple[Row, ...]:
        """What readings and classes take of the flash, where the firmware calls for them."""
        rows = []
        if self.inputs is not None:
            columns = self.inputs.columns
            names_bytes = _names_bytes(column.name for column in columns)
            rows.append(Row("columns of readings", _COLUMN_BYTES * len(columns) + names_bytes + _READINGS_CODE_BYTES))
        if self.classes:
            rows.append(Row("names of classes", _names_bytes(self.classes)))
        return tuple(rows)

    def facts(self, prefix: str) -> dict[str, Any]:
        """For jaragua.json."""
        inputs = None if self.inputs is None else self.inputs.facts()
        return {"prefix": prefix, "inputs": inputs, "classes": list(self.classes)}


def _names_bytes(names: Iterable[str]) -> int:
    """Of strings and pointers to them."""
    return sum(_POINTER_BYTES + len(name.encode()) + 1 + 3 for name in names)  # a string may be aligned to 4
