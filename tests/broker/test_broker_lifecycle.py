"""A broker of our own starts, refuses clearly, and is never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiomqtt
import pytest

from jaragua.errors import BrokerError, ToolError
from jaragua_broker import Broker, accepts_mqtt, find_mosquitto, render


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


def test_taken_port_is_named_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} is taken") as caught:
            Broker(port=port).start()
    assert "--port" in caught.value.hint


def test_taken_free_port_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Broker() as first:
        candidates = iter([first.port, first.port])
        from jaragua_broker import broker as module

        genuine = module.free_port
        monkeypatch.setattr(module, "free_port", lambda: next(candidates, None) or genuine())
        with Broker() as second:
            assert second.port != first.port


def test_missing_mosquitto_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("jaragua_broker.broker._EXTRA_PATH", ())
    with pytest.raises(ToolError, match="not installed") as caught:
        find_mosquitto()
    assert "apt-get install mosquitto" in caught.value.hint


def test_unusable_data_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BrokerError, match="data folder"):
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
