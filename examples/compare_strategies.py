"""Compare two strategies on handwritten digits: paired over the same held-out tasks, and as a picture.

Usage: python examples/compare_strategies.py [ROUNDS]

Writes compare_strategies.svg into the working directory.
"""

import sys
from statistics import fmean

import jaragua

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
common = {"rounds": rounds, "clients": 5, "devices": 20, "seed": 1, "eval_tasks": 60}
checkpoints = {"simulation.checkpoints": [rounds // 4, rounds // 2]}

tinyreptile, fedavg = (
    jaragua.simulate("digits", strategy=name, settings=checkpoints, **common) for name in ("tinyreptile", "fedavg")
)
print(tinyreptile)
print(fedavg)

# Equal seeds evaluate on equal tasks, so the difference is paired: its interval is narrower than those of the means.
difference = tinyreptile.difference(fedavg)
print(f"difference {difference.mean:+.3f}, 95 % interval {difference.low:+.3f} … {difference.high:+.3f}")
print(f"loss of the last ten rounds: {fmean(record.loss or 0.0 for record in tinyreptile.history[-10:]):.3f}")

tinyreptile.plot("compare_strategies.svg", others=[fedavg])
