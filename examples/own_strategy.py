"""A strategy of your own, defined where it is used, beside TinyReptile over three seeds.

Usage: python examples/own_strategy.py
"""

import numpy as np

import jaragua


class Careful(jaragua.Strategy):
    """TinyReptile with smaller steps for weights on which the devices disagree."""

    SUMMARY = "mean of the updates, each weight reduced by the devices' standard deviation"
    OPTIONS = {"doubt": 1.0}

    def combine(self, updates):
        weights = np.array([update.weights for update in updates])  # float64 [devices, parameters]
        median, spread = np.median(weights, axis=0), weights.std(axis=0)
        return median + (weights.mean(axis=0) - median) / (1 + self.option("doubt") * spread)


for seed in (1, 2, 3):
    common = {"rounds": 30, "clients": 5, "eval_tasks": 30, "seed": seed}
    careful = jaragua.simulate("sine", strategy=Careful, settings={"strategy.options.doubt": 2.0}, **common)
    plain = jaragua.simulate("sine", strategy="tinyreptile", **common)
    print(
        f"seed {seed}: careful {careful.after.mean:.3f} ± {careful.after.ci95:.3f}, "
        f"tinyreptile {plain.after.mean:.3f} ± {plain.after.ci95:.3f} (mean squared error)"
    )
