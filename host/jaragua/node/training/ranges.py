"""The ranges of what a node may be asked, checked before anything is done (docs/reference/protocol.md, M12). Pure."""

from __future__ import annotations

import math
from typing import Final

from jaragua.errors import ProtocolError
from jaragua.node.training.proximal_decay import NO_DECAY
from jaragua.settings import MOST, PROTOTYPE_RANGES, SMALLEST_RATE, STEP_SETTINGS, limits
from jaragua.wire.messages import (
    AdaptCommand,
    RunState,
    SecureCommand,
    StatisticsCommand,
    StopCommand,
    TrainCommand,
    UpdateAck,
    rule_field,
)
from jaragua.wire.topics import is_id

Checked = TrainCommand | AdaptCommand | SecureCommand | StatisticsCommand | StopCommand | UpdateAck | RunState

#: What SQLite, NumPy and the wire hold alike, and is far beyond any run.
LARGEST_NUMBER: Final = 2**31 - 1
#: One command that asks for more would hold a device for hours.
MOST_SAMPLES: Final = 100_000
_MOST_LAYERS: Final = 1_000
_LARGEST_TIME_MS: Final = 2**53 - 1
_LONGEST_NAME: Final = 200

_NUMBER: Final = (0, LARGEST_NUMBER)
_SAMPLES: Final = (1, MOST_SAMPLES)
#: Of every message that has a field of that name: smallest and largest value.
RANGES: Final[dict[str, tuple[float, float]]] = {
    "round": _NUMBER,
    "rounds": _NUMBER,
    "attempt": _NUMBER,
    "trial": _NUMBER,
    "first": _NUMBER,
    "quorum": _NUMBER,
    "stored": _NUMBER,
    "until": _NUMBER,
    "learning_rate": (SMALLEST_RATE, math.nextafter(1.0, 0.0)),
    "ways": _SAMPLES,
    "shots": _SAMPLES,
    "passes": (0, MOST_SAMPLES),
    "queries": _SAMPLES,
    "seed": (0, 2**64 - 1),
    "deadline": (0, _LARGEST_TIME_MS),
    "batch": (0, MOST),
    "replay_buffer_size": (0, MOST),
    "proximal_decay": (0, NO_DECAY),
    "fraction": (math.ulp(0.0), 1.0),
    "local": (0, _MOST_LAYERS),
    "grid": (0, 64),
    "clip": (1, 2**31 - 1),
    "noise": (0, 2**62),
    **{name: limits(f"client.{name}") for name in STEP_SETTINGS},
    **PROTOTYPE_RANGES,
}
_BITS: Final = (8, 16)
_NAMES: Final = ("model", "network")


def check(message: Checked) -> None:
    """ProtocolError names the first field that is outside its range, and the range."""
    if not is_id(message.run):
        raise ProtocolError("run is not of the form [a-z0-9-], 1 to 32 characters")
    for name, (smallest, largest) in RANGES.items():
        value = getattr(message, name, None)
        if value is not None and not smallest <= value <= largest:
            raise ProtocolError(f"{rule_field(name)} = {value} is not in {smallest:g} to {largest:g}")
    if isinstance(message, RunState):
        _check_names(message)
    elif isinstance(message, TrainCommand | AdaptCommand):
        _check_sizes(message)


def _check_names(message: RunState) -> None:
    for name in _NAMES:
        text = getattr(message, name)
        if len(text) > _LONGEST_NAME or not text.isprintable():
            raise ProtocolError(f"{name} is not a name of at most {_LONGEST_NAME} printable characters")


def _check_sizes(message: TrainCommand | AdaptCommand) -> None:
    if message.passes == 0 and (isinstance(message, TrainCommand) or message.temperature is None):
        raise ProtocolError(f"passes = 0 is not in 1 to {MOST_SAMPLES}")
    samples = message.ways * message.shots * max(message.passes, 1)
    if samples > MOST_SAMPLES:
        raise ProtocolError(f"ways · shots · passes = {samples} samples; 1 to {MOST_SAMPLES} are possible")
    if isinstance(message, TrainCommand):
        _check_update(message)


def _check_update(message: TrainCommand) -> None:
    if message.bits not in (None, *_BITS):
        raise ProtocolError(f"bits = {message.bits} is not 8 or 16")
    if message.sum is not None and message.bits is not None:
        raise ProtocolError("an update cannot be both a difference and a part of a sum")
    if (message.clip is None) is not (message.grid is None) or (message.noise and message.clip is None):
        raise ProtocolError("clip and grid go together, and noise with them")
