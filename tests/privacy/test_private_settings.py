"""What `[privacy]` of a run's file can be combined with (docs/design/private-updates.md, U8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua.config import parse
from jaragua.errors import ConfigurationError

TEXT = """
[model]
name = "digits"
[strategy]
name = "{strategy}"
clients_per_round = {clients}
{more}
[round]
quorum = {quorum}
{buffer}
[privacy]
{privacy}
"""
SECURE, CLIP = "secure_aggregation = true", "clip = 0.5"


def problems(privacy: str, fleet: bool = True, after: str = "", **changes: object) -> str:
    values: dict[str, object] = {"strategy": "tinyreptile", "clients": 5, "more": "", "quorum": 4, "buffer": ""}
    try:
        parse(TEXT.format(privacy=privacy, **(values | changes)) + after, Path("run.toml"), fleet=fleet)
    except ConfigurationError as error:
        return f"{error.message} {error.hint}"
    return ""


@pytest.mark.parametrize("privacy", ["", SECURE, CLIP, f"{SECURE}\n{CLIP}\nnoise_multiplier = 1.0"])
@pytest.mark.parametrize("strategy", ["tinyreptile", "reptile", "fedavg", "fedsgd", "fedprox"])
def test_means_can_be_private(privacy: str, strategy: str) -> None:
    assert problems(privacy, strategy=strategy) == ""


@pytest.mark.parametrize(
    ("privacy", "changes", "why"),
    [
        (SECURE, {"more": 'combine = "median"'}, "strategy.combine: median needs each update by itself"),
        (CLIP, {"more": 'combine = "spectral-mean"'}, "strategy.combine: spectral-mean needs each update"),
        (SECURE, {"more": "norm_clip_factor = 2"}, "strategy.norm_clip_factor: a median of norms needs each update"),
        (SECURE, {"buffer": "buffer = 3"}, "round.buffer: a buffer takes updates of several rounds"),
        (SECURE, {"strategy": "tinymetafed"}, "strategy.name: it sends differences"),
        (SECURE, {"clients": 2, "quorum": 2}, "strategy.clients_per_round: a secure sum of 2 devices"),
        (SECURE, {"quorum": 2}, "round.quorum: a secure sum of 2 devices hides too little"),
        (SECURE, {"clients": 9000}, "does not fit 32 bits"),
        (SECURE, {"strategy": "fedavg", "clients": 400}, "each counted 25 times, does not fit 32 bits"),
        (f"{SECURE}\ngroup = 5", {}, "privacy.group: groups of at most 5 devices hide too little"),
        (f"{CLIP}\ngroup = 6", {}, "privacy.group: groups are those of secure sums"),
        (f'{SECURE}\n{CLIP}\ngroup = 6\nnoise_on = "devices"', {}, "privacy.group: the noise of a group's devices"),
        (f"{SECURE}\ngroup = 5000", {"strategy": "fedavg"}, "privacy.group: a sum of 5000 devices, each counted 25"),
        ("noise_multiplier = 1.0", {}, "privacy.noise_multiplier: noise of 1 times clip = 0 is none"),
        (f'{CLIP}\nnoise_on = "devices"', {}, "privacy.noise_on: the noise of one device hides nothing"),
        (f'{CLIP}\nnoise_on = "both"', {}, "there is no 'both'"),
        ("clip = -1.0", {}, "privacy.clip"),
        ("delta = 1.0", {}, "privacy.delta"),
        ("secure = true", {}, "did you mean"),
    ],
)
def test_u8_what_needs_single_updates_is_refused(privacy: str, changes: dict[str, object], why: str) -> None:
    """U12.1, U12.4: also groups that hide too little."""
    found = problems(privacy, **changes)
    assert why in found
    assert "Traceback" not in found


def test_u12_a_round_in_groups_may_have_any_number_of_devices() -> None:
    changes = {"strategy": "fedavg", "clients": 5000}
    assert "or privacy.group" in problems(SECURE, **changes)
    assert problems(f"{SECURE}\ngroup = 50", **changes) == ""


def test_u8_devices_in_float32_are_refused_in_a_simulation() -> None:
    after = '\n[simulation]\nengine = "float32"\n'
    assert "devices in float32 have no integers" in problems(SECURE, fleet=False, after=after)
    assert problems(SECURE, fleet=True, after=after) == ""
