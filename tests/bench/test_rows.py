"""The starts that the bench measures from have learned something: else most rows would have a zero gradient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaragua_bench.rows import row_model
from jaragua_bench.workload import meta_train, packed, task_steps
from jaragua_compiler import NativeEngine, plan
from jaragua_compiler.floating.engine import activations

TASKS = 30


def test_the_start_of_kws_learns_and_its_hidden_units_live(use_data: Callable[[str], Path]) -> None:
    use_data("speech_commands")
    model, _ = row_model("KWS")
    layout, defaults = plan(model.network), model.defaults
    weights = meta_train(model, layout)
    hidden = activations(model.network, weights, model.tasks.calibration()[:100])[1]
    assert np.mean(hidden > 0) > 0.1
    blob, engine, correct = packed(model, layout, weights), NativeEngine(layout), list[bool]()
    for seed in range(TASKS):
        task = model.tasks.held_out_task(seed, defaults.ways, defaults.shots, 2 * defaults.ways)
        support, query = (task_steps(layout, blob, part, defaults.learning_rate) for part in (task.support, task.query))
        engine.load(blob)
        for step in defaults.passes * support:
            engine.train_step(step.x, step.target, step.rate)
        correct += [engine.evaluate(step.x, step.target).correct for step in query]
    assert np.mean(correct) > 0.8
