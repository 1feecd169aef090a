"""When the certificates of an identity end (G19)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jaragua.bases.value import Value
from jaragua.errors import StoreError
from jaragua.trust import private_files

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: G19: how long before its end a certificate is warned of.
WARNING: Final = timedelta(days=30)


class Ending(Value):
    """A certificate, and when it ends."""

    file: Path
    end: datetime
    is_authority: bool

    def is_soon(self, now: datetime) -> bool:
        """Whether it is warned of."""
        return self.end - now < WARNING

    def in_words(self, now: datetime) -> str:
        """One sentence, with what to do if it ends soon."""
        days, day = (self.end - now).days, f"{self.end:%Y-%m-%d}"
        left = f"{days} day" if days == 1 else f"{days} days"
        when = f"has ended on {day}" if days < 0 else f"ends in {left}, on {day}"
        renewal = "a new one: `jaragua broker init` in another folder" if self.is_authority else "`jaragua pki renew`"
        return f"the certificate {self.file} {when}" + (f"; {renewal}" if self.is_soon(now) else "")


def endings(files: Iterable[Path]) -> list[Ending]:
    """Of the first certificate in each file (PEM). Raises: StoreError about one that cannot be read.

    Needs the package cryptography.
    """
    return [_ending(file) for file in files]


def _ending(file: Path) -> Ending:
    from cryptography import x509

    data = private_files.read(file, "the certificate")
    try:
        found = x509.load_pem_x509_certificate(data)
        constraints = [one.value for one in found.extensions if isinstance(one.value, x509.BasicConstraints)]
    except ValueError as error:
        raise StoreError(f"{file} is no certificate (PEM)", "check the file; `jaragua pki issue` makes one") from error
    return Ending(file, _end_of(found), any(one.ca for one in constraints))


def _end_of(certificate: Certificate) -> datetime:
    """Debian 12's cryptography has no times with a zone; later ones warn of those without."""
    end = getattr(certificate, "not_valid_after_utc", None)
    return end or certificate.not_valid_after.replace(tzinfo=UTC)
