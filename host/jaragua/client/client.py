"""The Pi client: the logic of a node over an engine of this machine."""

from __future__ import annotations

import platform
from collections.abc import Callable

from jaragua.client.engine_trainer import EngineTrainer
from jaragua.client.litert_trainer import LitertTrainer, TrainingFiles
from jaragua.node.description import DeviceFacts
from jaragua.node.device import Device
from jaragua.node.node import Node, NodeSettings
from jaragua.node.program import until_first_ends
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.semantics.things.device_facts import NOTHING_STATED, known_of
from jaragua_compiler.engine_protocol import Engine
from jaragua_compiler.planning.plan import Plan


async def run_client(settings: NodeSettings, make_engine: Callable[[Plan], Engine]) -> None:
    """Be a device of the fleet until cancelled (M1). Errors: those of Node; CompileError (no C compiler)."""
    node = _node(settings)
    device = _device(node, "native")
    trainer = EngineTrainer(make_engine, node.telemetry_of(device).progress)
    await until_first_ends(node.run(), _serve(node, device, trainer))


async def run_litert_client(settings: NodeSettings, files: TrainingFiles) -> None:
    """Be a device that computes in float32 (M9) until cancelled. Errors: those of Node.

    CompileError: the model that `settings` names has no training file, or it cannot be loaded. Without a name the run
    decides, and a run that has no file here leaves this device out, with the reason in its state.
    """
    if settings.model is not None:
        files.engine(TaskSampler.of(settings.model).plan)
    node = _node(settings)
    device = _device(node, "litert")
    device.format, device.lacks = "f32", files.lacks
    trainer = LitertTrainer(files, node.telemetry_of(device).progress)
    await until_first_ends(node.run(), device.serve(trainer))


def _node(settings: NodeSettings) -> Node:
    """Raises: DataError if the node's own data have no rows that its device may train on (N4)."""
    if settings.model is not None:
        TaskSampler.of(settings.model).check_name(settings.node)
    return Node(settings)


async def _serve(node: Node, device: Device, trainer: EngineTrainer) -> None:
    await trainer.prepare(node.task_sampler.plan)  # now, so that the first round does not wait for the C compiler
    await device.serve(trainer)


def _device(node: Node, engine: str) -> Device:
    model, name = node.task_sampler.model, node.settings.node
    return node.add_device(name, "pi", _facts(node.settings, model, engine), model, node.task_sampler.plan.architecture)


def _facts(settings: NodeSettings, model: str, engine: str) -> DeviceFacts:
    machine = platform.machine()
    answered = {"kind": "pi", "board": machine, "system": platform.system(), "model": model, "engine": engine}
    return DeviceFacts(
        identifier=f"{settings.fleet}/{settings.node}/{settings.node}",
        title=f"{settings.node} ({machine})",
        facts=answered | known_of(machine, settings.stated.get(settings.node, NOTHING_STATED)),
    )
