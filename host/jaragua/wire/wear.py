"""K9: what health tells of a board's flash, in figures and in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from jaragua.bases.value import Value

_A_THOUSAND = 1000


class Wear(Value):
    """Of a board that keeps something. saves: so far, of most_saves; erases, trained: since the board started."""

    saves: int
    most_saves: int
    erases: int
    trained: int

    @property
    def erases_per_thousand_jobs(self) -> float | None:
        """Erase operations in 1,000 jobs that train; None before the first such job."""
        return _A_THOUSAND * self.erases / self.trained if self.trained else None

    @property
    def words(self) -> str:
        """As one part of a line."""
        rate = self.erases_per_thousand_jobs
        often = "" if rate is None else f", {rate:,.0f} erase operations in 1,000 jobs that train"
        return f"flash saved {self.saves:,} of {self.most_saves:,} times{often}"


def wear_of(health: Mapping[str, int]) -> Wear | None:
    """By the names of a health message's fields; None of a board that keeps nothing, or said nothing yet."""
    if not health.get("most_saves"):
        return None
    return Wear(*(health.get(name, 0) for name in ("saves", "most_saves", "erases", "trained")))
