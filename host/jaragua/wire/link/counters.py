"""What a link counts (L3.5)."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class LinkCounters:
    """One side's counters since it was made; they go on through new sessions.

    `naks`: those this side sent. `bad_frames`: undecodable for another reason than the CRC (L1.3).
    `unknown_frames`: of a type that this version does not know (L1.2). `delivered`: messages that have come, and frames
    of this side that were acknowledged.
    """

    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    retransmits: int = 0
    naks: int = 0
    bad_crc: int = 0
    bad_frames: int = 0
    unknown_frames: int = 0
    duplicates: int = 0
    sessions: int = 0
    delivered: int = 0
    rtt_ms: float = 0.0

    def plus(self, later: LinkCounters) -> LinkCounters:
        """Both together; the round trip is the later one's, if it measured any."""
        sums = {part.name: getattr(self, part.name) + getattr(later, part.name) for part in fields(self)}
        return LinkCounters(**sums | {"rtt_ms": later.rtt_ms or self.rtt_ms})
