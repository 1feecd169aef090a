"""S8.1, S8.2, S8.5: what a deployment does to each device, and the run file it writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jaragua import config
from jaragua.coordinator.selection import ImageRoom
from jaragua.deploy.plan import Action, Chosen, Excluded, Plan, Presence, image_of, planned
from jaragua.deploy.run_file import run_file
from jaragua.semantics.described import model_record
from jaragua.semantics.matching.conditions import parse
from jaragua.semantics.matching.records import BuildRecord, DeviceRecord
from jaragua.semantics.models.writing import described
from jaragua_models import get

MODEL = model_record(described(get("digits")))
READY = Presence("ready", "ready")


def build_of(arithmetic: str, trains: str = "all") -> BuildRecord:
    wanted = ("cortex_m4", arithmetic, trains)
    return next(one for one in MODEL.builds if (one.core, one.arithmetic, one.trains) == wanted)


def board(name: str, **facts: object) -> DeviceRecord:
    known: dict[str, object] = {
        "fleet": "home",
        "node": "gw",
        "core": "cortex_m4",
        "board": "qemu_m4",
        "free_ram_bytes": 90_000,
        "free_flash_bytes": 900_000,
    }
    return DeviceRecord(id=name, **(known | facts))  # type: ignore[arg-type]


def plan_of(*devices: DeviceRecord, where: str = "", **states: Presence) -> Plan:
    presence = {("gw", one.name): states.get(one.name, READY) for one in devices}
    return planned(devices, MODEL, parse(where), presence, "digits")


def only(plan: Plan) -> Chosen | Excluded:
    (found,) = (*plan.chosen, *plan.excluded)
    return found


def reasons(plan: Plan) -> tuple[str, ...]:
    found = only(plan)
    assert isinstance(found, Excluded)
    return found.reasons


@pytest.mark.parametrize("arithmetic", ["w16", "w8"])
def test_s8_1_a_board_keeps_an_image_that_computes_a_build_which_fits(arithmetic: str) -> None:
    has = build_of(arithmetic)
    found = only(plan_of(board("a", architecture=has.architecture)))
    assert isinstance(found, Chosen)
    assert (found.action, found.build) == (Action.KEEP, has)


def test_s8_1_a_board_with_another_network_is_flashed_with_the_first_build_that_fits() -> None:
    large = only(plan_of(board("a", architecture="aa")))
    assert isinstance(large, Chosen)
    assert (large.action, large.image) == (Action.FLASH, "digits")
    room = build_of("w8").training_ram_bytes
    small = only(plan_of(board("a", architecture="aa", free_ram_bytes=room)))
    assert isinstance(small, Chosen)
    assert (small.action, small.image, small.buffers) == (Action.FLASH, "digits@w8", 1)


def test_s8_1_a_condition_may_ask_for_another_image_than_the_board_has() -> None:
    found = only(plan_of(board("a", architecture=build_of("w16").architecture), where="arithmetic = w8"))
    assert isinstance(found, Chosen)
    assert (found.action, found.image) == (Action.FLASH, "digits@w8")


@pytest.mark.parametrize(
    ("has", "needed", "action"),
    [
        (ImageRoom(), ImageRoom(), Action.KEEP),
        (ImageRoom(True, 10), ImageRoom(), Action.KEEP),
        (ImageRoom(True, 10), ImageRoom(True, 10), Action.KEEP),
        (ImageRoom(True, 9), ImageRoom(False, 10), Action.FLASH),
        (ImageRoom(False, 10), ImageRoom(True, 0), Action.FLASH),
        (ImageRoom(False, 10, True), ImageRoom(False, 10, True), Action.KEEP),
        (ImageRoom(False, 10, True), ImageRoom(False, 10), Action.KEEP),
        (ImageRoom(False, 10), ImageRoom(False, 10, True), Action.FLASH),
        (ImageRoom(True, 10), ImageRoom(False, 10, True), Action.FLASH),
    ],
)
def test_s8_4_a_board_whose_image_lacks_room_for_the_run_is_flashed(
    has: ImageRoom, needed: ImageRoom, action: Action
) -> None:
    build = build_of("w16")
    one = board("a", architecture=build.architecture, image_operators=build.operators)
    presence = {("gw", "a"): Presence("ready", "ready", room=has)}
    found = only(planned([one], MODEL, (), presence, "digits", room=needed))
    assert isinstance(found, Chosen)
    assert found.action is action
    kept = planned([replace(one, reflash=False)], MODEL, (), presence, "digits", room=needed)
    if action is Action.FLASH:
        assert "has no room" in reasons(kept)[0]
    else:
        assert isinstance(only(kept), Chosen)


def test_s8_1_a_pi_compiles_for_itself() -> None:
    found = only(plan_of(board("pi-1", kind="pi", core="cortex_a76", board="raspberry_pi_5")))
    assert isinstance(found, Chosen)
    assert found.action is Action.COMPILE


def test_s7_1_a_board_whose_ram_holds_one_trained_layer_gets_an_image_that_trains_it() -> None:
    head = build_of("w8", "head")
    assert head.training_ram_bytes < build_of("w8").training_ram_bytes
    small = board("a", architecture="aa", free_ram_bytes=head.training_ram_bytes)
    found = only(plan_of(small))
    assert isinstance(found, Chosen)
    assert (found.action, found.image, found.build) == (Action.FLASH, "digits@w8-head", head)
    has_it = only(plan_of(replace(small, architecture=head.architecture)))
    assert isinstance(has_it, Chosen)
    assert has_it.action is Action.KEEP
    presence = {("gw", "a"): READY}
    (reason,) = reasons(planned([small], MODEL, (), presence, "digits", frozenset({"all"})))
    assert reason.startswith("needs ")


def test_s7_1_a_build_with_constants_for_layers_has_no_place_in_a_run() -> None:
    last = build_of("w16", "last")
    assert last.training_ram_bytes < build_of("w8", "head").training_ram_bytes
    (reason,) = reasons(plan_of(board("a", free_ram_bytes=last.training_ram_bytes)))
    assert reason.startswith("needs ")


def test_s8_2_what_is_not_connected_is_excluded_with_its_state() -> None:
    fits = board("a", architecture=build_of("w16").architecture)
    assert reasons(plan_of(fits, a=Presence("lost", "ready", "the cable"))) == (
        "it is not connected (state: lost: the cable)",
    )
    assert reasons(plan_of(fits, a=Presence("ready", "lost"))) == ("its node is not connected (state: lost)",)
    assert reasons(planned([fits], MODEL, (), {}, "digits")) == ("its node is not connected (state: unknown)",)
    stale = plan_of(fits, a=Presence("stale", "ready", "no row is of it"))
    assert reasons(stale) == ("no row is of it",)


def test_s8_2_what_the_broker_knows_and_the_graph_does_not_is_excluded() -> None:
    plan = planned([], MODEL, (), {("gw", "a"): READY}, "digits")
    assert reasons(plan)[0].startswith("the graph does not describe it")


def test_s8_2_an_image_that_cannot_be_built_is_a_reason() -> None:
    (reason,) = reasons(plan_of(board("a", board="of-somebody", architecture="aa")))
    assert "no image can be built for a board of-somebody" in reason
    assert image_of("/home/ana/valves.toml", build_of("w8")) is None
    assert image_of("/home/ana/valves.toml", build_of("w8", "head")) is None
    assert image_of("/home/ana/valves.toml", build_of("w16")) == "/home/ana/valves.toml"
    task = planned(
        [board("a", architecture="aa")], MODEL, parse("arithmetic = w8"), {("gw", "a"): READY}, "valves.toml"
    )
    assert "only w8 fits" in reasons(task)[0]


def test_s8_2_a_refusal_has_the_reasons_of_match() -> None:
    assert reasons(plan_of(board("a", sensors=frozenset()), where="sensor = camera")) == (
        "it has no camera, the condition is sensor = camera",
    )
    assert reasons(plan_of(board("a", reflash=False, architecture="aa", image_operators=frozenset())))[0].startswith(
        "its image lacks"
    )


def test_s8_5_the_run_file_is_one_that_run_reads(tmp_path: Path) -> None:
    devices = [board(f"b-{number}", architecture=build_of("w16").architecture) for number in range(3)]
    given = {"run.fleet": "home", "broker.url": "mqtt://127.0.0.1:1884"}
    text = run_file("digits", plan_of(*devices), "place != cellar", "/srv/graph", given, {"run.rounds": 7})
    settings = config.parse(text, tmp_path / "deploy-digits.toml")
    assert (settings.run.rounds, settings.run.name, settings.model.name) == (7, "deploy-digits", "digits")
    assert (settings.devices.minimum, settings.strategy.clients_per_round) == (3, 3)
    assert (settings.devices.match, settings.devices.graph) == ("place != cellar", "/srv/graph")
    many = [replace(devices[0], id=f"b-{number}") for number in range(40)]
    large = config.parse(run_file("digits", plan_of(*many), "", "/g", given, {}), tmp_path / "x.toml")
    assert large.devices.minimum == 40
    assert large.strategy.clients_per_round == get("digits").defaults.clients
    assert large.devices.match == "trains"
