"""The folder of a fleet's authority: keys, registry, and what a broker and a coordinator read of it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from jaragua.errors import StoreError, UsageError
from jaragua.reasons import reason_of
from jaragua.trust import certificates, identity, members, private_files, registry, signing_key
from jaragua.trust.access_list import AGGREGATOR, COORDINATOR, SERVERS, Guest, access_list, guest_identity
from jaragua.trust.authority_files import USUAL_ENROLMENT_PORT, AuthorityFiles
from jaragua.trust.certificates import Authority, PublicKey, Validity
from jaragua.trust.enrolment.token import digest_of
from jaragua.trust.registry import ANY_DEVICE, Certified, Invitation, Registry

#: Days that certificates of participants and of the broker count.
USUAL_DAYS: Final = 825


class AuthorityFolder(AuthorityFiles):
    """One fleet's authority. Errors: StoreError (folder), UsageError (names)."""

    # ---- what is done ----

    def create(
        self, fleet: str, hosts: Sequence[str], port: int, now: datetime, enrolment_port: int = USUAL_ENROLMENT_PORT
    ) -> None:
        """Make the authority, the broker's certificate, and identities of coordinator and aggregators.

        port: the broker's; enrolment_port: of `jaragua pki serve`. Raises: UsageError if there is an authority.
        """
        if self.registry_file.exists():
            raise UsageError(f"{self.folder} has an authority already", "give another folder, or keep using that one")
        registry.check_name(fleet)
        private_files.private_folder(self.folder)
        private_files.write(self.folder / ".gitignore", b"*\n")  # keys do not belong into a repository
        made = certificates.make_authority(fleet, now)
        private_files.write(self.key, certificates.private_pem(made.key))
        private_files.write(self.certificate, certificates.public_pem(made.certificate), 0o644)
        private_files.private_folder(self.folder / "broker")
        signing_key.make(self.folder / identity.SIGNING_KEY, self.folder / identity.COORDINATOR_KEY)
        self._write(Registry(fleet, tuple(hosts)), now)
        private_files.write(self.port_file, f"{port}\n".encode(), 0o644)
        private_files.write(self.enrolment_port_file, f"{enrolment_port}\n".encode(), 0o644)
        self.renew_broker(now)
        self.issue(COORDINATOR, (), now)
        self.issue(AGGREGATOR, (), now)

    def renew_broker(self, now: datetime, days: float = USUAL_DAYS) -> None:
        """A new key and certificate for the broker."""
        found, key = self.registry(), certificates.new_key()
        certificate = certificates.certify_server(
            self._authority(), found.fleet, found.hosts, key.public_key(), Validity(now, days)
        )
        private_files.write(self.broker_key, certificates.private_pem(key))
        private_files.write(self.broker_certificate, certificates.public_pem(certificate), 0o644)

    def issue(
        self, name: str, devices: Sequence[str], now: datetime, days: float = USUAL_DAYS, *, guest: Guest | None = None
    ) -> Path:
        """Make key and certificate of a participant here; returns its folder, to be brought to its machine.

        guest: what it is, if it is no member (G22, G28). Raises: UsageError.
        """
        if guest and (devices or name in SERVERS):
            message = f"an {guest} has no devices, and is not the coordinator"
            raise UsageError(message, f"leave out --device, or --{guest}")
        with self._changing():
            self._refuse_second(name)
            key = certificates.new_key()
            certificate = self._certify(name, key.public_key(), devices, Validity(now, days), guest)
        files = self.files_for(certificate) | {identity.KEY: certificates.private_pem(key)}
        if name == COORDINATOR:
            files[identity.SIGNING_KEY] = private_files.read(self.folder / identity.SIGNING_KEY, "the signing key")
        private_files.private_folder(self.folder / "identities")
        about = self.identity_of(name)
        identity.write(about, files)
        return about.folder

    def invite(self, name: str, devices: Sequence[str], digest: str, now: datetime, hours: float) -> None:
        """Let a node enrol once with the secret that has this digest; an earlier invitation of it ends."""
        with self._changing():
            self._refuse_second(name)
            expires = (now + timedelta(hours=hours)).isoformat()
            invitation = Invitation(name, digest, expires, tuple(devices))
            self._write(self.registry().with_invitation(invitation), now)

    def enrol(self, name: str, request: bytes, secret: bytes, now: datetime) -> bytes:
        """The certificate for a key that was made elsewhere, as PEM; its invitation is used up. Raises: UsageError.

        The same key with the same secret gets its certificate again: an answer may be lost.
        """
        key = certificates.key_of_request(request, name)
        with self._changing():
            invitation = self.registry().invitation(name, digest_of(secret), now)
            if invitation.used:
                return self._certificate_again(name, key)
            self._refuse_second(name)
            self._write(self.registry().used(invitation), now)
            return self._certify(name, key, invitation.devices, Validity(now, USUAL_DAYS))

    def renew(self, name: str, now: datetime, days: float = USUAL_DAYS) -> Path:
        """A new certificate for the same key; returns its file. Raises: UsageError."""
        with self._changing():
            before = self.registry().current(registry.check_name(name))
            if before is None:
                raise UsageError(f"no certificate of {name} is valid", "`jaragua pki list` shows all of them")
            key = certificates.public_key_of(private_files.read(self._file_of(before), "the certificate"))
            certificate = self._certify(name, key, before.devices, Validity(now, days), before.guest)
        if (self.identity_folder(name) / identity.KEY).exists():
            identity.write(self.identity_of(name), self.files_for(certificate))
            return self.identity_folder(name) / identity.CERTIFICATE
        return self._file_of(self._current(name))

    def withdraw(self, name: str, now: datetime) -> None:
        """Put all certificates of an identity on the revocation list. Raises: UsageError."""
        with self._changing():
            self._write(self.registry().without(registry.check_name(name), now), now)

    def registry(self) -> Registry:
        """Raises: StoreError if the folder has no authority."""
        if not self.registry_file.exists():
            raise StoreError(f"{self.folder} has no authority", "make one with `jaragua broker init`")
        return registry.decode(private_files.read(self.registry_file, "the registry"))

    def identity_of(self, name: str) -> identity.Identity:
        """Of a participant, with this fleet's broker."""
        found = self.registry()
        host = found.hosts[0]
        url = f"mqtts://{f'[{host}]' if ':' in host else host}:{self.port}"
        return identity.Identity(self.identity_folder(name), found.fleet, name, url)

    def files_for(self, certificate: bytes) -> dict[str, bytes]:
        """What every participant gets beside its key."""
        return {
            identity.CERTIFICATE: certificate,
            identity.AUTHORITY: private_files.read(self.certificate, "the authority"),
            identity.COORDINATOR_KEY: private_files.read(self.folder / identity.COORDINATOR_KEY, "the public key"),
        }

    def _certificate_again(self, name: str, key: PublicKey) -> bytes:
        current = self.registry().current(name)
        if current is not None:
            pem = private_files.read(self._file_of(current), "the certificate")
            if certificates.public_key_of(pem).public_numbers() == key.public_numbers():
                return pem
        raise UsageError(f"the invitation of {name} was used already", "ask for a new one")

    # ---- how ----

    def _certify(
        self, name: str, key: PublicKey, devices: Sequence[str], validity: Validity, guest: Guest | None = None
    ) -> bytes:
        found, common_name = self.registry(), guest_identity(name, guest) if guest else name
        certificate = certificates.certify_participant(self._authority(), found.fleet, common_name, key, validity)
        entry = Certified(
            name=name,
            serial=f"{certificate.serial_number:x}",
            issued=validity.now.isoformat(),
            expires=validity.end.isoformat(),
            devices=tuple(devices) or (() if guest or name in SERVERS else (ANY_DEVICE,)),
            guest=guest,
        )
        pem = certificates.public_pem(certificate)
        private_files.private_folder(self.folder / "certificates")
        private_files.write(self._file_of(entry), pem, 0o644)
        self._write(found.with_certificate(entry), validity.now)
        return pem

    def _refuse_second(self, name: str) -> None:
        """A second certificate of a node would be a second key that speaks for it."""
        if self.registry().current(registry.check_name(name)) is not None:
            raise UsageError(f"{name} has a certificate", f"`jaragua pki renew {name}`, or revoke it first")

    def _current(self, name: str) -> Certified:
        found = self.registry().current(name)
        if found is None:
            raise StoreError(f"{name} is not in the registry", "restore identities.json from a copy")
        return found

    def _file_of(self, one: Certified) -> Path:
        return self.folder / "certificates" / f"{one.name}-{one.serial[:16]}.crt"

    def _authority(self) -> Authority:
        key = private_files.read(self.key, "the authority's key")
        try:
            return certificates.load_authority(private_files.read(self.certificate, "the authority"), key)
        except ValueError as error:
            raise StoreError(f"the authority in {self.folder} is damaged", "restore it from a copy") from error

    def _write(self, found: Registry, now: datetime) -> None:
        """The registry first; what follows from it can be made again."""
        private_files.write(self.registry_file, registry.encode(found))
        revoked = certificates.revocation_list(self._authority(), found.revoked(), now)
        private_files.write(self.revoked, revoked, 0o644)
        private_files.write(self.members, members.written(found.members()).encode(), 0o644)
        self._write_access_list(access_list(found.fleet, found.guests()).encode())

    def _write_access_list(self, content: bytes) -> None:
        """Only if it changes: a broker that sees another list starts again (G13)."""
        if not self.access_list.exists() or self.access_list.read_bytes() != content:
            private_files.write(self.access_list, content, 0o644)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with (self.folder / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be used: {reason_of(error)}", "check its rights") from error


def now_utc() -> datetime:
    """The time of certificates."""
    return datetime.now(UTC).replace(microsecond=0)
