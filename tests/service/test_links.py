"""Signed links: they open one file for a while, whoever asks, and end with the key that made them, in the middle of a download, too; as
the public copy of a video does when it is taken down."""

import secrets
import socket
from urllib.parse import parse_qsl, urlsplit

import pytest
from serving import Server, new_key, revoke, until

from lanterne.programme import release, review
from lanterne.programme.pay import Actor
from lanterne.service import keys, releasing, revocation
from lanterne.service.database import Database, File, Video, now
from lanterne.service.deployment import Deployment
from lanterne.service.errors import APIError
from lanterne.service.links import Link
from lanterne.service.settings import Settings

ANA, OLGA, RITA = Actor("ana"), Actor("olga", operator=True), Actor("rita", reviewer=True)
BIG = 64 * 2**20  # a file that no socket's buffers hold


@pytest.fixture(scope="module")
def own(tiny_weights, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("links") / "home", tiny_weights, public_url="https://videos.example.org/").start("--no-worker")
    yield server
    assert server.stop() == 0, server.log.read_text()
    log = server.log.read_text()
    assert "Traceback" not in log and "signature" not in log


@pytest.fixture
def database(own, monkeypatch):
    monkeypatch.setenv("LANTERNE_HOME", str(own.home))
    return Database(f"sqlite:///{own.home / 'service.db'}")


@pytest.fixture
def film(own, database):
    """A key's id and text, and a finished video of its owner's, as large as no buffer."""
    with database.session() as session:
        key_id, text = keys.insert(session, "laptop", "ana", ["videos:read", "videos:write"], None, keys.Quota())
        video_id, digest = f"video_{key_id}", (key_id.encode().hex() + "0" * 64)[:64]
        path = own.home / "files" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(BIG)
        session.add(Video(
            id=video_id, owner="ana", kind="create", status="completed", progress=100, prompt="a", model="lanterne", width=256, height=144,
            seconds=4, plan={"seconds": 4, "steps": 10}, stopping=False, created_at=now(), completed_at=now(),
        ))
        session.add(File(holder=video_id, role="video", sha256=digest, bytes=BIG, media_type="video/mp4"))
    yield key_id, text, video_id
    path.unlink(missing_ok=True)


def link(own, text, video_id, **body):
    with own.http(text) as http:
        made = http.post(f"/v1/videos/{video_id}/link", json=body)
    assert made.status_code == 200, made.text
    assert made.json()["url"].startswith("https://videos.example.org/media/")
    return urlsplit(made.json()["url"])


def opened(own, place, **changed):
    with own.http(None) as http:
        return http.get(place.path, params=dict(parse_qsl(place.query)) | changed, headers={"range": "bytes=0-99"})


def test_a_link_opens_one_file_and_nothing_else(own, film):
    _, text, video_id = film
    place = link(own, text, video_id, expires_in=60)
    answer = opened(own, place)
    assert (answer.status_code, len(answer.content)) == (206, 100) and answer.headers["content-type"] == "video/mp4"
    with own.http(None) as http:
        assert http.head(f"{place.path}?{place.query}").headers["content-length"] == str(BIG)
    for changed in ({"variant": "thumbnail"}, {"key": "key_0"}, {"expires": now() + 10**6}, {"signature": "0" * 64}):
        refused = opened(own, place, **changed)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "invalid_link")
    with own.http(None) as http:
        assert http.get(f"/media/video_other?{place.query}").status_code == 403
        assert http.get(f"/v1/videos/{video_id}/content?{place.query}").status_code == 401


