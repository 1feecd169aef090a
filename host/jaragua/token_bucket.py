"""Rates with room for bursts: a token bucket, sans clock."""

from __future__ import annotations


class TokenBucket:
    """`rate_per_s` tokens a second, `burst` of them at most in store; it begins full. The clock is any steady one."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._filled_s: float | None = None

    def take(self, now_s: float, tokens: float = 1.0) -> bool:
        """Takes the tokens if they are there."""
        self._fill(now_s)
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def overdraw(self, now_s: float, tokens: float) -> float:
        """Takes the tokens in any case; the seconds until the bucket is out of debt, 0 if it is in none."""
        self._fill(now_s)
        self._tokens -= tokens
        return max(0.0, -self._tokens / self._rate_per_s)

    def _fill(self, now_s: float) -> None:
        passed_s = 0.0 if self._filled_s is None else max(0.0, now_s - self._filled_s)
        self._filled_s = now_s
        self._tokens = min(self._burst, self._tokens + passed_s * self._rate_per_s)
