"""S5: who can train what. The decision equals plain loops over random fleets; every refusal has its reason."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from jaragua.errors import UsageError
from jaragua.semantics.described import type_records, zoo_records
from jaragua.semantics.matching.conditions import parse
from jaragua.semantics.matching.decide import Wish, decide, match, ram_needed
from jaragua.semantics.matching.estimate import cost_of_step
from jaragua.semantics.matching.records import BuildRecord, DeviceRecord, ModelRecord
from semantics.fleets import Ask, ask, by_loops, device, model

COUNTED = BuildRecord(
    "cortex_m4", "w16", "all", 24_100, 30_000, 5_000, frozenset({"dense"}), "aa", True, 64_000, 70_000
)
BUILD = replace(COUNTED, timings=(("cortex_m4", 1.4, 1.7),))
SMALL = replace(BUILD, arithmetic="w8", training_ram_bytes=12_000, blob_bytes=3_000, is_own=False, architecture="bb")
MODEL = ModelRecord("digits", "", "aa", frozenset({"camera"}), None, (BUILD, SMALL))
BOARD = DeviceRecord(
    "board-1", core="cortex_m4", free_ram_bytes=19_000, free_flash_bytes=90_000, clock_hz=64_000_000, place="kitchen"
)


def wish_of(asked: Ask) -> Wish:
    return Wish(parse(asked.text), asked.arithmetic, asked.trains, asked.buffers, asked.any_build)


def test_s5_3_the_decision_is_that_of_plain_loops_over_random_fleets(seed: int) -> None:
    random_ = random.Random(seed)
    fitting = 0
    for _ in range(60):
        devices = [device(random_, number) for number in range(20)]
        models = [model(random_, number) for number in range(3)]
        asked = ask(random_)
        for verdict in match(devices, models, wish_of(asked)):
            expected = by_loops(verdict.device, verdict.model, asked)
            assert verdict.fits == expected, (seed, asked, verdict)
            assert verdict.fits != bool(verdict.reasons), (seed, verdict)
            fitting += verdict.fits
    assert 20 < fitting < 3_400


def test_s5_7_a_remedy_is_a_build_that_fits_and_each_refusal_has_a_sentence() -> None:
    found = decide(BOARD, MODEL, Wish(buffers=1))
    assert not found.fits
    assert found.reasons == ("needs 24.1 KB of RAM for training, 19.0 KB are free",)
    assert found.remedies == ("weights w8: 12.0 KB of RAM",)
    assert decide(BOARD, MODEL, Wish(arithmetic="w8", buffers=1)).fits
    both = decide(replace(BOARD, free_ram_bytes=27_000), MODEL, Wish())
    assert both.remedies[0] == "one buffer for weights: 24.1 KB of RAM"


def test_s5_4_a_second_buffer_takes_the_weights_once_more() -> None:
    assert ram_needed(BUILD, 2) == ram_needed(BUILD, 1) + BUILD.blob_bytes
    exact = replace(BOARD, free_ram_bytes=29_100)
    assert decide(exact, MODEL, Wish()).fits
    assert not decide(replace(exact, free_ram_bytes=29_099), MODEL, Wish()).fits


def test_s5_5_an_unknown_number_is_a_reason_and_nothing_takes_its_place() -> None:
    reasons = decide(replace(BOARD, free_ram_bytes=None), MODEL, Wish()).reasons
    assert reasons == ("its free RAM is unknown (its type of board or owner could state it)",)
    large = replace(BOARD, free_ram_bytes=99_000)
    asked = Wish(parse("mj_per_step < 100"))
    assert decide(large, MODEL, asked).reasons == ("mj_per_step is unknown: current, supply unknown",)
    assert decide(replace(large, current_microampere=6000, supply_millivolt=3300), MODEL, asked).fits


def test_s5_2_a_core_without_builds_is_refused_by_name() -> None:
    assert decide(replace(BOARD, core="xtensa_lx6"), MODEL, Wish()).reasons == (
        "there is no build for its core xtensa_lx6",
    )
    assert decide(replace(BOARD, core="cortex_m7", free_ram_bytes=99_000), MODEL, Wish()).fits


def test_s5_6_the_order_is_image_then_time_then_room_then_name() -> None:
    large = replace(BOARD, free_ram_bytes=99_000)
    ready, slow = replace(large, id="z-ready", architecture="aa", clock_hz=None), replace(large, id="a", clock_hz=10**6)
    found = match([slow, large, replace(large, id="b", free_ram_bytes=98_000), BOARD_NO_RAM, ready], [MODEL], Wish())
    assert [one.device.id for one in found] == ["z-ready", "board-1", "b", "a", "small"]
    assert [one.fits for one in found] == [True, True, True, True, False]


BOARD_NO_RAM = replace(BOARD, id="small", free_ram_bytes=10)


def test_s5_3_a_board_that_keeps_its_image_is_told_what_it_lacks() -> None:
    kept = replace(BOARD, free_ram_bytes=99_000, reflash=False, image_operators=frozenset({"relu"}))
    assert decide(kept, MODEL, Wish()).reasons == ("its image lacks dense, and its owner allows no other image",)
    other = replace(kept, image_operators=frozenset({"dense"}), architecture="bb")
    assert decide(other, MODEL, Wish()).reasons == (
        "its image is of another network, and its owner allows no other image",
    )
    assert decide(replace(other, architecture="aa"), MODEL, Wish()).fits


def test_s5_9_with_any_build_each_board_gets_the_one_that_fits() -> None:
    found = decide(BOARD, MODEL, Wish(any_build=True))
    assert found.fits
    assert found.build == SMALL
    assert found.buffers == 2
    large = decide(replace(BOARD, free_ram_bytes=99_000), MODEL, Wish(any_build=True))
    assert large.build == BUILD


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sensr = camera", "there is no condition 'sensr'"),
        ("sensor", "the condition 'sensor' at character 1 is not complete: sensor takes a sign and a value"),
        ("sensor < camera", "sensor takes = or !="),
        ("sensor = nose", "there is no sensor 'nose'"),
        ("ms_per_step < fast", "ms_per_step is compared with 'fast'"),
        ("ms_per_step < nan", "ms_per_step is compared with 'nan'"),
        ("and and", "a condition is missing beside 'and' at character 1"),
        ("trains and", "a condition is missing beside 'and' at character 8"),
        ("place = kitchen or core = x", "'or' at character 17 is not expected"),
        ("place = and trains", "the condition 'place =' at character 1 is not complete"),
        ("trains and place = the cellar", "'cellar' at character 24 is not expected"),
        ("place 'cellar'", "''cellar'' at character 7 is not expected|\"'cellar'\" at character 7 is not expected"),
        ("place = 'cellar", "the condition at character 9 cannot be read"),
        ("trains and sensor = nose", "there is no sensor 'nose' .at character 21"),
        ("trains = yes", "'trains = yes' at character 1 is not complete: trains stands alone"),
    ],
)
def test_s5_8_a_condition_that_is_none_is_a_usage_error(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse(text)


def test_s5_8_a_value_in_quotation_marks_may_have_spaces_and_the_word_and() -> None:
    found = parse("place = \"hall and stairs\" and node != 'gw < 1' and free_ram_bytes>=20_000")
    assert [(one.name, one.sign, one.value) for one in found] == [
        ("place", "=", "hall and stairs"),
        ("node", "!=", "gw < 1"),
        ("free_ram_bytes", ">=", "20_000"),
    ]
    assert found[2].number == 20_000
    assert parse("  ") == ()


def test_s5_8_conditions_are_joined_and_each_may_fail() -> None:
    board = replace(BOARD, free_ram_bytes=99_000, sensors=frozenset({"camera"}))
    assert decide(board, MODEL, Wish(parse("sensor = camera and trains and place = kitchen and senses"))).fits
    reasons = decide(board, MODEL, Wish(parse("place != kitchen and sensor = light"))).reasons
    assert reasons == (
        "its place is kitchen, the condition is place != kitchen",
        "it has no light, the condition is sensor = light",
    )


def test_s6_1_s6_2_time_is_cycles_by_the_clock_and_energy_is_time_by_power() -> None:
    cost = cost_of_step(replace(BOARD, current_microampere=10_000, supply_millivolt=3_000), BUILD)
    assert cost.ms is not None
    assert cost.mj is not None
    assert cost.ms.middle == pytest.approx(1.55)  # 64,000 at 64 MHz: 1 ms a cycle
    assert cost.mj.middle == pytest.approx(cost.ms.middle * 0.03)  # 10 mA at 3 V is 30 mW
    assert cost.ms.low < cost.ms.middle < cost.ms.high


@pytest.mark.parametrize("change", [{"clock_hz": None}, {"core": "cortex_m7"}])
def test_s6_3_a_missing_number_makes_time_and_energy_unknown(change: dict[str, object]) -> None:
    cost = cost_of_step(replace(BOARD, **change), BUILD)  # type: ignore[arg-type]
    assert cost.ms is None
    assert cost.mj is None
    assert cost.missing


def test_s2_6_twenty_types_of_boards_are_matched_with_the_zoo() -> None:
    verdicts = match(type_records(), zoo_records(), Wish())
    boards = {one.device.id for one in verdicts}
    assert len(boards) >= 27
    by_pair = {(one.device.id, one.model.id): one for one in verdicts}
    assert by_pair["nano33ble", "digits"].fits
    assert not by_pair["bbcmicrobit", "omniglot"].fits
    assert by_pair["esp32dev", "digits"].reasons == ("there is no build for its core xtensa_lx6",)
