"""The whole of `jaragua flash --fleet`: who is there, who needs what, builds, commands, results."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.emulate.image import BuiltImage, ImageChoice, sources_hash
from jaragua.errors import JaraguaError
from jaragua.flash.flash import build
from jaragua.flash.fleet.course import Course
from jaragua.flash.fleet.needs import Asked, FleetBoard, Need, Network, boards_of, choice_of, needs_image, selected
from jaragua.flash.fleet.sender import Sender
from jaragua.models import model_named
from jaragua.node.connection.url import BrokerUrl
from jaragua.trust.signing import Signer
from jaragua.upload import fits
from jaragua.upload.stripped import stripped
from jaragua.wire.messages import FlashCommand
from jaragua_compiler.errors import CompileError
from jaragua_models import names

Say = Callable[[str], None]
Result = Literal["flashed", "has it already", "would be flashed", "kept", "left behind"]


@dataclass(frozen=True)
class Plan:
    """What the user asks for. only: boards, gateways or environments; start: packed weights (A6), b"" for none.

    patience_s: for the job under way of each board (M42). dry_run: nothing is built or sent.
    """

    asked: Asked
    only: Collection[str] = ()
    start: bytes = b""
    patience_s: int = 300
    dry_run: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one board. after: what it says now, or would say; empty if that is not known."""

    board: FleetBoard
    result: Result
    after: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def is_left_behind(self) -> bool:
        """Whether the board does not run what was asked for."""
        return self.result == "left behind"


async def flash_fleet(url: BrokerUrl, fleet: str, signer: Signer | None, plan: Plan, say: Say) -> list[Outcome]:
    """Each board's outcome, by gateway and name. Raises: BrokerError, UsageError, ModelError, ToolError."""
    async with Sender(url, fleet, signer) as sender:
        chosen = selected(boards_of(sender.view), plan.only)
        sources = sources_hash(plan.asked.key)
        needs = [choice_of(board, plan.asked, names()) for board in chosen]
        outcomes = {need.board.device: _without_image(need, sources, plan) for need in needs}
        open_needs = [need for need in needs if outcomes[need.board.device] is None]
        if open_needs:
            outcomes |= await _flashed(sender, open_needs, plan, say)
        found = [outcomes[board.device] for board in chosen]
        return [one for one in found if one is not None]


def _without_image(need: Need, sources: bytes, plan: Plan) -> Outcome | None:
    """The outcome of a board that gets none; None of one that does."""
    if need.kept:
        return Outcome(need.board, "kept", need.board.said, need.kept)
    if need.choice is None:
        return Outcome(need.board, "left behind", reason=need.left)
    network = _network(need.choice.model)
    if not needs_image(need, network, sources, force=plan.asked.force) and not plan.start:
        return Outcome(need.board, "has it already", need.board.said)
    if plan.dry_run:
        after = {"model": network.model, "build": sources.hex(), "architecture": network.architecture.hex()}
        return Outcome(need.board, "would be flashed", after)
    return None


async def _flashed(sender: Sender, needs: Sequence[Need], plan: Plan, say: Say) -> dict[str, Outcome | None]:
    courses: list[Course] = []
    outcomes: dict[str, Outcome | None] = {}
    start = await sender.publish(plan.start) if plan.start else None
    for choice in dict.fromkeys(need.choice for need in needs if need.choice is not None):
        these = [need for need in needs if need.choice == choice]
        try:
            courses += await _ordered(sender, choice, these, plan, start, say)
        except (JaraguaError, CompileError) as error:
            say(error.message)
            reason = f"its image was not made: {error.message.splitlines()[0]}"
            outcomes |= {need.board.device: Outcome(need.board, "left behind", reason=reason) for need in these}
    await sender.follow(courses, lambda course: _tell(course, say))
    by_device = {need.board.device: need.board for need in needs}
    for course in courses:
        outcomes[course.command.device] = _outcome(by_device[course.command.device], course)
    return outcomes


async def _ordered(
    sender: Sender, choice: ImageChoice, needs: Sequence[Need], plan: Plan, start: bytes | None, say: Say
) -> list[Course]:
    """The commands of all boards that get one image, which is built once and published."""
    built = await build(choice.environment, choice.model, say, choice)
    return [await _order(sender, built, choice, need.board, plan, start) for need in needs]


async def _order(
    sender: Sender, built: BuiltImage, choice: ImageChoice, board: FleetBoard, plan: Plan, start: bytes | None
) -> Course:
    data = stripped((built.linked if board.form == "elf" else built.upload).read_bytes())
    if len(data) > fits.MOST_BYTES:
        raise JaraguaError(f"the image has {len(data):,} bytes, {fits.MOST_BYTES:,} are possible (M40)")
    network = _network(choice.model)
    command = FlashCommand(
        id=secrets.token_bytes(8),
        device=board.device,
        environment=choice.environment,
        image=await sender.publish(data),
        size=len(data),
        build=built.build,
        model=network.model,
        architecture=network.architecture,
        accumulate=bool(choice.accumulate),
        prototypes=choice.prototypes or 0,
        force=plan.asked.force,
        patience=plan.patience_s,
        start=start,
    )
    now_s = time.monotonic()
    return Course(board.gateway, command, now_s, now_s)


def _outcome(board: FleetBoard, course: Course) -> Outcome:
    report = course.report
    after = (report.after or {}) if report is not None else {}
    if not course.is_good:
        return Outcome(board, "left behind", after, course.reason)
    is_same = report is not None and report.phase == "same"
    return Outcome(board, "has it already" if is_same else "flashed", after)


def _tell(course: Course, say: Say) -> None:
    report = course.report
    assert report is not None
    reason = f": {report.reason}" if report.reason else ""
    say(f"{course.gateway}: {report.device}: {report.phase}{reason}")


def _network(model: str) -> Network:
    found = model_named(model)
    return Network(found.network.name, ModelCodec(found).plan.architecture)
