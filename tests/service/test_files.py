"""The store, on the disk and in a bucket: the same bytes once, whole or not at all, and there as long as somebody holds them."""

import io
import os
import threading
import time
from hashlib import sha256

import boto3
import pytest
from serving import SMALL, Server, until

from lanterne.errors import LanterneError
from lanterne.service.bucket import Bucket
from lanterne.service.database import Character, Database
from lanterne.service.deployment import Deployment, store_of
from lanterne.service.files import STALE, Store, StoreError, sha256_of
from lanterne.service.holding import erase, forget, hold
from lanterne.service.settings import Settings

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture(params=["disk", "bucket"])
def store(request, home, bucket):
    if request.param == "disk":
        return store_of(Settings())
    return store_of(Settings(**bucket))


def _put(store, data: bytes) -> str:
    path = store.receive(io.BytesIO(data))
    name = sha256_of(path)
    store.put(path, name)
    return name


def test_bytes_are_found_by_what_they_are(store, home):
    store.check()
    assert {_put(store, b"abc") for _ in range(2)} == {ABC}
    assert store.local(ABC).read_bytes() == b"abc"
    assert not any(home.glob("*/incoming/*"))
    store.remove([ABC])
    store.remove([ABC])
    with pytest.raises(FileNotFoundError):
        store.local(ABC)


def test_what_breaks_off_leaves_nothing(store, home):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        store.receive(Broken())
    assert not any(home.glob("*/incoming/*"))


def test_names_are_of_what_has_been_there_for_a_while(store, home, monkeypatch):
    _put(store, b"abc")
    assert store.names() == []
    later = time.time() + 2 * STALE
    monkeypatch.setattr(time, "time", lambda: later)
    assert store.names() == [ABC]


# The bucket -----------------------------------------------------------------------------------------------------------------------


def test_another_machine_finds_what_was_put(home, bucket, tmp_path):
    here, there = (Bucket(bucket["bucket"], bucket["bucket_endpoint"], tmp_path / name, 2**20) for name in ("here", "there"))
    name = _put(here, b"abc" * 1000)
    assert there.local(name).read_bytes() == b"abc" * 1000
    there.remove([name])
    with pytest.raises(FileNotFoundError):
        Bucket(bucket["bucket"], bucket["bucket_endpoint"], tmp_path / "third", 2**20).local(name)


