"""What the dashboard says of the graph's devices: one line a device, the same decisions as `jaragua match` (S5)."""

from __future__ import annotations

from jaragua.dashboard.content import snapshot
from jaragua.dashboard.learning import Learning, learning
from jaragua.semantics.described import zoo_records
from jaragua.semantics.graph.store import Refusal
from jaragua.semantics.matching.decide import Wish, decide
from jaragua.semantics.matching.records import DeviceRecord

MODELS = zoo_records(["digits", "omniglot-reptile", "sine"])
BOARD = DeviceRecord(
    "board-1",
    fleet="home",
    node="gw",
    board="nano33ble",
    core="cortex_m4",
    free_ram_bytes=40_000,
    free_flash_bytes=90_000,
    sensors=frozenset({"microphone", "camera"}),
)


def test_s5_7_a_line_has_the_builds_that_fit_and_the_reason_for_each_model_that_does_not() -> None:
    found = learning([BOARD, DeviceRecord("elsewhere", fleet="other")], MODELS, [], "home")
    (line,) = found.devices
    assert line[:4] == (
        "board-1", "board, nano33ble, cortex_m4", "40,000 B RAM, 90,000 B flash", "camera, microphone",
    )  # fmt: skip
    verdicts = [decide(BOARD, model, Wish(any_build=True)) for model in MODELS]
    assert [one.fits for one in verdicts] == [True, False, True]
    assert line[4] == "digits (w16), sine (w16)"
    assert line[5] == f"omniglot-reptile: {'; '.join(verdicts[1].reasons)}"


def test_s2_4_what_is_unknown_is_said_to_be_unknown() -> None:
    (line,) = learning([DeviceRecord("x", fleet="home")], MODELS[:1], [], "home").devices
    assert line[1:4] == ("board, unknown, unknown", "unknown RAM, unknown flash", "unknown")
    assert line[4:] == ("none", "digits: its core is unknown (its type of board could state it)")


def test_a_pi_trains_every_model() -> None:
    (line,) = learning([DeviceRecord("pi", kind="pi", fleet="home")], MODELS, [], "home").devices
    assert line[4:] == ("digits, omniglot-reptile, sine", "none")


def test_s4_4_refused_descriptions_of_the_fleet_and_of_files_are_listed_without_control_characters() -> None:
    refusals = [
        Refusal("jaragua/1/home/node/gw/$td", ("no type", "no title"), 3),
        Refusal("jaragua/1/other/node/gw/$td", ("no type",), 1),
        Refusal("file:/tmp/x\x1b[31m.json", ("no type",), 1),
    ]
    found = learning([], MODELS, refusals, "home").refused
    assert found[0] == ("jaragua/1/home/node/gw/$td", "no type; no title", "3")
    assert len(found) == 2
    assert "\x1b" not in found[1][0]


def test_a_dashboard_without_a_graph_says_how_to_have_one() -> None:
    assert "--graph FOLDER" in snapshot(None, None, 0, connected=False).learning.empty
    empty = snapshot(None, None, 0, connected=False, graph=Learning(), graph_problem="it cannot be opened")
    assert empty.learning.empty == "it cannot be opened"
    assert empty.descriptions.empty == "No description is refused."
