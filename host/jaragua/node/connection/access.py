"""What a user says of a broker, from options or a run file, and what may be done with it (G1, G7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jaragua.bases.value import Value
from jaragua.errors import BrokerError, UsageError
from jaragua.node.connection.url import BrokerUrl, TlsFiles, parse_broker_url
from jaragua.trust import identity, private_files
from jaragua.trust.identity import Identity
from jaragua.trust.reach import is_loopback

USER_VARIABLE: Final = "JARAGUA_BROKER_USER"
PASSWORD_VARIABLE: Final = "JARAGUA_BROKER_PASSWORD"


class Access(Value):
    """A broker and who connects to it. Paths that are None come from the identity's folder, if there is one."""

    url: str = ""
    identity: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str = ""
    password_file: Path | None = None
    coordinator_key: Path | None = None
    insecure: bool = False

    def owner(self) -> Identity | None:
        """What the identity's folder says. Raises: ConfigurationError, StoreError."""
        return None if self.identity is None else identity.read(self.identity)


def address_of(access: Access, environment: Mapping[str, str]) -> BrokerUrl:
    """The broker with files and credentials. Raises: BrokerError, UsageError, ConfigurationError, StoreError."""
    owner = access.owner()
    text = access.url or (owner.broker if owner is not None else "")
    if not text:
        raise UsageError("no broker is named", "give --broker URL, or --identity FOLDER")
    url = parse_broker_url(text)
    url = replace(
        url,
        files=_files(access, owner),
        username=access.user or url.username or environment.get(USER_VARIABLE),
        password=_password(access, environment) or url.password,
    )
    _refuse_open(url, insecure=access.insecure)
    return url


def refuse_password(text: str, file: str = "--password-file FILE", variable: str = PASSWORD_VARIABLE) -> None:
    """G7: every user of the machine sees the command line of a process. Raises: UsageError, without repeating it.

    file, variable: what gives the password instead.
    """
    try:
        has_password = urlsplit(text).password is not None
    except ValueError:
        return  # it is no URL, which is said later
    if has_password:
        raise UsageError(
            "a password on the command line can be read by every user of this machine",
            f"leave it out of the URL: give {file}, or set {variable}",
        )


def _files(access: Access, owner: Identity | None) -> TlsFiles:
    if access.certificate is not None:  # another identity than the folder's
        return TlsFiles(access.ca or (owner.authority if owner else None), access.certificate, access.key)
    if owner is None:
        return TlsFiles(access.ca)
    return TlsFiles(access.ca or owner.authority, owner.certificate, access.key or owner.key)


def _password(access: Access, environment: Mapping[str, str]) -> str | None:
    """Of the file, else of the environment."""
    if access.password_file is None:
        return environment.get(PASSWORD_VARIABLE)
    return private_files.read_password(access.password_file, BrokerError)


def _refuse_open(url: BrokerUrl, *, insecure: bool) -> None:
    if insecure or is_loopback(url.host):
        return
    if not url.tls:
        raise BrokerError(
            f"{url.public} is beyond this machine and not encrypted",
            "use mqtts:// with an identity (docs/how-to/own-broker.md); --insecure, or broker.insecure, does without",
        )
    if url.files.certificate is None and not url.username:
        raise BrokerError(
            f"nothing says to {url.public} who this is",
            "give --identity FOLDER, --cert and --key, or --user and --password-file; --insecure does without",
        )
