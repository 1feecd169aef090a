"""The images of a plan: built all, then put onto the boards that need them, through their gateways (S8.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaragua.coordinator.selection import ImageRoom
from jaragua.deploy.plan import Chosen
from jaragua.emulate import build_image
from jaragua.errors import ToolError, UsageError
from jaragua.flash.fleet.flash_fleet import Outcome, Plan, flash_fleet
from jaragua.flash.fleet.needs import Asked
from jaragua.node.connection.url import BrokerUrl
from jaragua.trust.signing import Signer


@dataclass(frozen=True)
class Where:
    """The fleet of a plan. signer: of the coordinator, None of a fleet without a trust set-up (G23)."""

    url: BrokerUrl
    fleet: str
    signer: Signer | None = None


async def put(boards: Sequence[Chosen], room: ImageRoom, where: Where, say: Callable[[str], None]) -> None:
    """Build and flash what a plan says, with room for what the run asks of boards.

    Raises: ToolError for images that cannot be built or boards not flashed.
    """
    await build(boards, room, say)
    for model in sorted({one.image for one in boards}):
        devices = [one.device for one in boards if one.image == model]
        try:
            asked = Asked(model, room.accumulate, room.prototypes)
            outcomes = await flash_fleet(where.url, where.fleet, where.signer, Plan(asked, devices), say)
        except UsageError as error:
            raise ToolError(f"a board of the plan is gone: {error.message}", "deploy again") from error
        left = [one for one in outcomes if one.is_left_behind]
        if left:
            raise ToolError(f"boards were not flashed: {'; '.join(map(_reason, left))}", "mend it, and deploy again")


def _reason(one: Outcome) -> str:
    return f"{one.board.device} at {one.board.gateway}: {one.reason}"


async def build(boards: Sequence[Chosen], room: ImageRoom, say: Callable[[str], None]) -> dict[tuple[str, str], Path]:
    """The images of boards by environment and model, each built once. Raises: ToolError."""
    images: dict[tuple[str, str], Path] = {}
    for environment, model in sorted({(one.board, one.image) for one in boards}):
        say(f"building the image of {Path(model).name} for {environment}")
        images[environment, model] = await asyncio.to_thread(
            build_image, environment, model, room.accumulate, room.prototypes
        )
    return images
