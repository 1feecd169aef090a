"""Builds, uploads and verifies: the board must say the build, the model and the network of the new image."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.emulate.image import ImageChoice, built_hash, upload_image
from jaragua.errors import BoardError, PortError
from jaragua.flash.build_log import BuildLog
from jaragua.flash.target import Target
from jaragua.models import model_named
from jaragua.serial.board import Board
from jaragua.serial.patience import patience_of
from jaragua.serial.ports.survey import quick
from jaragua.serial.tap.client import attach
from jaragua.wire.messages import Identity

#: For how long a board may take to come back, times the patience of L5.4: some are enumerated anew after the upload.
_BACK_S: Final = 30.0
_AGAIN_S: Final = 0.3
#: A board's clock and this machine's may differ by so much while an upload lasts.
_CLOCKS_S: Final = 2.0


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
            "End the gateway, flash the board, and start the gateway again.",
        )
    try:
        async with Board(path, patience=quick()) as board:
            return board.identity
    except BoardError:
        return None


async def flash(target: Target, say: Callable[[str], None]) -> Flashed:
    """Raises: ToolError if it cannot be built or uploaded, BoardError if the new image does not run."""
    started_s = time.monotonic()
    model = model_named(target.model)
    choice = ImageChoice(target.environment, target.model)
    say(f"{target.port.path}: building the image of {model.name} for {target.environment}")
    log = BuildLog(say)
    await asyncio.to_thread(upload_image, choice, target.port.path, log)
    say("waiting for the board")
    after = await _verified(target, ModelCodec(model).plan.architecture, built_hash(choice), started_s)
    return Flashed(target, after, time.monotonic() - started_s)


async def _verified(target: Target, architecture: bytes, build: bytes, started_s: float) -> Identity:
    """Asks until the new image answers. Raises: BoardError with what is there instead."""
    patience = patience_of(None)
    deadline_s = time.monotonic() + _BACK_S * patience.greeting_s / 10.0
    problem = f"{target.port.path}: nobody answers after the upload"
    while time.monotonic() < deadline_s:
        try:
            async with Board(target.port.path, patience=replace(patience, greeting_s=patience.greeting_s / 3)) as board:
                found, up_s = board.identity, (await board.health()).uptime_ms / 1000
            wrong = _difference(found, architecture, build)
            if not wrong and up_s > time.monotonic() - started_s + _CLOCKS_S:
                wrong = "it has not been restarted"
            if not wrong:
                return found
            problem = f"{target.port.path}: the new image does not run: {wrong}"
        except (BoardError, PortError) as error:
            problem = f"{target.port.path}: the board does not answer after the upload: {error.message}"
        await asyncio.sleep(_AGAIN_S)
    raise BoardError(problem, "Reset the board, look at it with `jaragua monitor`, and flash it again.")


def _difference(found: Identity, architecture: bytes, build: bytes) -> str:
    if found.build != build:
        return f"the board says build {found.build.hex()}, the image is {build.hex()}"
    if found.architecture != architecture:
        return f"the board computes the network of {found.model} ({found.architecture.hex()})"
    return ""
