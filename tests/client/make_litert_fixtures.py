"""Writes the files in `litert/`: run in the environment that `tools/setup/setup.sh keras` makes."""

from __future__ import annotations

from pathlib import Path

from litert_networks import NETWORKS

from jaragua_compiler import initial_weights, plan
from jaragua_compiler.litert.convert import convert

if __name__ == "__main__":
    for name, network in NETWORKS.items():
        content = convert(plan(network), initial_weights(network, 1))
        (Path(__file__).parent / "litert" / f"{name}.tflite").write_bytes(content)
