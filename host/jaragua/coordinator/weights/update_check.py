"""Whether updates fit the network and the starts of a run (R4), many at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.strategies import ClientWork
from jaragua.wire.messages import UpdateHeader

#: The hash of what an update of this form must have started from.
HashFor: TypeAlias = Callable[[UpdateHeader, ModelCodec], bytes]


class UpdateCheck:
    """Of one run. hash_for: see above. rounds_done: of the run, at any time."""

    def __init__(self, formats: Formats, work: ClientWork, hash_for: HashFor, rounds_done: Callable[[], int]) -> None:
        self._formats = formats
        self._work = work
        self._hash_for = hash_for
        self._rounds_done = rounds_done

    def __call__(self, updates: Sequence[tuple[UpdateHeader, bytes]]) -> list[str]:
        """Why each update, header and bytes, does not fit; "" if it does."""
        found = [""] * len(updates)
        blobs: dict[bytes, list[int]] = {}
        forms: dict[tuple[str, int, bytes, bytes], str] = {}
        """What `_wrong_form` says of updates of one encoding, round, start and architecture."""
        for place, (header, update) in enumerate(updates):
            codec = codec_of(self._formats, header.encoding, update)
            form = header.encoding, header.round, header.base, codec.architecture
            if form not in forms:
                forms[form] = self._wrong_form(header, codec)
            found[place] = forms[form]
            if found[place]:
                continue
            if header.encoding == "blob":
                blobs.setdefault(codec.architecture, []).append(place)
            else:
                found[place] = codec.check(header.encoding, update, self._work.local_layers)
        for architecture, places in blobs.items():
            faults = self._formats.of(architecture).faults([updates[place][1] for place in places])
            for place, fault in zip(places, faults, strict=True):
                found[place] = fault
        return found

    def _wrong_form(self, header: UpdateHeader, codec: ModelCodec) -> str:
        if header.base != self._hash_for(header, codec):
            return f"it is a {header.encoding}, which its start is not"
        if header.encoding == "difference" and not self._work.compressed:
            return "nobody asked for a difference"
        if header.encoding == "blob" and self._work.compressed and header.round <= self._rounds_done():
            return "of an older start a difference is needed"
        return ""


def codec_of(formats: Formats, encoding: str, update: bytes) -> ModelCodec:
    """What reads an update; a difference does not say, and is of the run's own format."""
    return formats.of_blob(update) if encoding in ("blob", "f32") else formats.own
