"""Merkle trees as RFC 6962, section 2.1, hashes them, and proofs about them as RFC 9162, section 2.1, checks them.

Hashes are 32 bytes of SHA-256. A tree's *peaks* are the roots of the perfect trees that it is made of, the largest first: all that it
takes to append a leaf and to tell the root.
"""

from collections.abc import Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()


class ProofError(ValueError):
    """A proof that does not lead where it should."""


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def grow(peaks: Sequence[bytes], size: int, leaf: bytes) -> list[bytes]:
    """The peaks of a tree of `size` leaves after one more. Each one at the end of `size` in binary is a pair of trees that become one."""
    grown = [*peaks, leaf]
    while size & 1:
        right, left = grown.pop(), grown.pop()
        grown.append(node_hash(left, right))
        size >>= 1
    return grown


def root(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY
    joined = peaks[-1]
    for peak in reversed(peaks[:-1]):
        joined = node_hash(peak, joined)
    return joined


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """leaves: hashes of leaves, from the first."""
    peaks = []
    for size, leaf in enumerate(leaves):
        peaks = grow(peaks, size, leaf)
    return root(peaks)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """That the leaf at `index` is in the tree of these leaves: the siblings on its way to the root, from the lowest."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), tree_root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), tree_root(leaves[:split])]


def included_root(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to; it must be the tree's. Raises ProofError for a proof of another length."""
    if not 0 <= index < size:
        raise ProofError(f"There is no leaf {index} in a tree of {size}.")
    place, last, joined = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("The proof is too long.")
        if place & 1 or place == last:
            joined = node_hash(sibling, joined)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            joined = node_hash(joined, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("The proof is too short.")
    return joined


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """That the tree of all these leaves begins with the tree of the first ones, 0 <= first <= len(leaves)."""
    return _consistency(leaves, first, True) if 0 < first < len(leaves) else []


def _consistency(leaves: Sequence[bytes], first: int, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = _split(len(leaves))
    if first <= split:
        return [*_consistency(leaves[:split], first, whole), tree_root(leaves[split:])]
    return [*_consistency(leaves[split:], first - split, False), tree_root(leaves[:split])]


def check_consistency(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises ProofError unless the tree of `second` leaves provably begins with that of `first`."""
    if not 0 <= first <= second:
        raise ProofError(f"A tree of {second} leaves cannot go on from one of {first}.")
    if first in (0, second):
        if proof or (first == second and first_root != second_root) or (first == 0 and first_root != EMPTY):
            raise ProofError("The trees differ.")
        return
    steps = list(proof) if first & (first - 1) else [first_root, *proof]
    if not steps:
        raise ProofError("The proof is too short.")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            raise ProofError("The proof is too long.")
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    if last or old != first_root or new != second_root:
        raise ProofError("The later tree does not begin with the earlier one.")


def _split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1
