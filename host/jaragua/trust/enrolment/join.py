"""A node's side: its key is made here and never leaves this machine."""

from __future__ import annotations

import hmac
import http.client
import json
import ssl
from pathlib import Path
from typing import Any, Final

from jaragua.errors import BrokerError, UsageError
from jaragua.reasons import reason_of
from jaragua.trust import certificates, identity, private_files
from jaragua.trust.enrolment.token import Token, fingerprint_of
from jaragua.trust.identity import Identity

_SECONDS: Final = 15.0
_MOST_ANSWER_BYTES: Final = 64 * 1024
_FILES: Final = (identity.AUTHORITY, identity.CERTIFICATE, identity.COORDINATOR_KEY)


def join(token: Token, folder: Path) -> Identity:
    """Make the identity's folder. An attempt whose answer was lost is repeated with the same token and folder.

    Raises: UsageError, BrokerError, StoreError.
    """
    if (folder / identity.CERTIFICATE).exists():
        raise UsageError(f"{folder} has an identity already", "give another --folder, or use that identity")
    authority = _authority(token)
    private_files.private_folder(folder)
    key = _key(folder / identity.KEY)
    asked = {
        "name": token.node,
        "secret": token.secret.hex(),
        "request": certificates.make_request(token.node, certificates.load_key(key)).decode("ascii"),
    }
    answer = _answer(token, ssl.create_default_context(cadata=authority.decode("ascii")), "POST", "/join", asked)
    try:
        found = json.loads(answer)
        about = Identity(folder, str(found["fleet"]), str(found["name"]), str(found["broker"]))
        files = {name: str(found[name]).encode("ascii") for name in _FILES}
    except (ValueError, KeyError, TypeError) as error:
        raise BrokerError("the authority's answer cannot be read", "use the same version of jaragua there") from error
    identity.write(about, files | {identity.KEY: key, identity.AUTHORITY: authority})
    return about


def _authority(token: Token) -> bytes:
    """The authority's certificate, once its fingerprint is the token's; until then nothing secret is sent."""
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    pem = _answer(token, unchecked, "GET", "/authority")
    try:
        found = fingerprint_of(pem)
    except ValueError as error:
        raise BrokerError(f"{token.host}:{token.port} is not the authority of a fleet", "check the token") from error
    if not hmac.compare_digest(found, token.fingerprint):
        raise BrokerError(
            f"{token.host}:{token.port} is not the authority that made the token",
            "somebody may stand in between: nothing was sent; ask for a new invitation",
        )
    return pem


def _key(path: Path) -> bytes:
    """The key of an earlier attempt, or a new one, as PEM."""
    if not path.exists():
        private_files.write(path, certificates.private_pem(certificates.new_key()))
    return private_files.read(path, "the private key")


def _answer(token: Token, context: ssl.SSLContext, method: str, path: str, body: Any = None) -> bytes:
    """Of a request. Raises: BrokerError, UsageError if it is refused."""
    where = f"{token.host}:{token.port}"
    connection = http.client.HTTPSConnection(token.host, token.port, timeout=_SECONDS, context=context)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        data = response.read(_MOST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        hint = "is `jaragua pki serve` running there?"
        raise BrokerError(f"the authority at {where} cannot be reached: {reason_of(error)}", hint) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise UsageError(f"the authority at {where} refuses: {_why(data)}", "ask for a new invitation")
    return data


def _why(data: bytes) -> str:
    try:
        return str(json.loads(data)["error"])
    except (ValueError, KeyError, TypeError):
        return "it does not say why"
