"""The proof that a new image runs: the board says so itself (L4.1)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from jaragua.errors import BoardError, PortError
from jaragua.serial.patience import Patience
from jaragua.wire.definitions import MODEL_NAME_BYTES, Operator
from jaragua.wire.messages import Health, Identity

#: M42: for how long a board may take to come back, times the patience of L5.4; some are enumerated anew on USB.
_BACK_S: Final = 30.0
_AGAIN_S: Final = 0.3
#: A board's clock and this machine's may differ by so much while an upload lasts.
_CLOCKS_S: Final = 2.0
_HINT: Final = "Reset the board, look at it with `jaragua monitor`, and flash it again."


@dataclass(frozen=True)
class Wanted:
    """What a board says when the image runs (M42). accumulate, prototypes: None where either is right."""

    build: bytes
    model: str
    architecture: bytes
    accumulate: bool | None = None
    prototypes: int | None = None

    def difference(self, found: Identity) -> str:
        """What the board says instead, "" if it runs the image."""
        if found.build != self.build:
            return f"the board says build {found.build.hex()}, the image is {self.build.hex()}"
        if found.architecture != self.architecture:
            return f"the board computes the network of {found.model} ({found.architecture.hex()})"
        if found.model != named(self.model):
            return f"the board has the model {found.model}, the image {self.model}"
        if self.accumulate not in (None, bool(found.operators >> Operator.ACCUMULATION & 1)):
            return f"the board {'takes one sample a step' if self.accumulate else 'has sums'}, the image does not"
        if self.prototypes not in (None, found.prototypes):
            return f"the board has room for {found.prototypes} prototypes, the image for {self.prototypes}"
        return ""


def named(model: str) -> str:
    """A model's name as boards say it (L4.1)."""
    return model.encode()[:MODEL_NAME_BYTES].decode(errors="ignore")


class Asked(Protocol):
    """The part of a board that is asked; see `serial.Board`."""

    @property
    def identity(self) -> Identity: ...

    async def health(self) -> Health: ...


B = TypeVar("B", bound=Asked)
Open = Callable[[], AbstractAsyncContextManager[B]]


async def until_it_runs(
    port: str, wanted: Wanted, open_board: Open[B], uploaded_s: float, patience: Patience
) -> Identity:
    """Asks until the new image answers, and returns its answer. uploaded_s: `time.monotonic()` when the upload began.

    Raises: BoardError with what is there instead.
    """
    deadline_s = time.monotonic() + _BACK_S * patience.greeting_s / 10.0
    problem = f"{port}: nobody answers after the upload"
    while True:
        try:
            async with open_board() as board:
                found, up_s = board.identity, (await board.health()).uptime_ms / 1000
            wrong = wanted.difference(found)
            if not wrong and up_s > time.monotonic() - uploaded_s + _CLOCKS_S:
                wrong = "it has not been restarted"
            if not wrong:
                return found
            problem = f"{port}: the new image does not run: {wrong}"
        except (BoardError, PortError) as error:
            problem = f"{port}: the board does not answer after the upload: {error.message.removeprefix(f'{port}: ')}"
        if time.monotonic() > deadline_s:
            raise BoardError(problem, _HINT)
        await asyncio.sleep(_AGAIN_S)
