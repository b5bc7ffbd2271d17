"""A reader of signed MP4 files that shares no code with the one that Lanterne uses: from the C2PA specification, with `cryptography`.

It recomputes the hash over the file's boxes (BMFF hash, version 3), the hashes of the assertions that the claim names, and the COSE
signature of the claim up to the root.
"""

import hashlib
import struct

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def boxes(data, start=0, end=None):
    """(type, offset, bytes of the whole box) of the boxes in a piece of a file."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        size = {0: end - start, 1: int.from_bytes(data[start + 8 : start + 16])}.get(size, size)
        yield kind, start, data[start : start + size]
        start += size


def opinion(path, root_pem):
    """What does not hold, as a set of words; empty when all is well."""
    data = path.read_bytes()
    store = next(box for kind, _, box in boxes(data) if kind == b"uuid" and box[8:24] == _C2PA)
    # A full box's version and flags, the purpose with its zero, then an offset that only fragmented files use.
    jumbf = store[24 + 4 + len(b"manifest\0") + 8 :]
    manifests = [_inside(box) for kind, _, box in _superboxes(next(box for _, _, box in boxes(jumbf)))]
    active = manifests[-1]
    claim_bytes = _content(active["c2pa.claim.v2"])
    claim = cbor2.loads(claim_bytes)
    assertions = _inside(active["c2pa.assertions"])
    wrong = set()
    for reference in claim["created_assertions"] + claim.get("gathered_assertions", []):
        box = assertions[reference["url"].rpartition("/")[2]]
        if hashlib.sha256(box[8:]).digest() != reference["hash"]:
            wrong.add("assertion")
    binding = cbor2.loads(_content(assertions["c2pa.hash.bmff.v3"]))
    if _hash_of_boxes(data, binding["exclusions"]) != binding["hash"]:
        wrong.add("content")
    if not _signature_holds(cbor2.loads(_content(active["c2pa.signature"])), claim_bytes, root_pem):
        wrong.add("signature")
    return wrong


def _superboxes(box):
    return [(kind, offset, inner) for kind, offset, inner in boxes(box, 8) if kind == b"jumb"]


def _inside(box):
    """{label: superbox} of what a superbox holds; the label is the text after the kind and the toggles of its description."""
    found = {}
    for _, _, inner in _superboxes(box):
        description = next(boxes(inner, 8))[2]
        found[description[25 : description.index(0, 25)].decode()] = inner
    return found


def _content(box):
    return list(boxes(box, 8))[1][2][8:]


def _hash_of_boxes(data, exclusions):
    """SHA-256 over the file's boxes but those excluded, each after its own offset as 8 bytes."""
    digest = hashlib.sha256()
    for kind, offset, box in boxes(data):
        excluded = any(
            rule["xpath"] == "/" + kind.decode()
            and all(box[at["offset"] :].startswith(at["value"]) for at in rule.get("data") or ())
            for rule in exclusions
        )
        if not excluded:
            digest.update(struct.pack(">Q", offset) + box)
    return digest.digest()


def _signature_holds(message, claim_bytes, root_pem):
    protected, _, payload, signature = message.value
    header = cbor2.loads(protected)
    assert payload is None and header[1] == -7  # detached, ES256
    signer, *above = [x509.load_der_x509_certificate(one) for one in header[33]]
    root = x509.load_pem_x509_certificate(root_pem.encode())
    signed = cbor2.dumps(["Signature1", protected, b"", claim_bytes])
    try:
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        signer.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        signer.verify_directly_issued_by(root)
        return above == [root]
    except Exception:
        return False
