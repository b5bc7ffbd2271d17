"""The store: the same bytes once, whole or not at all."""

import io

import pytest

from lanterne.service.files import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "files")


def test_bytes_are_found_by_what_they_are(store):
    names = {store.put(store.receive(io.BytesIO(b"abc"))) for _ in range(2)}
    assert names == {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
    name = names.pop()
    assert store.local(name).read_bytes() == b"abc" and store.has(name)
    assert not any((store.folder / "incoming").iterdir())
    store.remove(name)
    store.remove(name)
    assert not store.has(name)


def test_what_breaks_off_leaves_nothing(store):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        store.receive(Broken())
    assert not any((store.folder / "incoming").iterdir())
