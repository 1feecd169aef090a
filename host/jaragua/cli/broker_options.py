"""The options of every verb that connects to a broker: its address, and who connects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua.node.connection.access import Access
    from jaragua.node.connection.url import BrokerUrl
    from jaragua.trust.signing import Signer


@dataclass(frozen=True, kw_only=True)
class BrokerOptions:
    """Where the broker is and who connects to it."""

    broker: Annotated[
        str | None, typer.Option(help="URL of the broker: mqtt://host[:port], or mqtts://; default: the identity's.")
    ] = None
    identity: Annotated[
        Path | None, typer.Option(help="Folder of `jaragua join` or `jaragua pki issue`: broker, fleet, name and keys.")
    ] = None
    ca: Annotated[Path | None, typer.Option(help="Certificate of the broker's authority (PEM).")] = None
    cert: Annotated[Path | None, typer.Option(help="Certificate that says who this is (PEM).")] = None
    key: Annotated[Path | None, typer.Option(help="Private key of that certificate (PEM).")] = None
    user: Annotated[str, typer.Option(help="User at the broker; or the variable JARAGUA_BROKER_USER.")] = ""
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password; or the variable JARAGUA_BROKER_PASSWORD.")
    ] = None
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Use a broker beyond this machine without TLS or identity.")
    ] = False

    @property
    def access(self) -> Access:
        """As one value. Raises: UsageError for a password on the command line (G7)."""
        from jaragua.node.connection.access import Access, refuse_password

        refuse_password(self.broker or "")
        return Access(
            url=self.broker or "",
            identity=self.identity,
            ca=self.ca,
            certificate=self.cert,
            key=self.key,
            user=self.user,
            password_file=self.password_file,
            insecure=self.insecure,
        )

    def signer(self, path: Path | None = None) -> Signer | None:
        """Signs as the coordinator does (G10); None of a fleet without a trust set-up. path: None for the identity's.

        Raises: ConfigurationError, StoreError, ToolError.
        """
        import time

        owner = self.access.owner()
        found = path or (owner.signing_key if owner is not None else None)
        if found is None:
            return None
        from jaragua.trust import needed, signing_key

        needed.check()
        return signing_key.open_signer(found, time.time_ns() // 1_000_000)

    def address(self) -> BrokerUrl:
        """The broker with files and credentials. Errors: those of `address_of`."""
        import os

        from jaragua.node.connection.access import address_of

        return address_of(self.access, os.environ)


@dataclass(frozen=True, kw_only=True)
class NodeOptions(BrokerOptions):
    """Which node of which fleet connects."""

    fleet: Annotated[str | None, typer.Option(help="Name of the fleet; default: the identity's.")] = None
    node: Annotated[str | None, typer.Option(help="Name of this node: a-z, 0-9 and -; default: the identity's.")] = None
    coordinator_key: Annotated[
        Path | None, typer.Option(help="Public key of the coordinator (PEM): what it did not sign is not used.")
    ] = None

    def named(self, default_node: str | None = None) -> tuple[str, str]:
        """Fleet and node. Raises: UsageError if either is missing."""
        owner = self.access.owner()
        fleet = self.fleet or (owner.fleet if owner else None)
        node = self.node or (owner.name if owner else None) or default_node
        for option, value in (("--fleet", fleet), ("--node", node)):
            if value is None:
                raise UsageError(f"{option} is missing", f"give {option} NAME, or --identity FOLDER")
        return str(fleet), str(node)

    def verifying_key(self) -> bytes | None:
        """What verifies the coordinator's signatures; None: whoever the broker lets publish is believed."""
        owner = self.access.owner()
        path = self.coordinator_key or (owner.coordinator_key if owner else None)
        if path is None:
            return None
        from jaragua.trust import needed, signing_key

        needed.check()
        return signing_key.public_key(path)
