"""Questions of clients that know a Thing Description alone, and their answers (M51). Bytes of strangers; pure."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from jaragua.bases.value import Value
from jaragua.errors import ProtocolError
from jaragua.wire.rejections import shown
from jaragua.wire.topics import Topic

MOST_BYTES: Final = 262_144
#: Of the largest network that a board can have (uint16 in its identity).
_MOST_INPUTS: Final = 65_535
#: Of float32. JSON has larger integers, and Python reads NaN and Infinity, which are no JSON.
_LARGEST: Final = float(np.finfo(np.float32).max)
_WEIGHTS_DIGITS: Final = 16


class Caller(Value):
    """Who asked which device, under which id."""

    device: str
    asker: str
    call: str


class Question(Value):
    """One sample, whose outputs are wanted: real numbers."""

    caller: Caller
    inputs: tuple[float, ...]


class NoQuestionError(ProtocolError):
    """A payload that is none, on a topic that says who asked."""

    def __init__(self, caller: Caller, message: str) -> None:
        super().__init__(message)
        self.caller = caller


def read(topic: Topic, payload: bytes) -> Question:
    """The question in a message. Raises: NoQuestionError."""
    caller = Caller(topic.device, topic.asker, topic.call)
    if len(payload) > MOST_BYTES:
        raise NoQuestionError(caller, f"a question has at most {MOST_BYTES:,} bytes, this one has {len(payload):,}")
    try:
        document = json.loads(payload.decode())
    except (ValueError, RecursionError):
        raise NoQuestionError(caller, 'a question is a JSON object: {"inputs": [numbers]}') from None
    if not isinstance(document, dict) or set(document) != {"inputs"} or not isinstance(document["inputs"], list):
        raise NoQuestionError(caller, 'a question has one field, "inputs", a list of numbers')
    return Question(caller, _numbers(caller, document["inputs"]))


def _numbers(caller: Caller, inputs: list[Any]) -> tuple[float, ...]:
    if not 0 < len(inputs) <= _MOST_INPUTS:
        raise NoQuestionError(caller, f'"inputs" has {len(inputs):,} numbers: give 1 to {_MOST_INPUTS:,}')
    for place, one in enumerate(inputs):
        if isinstance(one, bool) or not isinstance(one, int | float) or not abs(one) <= _LARGEST:
            raise NoQuestionError(
                caller, f'"inputs" has {shown(repr(one))} at place {place}, which is no finite number'
            )
    return tuple(map(float, inputs))


def answer(model: str, weights: bytes, outputs: npt.NDArray[np.float64], classes: tuple[str, ...] | None) -> bytes:
    """What a device computed. weights: SHA-256; outputs: [outputs], finite; classes: names of a classifier's outputs.

    classes: () if they have no names, None of a network that is no classifier.
    """
    found: dict[str, Any] = {"status": "ok", "outputs": outputs.tolist()}
    if classes is not None:
        label = int(outputs.argmax())
        found |= {"label": label} | ({"class": classes[label]} if label < len(classes) else {})
    return _json(found | {"weights": weights.hex()[:_WEIGHTS_DIGITS], "model": model})


def refusal(why: str) -> bytes:
    """Why there is no answer, in one sentence."""
    return _json({"status": "refused", "why": why})


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
