"""Who needs an image, and how the courses of commands go; pure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.emulate.image import ImageChoice
from jaragua.errors import UsageError
from jaragua.flash.fleet import course as courses
from jaragua.flash.fleet.course import Course, Courses
from jaragua.flash.fleet.needs import Asked, FleetBoard, Network, boards_of, choice_of, needs_image, selected
from jaragua.models import model_named
from jaragua.observe.fleet_view import DeviceView, FleetView, NodeView
from jaragua.wire.messages import FlashCommand, FlashReport

BUILD = bytes(range(8))
DIGITS = ModelCodec(model_named("digits")).plan.architecture
NETWORK = Network("digits", DIGITS)
SAID = {
    "board": "pico",
    "build": BUILD.hex(),
    "model": "digits",
    "architecture": DIGITS.hex(),
    "imageOperators": "dense, relu, accumulation, prototypes",
    "prototypes": "12",
    "imageForm": "uf2",
}
ZOO = ["digits", "sine"]


def board(**said: str) -> FleetBoard:
    return FleetBoard("gw", "left", SAID | said)


def left(asked: Asked = Asked(), there: bool = True, **said: str) -> str:  # noqa: B008 - frozen
    found = choice_of(replace(board(**said), is_there=there), asked, ZOO)
    assert found.choice is None
    return found.left or found.kept


def test_m46_an_image_is_that_of_the_board_with_what_was_asked_for() -> None:
    """Sums and prototypes stay as they are."""
    assert choice_of(board(), Asked(), ZOO).choice == ImageChoice("pico", "digits", True, 12)
    assert choice_of(board(), Asked("sine", False, 0), ZOO).choice == ImageChoice("pico", "sine", False, 0)
    assert choice_of(board(prototypes="many", imageOperators=""), Asked(), ZOO).choice == ImageChoice(
        "pico", "digits", False, 0
    )


def test_a12_9_a_board_tells_whether_its_image_has_gradients_of_prototypes() -> None:
    assert not board().has_gradients
    assert board(imageOperators="dense, relu, prototypes, prototype_gradients").has_gradients


def test_g32_1_a_board_that_verifies_signatures_loses_its_key_only_if_that_is_said() -> None:
    signed = {"imageOperators": "dense, relu, signed"}
    assert "--coordinator-key" in left(**signed)
    assert choice_of(board(**signed), Asked(key=Path("key.pem")), ZOO).choice == ImageChoice(
        "pico", "digits", False, 12, Path("key.pem")
    )
    without = choice_of(board(**signed), Asked(without_key=True), ZOO).choice
    assert without is not None
    assert without.key is None


def test_m46_a_board_needs_an_image_if_it_says_anything_else() -> None:
    need = choice_of(board(), Asked(), ZOO)
    assert not needs_image(need, NETWORK, BUILD, force=False)
    assert needs_image(need, NETWORK, BUILD, force=True)
    assert needs_image(need, NETWORK, bytes(8), force=False)
    assert needs_image(need, Network("digits", bytes(8)), BUILD, force=False)
    assert needs_image(need, Network("digits@w8", DIGITS), BUILD, force=False)
    for asked in (Asked(accumulate=False), Asked(prototypes=3)):
        assert needs_image(choice_of(board(), asked, ZOO), NETWORK, BUILD, force=False)


def test_m46_a_board_that_gets_none_is_told_with_the_reason() -> None:
    assert left(board="") == "the board has not said which board it is"
    assert left(board="pcio") == "'pcio' is no environment of this jaragua"
    assert left(model="mine") == "its model 'mine' is not in the zoo: name it with --model FILE.toml"
    assert left(reflash="False") == "its owner states reflash = false"
    assert left(there=False) == "gateway gw is not there"


def test_boards_are_those_behind_gateways_and_are_named_by_board_gateway_or_environment() -> None:
    view = FleetView()
    view.nodes = {"gw": NodeView("ready", "gateway", 0), "gone": NodeView("lost", "gateway", 0)}
    view.devices = {
        "right": DeviceView("gw", kind="cortex-m4", facts={"board": "qemu_m4"}),
        "left": DeviceView("gw", kind="cortex-m0+", facts={"board": "pico"}),
        "pi-1": DeviceView("pi-1", kind="pi"),
        "far": DeviceView("gone", kind="cortex-m4", facts={"board": "qemu_m4"}),
        "nowhere": DeviceView("never-seen", kind="cortex-m4"),
    }
    found = boards_of(view)
    assert [(one.device, one.is_there) for one in found] == [("far", False), ("left", True), ("right", True)]
    for only, devices in (("gw", ["left", "right"]), ("qemu_m4", ["far", "right"]), ("left", ["left"])):
        assert [one.device for one in selected(found, [only])] == devices
    assert selected(found, []) == found
    with pytest.raises(UsageError, match="--only middle: no board") as caught:
        selected(found, ["left", "middle"])
    assert caught.value.hint == "boards: far, left, right"


def course(device: str = "left", number: int = 1, gateway: str = "gw") -> Course:
    command = FlashCommand(
        bytes([number] * 8), device, "pico", bytes(32), 1, BUILD, "digits", DIGITS, False, 0, False, 20
    )
    return Course(gateway, command, 0.0, 0.0)


def report(one: Course, phase: str) -> FlashReport:
    return FlashReport(one.command.id, one.command.device, phase)


def test_m43_a_course_is_over_with_its_last_report_and_later_ones_change_nothing() -> None:
    one = course()
    many = Courses([one])
    assert many.heard(report(one, "uploading"), 1.0) is one
    assert many.heard(report(one, "uploading"), 2.0) is None  # nothing new
    assert many.heard(replace(report(one, "done"), device="right"), 2.0) is None
    assert many.heard(replace(report(one, "done"), id=bytes(8)), 2.0) is None
    assert not many.are_over
    assert many.heard(report(one, "done"), 3.0) is one
    assert many.heard(report(one, "failed"), 4.0) is None
    assert many.are_over
    assert one.is_good


def test_m47_a_command_is_sent_again_until_the_first_report_and_given_up_after_a_while() -> None:
    one, other = course(), course("right", 2)
    many = Courses([one, other])
    assert many.due(courses.AGAIN_S - 1) == []
    assert many.due(courses.AGAIN_S) == [one, other]
    assert many.due(courses.AGAIN_S + 1) == []
    assert many.heard(report(one, "waiting"), 15.0) is one  # the gateway lives: that counts for both
    assert many.due(courses.AGAIN_S * 2) == [other]
    many.due(15.0 + courses.FIRST_S + 0.1)
    assert not one.is_over
    assert other.given_up.startswith("gateway gw said nothing within 45 s")
    many.due(15.0 + 20 + courses.WORK_S)
    assert not one.is_over
    many.due(15.1 + 20 + courses.WORK_S)
    assert one.given_up == "gateway gw said nothing for 380 s"
    assert many.are_over


def test_m47_a_gateway_that_was_lost_gets_the_command_again_or_is_given_up() -> None:
    one, far = course(), course("far", 3, "other")
    many = Courses([one, far])
    assert many.heard(report(one, "uploading"), 1.0) is one
    assert many.gateway_is("gw", "ready", 2.0) == []
    assert many.gateway_is("gw", "lost", 3.0) == []
    assert many.gateway_is("gw", "ready", 100.0) == [one]
    assert many.gateway_is("gw", "disconnected", 200.0) == []
    many.due(200.0 + courses.LOST_S)
    assert not one.is_over
    many.due(200.1 + courses.LOST_S)
    assert one.given_up == "gateway gw was lost and did not come back"
