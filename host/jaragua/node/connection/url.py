"""Where the broker is: `mqtt://[user:password@]host[:port]`, or `mqtts://` for TLS."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from jaragua.bases.value import Value
from jaragua.errors import BrokerError

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_FORM = "write it as mqtt://[user:password@]host[:port], or mqtts:// for TLS"


class TlsFiles(Value):
    """PEM files of a connection; authority None: those of the system; certificate None: the broker asks for none."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class BrokerUrl(Value):
    """A broker address with credentials. The password is left out of `repr`, and of `public`."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    files: TlsFiles = TlsFiles()

    @property
    def public(self) -> str:
        """The address without credentials: fit for messages and Thing Descriptions."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def parse_broker_url(text: str) -> BrokerUrl:
    """Read a broker URL; BrokerError says what is wrong with it (never repeating a password)."""
    parts = _split(text)
    if parts.scheme not in _DEFAULT_PORTS:
        found = (
            f"has the scheme {parts.scheme!r}, not mqtt or mqtts" if "://" in text else "does not begin with mqtt://"
        )
        raise BrokerError(f"the broker URL {found}", _FORM)
    if not parts.hostname:
        raise BrokerError("the broker URL names no host", _FORM)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise BrokerError("the broker URL has something after the host and port", _FORM)
    return BrokerUrl(
        host=parts.hostname,
        port=_port(parts),
        tls=parts.scheme == "mqtts",
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError as error:
        raise BrokerError(f"the broker URL cannot be read: {error}", _FORM) from error


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError as error:
        raise BrokerError("the broker URL's port is not a number in 1..65535", _FORM) from error
    if port == 0:
        raise BrokerError("the broker URL's port is not a number in 1..65535", _FORM)
    return port or _DEFAULT_PORTS[parts.scheme]
