"""Instructions that were counted on emulated cores, kept in figures.json, which `measure` writes (S3.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jaragua.semantics.models.builds import BuildKey, Counted, Timing

PATH: Final = Path(__file__).parent / "figures.json"


@dataclass(frozen=True)
class Figures:
    """compiler: its version; counts: "MODEL:BUILD" -> figures; samples: model -> which steps were counted."""

    compiler: str = ""
    counts: Mapping[str, Counted] = field(default_factory=dict)
    samples: Mapping[str, str] = field(default_factory=dict)

    def counted(self, model: str, key: BuildKey) -> Counted | None:
        """The figures of one build; None: not counted."""
        return self.counts.get(f"{model}:{key}")

    def estimated(self, model: str, key: BuildKey) -> Counted | None:
        """As `counted`; a build that was not traced has the range of all builds for its core that were (S6.1)."""
        found = self.counted(model, key)
        if found is None or found.timings:
            return found
        others = [one for name, count in self.counts.items() if f":{key.core}:" in name for one in count.timings]
        timings = []
        for core in sorted({one.core for one in others}):
            of_core = [one for one in others if one.core == core]
            low, high = min(one.low for one in of_core), max(one.high for one in of_core)
            timings.append(Timing(core, low, high, traced=False))
        return replace(found, timings=tuple(timings))

    def with_count(self, model: str, key: BuildKey, found: Counted | None, samples: str) -> Figures:
        """The same with one build's figures."""
        counts = {name: one for name, one in self.counts.items() if name != f"{model}:{key}"}
        counts |= {f"{model}:{key}": found} if found is not None else {}
        return Figures(self.compiler, counts, {**self.samples, model: samples})


@cache
def known_figures() -> Figures:
    """The figures of this version."""
    return read_figures()


def read_figures() -> Figures:
    """The figures of figures.json; none if there is no such file."""
    place = files("jaragua.semantics.models").joinpath("figures.json")
    if not place.is_file():
        return Figures()
    document = json.loads(place.read_text(encoding="utf-8"))
    counts = {name: _counted(one) for name, one in document["counts"].items()}
    return Figures(document["compiler"], counts, document["samples"])


def _counted(entry: dict[str, Any]) -> Counted:
    timings = tuple(Timing(**one) for one in entry.get("timings", ()))
    return Counted(**(entry | {"timings": timings}))


def write_figures(figures: Figures, path: Path) -> None:
    """Write them, sorted."""
    counts = {name: asdict(one) for name, one in sorted(figures.counts.items())}
    document = {"compiler": figures.compiler, "samples": dict(sorted(figures.samples.items())), "counts": counts}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
