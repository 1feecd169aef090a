"""Who is there, from the states on the broker (M7, M8)."""

from __future__ import annotations

import pytest

from jaragua.coordinator.connection import roster as roster_module
from jaragua.coordinator.connection.roster import EPOCH_AHEAD_MS, Change, ClaimError, CrowdError, EpochError, Presence
from jaragua.coordinator.connection.roster import Roster as TrueRoster
from jaragua.wire.messages import DeviceState, NodeState
from jaragua.wire.rejections import LONGEST_TEXT

ARCHITECTURE = bytes(8)
NOW_MS = 1_800_000_000_000


class Roster(TrueRoster):
    """At a fixed time."""

    def node_state(self, node: str, state: NodeState, now_ms: int = NOW_MS) -> list[Change]:
        return super().node_state(node, state, now_ms)

    def device_state(self, node: str, device: str, state: DeviceState, now_ms: int = NOW_MS) -> list[Change]:
        return super().device_state(node, device, state, now_ms)


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


def test_r6_a_device_of_a_node_that_starts_again_has_not_said_goodbye() -> None:
    """`init` comes before `ready`. A round that opens in between has the device among its members."""
    roster = roster_with_a_board()
    assert roster.node_state("gateway-1", node("ready", epoch=2)) == []
    assert roster.device_state("gateway-1", "board-1", device("init", epoch=2)) == [
        Change("board-1", "gateway-1", Presence.LOST)
    ]
    assert roster.device_state("gateway-1", "board-1", device("ready", epoch=2)) == [
        Change("board-1", "gateway-1", Presence.PRESENT)
    ]


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


def test_g20_1_a_board_is_not_given_to_another_gateway_that_claims_it() -> None:
    roster = roster_with_a_board()
    roster.node_state("gateway-2", node("ready"))
    for _ in range(2):
        with pytest.raises(ClaimError, match="board-1 is at gateway-1, which has not let go of it; gateway-2 says"):
            roster.device_state("gateway-2", "board-1", device("ready"))
    assert roster.present() == {"board-1": "gateway-1"}
    assert roster.device_state("gateway-1", "board-1", device("training")) == []
    assert roster.device_state("gateway-2", "board-1", device("lost")) == []  # nothing of it is believed
    assert roster.forget("gateway-2", "board-1") == []
    assert roster.node_state("gateway-1", node("lost")) == [Change("board-1", "gateway-1", Presence.LOST)]


def claimed() -> Roster:
    """gateway-2 says that it has the board of gateway-1."""
    roster = roster_with_a_board()
    roster.node_state("gateway-2", node("ready"))
    with pytest.raises(ClaimError):
        roster.device_state("gateway-2", "board-1", device("ready"))
    return roster


MOVED = [Change("board-1", "gateway-2", Presence.PRESENT, again=True)]


@pytest.mark.parametrize("state", ["disconnected", "lost", "stale", "sleeping"])
def test_g20_2_a_board_moves_when_its_gateway_says_that_it_is_gone(state: str) -> None:
    roster = claimed()
    assert roster.device_state("gateway-1", "board-1", device(state)) == MOVED
    assert roster.present() == {"board-1": "gateway-2"}
    with pytest.raises(ClaimError):  # and it belongs there now
        roster.device_state("gateway-1", "board-1", device("ready"))


@pytest.mark.parametrize("state", ["lost", "disconnected"])
def test_g20_2_a_board_moves_when_its_gateway_is_gone(state: str) -> None:
    """lost: the will that the broker publishes."""
    roster = claimed()
    assert roster.node_state("gateway-1", node(state)) == MOVED
    assert roster.present() == {"board-1": "gateway-2"}


def test_g20_2_a_board_moves_when_its_gateway_has_cleared_its_state() -> None:
    assert claimed().forget("gateway-1", "board-1") == MOVED


def test_g20_2_a_gateway_that_comes_later_takes_a_board_that_nobody_has() -> None:
    roster = roster_with_a_board()
    roster.node_state("gateway-1", node("lost"))
    roster.node_state("gateway-2", node("ready"))
    (change,) = roster.device_state("gateway-2", "board-1", device("ready"))
    assert (change.node, change.presence) == ("gateway-2", Presence.PRESENT)


