"""The Pi client: the logic of a node over the native engine."""

from __future__ import annotations

import platform
from collections.abc import Callable

from jaragua.client.engine_trainer import EngineTrainer
from jaragua.node.description import DeviceFacts
from jaragua.node.device import Device
from jaragua.node.node import Node, NodeSettings
from jaragua.node.program import until_first_ends
from jaragua_compiler.engine import Engine
from jaragua_compiler.plan import Plan


async def run_client(settings: NodeSettings, make_engine: Callable[[Plan], Engine]) -> None:
    """Be a device of the fleet until cancelled (M1). Errors: those of Node; CompileError (no C compiler)."""
    node = Node(settings)
    device = node.add_device(
        settings.node, "pi", _facts(settings, node.feeder.model), node.feeder.model, node.feeder.plan.architecture
    )
    trainer = EngineTrainer(make_engine, node.telemetry_of(device).progress)
    await until_first_ends(node.run(), _serve(node, device, trainer))


async def _serve(node: Node, device: Device, trainer: EngineTrainer) -> None:
    await trainer.prepare(node.feeder.plan)  # now, so that the first round does not wait for the C compiler
    await device.serve(trainer)


def _facts(settings: NodeSettings, model: str) -> DeviceFacts:
    return DeviceFacts(
        identifier=f"{settings.fleet}/{settings.node}/{settings.node}",
        title=f"{settings.node} ({platform.machine()})",
        facts={"board": platform.machine(), "system": platform.system(), "model": model},
    )
