"""What a task of one's own is trained with where its file is silent (D12)."""

from collections.abc import Mapping
from dataclasses import replace

from jaragua_models.base import Defaults
from jaragua_models.own_data.description import START, Description
from jaragua_models.own_data.samples import Table

QUERIES_A_WAY = 5
USUAL_WAYS = 5
PROTOTYPES = "protoreptile"
_OF_PROTOTYPES: Mapping[str, float] = {"training_passes": 1, "temperature": 0.3, "episode_queries": 2}
_OF_AN_EPISODE = 3
"""Samples of a class: one is enrolled, two others are trained on."""
_OF_RECORDINGS: Mapping[str, float] = {"training_shots": _OF_AN_EPISODE, "refine_passes": 16}
_MOST_EPISODES = 3
"""Of a round with images."""
_FASTER, _GENTLER = 3.0, 1 / 3
_FEW_PASSES, _MANY_PASSES = 4, 64


def default_settings(description: Description, table: Table, kept: tuple[str, ...]) -> Defaults:
    """What the file says; else every class (fixed) or up to five ways, five queries a way, and D12.

    kept: devices (images: classes) that are held out.
    """
    count = len(table.classes)
    if description.kind == "images":
        count = min(len(kept), count - len(kept))
    usual = count if description.naming == "fixed" else min(USUAL_WAYS, count)
    ways = int(description.defaults.get("ways", usual))
    filled = {"ways": ways, "queries": QUERIES_A_WAY * ways, **_adaptation(description), **description.defaults}
    if description.kind != "images" and description.path:  # more devices than there are would share their data
        filled.setdefault("clients", min(START.clients, len(set(table.devices.tolist()) - set(kept))))
    return replace(START, strategy=description.strategy or START.strategy, **filled)  # type: ignore[arg-type]


def recommended_settings(
    description: Description, table: Table, kept: tuple[str, ...], defaults: Defaults
) -> Defaults | None:
    """With prototypes, where they are better and the file names no strategy; None elsewhere. kept: held out."""
    if description.strategy:
        return None
    if description.kind == "images":
        own = _of_images(table, kept)
    elif description.kind == "audio" and description.naming == "shuffled" and description.hidden:
        own = {**_OF_RECORDINGS, "adapt_learning_rate": _of_rate(defaults.learning_rate, _FASTER)}
    else:
        return None
    if not own:
        return None
    return replace(defaults, strategy=PROTOTYPES, **{**_OF_PROTOTYPES, **own, **description.defaults})  # type: ignore[arg-type]


def _of_images(table: Table, kept: tuple[str, ...]) -> Mapping[str, float]:
    """As many episodes in a round as every training class has images for; nothing if that is none."""
    trains = [label for label, name in enumerate(table.classes) if name not in kept]
    fewest = min((int((table.labels == label).sum()) for label in trains), default=0)
    episodes = min(fewest // _OF_AN_EPISODE, _MOST_EPISODES)
    return {"training_shots": episodes * _OF_AN_EPISODE} if episodes else {}


def _adaptation(description: Description) -> dict[str, float]:
    """How a new device adapts, where it is not as in `START`."""
    rate = description.defaults.get("learning_rate", START.learning_rate)
    if description.time:
        return {"passes": _FEW_PASSES, "adapt_learning_rate": _of_rate(rate, _GENTLER)}
    if description.kind == "audio" and description.naming == "fixed":
        return {"passes": _MANY_PASSES, "adapt_learning_rate": _of_rate(rate, _FASTER)}
    return {}


def _of_rate(rate: float, factor: float) -> float:
    """A rate that is below 1, rounded to three digits."""
    return float(f"{min(rate * factor, 0.5):.3g}")
