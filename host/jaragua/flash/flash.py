"""Builds, uploads and verifies: the board must say the build, the model and the network of the new image."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from jaragua.boards import environment
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.emulate.image import BuiltImage, ImageChoice, build_for_upload
from jaragua.errors import BoardError, PortError
from jaragua.flash.build_log import BuildLog
from jaragua.flash.target import Target
from jaragua.models import model_named
from jaragua.serial.board import Board
from jaragua.serial.patience import patience_of
from jaragua.serial.ports.survey import quick
from jaragua.serial.tap.client import attach
from jaragua.upload import process
from jaragua.upload.methods import Upload, form_for
from jaragua.upload.verify import Wanted, until_it_runs
from jaragua.wire.messages import Identity

Say = Callable[[str], None]


@dataclass(frozen=True)
class Flashed:
    """A board with its new image. seconds: build, upload and verification."""

    target: Target
    after: Identity
    seconds: float


async def who_is_there(path: str) -> Identity | None:
    """The board on a port before it gets an image; None if nobody answers. Raises: PortError if it cannot be had."""
    tap = await attach(path)
    if tap is not None:
        await tap.close()
        raise PortError(
            f"gateway {tap.hello.get('node')} (process {tap.hello.get('process')}) has port {path}",
            "Flash it through the gateway with `jaragua flash --fleet`, or end the gateway first.",
        )
    try:
        async with Board(path, patience=quick()) as board:
            return board.identity
    except BoardError:
        return None


async def flash(target: Target, say: Say, key: Path | None = None) -> Flashed:
    """key: file of the coordinator's public key, for the image (G32).

    Raises: ToolError if it cannot be built or uploaded, BoardError if the new image does not run.
    """
    started_s = time.monotonic()
    choice = ImageChoice(target.environment, target.model, key=key)
    built = await build(target.environment, target.model, say, choice)
    port = target.port.path
    await _upload(Upload(environment(target.environment), _file_for(built, target), port), say)
    say("waiting for the board")
    after = await _verified(target, built, started_s)
    return Flashed(target, after, time.monotonic() - started_s)


async def flash_without_port(
    name: str, model: str, volume: Path | None, say: Say, key: Path | None = None
) -> BuiltImage:
    """Puts an image on a board that has no port here: by its drive or a tool. Nobody can be asked whether it runs.

    Raises: ToolError.
    """
    built = await build(name, model, say, ImageChoice(name, model, key=key))
    await _upload(Upload(environment(name), built.upload, volume=volume), say)
    return built


async def build(name: str, model: str, say: Say, choice: ImageChoice | None = None) -> BuiltImage:
    """The image of a model for an environment. Raises: ToolError."""
    say(f"building the image of {model_named(model).name} for {name}")
    return await asyncio.to_thread(build_for_upload, choice or ImageChoice(name, model), BuildLog(say))


async def _upload(one: Upload, say: Say) -> None:
    say(f"uploading {one.image.name}")
    await process.upload(one, say)


def _file_for(built: BuiltImage, target: Target) -> Path:
    board = environment(target.environment)
    is_linked = form_for(board, target.port.path) == "elf"
    return built.linked if is_linked else built.upload


async def _verified(target: Target, built: BuiltImage, started_s: float) -> Identity:
    """Asks until the new image answers. Raises: BoardError with what is there instead."""
    usual = patience_of(None)
    patience = replace(usual, greeting_s=usual.greeting_s / 3)

    def opened() -> AbstractAsyncContextManager[Board]:
        return Board(target.port.path, patience=patience)

    model = model_named(target.model)
    wanted = Wanted(built.build, model.network.name, ModelCodec(model).plan.architecture)
    return await until_it_runs(target.port.path, wanted, opened, started_s, usual)
