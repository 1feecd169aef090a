"""The short form of `make load-secure`: the same run in clear, masked in groups, and with devices gone (U12)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaragua.experiments.load import secure

DONE = secure.Done("aa", (1.0, 1.0), (0, 0), 40)
GONE = secure.Done("bb", (9.0, 9.0), (2, 2), 40)
ASKED = secure.Asked(devices=20, rounds=2, group=10, each_gone=10, deadline_s=6, model="sine")


def test_u12_a_masked_run_has_the_hash_of_one_in_clear_and_completes_without_some(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--devices", "20", "--rounds", "1", "--group", "10", "--deadline-s", "6", "--model", "sine"]
    assert secure.main(words) == 0
    said = capsys.readouterr().out
    assert said.count("left out [0]") == 2
    assert said.count("left out [2]") == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"masked": replace(DONE, model_hash="cc")}, "the masked run has another hash"),
        ({"masked": replace(DONE, excluded=(0, 1))}, "the masked run has left devices out"),
        ({"some gone": replace(GONE, excluded=(2, 3))}, "not 2 devices are left out where they are gone"),
        ({"in clear": replace(DONE, updates=39)}, "an update is lost"),
    ],
)
def test_what_does_not_hold_is_told(change: dict[str, secure.Done], fault: str) -> None:
    found = {"in clear": DONE, "masked": DONE, "some gone": GONE}
    assert secure.faults(ASKED, found) == []
    assert secure.faults(ASKED, found | change) == [fault]