@pytest.mark.parametrize("body, status, code", [
    ({"expires_in": 0}, 400, "invalid_value"), ({"expires_in": 604_801}, 400, "invalid_value"), ({"expires_in": "5"}, 400, "invalid_value"),
    ({"variant": "latents"}, 400, "invalid_value"), ({"variant": "thumbnail"}, 404, "file_gone"), ({"seconds": 5}, 400, "unknown_field"),
])
def test_what_no_link_is_made_for(own, film, body, status, code):
    _, text, video_id = film
    with own.http(text) as http:
        refused = http.post(f"/v1/videos/{video_id}/link", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


def test_only_of_ones_own_videos_and_with_the_right_to_read(own, database, film):
    *_, video_id = film
    for owner, scope, status in (("ben", "videos:read", 404), ("ana", "videos:write", 403)):
        with own.http(new_key(database, "x", owner, [scope])) as http:
            assert http.post(f"/v1/videos/{video_id}/link").status_code == status


def test_a_link_ends_at_its_time_and_with_its_video(own, film):
    _, text, video_id = film
    soon, later = link(own, text, video_id, expires_in=1), link(own, text, video_id)
    until(lambda: opened(own, soon).status_code == 403)
    assert opened(own, soon).json()["error"]["code"] == "link_expired"
    with own.http(text) as http:
        assert http.delete(f"/v1/videos/{video_id}").status_code == 200
    assert opened(own, later).status_code == 404


def download(own, place) -> socket.socket:
    """A client that has read the beginning, and whose system takes little ahead of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    client.settimeout(60)
    client.connect(("127.0.0.1", own.port))
    client.sendall(f"GET {place.path}?{place.query} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert client.recv(2**10).startswith(b"HTTP/1.1 200")
    return client


def rest_of(client: socket.socket) -> int:
    """Bytes that still come."""
    got = 0
    try:
        while piece := client.recv(2**16):
            got += len(piece)
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize("how", ["revoked", "frozen"])
def test_a_link_ends_with_its_key_in_the_middle_of_a_download_and_no_other_does(own, database, film, how):
    key_id, text, video_id = film
    other = link(own, new_key(database, "studio", "ana", ["videos:read"]), video_id)
    place = link(own, text, video_id)
    with download(own, place) as cut, download(own, other) as stays:
        if how == "revoked":
            revoke(database, key_id)
        else:
            with database.session() as session:
                revocation.freeze(session, key_id)
        until(lambda: f"the download of {place.path} was ended: its key was revoked" in own.log.read_text())
        assert rest_of(cut) < BIG / 4  # a client that took nothing meanwhile is not given what waits for it
        assert opened(own, place).json()["error"]["code"] == "link_ended"
        assert rest_of(stays) > BIG * 0.99
    assert opened(own, other).status_code == 206


@pytest.fixture
def shown(own, database):
    """Two videos of ana's that are public, as large as no buffer: the requests' ids."""
    made = []
    with database.session() as session:
        if session.get(review.Policy, 1) is None:
            review.publish_policy(session, OLGA, "Be kind.", {"1": "A person."}, sample_percent=0, credit=1, currency="EUR")
        for _ in range(2):
            approved, copy = (secrets.token_hex(32) for _ in range(2))
            request_id = review.request(session, ANA, "video_1", approved, 4).id
            review.claim(session, RITA, request_id)
            review.look(session, RITA, request_id, True)
            release.release(session, ANA, request_id, approved)
            release.publish(session, request_id, copy)
            path = own.home / "files" / copy[:2] / copy
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(BIG)
            session.add(File(holder=request_id, role=releasing.RELEASED, sha256=copy, bytes=BIG, media_type="video/mp4"))
            made.append((request_id, copy, path))
    yield made
    for *_, path in made:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("by", ["artist", "operator"])
def test_a_takedown_ends_a_download_of_the_public_copy_and_no_other(own, database, shown, by):
    (down, copy, path), (other, *_) = shown
    place, elsewhere = (urlsplit(f"/programme/public/{request_id}/video") for request_id in (down, other))
    with download(own, place) as cut, download(own, elsewhere) as stays:
        part = opened(own, place)
        assert (part.status_code, len(part.content)) == (206, 100)  # who had it all before keeps it
        with own.http(None) as http:
            assert http.head(place.path).headers["content-length"] == str(BIG)
        house = Deployment.of(Settings.load())
        releasing.take_down(house, *((ANA, down) if by == "artist" else (OLGA, down, "1", "The mayor wrote to us.")))
        until(lambda: f"the download of {place.path} was ended" in own.log.read_text())
        assert rest_of(cut) < BIG / 4  # what it took before, and nothing that waited for it
        with own.http(None) as http:
            for headers in ({}, {"range": "bytes=0-99"}, {"if-none-match": f'"{copy}"'}):
                assert http.get(place.path, headers=headers).status_code == 404
            assert down not in http.get("/programme/public").text and other in http.get("/programme/public").text
        assert path.exists() == (by == "operator")  # an appeal may bring it back
        assert rest_of(stays) > BIG * 0.99


def test_a_signature_is_of_all_that_a_link_says():
    link = Link("video_a", "video", "key_a", now() + 60)
    link.check(b"s", link.signature(b"s"))
    for other, secret in (
        (Link("video_b", "video", "key_a", link.expires), b"s"), (Link("video_a", "thumbnail", "key_a", link.expires), b"s"),
        (Link("video_a", "video", "key_b", link.expires), b"s"), (Link("video_a", "video", "key_a", link.expires + 1), b"s"), (link, b"t"),
    ):
        with pytest.raises(APIError, match="not made here"):
            other.check(secret, link.signature(b"s"))
    over = Link("video_a", "video", "key_a", now())
    with pytest.raises(APIError, match="expired"):
        over.check(b"s", over.signature(b"s"))
