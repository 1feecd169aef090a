"""A broker of our own starts, refuses clearly, and is never left behind."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiomqtt
import pytest

from jaragua_broker import Broker, accepts_mqtt, find_mosquitto, ports, render
from jaragua_broker.errors import MissingError, StartError


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_broker_accepts_mqtt_while_the_block_runs_and_not_after() -> None:
    with Broker() as broker:
        port = broker.port
        assert broker.url == f"mqtt://127.0.0.1:{port}"
        assert accepts_mqtt("127.0.0.1", port)
    assert not accepts_mqtt("127.0.0.1", port)


def test_two_brokers_take_two_ports() -> None:
    with Broker() as first, Broker() as second:
        assert first.port != second.port


def test_given_port_is_used_and_can_be_used_again_at_once() -> None:
    with Broker() as broker:
        port = broker.port
    with Broker(port=port) as again:
        assert again.port == port


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program has, and that is free afterwards."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken is not waited for."""
    monkeypatch.setattr("jaragua_broker.broker._PATIENCE_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_taken_port_is_named_with_what_to_do() -> None:
    with (
        taken_port() as port,
        pytest.raises(StartError, match=f"port {port} is taken by another program") as caught,
    ):
        Broker(port=port).start()
    assert "--port" in caught.value.hint


@pytest.mark.usefixtures("impatient")
def test_a_port_of_another_broker_is_named_as_such() -> None:
    with Broker() as other, pytest.raises(StartError, match="is taken by another MQTT broker") as caught:
        Broker(port=other.port).start()
    assert f"use that broker ({other.url})" in caught.value.hint


def test_a_port_that_was_free_a_moment_ago_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process can take it between the look at it and mosquitto's start."""
    with taken_port() as port:
        monkeypatch.setattr("jaragua_broker.ports.refused", lambda port, address="": None)
        with Broker(first_port=port) as broker:
            assert broker.port != port
            assert accepts_mqtt("127.0.0.1", broker.port)
        assert (broker.passed_over[0].port, broker.passed_over[0].reason) == (port, "is taken by another program")


def test_a_port_that_becomes_free_soon_is_waited_for() -> None:
    """The broker that was killed a moment ago may still have it."""
    with ExitStack() as stack:
        port = stack.enter_context(taken_port())
        looks = iter([lambda: None, stack.close])
        genuine = ports.refused

        def refused(port: int, address: str = "127.0.0.1") -> ports.Refused | None:
            next(looks, lambda: None)()
            return genuine(port)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jaragua_broker.ports.refused", refused)
            with Broker(first_port=port) as broker:
                assert (broker.port, broker.passed_over) == (port, [])


@pytest.mark.usefixtures("impatient")
def test_a_data_folder_keeps_its_port(tmp_path: Path) -> None:
    """Nodes look for the broker where it was, also when the port it would take at first is free by now."""
    with taken_port() as first, Broker(data_dir=tmp_path, first_port=first) as broker:
        kept = broker.port
        assert kept != first
    with Broker(data_dir=tmp_path, first_port=first) as again:
        assert again.port == kept
    with taken_port() as other:
        (tmp_path / "port").write_text(f"{other}\n")
        with pytest.raises(StartError, match=f"port {other} is taken") as caught:
            Broker(data_dir=tmp_path, first_port=first).start()
    assert "nodes look for it there" in caught.value.hint
    with Broker(port=first, data_dir=tmp_path) as moved:
        assert moved.port == first
    assert (tmp_path / "port").read_text() == f"{first}\n"


@pytest.mark.parametrize("text", ["", "0", "65536", "x", "18 83"])
def test_a_kept_port_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "port").write_text(text)
    with pytest.raises(StartError, match="does not hold a port"):
        Broker(data_dir=tmp_path).start()


@pytest.mark.usefixtures("impatient")
def test_a_data_folder_has_one_broker(tmp_path: Path) -> None:
    with (
        Broker(data_dir=tmp_path),
        pytest.raises(StartError, match="a broker that runs already has the data folder"),
    ):
        Broker(port=ports.free_port(), data_dir=tmp_path).start()
    with Broker(data_dir=tmp_path) as again:
        assert again.alive


