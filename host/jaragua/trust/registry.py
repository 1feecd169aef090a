"""Whom the authority of a fleet has certified: the content of its registry. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from jaragua.errors import StoreError, UsageError
from jaragua.trust.access_list import SERVERS, Guest
from jaragua.wire.topics import is_id

_FORMAT: Final = 1
#: Any device, of a gateway whose boards may change.
ANY_DEVICE: Final = "*"


@dataclass(frozen=True)
class Certified:
    """One certificate. expires, revoked: ISO 8601, UTC; devices: that the node may have, ANY_DEVICE for all."""

    name: str
    serial: str
    issued: str
    expires: str
    devices: tuple[str, ...] = ()
    revoked: str = ""
    replaced: bool = False
    """A newer certificate of the same identity exists; this one counts until it expires."""
    guest: Guest | None = None
    """It is no member: an observer reads what is shown of the fleet (G22), an asker asks devices (G28)."""

    @property
    def number(self) -> int:
        """The serial number."""
        return int(self.serial, 16)

    def status(self, now: datetime) -> str:
        """In one word."""
        if self.revoked:
            return "revoked"
        if datetime.fromisoformat(self.expires) <= now:
            return "expired"
        return "replaced" if self.replaced else "valid"


@dataclass(frozen=True)
class Invitation:
    """A node that may enrol once. digest: SHA-256 of the token's secret, in hex (G12)."""

    name: str
    digest: str
    expires: str
    devices: tuple[str, ...] = ()
    used: bool = False


@dataclass(frozen=True)
class Registry:
    """All certificates, oldest first, and all invitations."""

    fleet: str
    hosts: tuple[str, ...]
    certificates: tuple[Certified, ...] = ()
    invitations: tuple[Invitation, ...] = ()

    def current(self, name: str) -> Certified | None:
        """The newest certificate of an identity that was not revoked, None if it has none."""
        return next((one for one in reversed(self.certificates) if one.name == name and not one.revoked), None)

    def with_certificate(self, new: Certified) -> Registry:
        """With one more; earlier ones of the same identity are replaced."""
        before = (replace(one, replaced=True) if one.name == new.name else one for one in self.certificates)
        return replace(self, certificates=(*before, new))

    def without(self, name: str, when: datetime) -> Registry:
        """All certificates of an identity revoked, and its invitations used up. Raises: UsageError if it has none."""
        if self.current(name) is None:
            raise UsageError(f"no certificate of {name} is valid", "`jaragua pki list` shows all of them")
        revoked = (
            replace(one, revoked=when.isoformat()) if one.name == name and not one.revoked else one
            for one in self.certificates
        )
        invitations = (replace(one, used=True) if one.name == name else one for one in self.invitations)
        return replace(self, certificates=tuple(revoked), invitations=tuple(invitations))

    def with_invitation(self, new: Invitation) -> Registry:
        """With one more in the place of earlier ones for the same node."""
        others = tuple(one for one in self.invitations if one.name != new.name)
        return replace(self, invitations=(*others, new))

    def invitation(self, name: str, digest: str, now: datetime) -> Invitation:
        """The invitation with that digest, used or not. Raises: UsageError if there is none, or it has expired."""
        found = next((one for one in self.invitations if one.digest == digest and one.name == name), None)
        if found is None:
            raise UsageError(f"there is no such invitation for {name}", "ask for a new one")
        if datetime.fromisoformat(found.expires) <= now:
            raise UsageError(f"the invitation of {name} has expired", "ask for a new one")
        return found

    def used(self, invitation: Invitation) -> Registry:
        """With an invitation that cannot be used again."""
        changed = (replace(one, used=True) if one.digest == invitation.digest else one for one in self.invitations)
        return replace(self, invitations=tuple(changed))

    def revoked(self) -> Iterable[tuple[int, datetime]]:
        """Serial numbers and times of what was revoked."""
        return ((one.number, datetime.fromisoformat(one.revoked)) for one in self.certificates if one.revoked)

    def members(self) -> dict[str, tuple[str, ...]]:
        """Nodes that take part, with the devices each may have."""
        return {one.name: one.devices for one in self._counting() if one.name not in SERVERS and one.guest is None}

    def guests(self) -> dict[str, Guest]:
        """Who has an identity, and takes no part."""
        return {one.name: one.guest for one in self._counting() if one.guest is not None}

    def _counting(self) -> list[Certified]:
        """Of each identity the newest certificate that was not revoked, by name."""
        found = (self.current(name) for name in sorted({one.name for one in self.certificates}))
        return [one for one in found if one is not None]


def check_name(name: str) -> str:
    """The name of an identity. Raises: UsageError."""
    if not is_id(name):
        raise UsageError(f"{name!r} is not a name", "use a-z, 0-9 and -, 1 to 32 characters")
    return name


def encode(registry: Registry) -> bytes:
    """As the file has it."""
    return (json.dumps({"format": _FORMAT} | asdict(registry), indent=1) + "\n").encode()


def decode(data: bytes) -> Registry:
    """From the file. Raises: StoreError."""
    try:
        found: dict[str, Any] = json.loads(data)
        if found.pop("format") != _FORMAT:
            raise StoreError("the registry is of another version", "use the version of jaragua that made it")
        return Registry(
            fleet=found["fleet"],
            hosts=tuple(found["hosts"]),
            certificates=tuple(Certified(**_with_devices(one)) for one in found["certificates"]),
            invitations=tuple(Invitation(**_with_devices(one)) for one in found["invitations"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the registry cannot be read: {error}", "restore identities.json from a copy") from error


def _with_devices(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"devices": tuple(fields["devices"])}
