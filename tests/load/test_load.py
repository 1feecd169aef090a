"""The short form of `make load`: a few devices, all of the processes."""

from __future__ import annotations

import json

import pytest

from jaragua.coordinator.run import waits_for_more
from jaragua.experiments.load import __main__ as load
from jaragua.experiments.load.alike import AlikeReader
from jaragua.experiments.load.packets import connect, publish, subscribe
from jaragua.wire import messages


@pytest.mark.parametrize(("nodes", "each", "aggregators"), [(20, 1, 0), (2, 8, 2), (20, 30, 0)])
def test_no_update_is_lost_and_all_figures_are_told(
    capsys: pytest.CaptureFixture[str], nodes: int, each: int, aggregators: int
) -> None:
    """R19.1, R30: every update that a device was told of is in the database. M16.9: also where reading has pauses."""
    arguments = ["--nodes", f"{nodes}", "--each", f"{each}", "--rounds", "2", "--ceiling-seconds", "0.3"]
    assert load.main([*arguments, "--model", "sine", "--aggregators", f"{aggregators}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert min(found["one_way_a_second"], found["exchanges_a_second"]) > 0
    (run,) = found["runs"]
    assert (run["updates"], run["lost"], run["other_answers"]) == (2 * nodes * each, 0, 0)
    assert run["aggregators"] == aggregators
    assert run["committed_a_second"] > 0


def test_r19_4_a_group_waits_only_while_many_more_updates_are_missing() -> None:
    assert waits_for_more(waiting=0, missing=5000)
    assert not waits_for_more(waiting=512, missing=5000)  # it is full
    assert not waits_for_more(waiting=100, missing=612)  # a round's last updates wait for nobody
    assert not waits_for_more(waiting=100, missing=0)  # of a small round


def test_an_update_that_is_not_in_the_database_is_lost() -> None:
    """The bench can fail, and says how far from the bar it is."""
    memory = [(0.0, 50.0), (60.0, 51.0), (120.0, 52.0)]
    found = load.Measured(0, 1.0, [1.0], 3, 1, 0, 0, {"broker": 12.0}, memory)
    ceiling = load.Ceiling(10.0, (5.0, 3.0), ({"broker": 1.0}, {"broker": 3.0}))
    document = load.told(load.Asked(2, 2, 1), ceiling, [found])
    assert document["runs"][0]["lost"] == 1
    assert document["runs"][0]["share_of_bar"] == 0.5
    assert document["processor_us_an_exchange"] == {"broker": 2.0}
    assert "50.0%" in load.table(document)
    assert found.slope_mb_a_minute == pytest.approx(1.0)
    flat_later = load.Measured(0, 1.0, [1.0], 3, 0, 0, 0, {}, [*memory, *((180.0 + s, 52.0) for s in range(9))])
    assert flat_later.slope_mb_a_minute > 0.1 > abs(flat_later.later_slope_mb_a_minute)


def test_the_packets_are_those_of_mqtt_5() -> None:
    assert connect("a")[:2] == b"\x10\x13"
    assert subscribe(7, "a/b") == b"\x82\x09\x00\x07\x00\x00\x03a/b\x01"
    assert publish("t", b"x" * 200, 258, retain=True)[:9] == b"\x33\xce\x01\x00\x01t\x01\x02\x00"


def test_a_simulated_device_reads_what_the_decoder_reads() -> None:
    """Of commands and acknowledgements that differ in device and seed, and of others."""
    commands, acks = AlikeReader(messages.TrainCommand, "seed"), AlikeReader(messages.UpdateAck)
    start, other = bytes(range(32)), b"fdevice" + bytes(25)
    for device, seed in (("d0-0", 0), ("d1-0", 23), ("a" * 24, 255), ("d3", 2**16), ("d4", 2**32), ("d5", 2**63 - 1)):
        for number, sha256 in ((1, start), (2, other)):
            command = messages.TrainCommand("run-1", number, device, 1, sha256, 0.5, 5, 5, 1, seed, 9)
            found, name = commands.read(messages.encode(command))
            assert (name, found.round, found.hash, found.run) == (device, number, sha256, "run-1")
            for result in ("stored", "late"):
                ack = messages.UpdateAck("run-1", number, device, number, result, "why")
                read, name = acks.read(messages.encode(ack))
                assert (name, read.round, read.attempt, read.result) == (device, number, number, result)
