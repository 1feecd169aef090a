"""What a round's line of `metrics.jsonl` says of each device, made when its update is stored (R31.10). Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from jaragua.store import StoredUpdate
from jaragua.store.files import json_line

_NO_DEVICES = '"devices": {}'


class _Made(NamedTuple):
    """Of an update: its figures, and device and figures as they stand in the line."""

    update: StoredUpdate
    figures: dict[str, Any]
    text: str


class DeviceFigures:
    """Of the open round. kind: of a device, as the fleet says it."""

    def __init__(self, kind: Callable[[str], str]) -> None:
        self._kind = kind
        self._made: dict[str, _Made] = {}
        """By device, of the update that was stored last."""

    def add(self, updates: Iterable[StoredUpdate]) -> None:
        """These are stored, with figures inside their ranges (R4)."""
        for one in updates:
            self._made[one.device] = self._make(one)

    def of(self, updates: Sequence[StoredUpdate]) -> dict[str, dict[str, Any]]:
        """By device, in the order of the updates; of several of one device the last."""
        return {one.update.device: one.figures for one in self._of(updates)}

    def line(self, metrics: Mapping[str, Any], updates: Sequence[StoredUpdate]) -> str:
        """A round's figures as JSON. metrics: has `of(updates)` under `devices`."""
        inner = ", ".join([one.text for one in self._of(updates)])
        return json_line({**metrics, "devices": {}}).replace(_NO_DEVICES, f'"devices": {{{inner}}}', 1)

    def _of(self, updates: Sequence[StoredUpdate]) -> Iterable[_Made]:
        """Of each device its last update."""
        last = {one.device: one for one in updates}
        for device, one in last.items():
            made = self._made.get(device)
            if made is None or made.update is not one:  # stored by an earlier process, or not the last that came
                self._made[device] = self._make(one)
        return map(self._made.__getitem__, last)

    def _make(self, one: StoredUpdate) -> _Made:
        kind, age = self._kind(one.device), one.taken_in - one.round_number
        loss, score = float(one.loss), float(one.score)
        attempt, samples, instructions = one.attempt, one.samples, one.instructions
        text = (
            f'"{one.device}": {{"kind": {_text(kind)}, "attempt": {attempt}, "age": {age}, "loss": {loss!r}, '
            f'"score": {score!r}, "samples": {samples}, "instructions": {instructions}}}'
        )
        figures = {
            "kind": kind,
            "attempt": attempt,
            "age": age,
            "loss": loss,
            "score": score,
            "samples": samples,
            "instructions": instructions,
        }
        return _Made(one, figures, text)


@lru_cache(64)
def _text(kind: str) -> str:
    return json.dumps(kind, ensure_ascii=False)
