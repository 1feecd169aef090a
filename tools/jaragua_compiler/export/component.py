"""What a folder's C offers beyond the network: its names, and what is known of the readings and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.files.prefix import prefix_of
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.graph.network import Network


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

    def facts(self, prefix: str) -> dict[str, Any]:
        """For jaragua.json."""
        inputs = None if self.inputs is None else self.inputs.facts()
        return {"prefix": prefix, "inputs": inputs, "classes": list(self.classes)}
