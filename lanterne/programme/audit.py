"""The audit log: every decision about a person leaves a line, in the same transaction, that cannot be changed without being noticed.

A line holds no personal data: the kind of what happened, when, and a salted commitment to the rest. The rest, the *opening*, lies beside
it and can be erased; the log stays valid. Each line comes with a checkpoint of the log up to it, signed with this installation's
Ed25519 key in the form of C2SP's tlog-checkpoint. A *receipt* proves to whoever holds it that the line is in the log, without the log.

Whoever holds the database and the key can write a new log from the first line; receipts and checkpoints kept elsewhere give it away.
"""

import base64
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256

from sqlalchemy import JSON, ForeignKey, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError
from lanterne.paths import secret
from lanterne.programme import merkle
from lanterne.tables import Base, now

# Kinds of lines about a person of which they learn elsewhere what they may know of it: reviewers are pseudonymous.
WITHHELD = ("review.looked",)
_ED25519 = b"\1"  # C2SP's signature type


class AuditError(LanterneError):
    """A line, a checkpoint or a receipt that does not hold, in one sentence that names it."""


class Head(Base):
    """How far the log goes. Its one row is written by whoever appends, so that appends take turns on SQLite and on Postgres."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    peaks: Mapped[list] = mapped_column(JSON)  # of the tree of all lines, in hex


class Line(Base):
    """leaf: what is hashed, canonical JSON. root: of the tree that ends with this line, in hex. signature: of its checkpoint, base64."""

    __tablename__ = "audit_log"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    leaf: Mapped[str]
    root: Mapped[str]
    signature: Mapped[str]


class Opening(Base):
    """What a line is about. Erased on its own."""

    __tablename__ = "audit_openings"
    number: Mapped[int] = mapped_column(ForeignKey("audit_log.number"), primary_key=True, autoincrement=False)
    person_id: Mapped[str | None] = mapped_column(index=True)
    salt: Mapped[str]
    data: Mapped[str]  # canonical JSON


@dataclass(frozen=True)
class Receipt:
    """A line, the proof that it is in the log that `checkpoint` signs, and its opening, if that was not erased. proof: hashes in hex."""

    number: int
    leaf: str
    proof: tuple[str, ...]
    checkpoint: str
    salt: str | None
    data: str | None

    def text(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, text: str) -> "Receipt":
        """Raises AuditError for what is not a receipt."""
        try:
            found = json.loads(text)
            receipt = cls(**found | {"proof": tuple(found["proof"])})
            texts = [receipt.leaf, receipt.checkpoint, *receipt.proof, *(part for part in (receipt.salt, receipt.data) if part is not None)]
            if type(receipt.number) is not int or not all(isinstance(part, str) for part in texts):
                raise TypeError
            return receipt
        except (ValueError, TypeError, KeyError, RecursionError):
            raise AuditError("This is not a receipt of an audit log; give a file that `lanterne audit receipt` wrote.") from None


@dataclass(frozen=True)
class Consistency:
    """Proof that the log of the `second` checkpoint begins with that of the `first`. proof: hashes in hex."""

    first: str
    second: str
    proof: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Consistency | None":
        """None for what is none, such as a receipt. Raises AuditError for one that is damaged."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or set(found) != {"first", "second", "proof"}:
            return None
        proof = found["proof"]
        if not isinstance(proof, list) or not all(isinstance(part, str) for part in (found["first"], found["second"], *proof)):
            raise AuditError("This is not a proof between two checkpoints; give a file that `lanterne audit consistency` wrote.")
        return cls(found["first"], found["second"], tuple(proof))


@dataclass(frozen=True)
class Step:
    """A line as a report reads it. at: UTC seconds. data: None once it was erased."""

    number: int
    at: int
    kind: str
    person_id: str | None
    data: dict | None


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint's text says, once its signature was found good."""

    size: int
    root: bytes


# Signing: Ed25519, in C2SP's signed notes.


class Signer:
    """This installation's key; it is made on first use and lies in the home folder."""

    def __init__(self):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(secret("audit-key"))
        public = self._key.public_key().public_bytes_raw()
        self.verifier = _verifier(f"lanterne-audit-{sha256(public).hexdigest()[:16]}", public)

    def sign(self, size: int, root: bytes) -> str:
        name = self.verifier.partition("+")[0]
        return base64.b64encode(self._key.sign(_body(name, size, root).encode())).decode()


