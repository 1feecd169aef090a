"""The coordinator's signing key (Ed25519) on disk, and the generation that rises with each of its processes."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jaragua.errors import ConfigurationError, StoreError
from jaragua.reasons import reason_of
from jaragua.trust import private_files
from jaragua.trust.signing import Signer

_LARGEST: Final = 2**63 - 1


def make(private: Path, public: Path) -> None:
    """Write a new key pair as PEM. Raises: StoreError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private_files.write(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    found = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private_files.write(public, found, private_files.PUBLIC_MODE)


def public_key(path: Path) -> bytes:
    """The 32 bytes of a public key. Raises: ConfigurationError, StoreError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(private_files.read(path, "the coordinator's public key"))
    except ValueError as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path)
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def open_signer(path: Path, now_ms: int) -> Signer:
    """A signer of a generation above every earlier one of this key. Raises: ConfigurationError, StoreError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(private_files.read(path, "the signing key"), None)
    except (ValueError, TypeError) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return Signer(raw, _next_generation(path.with_name(f"{path.name}.generation"), now_ms))


def _next_generation(path: Path, now_ms: int) -> int:
    """On the disk before it is used: a clock that is set back does not make new messages look old."""
    with _locked(path):
        try:
            last = int(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            last = 0
        except (OSError, ValueError) as error:
            hint = "write the Unix time in milliseconds into it, as one number"
            raise StoreError(f"{path} does not hold a generation", hint) from error
        generation = min(max(now_ms, last + 1), _LARGEST)
        private_files.write(path, f"{generation}\n".encode())
    return generation


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        with path.with_name(f".{path.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise StoreError(f"the folder of {path} cannot be used: {reason_of(error)}", "check its rights") from error


def _no_key(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path} does not hold an Ed25519 key in PEM", "`jaragua broker init` makes one")
