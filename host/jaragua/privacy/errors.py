"""What is wrong with a message of a secure sum."""

from __future__ import annotations

from jaragua.wire.rejections import Reason, RejectedError


class SecureError(RejectedError):
    """A question or an answer that is not used (U6)."""

    reason = Reason.SECURE
