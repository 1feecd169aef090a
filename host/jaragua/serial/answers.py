"""What a board's answers must keep to beyond `messages.cddl`, before anything is computed from them (P1)."""

from __future__ import annotations

from typing import Final

from jaragua.errors import ProtocolError
from jaragua.wire.definitions import MAX_PAYLOAD_BYTES
from jaragua.wire.messages import Identity, JobState

#: The shortest payload in which a sample or a blob makes progress: its head, and a few bytes.
_LEAST_MTU: Final = 16


def checked_identity(url: str, identity: Identity) -> Identity:
    """ProtocolError if no work can be planned with these numbers."""
    if not _LEAST_MTU <= identity.mtu <= MAX_PAYLOAD_BYTES:
        raise ProtocolError(
            f"{url}: the board takes payloads of {identity.mtu} bytes, which is not {_LEAST_MTU} to {MAX_PAYLOAD_BYTES}"
        )
    if not identity.outputs or not identity.inputs:
        raise ProtocolError(f"{url}: the board computes {identity.inputs} inputs to {identity.outputs} outputs")
    return identity


def checked_job_state(url: str, state: JobState, samples: int) -> JobState:
    """ProtocolError if the figures are not those of a job with so many samples."""
    if state.done > samples or state.correct > state.done:
        raise ProtocolError(f"{url}: of {samples} samples the board counts {state.done} done and {state.correct} right")
    return state