def _verifier(name: str, public: bytes) -> str:
    """The public key as one word: name, what tells the key from others, type and key."""
    return f"{name}+{_key_hash(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def _key_hash(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _parts(verifier: str) -> tuple[str, bytes]:
    """(name, public key). Raises AuditError."""
    try:
        name, key_hash, key = verifier.strip().split("+", 2)
        decoded = base64.b64decode(key, validate=True)
        if decoded[:1] == _ED25519 and len(decoded) == 33 and _key_hash(name, decoded[1:]).hex() == key_hash:
            return name, decoded[1:]
    except ValueError:
        pass
    raise AuditError(f"{verifier[:80]!r} is not an audit log's public key; `lanterne audit key` prints one.")


def _body(name: str, size: int, root: bytes) -> str:
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\n"


def _checkpoint(verifier: str, size: int, root: bytes, signature: str) -> str:
    name, public = _parts(verifier)
    signed = base64.b64encode(_key_hash(name, public) + base64.b64decode(signature)).decode()
    return f"{_body(name, size, root)}\n— {name} {signed}\n"


def read_checkpoint(text: str, verifier: str) -> Checkpoint:
    """What a checkpoint says. Raises AuditError unless this key signed it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, public = _parts(verifier)
    match = re.fullmatch(r"(.+)\n(\d{1,15})\n([A-Za-z0-9+/]{43}=)\n\n— (.+) ([A-Za-z0-9+/]{91}=)\n", text)
    if match is None or match[1] != name or match[4] != name:
        raise AuditError(f"The checkpoint is not one of {name}; give the public key of the log that it is from.")
    size, root, signed = int(match[2]), base64.b64decode(match[3]), base64.b64decode(match[5])
    try:
        if signed[:4] != _key_hash(name, public):
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(public).verify(signed[4:], _body(name, size, root).encode())
    except InvalidSignature:
        raise AuditError(f"The checkpoint over {size} lines was not signed with this key: it was changed, or the key is another.") from None
    return Checkpoint(size, root)


# Writing.


def take_turn(session: Session) -> Head:
    """Wait until no other transaction appends; what is read from now on is the latest, and stays so until this session ends."""
    row = session.execute(update(Head).values(size=Head.size).returning(Head.id, Head.size, Head.peaks)).one()
    return Head(id=row.id, size=row.size, peaks=row.peaks)


def append(session: Session, kind: str, data: dict, person_id: str | None = None) -> Receipt:
    """Write a line in the session's transaction: it is there if, and only if, what it records is.

    kind: what happened, such as "pay.decided"; it is in the open. data: the rest, which is only committed to. person_id: at whose
    request the opening is to be erased.
    """
    head, signer = take_turn(session), Signer()
    salt, opened = secrets.token_hex(32), _canonical(data)
    leaf = _canonical({"at": now(), "commitment": _commitment(salt, opened), "kind": kind, "number": head.size})
    before = [bytes.fromhex(peak) for peak in head.peaks]
    peaks = merkle.grow(before, head.size, merkle.leaf_hash(leaf.encode()))
    root, size = merkle.root(peaks), head.size + 1
    signature = signer.sign(size, root)
    session.execute(insert(Line).values(number=head.size, leaf=leaf, root=root.hex(), signature=signature))
    session.execute(insert(Opening).values(number=head.size, person_id=person_id, salt=salt, data=opened))
    session.execute(update(Head).values(size=size, peaks=[peak.hex() for peak in peaks]))
    # The siblings of the last leaf are the trees before it.
    proof = tuple(peak.hex() for peak in reversed(before))
    return Receipt(head.size, leaf, proof, _checkpoint(signer.verifier, size, root, signature), salt, opened)


def erase(session: Session, person_id: str) -> int:
    """Erase the openings of a person's lines, and note how many. What the lines said can then be neither read nor guessed."""
    take_turn(session)
    erased = session.execute(delete(Opening).where(Opening.person_id == person_id)).rowcount
    append(session, "audit.erased", {"openings": erased})
    return erased


def _canonical(data: dict) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _commitment(salt: str, opened: str) -> str:
    return hmac.new(bytes.fromhex(salt), opened.encode(), "sha256").hexdigest()


# Proving.


def receipt(session: Session, number: int, person_id: str | None = None) -> Receipt:
    """For a line of the log as it is now. person_id: for whom it is; what lines about others say is left out, and what is withheld. None:
    for an operator.
    Raises AuditError where there is no such line."""
    lines = list(session.execute(select(Line.leaf, Line.root, Line.signature).order_by(Line.number)))
    if not 0 <= number < len(lines):
        raise AuditError(f"There is no line {number}; the log has {len(lines)}, the first is 0.")
    proof = merkle.inclusion_proof([merkle.leaf_hash(line.leaf.encode()) for line in lines], number)
    opening = session.get(Opening, number)
    if person_id is not None and opening and (opening.person_id != person_id or json.loads(lines[number].leaf)["kind"] in WITHHELD):
        opening = None
    return Receipt(
        number, lines[number].leaf, tuple(step.hex() for step in proof), _checkpoint_of(len(lines), lines[-1]),
        opening and opening.salt, opening and opening.data,
    )