def test_a_data_folder_may_have_any_name_that_is_text(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path / "a b ü") as broker:
        assert broker.alive
    assert (tmp_path / "a b ü" / "mosquitto.db").exists()
    for name in ("line\nbreak", "gr\udcfc"):
        with pytest.raises(StartError, match="has a name"):
            Broker(data_dir=tmp_path / name).start()


@pytest.mark.parametrize(("number", "said"), [(errno.EACCES, "root"), (errno.EADDRNOTAVAIL, "cannot be opened")])
def test_why_a_port_is_refused(number: int, said: str) -> None:
    found = ports.why_refused(80, OSError(number, os.strerror(number)))
    assert said in found.reason
    assert "--port" in found.hint


def test_a_port_of_root_is_refused_with_the_reason() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest <= 80:
        pytest.skip(f"here everybody may open ports from {lowest} up")
    code = (
        "import os; from jaragua_broker import ports; os.getuid() or os.setuid(65534); print(ports.refused(80).reason)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"may not be opened: ports below {lowest} need root's rights\n"


@pytest.mark.parametrize(
    ("known", "expected", "is_fixed"),
    [
        ((5, 6, 7, 8), [5], True),
        ((None, 6, 7, 8), [6], True),
        ((None, None, 7, 8), [7], True),
        ((None, None, None, 65534), [65534, 65535], False),
    ],
)
def test_the_order_of_ports(
    known: tuple[int | None, int | None, int | None, int | None], expected: list[int], is_fixed: bool
) -> None:
    """Of the command line, of the data folder, of the identities, the usual one."""
    choice = ports.choose(*known)
    found = list(choice.ports)
    assert (found[: len(expected)], choice.is_fixed) == (expected, is_fixed)
    assert (len(found) > len(expected)) is not is_fixed  # behind those, any free one


def test_the_verb_takes_the_usual_port_or_says_why_not(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jaragua.cli.main", "broker", "start", "--data", str(tmp_path), "--json"]
    urls = []
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            data = json.loads(process.stdout.readline())["data"]
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 0
        for one in data["passed_over"]:
            assert f"port {one['port']} {one['reason']}; this broker listens on {data['port']}" in said
        urls.append((data["url"], [one["port"] for one in data["passed_over"]]))
    (first, passed_over), (second, then) = urls
    assert first == "mqtt://127.0.0.1:1883" or passed_over[0] == 1883
    assert (second, then) == (first, [])


def test_missing_mosquitto_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("jaragua_broker.broker._EXTRA_PATH", ())
    with pytest.raises(MissingError, match="not installed") as caught:
        find_mosquitto()
    assert "apt-get install mosquitto" in caught.value.hint


def test_unusable_data_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StartError, match="data folder"):
        Broker(data_dir=blocked / "inside").start()


def test_temporary_folder_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Broker():
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_retained_messages_survive_a_restart_with_the_same_folder(tmp_path: Path) -> None:
    async def retained(port: int, publish: bool) -> bytes:
        async with aiomqtt.Client("127.0.0.1", port, timeout=10) as client:
            if publish:
                await client.publish("kept", b"weights", qos=1, retain=True)
            await client.subscribe("kept", qos=1)
            async for message in client.messages:
                return bytes(message.payload)
        return b""

    for publish in (True, False):
        with Broker(data_dir=tmp_path) as broker:
            assert asyncio.run(retained(broker.port, publish)) == b"weights"


def test_configuration_listens_on_loopback_only_and_bounds_what_a_client_may_send() -> None:
    text = render(1883, Path("/somewhere/data"), "ana")
    assert "listener 1883 127.0.0.1\n" in text
    assert "persistence_location /somewhere/data/\n" in text
    assert "max_packet_size " in text
    assert "max_queued_bytes " in text


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_broker_dies_with_its_parent(how: signal.Signals) -> None:
    program = (
        "import signal; from jaragua_broker import Broker\n"
        "broker = Broker(); broker.start(); print(broker.port, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert accepts_mqtt("127.0.0.1", port)
        os.kill(parent.pid, how)
    wait_until(lambda: not accepts_mqtt("127.0.0.1", port))
