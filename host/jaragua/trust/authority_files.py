"""Where the files of an authority's folder are, for those who only read them. It needs no other package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from jaragua.errors import StoreError
from jaragua.trust import private_files

REGISTRY: Final = "identities.json"
#: Of `jaragua pki serve`, unless `jaragua broker init` was given another.
USUAL_ENROLMENT_PORT: Final = 8884
_MOST_PORT: Final = 65535


class AuthorityFiles:
    """Paths below a folder of `jaragua broker init`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        at = self.folder
        self.registry_file = at / REGISTRY
        self.certificate = at / "authority.crt"
        self.key = at / "authority.key"
        self.broker_certificate = at / "broker" / "certificate.crt"
        self.broker_key = at / "broker" / "private.key"
        self.revoked = at / "revoked.crl"
        self.access_list = at / "acl"
        self.members = at / "members.toml"
        self.port_file = at / "port"
        self.enrolment_port_file = at / "enrolment-port"

    @property
    def host(self) -> str:
        """The first name of the broker. Raises: StoreError if there is no authority."""
        if not self.registry_file.exists():
            raise StoreError(f"{self.folder} has no authority", "make one with `jaragua broker init`")
        try:
            return str(json.loads(private_files.read(self.registry_file, "the registry"))["hosts"][0])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise StoreError(f"{self.registry_file} is damaged", "restore it from a copy") from error

    @property
    def port(self) -> int:
        """The broker's port, which identities name. Raises: StoreError if it is missing or none."""
        return _port_in(self.port_file, "the broker's port")

    @property
    def enrolment_port(self) -> int:
        """The port of `jaragua pki serve`, which tokens name. Raises: StoreError if it is missing or none."""
        return _port_in(self.enrolment_port_file, "the port of enrolment")

    def identity_folder(self, name: str) -> Path:
        """Of a participant whose keys were made here."""
        return self.folder / "identities" / name


def _port_in(path: Path, what: str) -> int:
    text = private_files.read(path, what)
    port = int(text) if text.strip().isdigit() else 0
    if not 0 < port <= _MOST_PORT:
        raise StoreError(f"{path} does not hold a port", f"write {what} into it")
    return port
