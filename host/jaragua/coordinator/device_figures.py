"""What a round's line of `metrics.jsonl` says of each device, made when its update is stored (R31.10). Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jaragua.store import StoredUpdate
from jaragua.store.files import json_line

_NO_DEVICES = '"devices": {}'


class DeviceFigures:
    """Of the open round. kind: of a device, as the fleet says it."""

    def __init__(self, kind: Callable[[str], str]) -> None:
        self._kind = kind
        self._made: dict[tuple[str, int, int], tuple[dict[str, Any], str]] = {}
        """By device, round and attempt: the figures, and the same as they stand in the line."""

    def add(self, updates: Iterable[StoredUpdate]) -> None:
        """These are stored, with figures inside their ranges (R4)."""
        for one in updates:
            self._made[one.device, one.round_number, one.attempt] = self._make(one)

    def of(self, updates: Sequence[StoredUpdate]) -> dict[str, dict[str, Any]]:
        """By device, in the order of the updates; of several of one device the last."""
        return {one.device: self._of(one)[0] for one in updates}

    def line(self, metrics: Mapping[str, Any], updates: Sequence[StoredUpdate]) -> str:
        """A round's figures as JSON. metrics: has `of(updates)` under `devices`."""
        texts = {one.device: self._of(one)[1] for one in updates}
        inner = ", ".join([f'"{device}": {text}' for device, text in texts.items()])
        return json_line({**metrics, "devices": {}}).replace(_NO_DEVICES, f'"devices": {{{inner}}}', 1)

    def _of(self, one: StoredUpdate) -> tuple[dict[str, Any], str]:
        key = one.device, one.round_number, one.attempt
        if key not in self._made:  # stored by an earlier process
            self._made[key] = self._make(one)
        return self._made[key]

    def _make(self, one: StoredUpdate) -> tuple[dict[str, Any], str]:
        kind, age = self._kind(one.device), one.taken_in - one.round_number
        loss, score = float(one.loss), float(one.score)
        attempt, samples, instructions = one.attempt, one.samples, one.instructions
        text = (
            f'{{"kind": {_text(kind)}, "attempt": {attempt}, "age": {age}, "loss": {loss!r}, "score": {score!r}, '
            f'"samples": {samples}, "instructions": {instructions}}}'
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
        return figures, text


@lru_cache(64)
def _text(kind: str) -> str:
    return json.dumps(kind, ensure_ascii=False)
