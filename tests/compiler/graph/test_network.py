"""Descriptions of networks: what makes sense, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from jaragua_compiler import CompileError, Dense, Network, plan
from jaragua_compiler.graph.network import WeightFormat

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "My Net"}, "not an identifier"),
    "no inputs": ({"inputs": 0}, "has 0 inputs"),
    "inputs as text": ({"inputs": "64"}, "has '64' inputs"),
    "too many inputs": ({"inputs": 70000}, "has 70000 inputs"),
    "no layers": ({"layers": ()}, "has no layer"),
    "too many layers": ({"layers": (Dense(2),) * 256}, "has 256 layers"),
    "not a layer": ({"layers": (Dense(4, "relu"), 7)}, "layer 1: int is not a layer"),
    "no units": ({"layers": (Dense(0),)}, "layer 0: Dense has 0 units"),
    "too wide above the first layer (A5.5)": (
        {"layers": (Dense(600, "relu"), Dense(512), Dense(3))},
        "layer 1: .*512 units",
    ),
    "activation": ({"layers": (Dense(4, "gelu"),)}, "layer 0: unknown activation 'gelu'"),  # type: ignore[arg-type]
    "loss": ({"loss": "hinge"}, "unknown loss 'hinge'"),
    "relu at the end": ({"layers": (Dense(4, "relu"),)}, "the last layer has a ReLU"),
    "one class": ({"layers": (Dense(1),)}, "softmax cross-entropy with one output"),
    "output range": ({"output_range": 0.0}, "output_range is 0.0"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_description_that_makes_no_sense_is_refused_with_a_hint(case: str) -> None:
    change, message = BAD[case]
    description: dict[str, Any] = {"name": "net", "inputs": 4, "layers": (Dense(8, "relu"), Dense(3))}
    with pytest.raises(CompileError, match=message) as caught:
        Network(**(description | change))
    assert caught.value.hint


def test_targets_of_a_classifier_are_one_label_and_of_a_regression_all_outputs() -> None:
    assert Network("a", 4, (Dense(3),)).targets == 1
    assert Network("a", 4, (Dense(3),), "mean_squared_error").targets == 3


@pytest.mark.parametrize("weights", ["w16", "w8"])
def test_a5_5_a_head_too_wide_for_integers_is_a_network_but_has_no_plan(weights: WeightFormat) -> None:
    """Servers that train in float32 may have one."""
    plan(Network("net", 4, (Dense(8, "relu"), Dense(511, weights=weights))))
    wide = Network("net", 4, (Dense(8, "relu"), Dense(512, weights=weights)))
    with pytest.raises(CompileError, match="layer 1: its error is a sum of 512 products, the most are 511") as caught:
        plan(wide)
    assert "fewer outputs" in caught.value.hint
