"""An authority with a few identities, made once for a module, and brokers that use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jaragua.node.connection.access import Access, address_of
from jaragua.node.connection.url import BrokerUrl
from jaragua.trust.authority import AuthorityFolder, now_utc
from jaragua_broker import Broker, Endpoint, Secured

FLEET = "home"


def make_authority(
    folder: Path, *nodes: str, hosts: tuple[str, ...] = ("localhost", "127.0.0.1"), port: int = 8883
) -> AuthorityFolder:
    """port: of the broker, a free one if `jaragua broker start` takes it."""
    authority = AuthorityFolder(folder)
    authority.create(FLEET, hosts, port, now_utc())
    for node in nodes:
        authority.issue(node, (), now_utc())
    return authority


def expired_identity(authority: AuthorityFolder, name: str) -> Path:
    """A certificate whose last day was yesterday."""
    return authority.issue(name, (), now_utc() - timedelta(days=2), days=1)


def secured(authority: AuthorityFolder) -> Secured:
    return Secured(
        authority.certificate,
        authority.broker_certificate,
        authority.broker_key,
        authority.revoked,
        authority.access_list,
    )


def secured_broker(authority: AuthorityFolder, data: Path, name: str = "localhost") -> Broker:
    return Broker(data_dir=data, endpoint=Endpoint(secured=secured(authority), name=name))


def address(authority: AuthorityFolder, name: str, url: str) -> BrokerUrl:
    """The broker as an identity of the authority reaches it."""
    return address_of(Access(url=url, identity=authority.identity_folder(name)), {})


@dataclass
class Log:
    """A file that grows."""

    path: Path

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="replace")

    async def says(self, *words: str, seconds: float = 20.0) -> str:
        """The line with all these words, once it is there."""
        found = ""

        def has_line() -> bool:
            nonlocal found
            found = next((line for line in self.text().splitlines() if all(word in line for word in words)), "")
            return bool(found)

        await until(has_line, seconds, lambda: f"no line with {words} in:\n{self.text()}")
        return found


async def until(condition: Callable[[], bool], seconds: float = 20.0, why: Callable[[], str] = lambda: "") -> None:
    """Wait for a condition; AssertionError with `why` if it does not come true."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, why() or "the condition did not come true in time"
        await asyncio.sleep(0.01)
