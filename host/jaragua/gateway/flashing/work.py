"""One image on its way to the board of one port."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from jaragua.boards import environment
from jaragua.errors import BoardError, PortError, ToolError
from jaragua.gateway.board_trainer import BoardRequests
from jaragua.serial.jobs import samples_of
from jaragua.serial.patience import Patience
from jaragua.upload import process
from jaragua.upload.methods import Upload
from jaragua.upload.verify import Wanted, until_it_runs
from jaragua.wire.messages import FlashCommand, Identity


class Say(Protocol):
    """Sends a report (M43)."""

    def __call__(
        self, phase: str, reason: str | None = None, before: Identity | None = None, after: Identity | None = None
    ) -> None: ...


@dataclass
class FlashWork:
    """An image that is checked and on the disk. start: weights, b"" for none. before: what the board said last.

    asked: the board was asked who it is since the work came, so its port may be taken from it.
    """

    command: FlashCommand
    image: Path
    start: bytes
    say: Say
    before: Identity | None = None
    asked: bool = False

    @property
    def wanted(self) -> Wanted:
        """What the board says when the image runs."""
        one = self.command
        return Wanted(one.build, one.model, one.architecture, one.accumulate, one.prototypes)

    def is_there(self, found: Identity) -> bool:
        """Whether the board runs the image already."""
        return not self.command.force and not self.wanted.difference(found)


async def carry_out(
    work: FlashWork,
    port: str,
    open_board: Callable[[], AbstractAsyncContextManager[BoardRequests]],
    patience: Patience,
) -> bool:
    """Uploads to a port that is free, and asks the board; whether the image runs. What went wrong is reported."""
    started_s = time.monotonic()
    work.say("uploading", before=work.before)
    try:
        await process.upload(Upload(environment(work.command.environment), work.image, port))
        work.say("checking", before=work.before)
        after = await until_it_runs(port, work.wanted, open_board, started_s, patience)
        if work.start:
            async with open_board() as board:
                await begin_with(board, work.start)
    except (ToolError, BoardError, PortError) as error:
        work.say("failed", f"{error.message} ({error.hint})" if error.hint else error.message, work.before)
        return False
    work.say("done", before=work.before, after=after)
    return True


async def begin_with(board: BoardRequests, blob: bytes) -> None:
    """Makes a blob the working weights: an inference of zeros takes it from the staging buffer (L4.3)."""
    identity = board.identity
    inputs = np.zeros((1, identity.inputs), np.int16)
    targets = np.zeros((1, 1 if identity.classifier else identity.outputs), np.int16)
    await board.infer(board.new_job(), samples_of(inputs, targets), blob)
