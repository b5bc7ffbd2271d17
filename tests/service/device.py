"""A device with passkeys, in software: what an authenticator signs and a browser passes on, in the forms of Web Authentication."""

import base64
import json
import secrets
import struct
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Device:
    """One credential on the curve P-256. uses: its count of signatures; a copy of the device has one of its own."""

    def __init__(self, origin: str, host: str | None = None):
        self.origin, self.host = origin, host or origin.partition("://")[2]
        self.id, self.key, self.uses = secrets.token_bytes(32), ec.generate_private_key(ec.SECP256R1()), 0

    def make(self, options: dict) -> dict:
        """The answer to navigator.credentials.create."""
        point = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        credential = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        told = self._told("webauthn.create", options["challenge"])
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + credential})
        return self._answer({"clientDataJSON": encode(told), "attestationObject": encode(attestation), "transports": ["internal"]})

    def get(self, options: dict, flags: int = VERIFIED) -> dict:
        """The answer to navigator.credentials.get."""
        self.uses += 1
        told, data = self._told("webauthn.get", options["challenge"]), self._data(flags)
        signature = self.key.sign(data + sha256(told).digest(), ec.ECDSA(SHA256()))
        return self._answer({
            "clientDataJSON": encode(told), "authenticatorData": encode(data), "signature": encode(signature), "userHandle": None,
        })

    def _told(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _data(self, flags: int) -> bytes:
        verified = VERIFIED if flags == ATTESTED else 0
        return sha256(self.host.encode()).digest() + bytes([PRESENT | flags | verified]) + struct.pack(">I", self.uses)

    def _answer(self, response: dict) -> dict:
        return {"id": encode(self.id), "rawId": encode(self.id), "type": "public-key", "response": response, "clientExtensionResults": {}}
