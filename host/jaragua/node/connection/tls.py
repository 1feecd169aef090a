"""TLS of a connection to the broker: whom it believes, and who it says it is (G3)."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Final

from jaragua.errors import BrokerError
from jaragua.node.connection.url import BrokerUrl
from jaragua.reasons import reason_of
from jaragua.trust.private_files import is_open_to_all

_SUFFIX_DIGITS: Final = 16


class _ClosedByItself(ssl.SSLSocket):
    """Closes when its handshake fails; paho-mqtt would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        """As of an SSLSocket."""
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


def context_of(url: BrokerUrl) -> ssl.SSLContext | None:
    """None without TLS. TLS 1.2 or newer; the broker's name is checked. Raises: BrokerError about a file."""
    if not url.tls:
        return None
    files = url.files
    context = _trusting(files.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _ClosedByItself
    if files.certificate is not None:
        _show(context, files.certificate, files.key or files.certificate)
    return context


def identifier_suffix(url: BrokerUrl) -> str:
    """What only the owner of a private key can add to its identifier at the broker, "" without a key (G6).

    A broker gives a session to whoever names its identifier, whatever the certificate.
    """
    if not url.tls or url.files.key is None:
        return ""
    try:
        secret = url.files.key.read_bytes()
    except OSError as error:
        raise _unusable("private key", url.files.key, reason_of(error)) from error
    return "-" + hashlib.sha256(b"jaragua identifier\0" + secret).hexdigest()[:_SUFFIX_DIGITS]


def _trusting(authority: Path | None) -> ssl.SSLContext:
    """Believes the authority; without one those of the system."""
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("certificate authority", authority, reason_of(error)) from error


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        if is_open_to_all(key):
            raise BrokerError(f"every user of this machine may read the private key {key}", f"chmod 600 {key}")
        # Without a function for the password OpenSSL would ask the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        reason = "the key is not that of the certificate" if "MISMATCH" in str(error) else "it is no PEM, or encrypted"
        raise _unusable("certificate or private key", certificate, reason) from error
    except OSError as error:
        raise _unusable("certificate or private key", certificate, reason_of(error)) from error


def _unusable(what: str, path: Path | None, reason: str) -> BrokerError:
    return BrokerError(f"the {what} {path} cannot be used: {reason}", "check the file; `jaragua pki issue` makes both")
