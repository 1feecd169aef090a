"""Why TLS failed, in words (G3).

With TLS 1.3 a client learns only after its handshake that the broker refuses its certificate, and the client library
keeps the reason to itself. So the handshake is done once more with TLS 1.2, which says it.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Final

import aiomqtt

from jaragua.errors import JaraguaError
from jaragua.node.connection.tls import context_of
from jaragua.node.connection.url import BrokerUrl

_SECONDS: Final = 3.0
_NAME: Final = re.compile(r"(certificate is not valid for '[^']*')")
#: Of OpenSSL's messages, what is meant; `%s` is the authority.
_WORDS: Final = (
    ("ALERT_CERTIFICATE_REVOKED", "it refuses the certificate of this node: it was revoked"),
    ("ALERT_CERTIFICATE_EXPIRED", "it refuses the certificate of this node: it has expired (`jaragua pki renew`)"),
    ("ALERT_UNKNOWN_CA", "it refuses the certificate of this node: another authority made it"),
    ("ALERT_BAD_CERTIFICATE", "it refuses the certificate of this node"),
    ("CERTIFICATE_REQUIRED", "it wants a certificate (--identity, or --cert and --key)"),
    ("ALERT_HANDSHAKE_FAILURE", "it ends the handshake: it wants a certificate (--identity, or --cert and --key)"),
    ("certificate has expired", "its certificate has expired, or the clock of this machine is wrong"),
    ("certificate is not yet valid", "its certificate is not valid yet: the clock of this machine is wrong"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not of the authority %s"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS on that port"),
)
_ENDED: Final = "it ended the connection"


def notice_end(client: aiomqtt.Client) -> None:
    """Have a client that is not connected yet notice that the broker ends the connection; aiomqtt would wait on."""
    library = client._client
    disconnected = library.on_disconnect

    def noticed(*values: object) -> None:
        if not client._connected.done():
            client._connected.set_exception(aiomqtt.MqttError(_ENDED))
        elif disconnected is not None:
            disconnected(*values)  # type: ignore[arg-type]

    library.on_disconnect = noticed


def in_words(reason: str, url: BrokerUrl) -> str:
    """A reason of a failed connection; blocks for up to a few seconds if TLS has to say more."""
    if not url.tls:
        return reason
    if reason == _ENDED:
        reason = _handshake(url) or reason
    if found := _NAME.search(reason):
        return f"its {found[1]}"
    words = next((words for text, words in _WORDS if text in reason), reason)
    return words.replace("%s", str(url.files.authority or "that this system trusts"))


def _handshake(url: BrokerUrl) -> str:
    """What a handshake with TLS 1.2 fails with, "" if it does not."""
    try:
        context = context_of(url)
        if context is None:
            return ""
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection((url.host, url.port), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=url.host),
        ):
            return ""
    except (OSError, JaraguaError) as error:
        return str(error)
