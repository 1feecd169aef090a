"""The images of a plan: built all, then put onto the boards that need them (S8.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from jaragua.deploy.plan import Chosen
from jaragua.emulate import build_image
from jaragua.errors import ToolError


async def put(boards: Sequence[Chosen], say: Callable[[str], None]) -> None:
    """Build and flash what a plan says. Raises: ToolError for images that cannot be built or boards not flashed."""
    await build(boards, say)
    words = "; ".join(f"{one.device} at {one.node}: {Path(one.image).name} for {one.board}" for one in boards)
    raise ToolError(
        f"the images are built, and boards behind gateways have to be flashed by hand: {words}",
        "end the gateway, give `jaragua flash --port PORT --model MODEL` for each, start it, and deploy again",
    )


async def build(boards: Sequence[Chosen], say: Callable[[str], None]) -> dict[tuple[str, str], Path]:
    """The images of boards by environment and model, each built once. Raises: ToolError."""
    images: dict[tuple[str, str], Path] = {}
    for environment, model in sorted({(one.board, one.image) for one in boards}):
        say(f"building the image of {Path(model).name} for {environment}")
        images[environment, model] = await asyncio.to_thread(build_image, environment, model)
    return images