def test_the_cache_is_bounded_and_spares_what_is_in_use(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("lanterne.service.bucket._TRIM_AFTER", 0)
    store = Bucket(bucket["bucket"], bucket["bucket_endpoint"], tmp_path, 2500)
    names = [_put(store, bytes([number]) * 1000) for number in range(4)]
    assert len(list(tmp_path.glob("??/*"))) == 4  # all were used within the minute
    now = time.time()
    for age, name in enumerate(names):
        os.utime(tmp_path / name[:2] / name, (0, now - 1000 - age))
    store.local(names[3])
    names.append(_put(store, b"x" * 1000))
    assert {path.name for path in tmp_path.glob("??/*")} == {names[3], names[4]}
    assert store.local(names[0]).read_bytes() == bytes([0]) * 1000
    os.utime(tmp_path / names[0][:2] / names[0], (0, now - 2 * 86400))
    (tmp_path / names[3][:2] / names[3]).unlink()
    store.sweep()
    assert {path.name for path in tmp_path.glob("??/*")} == {names[4]}


def test_what_is_damaged_in_the_bucket_is_not_handed_on(bucket, tmp_path):
    store = Bucket(bucket["bucket"], bucket["bucket_endpoint"], tmp_path, 2**20)
    name, prefix = _put(store, b"abc"), bucket["bucket"].rpartition("/")[2]
    client = boto3.client("s3", endpoint_url=bucket["bucket_endpoint"])
    client.put_object(Bucket="lanterne", Key=f"{prefix}/{name}", Body=b"abd")
    client.put_object(Bucket="lanterne", Key=f"{prefix}/README", Body=b"not ours")
    (tmp_path / name[:2] / name).unlink()
    with pytest.raises(StoreError, match="something else"):
        store.local(name)
    assert not list(tmp_path.glob("*/*"))
    assert "README" not in store.names()


def test_a_bucket_that_is_not_there_is_a_sentence(bucket, tmp_path):
    store = Bucket("s3://lanterne-is-not-here/x", bucket["bucket_endpoint"], tmp_path, 2**20)
    with pytest.raises(LanterneError, match=r"s3://lanterne-is-not-here/x cannot be used.*check its name"):
        store.check()
    with pytest.raises(StoreError, match="does not answer"):
        _put(store, b"abc")


def test_a_video_in_a_bucket_is_delivered_as_from_the_disk(bucket, tiny_weights, tmp_path):
    """Range, ETag and HEAD, from a server that has nothing of it on its own disk; deleting takes it out of the bucket."""
    server = Server(tmp_path / "own", tiny_weights, **bucket).start()
    try:
        with server.http(server.lanterne("keys", "create", "--name", "bucket")) as http:
            job = {"prompt": "a lake", "seconds": "2", "size": SMALL, "num_inference_steps": 2}
            path = f"/v1/videos/{http.post('/v1/videos', json=job).json()['id']}"
            until(lambda: http.get(path).json()["status"] == "completed")
            for file in server.home.glob("cache/??/*"):
                file.unlink()
            assert not list(server.home.glob("files/??/*"))
            whole = http.get(f"{path}/content")
            assert whole.status_code == 200 and whole.content[4:8] == b"ftyp"
            part = http.get(f"{path}/content", headers={"range": "bytes=100-199"})
            assert part.status_code == 206 and part.content == whole.content[100:200]
            head = http.head(f"{path}/content")
            assert int(head.headers["content-length"]) == len(whole.content)
            assert http.get(f"{path}/content", headers={"if-none-match": head.headers["etag"]}).status_code == 304
            assert http.get(f"{path}/stream/0001.ts").status_code == 200
            prefix = bucket["bucket"].rpartition("/")[2]
            client = boto3.client("s3", endpoint_url=bucket["bucket_endpoint"])
            roles = len(client.list_objects_v2(Bucket="lanterne", Prefix=prefix)["Contents"])
            assert roles == 4 + 2  # video, thumbnail, sheet, latents; segments; no chunks, since it is over
            http.delete(path)
            assert client.list_objects_v2(Bucket="lanterne", Prefix=prefix)["KeyCount"] == 0
    finally:
        assert server.stop() == 0


# Who holds them -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def deployment(request, home, tmp_path):
    url = f"sqlite:///{tmp_path / 'service.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    database = Database(url)
    database.migrate()
    yield Deployment(Settings(), database, Store(home / "files"))
    database.engine.dispose()


def _holder(session, name: str) -> None:
    session.add(Character(id=name, owner="me", name=name, created_at=0))
    session.flush()


def test_bytes_go_when_nobody_holds_them_any_more(deployment):
    for name in ("a", "b"):
        path = deployment.store.receive(io.BytesIO(b"abc"))
        with deployment.database.session() as session:
            _holder(session, name)
            hold(session, deployment, name, {"video": (path, "video/mp4")})
    with deployment.database.session() as session:
        forget(session, deployment, "a")
    assert deployment.store.local(ABC).read_bytes() == b"abc"
    with pytest.raises(RuntimeError), deployment.database.session() as session:
        forget(session, deployment, "b")
        raise RuntimeError  # nothing is committed, so nothing goes
    assert deployment.store.local(ABC).read_bytes() == b"abc"
    with deployment.database.session() as session:
        forget(session, deployment, "b")
    with pytest.raises(FileNotFoundError):
        deployment.store.local(ABC)


def test_bytes_that_somebody_is_about_to_hold_are_not_removed(deployment):
    """The one who removes comes between the bytes' arrival and the end of the transaction that holds them: he waits, and looks again."""
    put, removed = threading.Event(), threading.Event()

    def remove():
        put.wait(60)
        erase(deployment, [ABC])
        removed.set()

    thread = threading.Thread(target=remove)
    thread.start()
    path = deployment.store.receive(io.BytesIO(b"abc"))
    with deployment.database.session() as session:
        _holder(session, "a")
        hold(session, deployment, "a", {"video": (path, "video/mp4")})
        put.set()
        assert not removed.wait(0.5)
    thread.join()
    assert deployment.store.local(ABC).read_bytes() == b"abc"


def test_putting_and_removing_the_same_bytes_at_once_loses_none(deployment):
    """Four put, hold and forget the same two files, over and over: who holds a file always finds it."""
    lost = []

    def live(me: int):
        for turn in range(15):
            name, given = f"{me}-{turn}", {}
            for role in ("x", "y") if me % 2 else ("y", "x"):
                given[role] = (deployment.store.receive(io.BytesIO(role.encode())), "text/plain")
            with deployment.database.session() as session:
                _holder(session, name)
                hold(session, deployment, name, given)
            for role in ("x", "y"):
                try:
                    deployment.store.local(sha256(role.encode()).hexdigest())
                except FileNotFoundError:
                    lost.append((name, role))
            with deployment.database.session() as session:
                forget(session, deployment, name)

    threads = [threading.Thread(target=live, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == [] and not any(deployment.store.folder.glob("??/*"))
