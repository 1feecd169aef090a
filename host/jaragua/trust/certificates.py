"""X.509 of a fleet: its authority, certificates of brokers and participants, the revocation list. Pure.

Keys are ECDSA P-256, which mosquitto 2.0, HiveMQ, EMQX and every OpenSSL since 1.0.2 accept. Times are passed in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jaragua.errors import StoreError, UsageError

#: A device's clock may be behind when it first connects.
_CLOCK_SKEW: Final = timedelta(minutes=5)
AUTHORITY_DAYS: Final = 3650
_CURVE: Final = ec.SECP256R1
PublicKey = ec.EllipticCurvePublicKey


@dataclass(frozen=True)
class Authority:
    """Who signs the certificates of a fleet."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Validity:
    """From when and how long a certificate counts."""

    now: datetime
    days: float

    @property
    def end(self) -> datetime:
        """When it expires."""
        return self.now + timedelta(days=self.days)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key pair."""
    return ec.generate_private_key(_CURVE())


def make_authority(fleet: str, now: datetime) -> Authority:
    """A new authority, signed by itself, for one fleet."""
    key, validity = new_key(), Validity(now, AUTHORITY_DAYS)
    name = _name("authority", fleet)
    builder = _builder(name, name, key.public_key(), validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def certify_participant(
    authority: Authority, fleet: str, name: str, public_key: ec.EllipticCurvePublicKey, validity: Validity
) -> x509.Certificate:
    """The certificate of a node or of the coordinator; its common name is the identity at the broker."""
    builder = _leaf(authority, _name(name, fleet), public_key, validity, ExtendedKeyUsageOID.CLIENT_AUTH)
    return builder.sign(authority.key, hashes.SHA256())


def certify_server(
    authority: Authority,
    fleet: str,
    hosts: Sequence[str],
    public_key: ec.EllipticCurvePublicKey,
    validity: Validity,
) -> x509.Certificate:
    """The certificate of the broker; hosts: names and addresses under which it is reached."""
    builder = _leaf(authority, _name("broker", fleet), public_key, validity, ExtendedKeyUsageOID.SERVER_AUTH)
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    return builder.add_extension(names, critical=False).sign(authority.key, hashes.SHA256())


def revocation_list(authority: Authority, revoked: Iterable[tuple[int, datetime]], now: datetime) -> bytes:
    """The list as PEM. revoked: serial numbers and times.

    It stays valid as long as the authority: a broker refuses everyone once its list is out of date.
    """
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(now - _CLOCK_SKEW).next_update(now + timedelta(days=AUTHORITY_DAYS))
    for serial, when in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_request(name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate signing request as PEM: proof that the sender has the private key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def key_of_request(pem: bytes, name: str) -> ec.EllipticCurvePublicKey:
    """The public key of a request. Raises: UsageError if it is none, for another name, or not signed by its key."""
    try:
        request = x509.load_pem_x509_csr(pem)
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        is_signed = request.is_signature_valid
    except Exception as error:  # what a peer sent; the library has many errors
        raise UsageError("the certificate request cannot be read", "join again with a new invitation") from error
    key = request.public_key()
    if not is_signed or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVE):
        raise UsageError("the certificate request is not signed by a P-256 key", "join again with a new invitation")
    if [one.value for one in names] != [name]:
        raise UsageError(f"the certificate request is not for {name}", "join again with the token of that node")
    return key


def public_pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM (PKCS #8), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """A private key from PEM. Raises: StoreError."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise StoreError("the private key is damaged", "remove it, and join with a new invitation") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StoreError("the private key is of another kind", "remove it, and join with a new invitation")
    return key


def load_authority(certificate: bytes, key: bytes) -> Authority:
    """From PEM. Raises: ValueError."""
    private = serialization.load_pem_private_key(key, None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("it is no EC key")
    return Authority(x509.load_pem_x509_certificate(certificate), private)


def public_key_of(certificate: bytes) -> ec.EllipticCurvePublicKey:
    """Of a certificate in PEM. Raises: ValueError."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("it has no EC key")
    return key


def _leaf(
    authority: Authority,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    validity: Validity,
    purpose: x509.ObjectIdentifier,
) -> x509.CertificateBuilder:
    issuer = authority.certificate
    builder = _builder(subject, issuer.subject, public_key, validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return builder.add_extension(issuer_key, critical=False)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, validity: Validity
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(validity.now - _CLOCK_SKEW).not_valid_after(validity.end)


def _name(common: str, fleet: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Jaragua fleet {fleet}"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
