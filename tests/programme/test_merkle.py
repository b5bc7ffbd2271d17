"""Merkle trees: what RFC 6962 says, what another implementation gives, and proofs that hold for nothing else."""

from contextlib import suppress
from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanterne.programme import merkle


def _leaves(size):
    return [merkle.leaf_hash(b"%d" % number) for number in range(size)]


def _theirs(size):
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        tree.append_entry(b"%d" % number)
    return tree


def test_a_root_computed_by_hand():
    a, b, c = (sha256(b"\0" + name).digest() for name in (b"a", b"b", b"c"))
    by_hand = sha256(b"\1" + sha256(b"\1" + a + b).digest() + c).digest()
    assert merkle.tree_root([merkle.leaf_hash(name) for name in (b"a", b"b", b"c")]) == by_hand
    assert merkle.tree_root([]) == sha256(b"").digest()


def test_roots_and_proofs_are_those_of_pymerkle():
    theirs, leaves = _theirs(70), _leaves(70)
    for size in range(1, 71):
        assert merkle.tree_root(leaves[:size]) == theirs.get_root(size)
    for size in (1, 2, 3, 7, 8, 33, 70):
        for index in range(size):
            # pymerkle's path begins with the leaf itself and counts leaves from 1.
            path = theirs.prove_inclusion(index + 1, size).serialize()["path"]
            ours = [step.hex() for step in merkle.inclusion_proof(leaves[:size], index)]
            assert sorted(ours) == sorted(path[1:]) and path[0] == leaves[index].hex()


@given(size=st.integers(1, 200), data=st.data())
def test_proofs_of_inclusion_hold_for_their_leaf_alone(size, data):
    leaves = _leaves(size)
    index = data.draw(st.integers(0, size - 1))
    proof, root = merkle.inclusion_proof(leaves, index), merkle.tree_root(leaves)
    assert merkle.included_root(leaves[index], index, size, proof) == root
    assert merkle.included_root(merkle.leaf_hash(b"other"), index, size, proof) != root
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with suppress(merkle.ProofError):
            assert merkle.included_root(leaves[index], other, size, proof) != root
    for wrong in (proof[:-1], [*proof, merkle.EMPTY]):
        if wrong != proof:
            with pytest.raises(merkle.ProofError):
                merkle.included_root(leaves[index], index, size, wrong)


@given(second=st.integers(0, 200), data=st.data())
def test_proofs_of_consistency_hold_for_their_trees_alone(second, data):
    first = data.draw(st.integers(0, second))
    leaves = _leaves(second)
    roots = merkle.tree_root(leaves[:first]), merkle.tree_root(leaves)
    proof = merkle.consistency_proof(leaves, first)
    merkle.check_consistency(first, roots[0], second, roots[1], proof)
    other = merkle.leaf_hash(b"other")
    wrongs = [(first, other, second, roots[1], proof), (first, roots[0], second, roots[1], [*proof, other])]
    if first:
        wrongs.append((first, roots[0], second, other, proof))
    if proof:
        wrongs.append((first, roots[0], second, roots[1], proof[:-1]))
    for wrong in wrongs:
        with pytest.raises(merkle.ProofError):
            merkle.check_consistency(*wrong)


@given(size=st.integers(0, 130))
def test_peaks_are_enough_to_append(size):
    leaves, peaks = _leaves(size + 1), []
    for number, leaf in enumerate(leaves[:-1]):
        peaks = merkle.grow(peaks, number, leaf)
    assert len(peaks) == size.bit_count()
    proof = list(reversed(peaks))
    assert proof == merkle.inclusion_proof(leaves, size)
    assert merkle.root(merkle.grow(peaks, size, leaves[-1])) == merkle.tree_root(leaves)
