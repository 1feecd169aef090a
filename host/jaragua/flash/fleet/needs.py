"""Which boards of a fleet need which image (M46). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jaragua import boards
from jaragua.emulate.image import ImageChoice
from jaragua.errors import UsageError
from jaragua.observe.fleet_view import FleetView
from jaragua.upload.verify import named

#: States of a gateway that carries out commands.
_THERE: Final = frozenset({"ready", "training"})
#: Device-states that no board has.
_NO_BOARD: Final = "pi"


@dataclass(frozen=True)
class FleetBoard:
    """A board as its gateway describes it. said: facts of its Thing Description, as text; is_there: its gateway is."""

    gateway: str
    device: str
    said: Mapping[str, str]
    is_there: bool = True

    @property
    def environment(self) -> str:
        """What it said that it is, "" if it never did."""
        return self.said.get("board", "")

    @property
    def form(self) -> str:
        """What an upload to it takes."""
        return self.said.get("imageForm", "")

    @property
    def accumulates(self) -> bool:
        """Whether its image has sums (A11.1)."""
        return "accumulation" in self.said.get("imageOperators", "").split(", ")

    @property
    def has_gradients(self) -> bool:
        """Whether its image has gradients of prototypes (A12.9)."""
        return "prototype_gradients" in self.said.get("imageOperators", "").split(", ")

    @property
    def verifies(self) -> bool:
        """Whether its image verifies the coordinator's signatures (G32)."""
        return "signed" in self.said.get("imageOperators", "").split(", ")

    @property
    def prototypes(self) -> int:
        """Classes that its image has room for (A12)."""
        text = self.said.get("prototypes", "0")
        return int(text) if text.isdecimal() and len(text) < 4 else 0


@dataclass(frozen=True)
class Asked:
    """What the user wants. model: of the zoo or a file, None for that of each board; sums, classes: None as it is.

    key: file of the coordinator's public key (G32), None for no key; without_key: also where the board's image has one.
    """

    model: str | None = None
    accumulate: bool | None = None
    prototypes: int | None = None
    force: bool = False
    key: Path | None = None
    without_key: bool = False


@dataclass(frozen=True)
class Need:
    """The image of a board, None for none. left: why it is left behind; kept: why its image stays."""

    board: FleetBoard
    choice: ImageChoice | None = None
    left: str = ""
    kept: str = ""


@dataclass(frozen=True)
class Network:
    """What an image of a model says of itself (L4.1)."""

    model: str
    architecture: bytes


def boards_of(view: FleetView) -> list[FleetBoard]:
    """All boards behind gateways, by gateway and name."""
    found = [
        FleetBoard(one.node, name, one.facts, _is_there(view, one.node))
        for name, one in view.devices.items()
        if one.kind != _NO_BOARD and view.nodes.get(one.node) is not None
    ]
    return sorted(found, key=lambda board: (board.gateway, board.device))


def selected(found: Sequence[FleetBoard], only: Collection[str]) -> list[FleetBoard]:
    """Those that are named by themselves, their gateway or their environment. Raises: UsageError of an unknown name."""
    known = {name for board in found for name in _names(board)}
    unknown = sorted(set(only) - known)
    if unknown:
        devices = ", ".join(board.device for board in found) or "none"
        raise UsageError(f"--only {unknown[0]}: no board, gateway or environment has that name", f"boards: {devices}")
    return [board for board in found if not only or set(_names(board)) & set(only)]


def choice_of(board: FleetBoard, asked: Asked, zoo: Collection[str]) -> Need:
    """The image that would be built for a board, whether it needs it or not."""
    if not board.environment:
        return Need(board, left="the board has not said which board it is")
    if board.environment not in {one.name for one in boards.environments()}:
        return Need(board, left=f"{board.environment!r} is no environment of this jaragua")
    if board.said.get("reflash", "").lower() == "false":
        return Need(board, kept="its owner states reflash = false")
    if not board.is_there:
        return Need(board, left=f"gateway {board.gateway} is not there")
    model = asked.model or board.said.get("model", "")
    if asked.model is None and model not in zoo:
        return Need(board, left=f"its model {model!r} is not in the zoo: name it with --model FILE.toml")
    if board.verifies and asked.key is None and not asked.without_key:
        return Need(board, left="its image verifies signatures: give --coordinator-key FILE, or --without-key (G32)")
    sums = board.accumulates if asked.accumulate is None else asked.accumulate
    classes = board.prototypes if asked.prototypes is None else asked.prototypes
    return Need(board, ImageChoice(board.environment, model, sums, classes, asked.key))


def needs_image(need: Need, network: Network, build: bytes, *, force: bool) -> bool:
    """Whether the board says anything else than the image would (M46)."""
    choice, said = need.choice, need.board.said
    if choice is None:
        return False
    wanted = {
        "build": build.hex(),
        "model": named(network.model),
        "architecture": network.architecture.hex(),
    }
    is_other = any(said.get(name) != value for name, value in wanted.items())
    changes = (choice.accumulate, choice.prototypes) != (need.board.accumulates, need.board.prototypes)
    return force or is_other or changes


def _is_there(view: FleetView, gateway: str) -> bool:
    return view.nodes[gateway].state in _THERE


def _names(board: FleetBoard) -> tuple[str, ...]:
    return board.device, board.gateway, board.environment
