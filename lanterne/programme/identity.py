"""Who signs: a root and a signing certificate of this installation's own, and the secret of its watermark. Made on first use.

They work offline and say what they are: "signed by this installation". They are not on the C2PA trust list.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lanterne.errors import LanterneError, writing
from lanterne.paths import create_private, home

_YEARS = 20  # without a time-stamp authority, signatures hold no longer than their certificate
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
    "encipher_only", "decipher_only",
)


@dataclass(frozen=True)
class Identity:
    """chain: PEM of the signing certificate and of the root that vouches for it; root: PEM of the latter alone."""

    chain: str
    root: str
    watermark_secret: bytes
    _key: ec.EllipticCurvePrivateKey

    def sign(self, data: bytes) -> bytes:
        """ES256 as COSE has it: r and s, 32 bytes each. The same data gives the same signature (RFC 6979)."""
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def identity() -> Identity:
    """This installation's, made on first use in the folder `provenance` of the home folder. Raises LanterneError where it is damaged."""
    folder = home() / "provenance"
    if not folder.exists():
        _make(folder)
    return _load(folder)


def existing() -> Identity | None:
    """The same, or None where nothing was signed yet: who only verifies needs no keys."""
    folder = home() / "provenance"
    return _load(folder) if folder.exists() else None


def _load(folder: Path) -> Identity:
    try:
        root = (folder / "root.pem").read_text()
        chain = (folder / "signer.pem").read_text() + root
        key = serialization.load_pem_private_key((folder / "signer.key").read_bytes(), None)
        secret = (folder / "watermark.key").read_bytes()
        signer, issuer = x509.load_pem_x509_certificates(chain.encode())
        signer.verify_directly_issued_by(issuer)
        fits = signer.public_key() == key.public_key() and len(secret) == 32
    except (OSError, ValueError, InvalidSignature):
        fits = False
    if not fits:
        raise LanterneError(f"The signing keys in {folder} are damaged; bring the folder back from a backup, or move it away for new ones.")
    return Identity(chain, root, secret, key)


def _make(folder: Path) -> None:
    """All of it or nothing; of two processes at once the first wins, whole."""
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
        temporary.mkdir(mode=0o700)
        try:
            root_key, signer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
            name = f"installation {secrets.token_hex(4)}"  # of chance: neither the machine's name nor its user's
            root = _certificate(_name(f"Root of {name}"), root_key, _name(f"Root of {name}"), root_key)
            signer = _certificate(_name(f"Lanterne, {name}"), signer_key, _name(f"Root of {name}"), root_key)
            for file, content in (
                ("root.pem", _pem(root)), ("root.key", _pem_of_key(root_key)), ("signer.pem", _pem(signer)),
                ("signer.key", _pem_of_key(signer_key)), ("watermark.key", secrets.token_bytes(32)),
            ):
                with create_private(temporary / file) as opened:
                    opened.write(content)
                    opened.flush()
                    os.fsync(opened.fileno())
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _certificate(subject: x509.Name, key, issuer: x509.Name, issuer_key) -> x509.Certificate:
    """One that signs for itself may sign others; the other may sign files alone (C2PA asks for an extended usage: e-mail protection)."""
    is_root, now = key is issuer_key, datetime.now(UTC)
    allowed = {"key_cert_sign", "crl_sign"} if is_root else {"digital_signature"}
    builder = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of others may be behind
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(is_root, None), critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in allowed for usage in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not is_root:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lanterne"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
