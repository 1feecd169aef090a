"""A2.4: the error of the logits has no step where the last layer gets more inputs."""

from __future__ import annotations

import pytest

from jaragua_bench.logit_error import logit_error

SEED = 4


@pytest.mark.parametrize("fan_in", [65, 256, 257, 784, 2048])
def test_a2_4_the_logits_of_a_wide_last_layer_are_near_the_exact_ones(fan_in: int) -> None:
    """With 7 bits for its input the error was 4.5 % from 257 inputs on."""
    assert logit_error(fan_in, "w16", SEED) < 0.4


@pytest.mark.parametrize(("few", "more"), [(256, 257), (1024, 2048)])
def test_a8_1_int8_weights_have_no_step_either(few: int, more: int) -> None:
    assert logit_error(more, "w8", SEED) < 1.5 * logit_error(few, "w8", SEED)
