"""What a folder's C offers beyond the network: its names, and what is known of the readings and classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

from jaragua_compiler.engine_protocol import ACCEPT_ALL
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.files.prefix import prefix_of
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.export.memory import Row
from jaragua_compiler.export.rejection import Calibrate, Rejection
from jaragua_compiler.graph.network import Network
from jaragua_compiler.planning.plan import Plan

_COLUMN_BYTES = 16  # of I2: addend, multiplier, shift
_READINGS_CODE_BYTES = 448  # at -O2, on the safe side for either core
_POINTER_BYTES = 4


@dataclass(frozen=True)
class Component:
    """prefix: of every name in the C; None: made of the network's name. inputs: how readings become inputs, if it is
    known; classes: the names of the labels in their order, empty if they are not known. rejection: of unknown classes
    with prototypes, or what finds it; None: every class is accepted.
    """

    prefix: str | None = None
    inputs: InputFormat | None = None
    classes: tuple[str, ...] = ()
    rejection: Rejection | Calibrate | None = None

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

    def calibrated(self, compiled: Plan, blob: bytes) -> Self:
        """The same with the threshold of rejection itself, for a plan with prototypes."""
        wanted = self.rejection
        if wanted is None or isinstance(wanted, Rejection):
            return self
        return replace(self, rejection=wanted(compiled, blob))

    @property
    def threshold(self) -> int:
        """The threshold that the folder begins with (A12.8)."""
        return self.rejection.threshold if isinstance(self.rejection, Rejection) else ACCEPT_ALL

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

    def facts(self, prefix: str, compiled: Plan) -> dict[str, Any]:
        """For jaragua.json."""
        inputs = None if self.inputs is None else self.inputs.facts()
        told = {"prefix": prefix, "inputs": inputs, "classes": list(self.classes)}
        return told | {"prototypes": self.prototypes(compiled)}

    def prototypes(self, compiled: Plan) -> dict[str, Any] | None:
        """Room for classes, features, and how unknown ones are rejected; None without prototypes."""
        if not compiled.prototypes:
            return None
        rejection = self.rejection.facts() if isinstance(self.rejection, Rejection) else None
        features = compiled.prototype_head.inputs
        room = {"classes": compiled.prototypes, "features": features, "episodes": compiled.prototype_gradients}
        return room | {"rejection": rejection}


def _names_bytes(names: Iterable[str]) -> int:
    """Of strings and pointers to them."""
    return sum(_POINTER_BYTES + len(name.encode()) + 1 + 3 for name in names)  # a string may be aligned to 4
