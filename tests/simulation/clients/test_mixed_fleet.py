"""R14: boards in one run with Pis do not pull the Pis' precision down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaragua.simulation import device_names, simulate

NUMBERS = {"engine": "w8", "clients": 10, "shots": 16, "rounds": 200, "eval_tasks": 300, "float_fraction": 0.2}


def test_r14_a_mixed_fleet_learns_more_than_the_naive_mean_of_it(make: Any) -> None:
    """Two Pis and eight int8 boards a round, evaluated in float32."""
    told, naive = (simulate(make(**NUMBERS, devices=device_names(20), combine=way)) for way in ("own", "mean"))
    print(f"naive {naive.after}, R14 {told.after}")
    assert told.after.mean < 0.95 * naive.after.mean


def test_a_mixed_simulation_repeats_and_goes_on(make: Any, tmp_path: Path) -> None:
    wanted = make(engine="w8", float_fraction=0.5)

    def stop(now: Any) -> None:
        if now.rounds_done == 3:
            raise InterruptedError

    try:
        simulate(wanted, state_folder=tmp_path, on_progress=stop)
    except InterruptedError:
        resumed = simulate(wanted, state_folder=tmp_path)
    assert resumed.final_hash == simulate(wanted, workers=1).final_hash


def test_all_in_float32_is_the_float32_engine(make: Any) -> None:
    mixed, floats = simulate(make(engine="w16", float_fraction=1.0)), simulate(make(engine="float32"))
    assert mixed.after.mean == floats.after.mean
