"""The folder of a participant: who it is, which broker it uses, and its keys. Reading it needs no other package."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Final

from jaragua.bases.value import Value
from jaragua.errors import ConfigurationError
from jaragua.trust import private_files

AUTHORITY, CERTIFICATE, KEY = "authority.crt", "certificate.crt", "private.key"
SIGNING_KEY, COORDINATOR_KEY = "signing.key", "coordinator.pub"
_ABOUT: Final = "identity.toml"
_KEYS: Final = ("fleet", "name", "broker")


class Identity(Value):
    """What a folder says."""

    folder: Path
    fleet: str
    name: str
    broker: str
    """URL, without credentials."""

    @property
    def authority(self) -> Path:
        """Certificate of the fleet's authority."""
        return self.folder / AUTHORITY

    @property
    def certificate(self) -> Path:
        """Its own certificate."""
        return self.folder / CERTIFICATE

    @property
    def key(self) -> Path:
        """Its private key."""
        return self.folder / KEY

    @property
    def coordinator_key(self) -> Path | None:
        """The public key that verifies what the coordinator signed, if there is one."""
        return _if_there(self.folder / COORDINATOR_KEY)

    @property
    def signing_key(self) -> Path | None:
        """The coordinator's secret key; no other participant has one."""
        return _if_there(self.folder / SIGNING_KEY)


def read(folder: Path) -> Identity:
    """Raises: ConfigurationError if the folder is none of an identity, StoreError."""
    data = private_files.read(folder / _ABOUT, "the identity")
    try:
        found = tomllib.loads(data.decode())
        values = {key: found[key] for key in _KEYS}
    except (ValueError, KeyError) as error:
        hint = "make it with `jaragua pki issue` or `jaragua join`"
        raise ConfigurationError(f"{folder / _ABOUT} is no identity: {error}", hint) from error
    if not all(isinstance(value, str) for value in values.values()):
        raise ConfigurationError(f"{folder / _ABOUT} is no identity", "its values are texts in quotes")
    return Identity(folder=folder, **values)


def write(identity: Identity, files: dict[str, bytes]) -> None:
    """Make the folder: 0700, keys 0600. files: by name; those of keys are secret. Raises: StoreError."""
    private_files.private_folder(identity.folder)
    for name, data in files.items():
        secret = name in (KEY, SIGNING_KEY)
        private_files.write(identity.folder / name, data, private_files.FILE_MODE if secret else 0o644)
    about = "".join(f"{key} = {json.dumps(getattr(identity, key))}\n" for key in _KEYS)
    private_files.write(identity.folder / _ABOUT, about.encode(), 0o644)


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None
