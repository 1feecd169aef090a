"""Fleets of real clients and gateways in one process, over the real broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaragua.client.client import run_client
from jaragua.config import RunConfig, parse
from jaragua.coordinator.events import RunEvent, RunResult
from jaragua.coordinator.run import run_coordinator
from jaragua.gateway.gateway import run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.node.connection.url import parse_broker_url
from jaragua.node.node import NodeSettings
from jaragua.node.program import ended
from jaragua.store import open_run
from jaragua_compiler import ReferenceEngine

TEXT = """
[run]
name = "private"
seed = {seed}
rounds = {rounds}
fleet = "{fleet}"
directory = "{directory}"
[model]
name = "sine"
[strategy]
name = "{strategy}"
clients_per_round = {clients}
alpha = 1.0
[client]
shots = 4
[broker]
url = "{url}"
[round]
quorum = {quorum}
deadline_s = {deadline_s}
[devices]
minimum = {minimum}
wait_s = 60
[privacy]
{privacy}
"""


@dataclass(frozen=True)
class Fleet:
    """A run of `count` Pi clients and its folder."""

    url: str
    name: str
    folder: Path
    count: int = 5
    rounds: int = 3
    quorum: int = 4
    deadline_s: float = 60.0
    strategy: str = "tinyreptile"
    seed: int = 7

    @property
    def devices(self) -> list[str]:
        return [f"device-{number}" for number in range(1, self.count + 1)]

    def config(self, directory: str, privacy: str) -> RunConfig:
        text = TEXT.format(
            seed=self.seed,
            rounds=self.rounds,
            fleet=self.name,
            directory=self.folder / directory,
            strategy=self.strategy,
            clients=self.count,
            quorum=self.quorum,
            minimum=self.count,
            deadline_s=self.deadline_s,
            url=self.url,
            privacy=privacy,
        )
        (self.folder / f"{directory}.toml").write_text(text)
        return parse(text, self.folder / f"{directory}.toml")

    async def client(self, device: str, generation: str = "") -> None:
        settings = NodeSettings(
            parse_broker_url(self.url),
            self.name,
            device,
            "pi",
            model="sine",
            data_dir=self.folder / f"{device}{generation}",
            resend_seconds=1.0,
        )
        await run_client(settings, ReferenceEngine)

    @contextlib.asynccontextmanager
    async def gateway(self, urls: Sequence[str]) -> AsyncIterator[None]:
        """A gateway with a board for each device."""
        settings = NodeSettings(
            parse_broker_url(self.url), self.name, "gw", "gateway", model="sine", data_dir=self.folder / "gw"
        )
        ports = [PortSettings(url, name) for url, name in zip(urls, self.devices, strict=True)]
        task = asyncio.create_task(run_gateway(settings, ports))
        try:
            yield
        finally:
            await ended(task)

    @contextlib.asynccontextmanager
    async def clients(self, devices: Collection[str] | None = None) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
        tasks = {one: asyncio.create_task(self.client(one)) for one in devices or self.devices}
        try:
            yield tasks
        finally:
            await ended(*tasks.values())


async def coordinate(config: RunConfig, on_event: Callable[[RunEvent], None] = lambda event: None) -> RunResult:
    with open_run(config.run.directory) as folder:
        async with asyncio.timeout(240):
            return await run_coordinator(config, store=folder, on_event=on_event)
