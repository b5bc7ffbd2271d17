"""Keys of an installation: made once, private, and worth nothing elsewhere."""

import threading

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from lanterne.errors import LanterneError
from lanterne.programme.identity import existing, identity


def test_it_is_made_once_and_for_its_user_alone(home):
    assert existing() is None
    first = identity()
    assert identity().chain == first.chain == existing().chain
    folder = home / "provenance"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        name: 0o600 for name in ("root.pem", "root.key", "signer.pem", "signer.key", "watermark.key")
    }
    assert not [path for path in home.iterdir() if path != folder]


def test_the_root_vouches_for_a_signer_that_may_sign_files_alone():
    signer, root = x509.load_pem_x509_certificates(identity().chain.encode())
    signer.verify_directly_issued_by(root)
    assert list(signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    assert not signer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and not usage.key_cert_sign


def test_many_at_once_agree():
    found, gate = [], threading.Barrier(6)

    def make():
        gate.wait()
        found.append(identity().chain)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1


def test_signatures_do_not_vary():
    assert identity().sign(b"the same") == identity().sign(b"the same") != identity().sign(b"another")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("no key")])
@pytest.mark.parametrize("name", ["signer.key", "root.pem", "watermark.key"])
def test_damaged_keys_are_told_and_never_made_anew(home, name, damage):
    """Anew, they would orphan every file that was signed with the old ones."""
    identity()
    damage(home / "provenance" / name)
    with pytest.raises(LanterneError, match="backup"):
        identity()