def checkpoint(session: Session) -> str:
    """The log's latest checkpoint: three lines and a signature to keep somewhere else. Raises AuditError for an empty log."""
    line = session.execute(select(Line.number, Line.root, Line.signature).order_by(Line.number.desc()).limit(1)).first()
    if line is None:
        raise AuditError("The log is empty: there is nothing to sign yet.")
    return _checkpoint_of(line.number + 1, line)


def leaves(session: Session, start: int, most: int) -> tuple[list[str], str | None]:
    """Up to `most` leaves from line `start` on, as they are hashed, and the checkpoint that signs the log up to the last of them; None
    where there are none."""
    page = select(Line.number, Line.leaf, Line.root, Line.signature).where(Line.number >= start).order_by(Line.number).limit(most)
    rows = list(session.execute(page))
    return [row.leaf for row in rows], _checkpoint_of(rows[-1].number + 1, rows[-1]) if rows else None


def consistency(session: Session, first: str) -> Consistency:
    """From a checkpoint that somebody kept to the latest one. Raises AuditError where the log does not go on from there."""
    earlier, second = read_checkpoint(first, Signer().verifier), checkpoint(session)
    leaves = [merkle.leaf_hash(leaf.encode()) for leaf in session.scalars(select(Line.leaf).order_by(Line.number))]
    if earlier.size > len(leaves):
        raise AuditError(f"The checkpoint is over {earlier.size} lines and the log has {len(leaves)}: lines were taken out.")
    return Consistency(first, second, tuple(step.hex() for step in merkle.consistency_proof(leaves, earlier.size)))


def _checkpoint_of(size: int, line) -> str:
    return _checkpoint(Signer().verifier, size, bytes.fromhex(line.root), line.signature)


# Checking.


def check_receipt(receipt: Receipt, verifier: str) -> Checkpoint:
    """Whether a receipt holds by itself; it takes nothing but the log's public key. Raises AuditError."""
    signed = read_checkpoint(receipt.checkpoint, verifier)
    try:
        proof = [bytes.fromhex(step) for step in receipt.proof]
        reached = merkle.included_root(merkle.leaf_hash(receipt.leaf.encode()), receipt.number, signed.size, proof)
    except ValueError:
        reached = None
    if reached != signed.root:
        raise AuditError(f"The receipt for line {receipt.number} does not lead to its checkpoint: the line or the proof was changed.")
    told = receipt.salt is not None or receipt.data is not None  # without a salt, data would be shown that nothing was committed to
    if told and not (receipt.salt and receipt.data and _opens(receipt.leaf, receipt.salt, receipt.data)):
        raise AuditError(f"The receipt for line {receipt.number} says something else than was committed to: its data was changed.")
    return signed


def check_consistency(proof: Consistency, verifier: str) -> tuple[Checkpoint, Checkpoint]:
    """Whether nothing was changed between two checkpoints. Raises AuditError."""
    first, second = read_checkpoint(proof.first, verifier), read_checkpoint(proof.second, verifier)
    try:
        steps = [bytes.fromhex(step) for step in proof.proof]
        merkle.check_consistency(first.size, first.root, second.size, second.root, steps)
    except ValueError:
        raise AuditError(f"The log of {second.size} lines does not go on from the one of {first.size}: lines were changed.") from None
    return first, second


def verify(session: Session, verifier: str, receipts: Iterable[Receipt] = ()) -> tuple[int, int]:
    """Check every line, checkpoint, opening and the given receipts. Returns (lines, openings that were erased).

    Raises AuditError for what is no key, and for the first line that was changed, left out, put in or moved.
    """
    _parts(verifier)  # once before all lines: a key that is none is no sign that a line was changed
    roots, peaks = [], []
    openings = dict(_openings(session))
    for size, line in enumerate(session.scalars(select(Line).order_by(Line.number).execution_options(yield_per=1000))):
        if line.number != size:
            raise AuditError(f"Line {size} is missing: the next one is {line.number}.")
        peaks = merkle.grow(peaks, size, merkle.leaf_hash(line.leaf.encode()))
        root = merkle.root(peaks)
        if line.root != root.hex():
            raise AuditError(f"Line {size} was changed: it does not give the root that was written with it.")
        try:
            read_checkpoint(_checkpoint(verifier, size + 1, root, line.signature), verifier)
        except (AuditError, ValueError):
            raise AuditError(f"Line {size} was changed: its checkpoint is not signed with this key.") from None
        if size in openings and not _opens(line.leaf, *openings[size]):
            raise AuditError(f"Line {size} says something else than it committed to: what lies beside it was changed.")
        roots.append(root)
    head = session.execute(select(Head.size, Head.peaks)).one()
    if (head.size, head.peaks) != (len(roots), [peak.hex() for peak in peaks]):
        raise AuditError(f"Line {min(len(roots), head.size)} is missing or was put in: {len(roots)} lines, and the head knows {head.size}.")
    erased, noted = len(roots) - len(openings), sum(data["openings"] for _, data in opened(session, "audit.erased"))
    if erased != noted:
        raise AuditError(f"What {erased} lines are about is missing, and only {noted} were erased: the first is {_first(openings, roots)}.")
    for receipt in receipts:
        signed = check_receipt(receipt, verifier)
        if signed.size > len(roots):
            raise AuditError(
                f"Line {len(roots)} is missing: the receipt for line {receipt.number} is from a log of {signed.size} lines, this has "
                f"{len(roots)}."
            )
        if roots[signed.size - 1] != signed.root:
            raise AuditError(f"The receipt for line {receipt.number} is from another log: a line up to {signed.size - 1} was changed.")
    return len(roots), erased


