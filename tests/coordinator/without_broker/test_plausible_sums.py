"""R27: which statistics of devices count, whatever their order and however rows are spread over devices."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from jaragua.coordinator.rounds.plausible_sums import DeviceSums, together
from jaragua_models import DataError
from jaragua_models.own_data.statistics import Statistics

NAMES = ("pressure", "flow")


def sums(rows: NDArray[np.float64]) -> Statistics:
    return Statistics.of(NAMES, rows)


def told(**devices: NDArray[np.float64]) -> dict[str, DeviceSums]:
    return {name: DeviceSums(name, sums(rows)) for name, rows in devices.items()}


def readings(draw: random.Random, count: int) -> NDArray[np.float64]:
    """One column of decimal numbers, one of any; their sizes differ between parts."""
    size = 10.0 ** draw.randint(-2, 3)
    pairs = [(round(draw.gauss(5, 1), draw.randint(0, 4)), draw.gauss(0, size)) for _ in range(count)]
    return np.array(pairs)


def test_r27_3_neither_order_nor_spread_of_rows_changes_the_scaling(seed: int) -> None:
    draw = random.Random(seed)
    parts = [readings(draw, draw.randint(1, 30)) for _ in range(6)]
    whole = sums(np.concatenate(parts))
    for _ in range(5):
        draw.shuffle(parts)
        cut = draw.randint(1, 5)
        some = [np.concatenate(parts[:cut]), np.concatenate(parts[cut:])]
        for split in (parts, some):
            joined = sums(split[0])
            for part in split[1:]:
                joined = joined.joined(Statistics.from_json(sums(part).to_json(), "a part"))
            assert joined.format() == whole.format()
    found = together({f"d{place}": DeviceSums(f"d{place}", sums(part)) for place, part in enumerate(parts[:2])})
    assert found is not None
    assert found.sums.rows == len(parts[0]) + len(parts[1])


def test_r27_3_rows_of_one_owner_count_once() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    answers = {name: DeviceSums("m1", sums(rows)) for name in ("device-9", "device-1")}
    found = together(answers)
    assert found is not None
    assert (found.devices, found.sums.rows) == (("device-1",), 2)
    assert found.excluded == {"device-9": "its rows are those of device-1"}


def test_r27_5_a_device_far_from_all_others_is_excluded_and_named() -> None:
    draw = np.random.default_rng(1)
    honest = {f"m{number}": draw.normal([5, 2], 1, (40, 2)) for number in range(1, 5)}
    far = draw.normal([5e6, 2], 1, (40, 2))
    many = np.tile(draw.normal([5, 2], 1, (40, 2)), (100, 1))
    found = together(told(**honest, far=far, many=many))
    assert found is not None
    assert found.devices == ("m1", "m2", "m3", "m4")
    assert "its mean of 'pressure' is 5e+06" in found.excluded["far"]
    assert found.excluded["many"].startswith("it tells of 4000 rows, the others of 40")
    offset = {name: rows + [20, 0] * np.array([[number, 0]]) for number, (name, rows) in enumerate(honest.items())}
    shifted = together(told(**offset))
    assert shifted is not None
    assert len(shifted.devices) == 4  # machines differ


def test_r27_5_nobody_is_excluded_by_one_other() -> None:
    found = together(told(a=np.array([[1.0, 1.0]]), b=np.array([[1e9, 1.0]])))
    assert found is not None
    assert found.devices == ("a", "b")
    assert together({}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"count": 0},
        {"count": 2**33},
        {"count": 1},
        {"shift": 2000},
        {"shift": -1},
        {"total": 10**9},
        {"squares": 0},
        {"squares": 10**30},
        {"low": 4.0},
        {"low": 2e15, "high": 3e15},
        {"high": float("nan")},
        {"decimals": 11},
        {"decimals": "2"},
        {"name": 7},
        {"more": 1},
    ],
)
def test_r27_4_sums_of_no_rows_are_refused(change: dict[str, object]) -> None:
    one = sums(np.array([[1.5, 2.0], [3.0, 4.0], [2.5, 1.0]]))
    document = json.loads(one.to_json())
    assert Statistics.from_json(json.dumps(document), "m1") == replace(one)
    document["statistics"][0] |= change
    with pytest.raises(DataError, match="m1: these are no statistics of a table"):
        Statistics.from_json(json.dumps(document), "m1")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"statistics": 5}', "[" * 100_000, "9" * 5000, "\ufffd"])
def test_r27_4_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="no statistics"):
        Statistics.from_json(text, "m1")