def test_g20_3_the_operator_moves_a_board_at_once() -> None:
    roster = claimed()
    roster.is_named = lambda node, device: (node, device) == ("gateway-2", "board-1")
    assert roster.device_state("gateway-2", "board-1", device("training")) == MOVED


@pytest.mark.parametrize("bound_first", [True, False])
def test_g20_4_after_a_restart_a_board_is_at_the_gateway_that_had_it(bound_first: bool) -> None:
    """Whichever retained state comes first."""
    roster = Roster({ARCHITECTURE})
    for name in ("gateway-1", "gateway-2"):
        roster.node_state(name, node("ready"))
    roster.device_state("gateway-2", "board-1", device("ready"))
    if bound_first:
        assert roster.bind({"board-1": "gateway-1", "board-9": "gateway-1"}) == []
        roster.device_state("gateway-1", "board-1", device("ready"))
    else:
        with pytest.raises(ClaimError):
            roster.device_state("gateway-1", "board-1", device("ready"))
        roster.bind({"board-1": "gateway-1"})
    assert roster.present() == {"board-1": "gateway-1"}
    with pytest.raises(ClaimError):
        roster.device_state("gateway-2", "board-1", device("ready"))


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


@pytest.mark.parametrize("epoch", [NOW_MS + EPOCH_AHEAD_MS + 1, 2**53 - 1])
def test_m8_an_epoch_that_no_clock_can_have_given_is_rejected(epoch: int) -> None:
    roster = roster_with_a_board()
    with pytest.raises(EpochError):
        roster.node_state("gateway-1", node("lost", epoch))
    with pytest.raises(EpochError):
        roster.device_state("gateway-1", "board-1", device("lost", epoch))
    assert roster.present() == {"board-1": "gateway-1"}


@pytest.mark.parametrize("state", ["lost", "ready", "disconnected"])
def test_m8_a_node_that_speaks_is_believed_whatever_epoch_another_gave_it(state: str) -> None:
    """Someone said in the node's name what it did not say, with an epoch that it will not reach for years."""
    roster = roster_with_a_board()
    roster.node_state("gateway-1", node(state, NOW_MS))
    roster.node_state("gateway-1", node("ready", epoch=2))
    roster.device_state("gateway-1", "board-1", device("ready", epoch=2))
    assert roster.present() == {"board-1": "gateway-1"}
    assert roster.node_state("gateway-1", node("lost", epoch=2)) == [Change("board-1", "gateway-1", Presence.LOST)]


def test_p3_a_crowd_is_refused_and_takes_nobodys_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MOST_NODES", 3)
    monkeypatch.setattr(roster_module, "MOST_DEVICES", 5)
    roster = roster_with_a_board()
    for number in range(2):
        roster.node_state(f"stranger-{number}", node("ready"))
    with pytest.raises(CrowdError):
        roster.node_state("stranger-2", node("ready"))
    for number in range(4):
        roster.device_state("stranger-0", f"invented-{number}", device("ready"))
    with pytest.raises(CrowdError):
        roster.device_state("stranger-0", "invented-4", device("ready"))
    assert roster.present()["board-1"] == "gateway-1"
    assert len(roster.present()) == 5


def test_p3_a_newcomer_takes_the_place_of_who_is_gone_or_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MOST_DEVICES", 3)
    roster = roster_with_a_board()
    roster.device_state("gateway-1", "gone", device("ready"))
    roster.device_state("gateway-1", "gone", device("lost"))
    roster.device_state("gateway-1", "mute", device("ready"))
    roster.device_state("gateway-1", "new-1", device("ready"))
    assert sorted(roster.present()) == ["board-1", "mute", "new-1"]
    roster.is_stranger = lambda name: name == "mute"
    changes = roster.device_state("gateway-1", "new-2", device("ready"))
    assert Change("mute", "gateway-1", Presence.AWAY) in changes
    assert sorted(roster.present()) == ["board-1", "new-1", "new-2"]


def test_p3_long_texts_of_a_device_are_not_kept() -> None:
    roster = roster_with_a_board()
    state = DeviceState("ready", 1, "pi", "m" * 2000, ARCHITECTURE, reason="r" * 2000)
    roster.device_state("gateway-1", "board-2", state)
    kept = roster._devices["board-2"].state
    assert (kept.model, kept.reason, kept.kind) == ("", "r" * LONGEST_TEXT, "pi")