def opened(session: Session, kind: str) -> Iterator[tuple[int, dict]]:
    """(number, data) of the lines of a kind whose openings are there."""
    for number, leaf, data in session.execute(
        select(Line.number, Line.leaf, Opening.data).join(Opening, Opening.number == Line.number).order_by(Line.number)
    ):
        if json.loads(leaf)["kind"] == kind:
            yield number, json.loads(data)


def told(session: Session, person_id: str | None = None) -> Iterator[tuple[int, int, str, str | None]]:
    """(number, UTC seconds, kind, data or None where it was erased) of every line, or of those about a person."""
    rows = select(Line.number, Line.leaf, Opening.data).outerjoin(Opening, Opening.number == Line.number).order_by(Line.number)
    for number, leaf, data in session.execute(rows if person_id is None else rows.where(Opening.person_id == person_id)):
        public = json.loads(leaf)
        yield number, public["at"], public["kind"], data


def told_to(session: Session, person_id: str) -> Iterator[tuple[int, int, str, str | None]]:
    """As `told`, about a person and for their own eyes."""
    for number, at, kind, data in told(session, person_id):
        yield number, at, kind, None if kind in WITHHELD else data


def read(session: Session, size: int | None = None) -> tuple[list[Step], list[str], str]:
    """The first `size` lines, by default all: what each says, its leaf, and the checkpoint that signs them.

    Raises AuditError where they do not lead to what was signed, or say something else than they committed to.
    """
    steps, leaves, peaks, last = [], [], [], None
    rows = select(Line.number, Line.leaf, Line.root, Line.signature, Opening.person_id, Opening.salt, Opening.data)
    for row in session.execute(rows.outerjoin(Opening, Opening.number == Line.number).order_by(Line.number).limit(size)):
        if row.salt is not None and not _opens(row.leaf, row.salt, row.data):
            raise AuditError(f"Line {row.number} says something else than it committed to: what lies beside it was changed.")
        public = json.loads(row.leaf)
        steps.append(Step(row.number, public["at"], public["kind"], row.person_id, None if row.data is None else json.loads(row.data)))
        peaks, last = merkle.grow(peaks, len(leaves), merkle.leaf_hash(row.leaf.encode())), row
        leaves.append(row.leaf)
    if last is None:
        raise AuditError("The log is empty: there is nothing to read yet.")
    if size not in (None, len(leaves)):
        raise AuditError(f"The log has {len(leaves)} lines and not the {size} asked for: it is another, or lines were taken out.")
    if merkle.root(peaks).hex() != last.root:
        raise AuditError(f"One of the first {len(leaves)} lines was changed; `lanterne audit verify` names it.")
    signed = _checkpoint_of(len(leaves), last)
    read_checkpoint(signed, Signer().verifier)
    return steps, leaves, signed


def count(session: Session, kind: str) -> int:
    """Lines of a kind, whether their openings are there or not."""
    return sum(json.loads(leaf)["kind"] == kind for leaf in session.scalars(select(Line.leaf)))


def _first(openings: dict, roots: list) -> int:
    return next(number for number in range(len(roots) + 1) if number not in openings)


def _openings(session: Session) -> Iterator[tuple[int, tuple[str, str]]]:
    for number, salt, data in session.execute(select(Opening.number, Opening.salt, Opening.data)):
        yield number, (salt, data)


def _opens(leaf: str, salt: str, data: str) -> bool:
    try:
        return hmac.compare_digest(json.loads(leaf)["commitment"], _commitment(salt, data))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
