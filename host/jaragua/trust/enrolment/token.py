"""The token that an invitation prints: where to enrol, as whom, whom to believe, and a secret that works once. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import struct
from typing import Final

from jaragua.bases.value import Value
from jaragua.errors import UsageError
from jaragua.wire.topics import is_id

_PREFIX: Final = "jaragua1."
SECRET_BYTES: Final = 16
_HASH_BYTES: Final = 32
_NUMBERS: Final = struct.Struct(">HB")
_HOST: Final = re.compile(r"[A-Za-z0-9.:-]{1,253}")
_HINT: Final = "copy the whole token that `jaragua pki invite` printed"


class Token(Value):
    """What a token says. fingerprint: SHA-256 of the authority's certificate (DER)."""

    host: str
    port: int
    node: str
    fingerprint: bytes
    secret: bytes

    @property
    def text(self) -> str:
        """As it is printed."""
        node = self.node.encode()
        data = self.secret + self.fingerprint + _NUMBERS.pack(self.port, len(node)) + node + self.host.encode()
        return _PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")

    @property
    def digest(self) -> str:
        """What the authority keeps of the secret."""
        return digest_of(self.secret)


def digest_of(secret: bytes) -> str:
    """SHA-256 in hex: the secret has 128 random bits, so nobody finds it from this."""
    return hashlib.sha256(secret).hexdigest()


def parse(text: str) -> Token:
    """Raises: UsageError if it is no whole token."""
    try:
        if not text.startswith(_PREFIX):
            raise UsageError("this is no token of a fleet", _HINT)
        body = text.removeprefix(_PREFIX)
        data = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        port, length = _NUMBERS.unpack_from(data, SECRET_BYTES + _HASH_BYTES)
        rest = data[SECRET_BYTES + _HASH_BYTES + _NUMBERS.size :].decode("ascii")
    except (ValueError, struct.error) as error:
        raise UsageError("the token is cut off or damaged", _HINT) from error
    node, host = rest[:length], rest[length:]
    if not is_id(node) or not _HOST.fullmatch(host) or not port:
        raise UsageError("the token is cut off or damaged", _HINT)
    return Token(host, port, node, data[SECRET_BYTES : SECRET_BYTES + _HASH_BYTES], data[:SECRET_BYTES])


def fingerprint_of(pem: bytes) -> bytes:
    """SHA-256 of a certificate in PEM. Raises: ValueError if it is none."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).digest()
