"""Who is there, from the states on the broker (M7, M8)."""

from __future__ import annotations

from jaragua.coordinator.roster import Change, Presence, Roster
from jaragua.wire.messages import DeviceState, NodeState

ARCHITECTURE = bytes(8)


def device(state: str, epoch: int = 1, architecture: bytes = ARCHITECTURE) -> DeviceState:
    return DeviceState(state, epoch, "cortex-m4", "digits", architecture)


def node(state: str, epoch: int = 1) -> NodeState:
    return NodeState(state, epoch, "gateway")


def roster_with_a_board() -> Roster:
    roster = Roster({ARCHITECTURE})
    roster.node_state("gateway-1", node("ready"))
    roster.device_state("gateway-1", "board-1", device("ready"))
    return roster


def test_a_device_is_present_once_both_it_and_its_node_are() -> None:
    roster = Roster({ARCHITECTURE})
    assert roster.device_state("gateway-1", "board-1", device("ready")) == []
    assert roster.node_state("gateway-1", node("ready")) == [Change("board-1", "gateway-1", Presence.PRESENT)]
    assert roster.present() == {"board-1": "gateway-1"}


def test_m7_a_lost_node_takes_its_devices_with_it() -> None:
    roster = roster_with_a_board()
    assert roster.node_state("gateway-1", node("lost")) == [Change("board-1", "gateway-1", Presence.LOST)]
    assert roster.present() == {}


def test_m8_a_lost_of_an_older_connection_is_out_of_date() -> None:
    roster = Roster({ARCHITECTURE})
    roster.node_state("gateway-1", node("ready", epoch=2))
    roster.device_state("gateway-1", "board-1", device("ready", epoch=2))
    assert roster.node_state("gateway-1", node("lost", epoch=1)) == []


def test_m8_what_a_lost_node_had_said_of_its_devices_does_not_count_when_it_is_back() -> None:
    roster = roster_with_a_board()
    roster.node_state("gateway-1", node("lost"))
    assert roster.node_state("gateway-1", node("ready", epoch=2)) == []
    back = roster.device_state("gateway-1", "board-1", device("ready", epoch=2))
    assert back == [Change("board-1", "gateway-1", Presence.PRESENT)]


def test_a_node_that_connects_anew_without_being_lost_keeps_its_devices() -> None:
    roster = roster_with_a_board()
    assert roster.node_state("gateway-1", node("ready", epoch=2)) == []
    assert roster.present() == {"board-1": "gateway-1"}
    again = roster.device_state("gateway-1", "board-1", device("training", epoch=2))
    assert again == [Change("board-1", "gateway-1", Presence.PRESENT, again=True)]


def test_ready_and_training_are_the_same_presence() -> None:
    assert roster_with_a_board().device_state("gateway-1", "board-1", device("training")) == []


def test_a_board_that_moved_belongs_to_its_new_gateway() -> None:
    roster = roster_with_a_board()
    roster.node_state("gateway-2", node("ready"))
    moved = roster.device_state("gateway-2", "board-1", device("ready"))
    assert moved == [Change("board-1", "gateway-2", Presence.PRESENT, again=True)]
    assert roster.device_state("gateway-1", "board-1", device("lost")) == []
    assert roster.present() == {"board-1": "gateway-2"}


def test_a_device_built_for_another_network_is_not_given_work() -> None:
    roster = roster_with_a_board()
    roster.device_state("gateway-1", "board-2", device("ready", architecture=b"another!"))
    assert roster.present() == {"board-1": "gateway-1"}
    assert roster.unfit() == ["board-2"]


def test_a_device_whose_state_was_cleared_is_gone() -> None:
    roster = roster_with_a_board()
    assert roster.forget("gateway-1", "board-1") == [Change("board-1", "gateway-1", Presence.AWAY)]


def test_disconnected_is_away_and_stale_is_lost() -> None:
    roster = roster_with_a_board()
    (change,) = roster.device_state("gateway-1", "board-1", device("stale"))
    assert change.presence is Presence.LOST
    (change,) = roster.device_state("gateway-1", "board-1", device("disconnected"))
    assert change.presence is Presence.AWAY
