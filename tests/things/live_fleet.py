"""A fleet for clients of Thing Descriptions: a real broker of one of three kinds, a gateway, a board's own firmware."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np
from fleet_bench import digits_blob, running, settings, train_command

import jaragua_models
from images import built_image
from jaragua.emulate.fleet import EmulatedFleet
from jaragua.gateway.gateway import run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.node.connection.access import Access, address_of
from jaragua.node.connection.check import plain_client
from jaragua.node.connection.url import BrokerUrl, parse_broker_url
from jaragua.trust.access_list import Guest, access_list
from jaragua.trust.authority import AuthorityFolder, now_utc
from jaragua.wire.messages import RunState, encode
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker, Endpoint, Secured, find_mosquitto, render
from jaragua_broker.ports import free_port
from jaragua_compiler import ReferenceEngine, plan
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs

FLEET, NODE, DEVICE, ASKER, OTHER = "home", "gw", "left", "me", "you"
BLOB = digits_blob()
MODEL = jaragua_models.get("digits")
PLAN = plan(MODEL.network)
SAMPLE = [float(value) for value in MODEL.tasks.calibration()[0]]
_GUESTS: dict[str, Guest] = {ASKER: "asker", OTHER: "asker"}
_SECRETS = {"coordinator": "c-secret", NODE: "g-secret", "me+asker": "m-secret", "you+asker": "y-secret"}


@dataclass(frozen=True)
class Reader:
    """Who reads, and what a person gives a client beside the description: a user and password, or three files."""

    user: str | None = None
    password: str | None = None
    files: tuple[Path, Path, Path] | None = None
    """Authority, certificate, key."""

    def tls(self) -> ssl.SSLContext | None:
        if self.files is None:
            return None
        authority, certificate, key = self.files
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
        return context


@dataclass(frozen=True)
class Place:
    """A broker, as each participant reaches it."""

    coordinator: BrokerUrl
    gateway: BrokerUrl
    reader: Reader
    other: Reader
    """Another one: OTHER."""


@contextlib.contextmanager
def open_broker(folder: Path) -> Iterator[Place]:
    with Broker() as broker:
        url = parse_broker_url(broker.url)
        yield Place(url, url, Reader(), Reader())


@contextlib.contextmanager
def password_broker(folder: Path) -> Iterator[Place]:
    """mosquitto with users, passwords and the access list of a fleet; a user is the name of a certificate."""
    port, passwords, rights = free_port(), folder / "passwords", folder / "acl"
    for number, (user, secret) in enumerate(_SECRETS.items()):
        create = ["-c"] if number == 0 else []
        subprocess.run(["mosquitto_passwd", "-b", *create, passwords, user, secret], check=True, capture_output=True)
    rights.write_text(access_list(FLEET, _GUESTS), encoding="utf-8")
    rights.chmod(0o600)
    identities = f"allow_anonymous false\npassword_file {passwords}\nacl_file {rights}"
    text = render(port, folder, _user()).replace("allow_anonymous true", identities)
    (folder / "mosquitto.conf").write_text(text, encoding="utf-8")
    process = subprocess.Popen([find_mosquitto(), "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        while not _is_open(port):
            assert process.poll() is None, "mosquitto ended"
        bare = parse_broker_url(f"mqtt://127.0.0.1:{port}")
        coordinator, gateway = (replace(bare, username=one, password=_SECRETS[one]) for one in ("coordinator", NODE))
        readers = (Reader(user, _SECRETS[user]) for user in ("me+asker", "you+asker"))
        yield Place(coordinator, gateway, *readers)
    finally:
        process.terminate()
        process.wait()


def _is_open(port: int) -> bool:
    """Whether something listens; asked every few milliseconds, as a broker says nothing when it is ready."""
    with socket.socket() as probe:
        probe.settimeout(0.01)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def certificate_broker(folder: Path) -> Iterator[Place]:
    """mosquitto with TLS, certificates of both sides, and the access list; readers are no members (G28)."""
    authority = AuthorityFolder(folder / "trust")
    authority.create(FLEET, ("localhost", "127.0.0.1"), 8883, now_utc())
    authority.issue(NODE, (), now_utc())
    for name, guest in _GUESTS.items():
        authority.issue(name, (), now_utc(), guest=guest)
    files = Secured(
        authority.certificate,
        authority.broker_certificate,
        authority.broker_key,
        authority.revoked,
        authority.access_list,
    )
    with Broker(data_dir=folder / "data", endpoint=Endpoint(secured=files, name="localhost")) as broker:
        coordinator, gateway, reader, other = (
            address_of(Access(url=broker.url, identity=authority.identity_folder(one)), {})
            for one in ("coordinator", NODE, ASKER, OTHER)
        )
        yield Place(coordinator, gateway, _with_files(reader), _with_files(other))


def _with_files(address: BrokerUrl) -> Reader:
    own = address.files
    assert own.authority is not None
    assert own.certificate is not None
    assert own.key is not None
    return Reader(files=(own.authority, own.certificate, own.key))


BROKERS = {"open": open_broker, "password": password_broker, "certificates": certificate_broker}


@dataclass(frozen=True)
class LiveFleet:
    """A gateway with a board, weights of a run on the broker, and the board's retained Thing Description."""

    place: Place
    description: dict[str, Any]
    coordinator: aiomqtt.Client

    async def train(self, number: int) -> None:
        """Ask the board for a job, so that it has progress."""
        command = train_command(BLOB, DEVICE, number, ways=5, shots=8)
        await self.coordinator.publish(build(TopicKind.COMMAND, FLEET, node=NODE, verb="train"), encode(command), qos=1)


@contextlib.asynccontextmanager
async def live_fleet(place: Place, folder: Path, image: str) -> AsyncIterator[LiveFleet]:
    with EmulatedFleet(built_image(image), 1) as boards:
        where = replace(settings(place.gateway.public, folder, NODE, kind="gateway"), url=place.gateway)
        async with plain_client(place.coordinator) as coordinator:
            await announce(coordinator)
            async with running(run_gateway(where, [PortSettings(boards.urls[0], DEVICE)])):
                yield LiveFleet(place, await description_of(coordinator), coordinator)


async def announce(coordinator: aiomqtt.Client) -> None:
    digest = sha256(BLOB)
    run = RunState("r1", 1, 9, "training", "digits", "", digest.digest(), 0, 1)
    await coordinator.publish(build(TopicKind.BLOB, FLEET, sha256=digest.hexdigest()), BLOB, qos=1, retain=True)
    await coordinator.publish(build(TopicKind.RUN, FLEET), encode(run), qos=1, retain=True)


async def description_of(client: aiomqtt.Client, node: str = NODE, device: str = DEVICE) -> dict[str, Any]:
    """The retained Thing Description of a device, the board if no other is named, once it is there."""
    await client.subscribe(build(TopicKind.DEVICE_DESCRIPTION, FLEET, node=node, device=device), qos=1)
    async with asyncio.timeout(120):
        async for message in client.messages:
            found: dict[str, Any] = json.loads(bytes(message.payload))
            return found
    raise AssertionError("the broker ended")


def simulated_outputs(sample: list[float]) -> list[float]:
    """What the reference computes of a sample with the run's weights."""
    engine = ReferenceEngine(PLAN)
    engine.load(BLOB)
    formats = exponents(PLAN, BLOB)
    outputs = engine.forward(quantise_inputs(PLAN, formats, np.array(sample)))
    return [float(one) for one in np.ldexp(outputs.astype(np.float64), -formats.output)]


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
