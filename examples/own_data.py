"""From a CSV file of your own to C that trains on a board.

Usage: python examples/own_data.py

Writes valves.csv (replace it with your own table), valves.toml, valves.safetensors and the folder valves-nano33ble
into the working directory.
"""

import csv
import random
from pathlib import Path

import jaragua

MEANS = {"open": (2.0, 4.0), "closed": (5.0, 0.0), "leaking": (4.0, 1.0)}

# Measurements of twelve valves, each with an offset of its own.
random.seed(1)
with open("valves.csv", "w", newline="", encoding="utf-8") as file:
    table = csv.writer(file)
    table.writerow(["machine", "pressure", "flow", "state"])
    for machine in range(1, 13):
        offset = random.gauss(0, 1)
        for state in random.choices(list(MEANS), k=60):
            pressure, flow = MEANS[state]
            row = [random.gauss(pressure + offset, 0.5), random.gauss(flow + offset, 0.5)]
            table.writerow([f"m{machine}", *row, state])

# What the columns mean. Held-out machines are never trained on; they measure the result.
Path("valves.toml").write_text(
    """
[task]
kind = "table"
path = "valves.csv"
label = "state"
device = "machine"
held_out = ["m11", "m12"]

[network]
hidden = [16]
""",
    encoding="utf-8",
)

task = jaragua.load_task("valves.toml")
support = task.train("device-1", seed=1, shots=5).support
print(f"a device trains on {support.x.shape[0]} samples of {support.x.shape[1]} inputs")

learned = jaragua.simulate(task, rounds=100, devices=10, eval_tasks=50)
random_start = jaragua.simulate(task, strategy="scratch", eval_tasks=50)
print(learned)
print(f"from random weights {random_start.metric} {random_start.after.mean:.4f} ± {random_start.after.ci95:.4f}")

learned.save("valves.safetensors")
compiled = jaragua.compile_network(task, "nano33ble", start=learned)
print(compiled)
print(f"written to {compiled.write(force=True)}")
