"""Bad input, bad clients and bad days: an answer in the API's shape, nothing lost, nothing left behind.

A server without a worker stands for the web process; what needs a broken database runs the application in this process.
"""

import asyncio
import contextlib
import io
import json
import logging
import os
import re
import socket
import sqlite3
import struct
import subprocess
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
import uvicorn
from serving import QUICK, SMALL, Server, new_key, revoke, until
from sqlalchemy import event, select

from lanterne.service import downloads, events, keeping, keys, log, metrics, outside, protocol, server, videos, waits, wire
from lanterne.service.app import build
from lanterne.service.database import Database, File, Reader, Video, Worker, now
from lanterne.service.deployment import Deployment
from lanterne.service.errors import APIError
from lanterne.service.holding import hold
from lanterne.service.settings import Settings

LIMIT = 2**20  # bytes that may be sent to the bare server
BIG = 64 * 2**20  # a file that no socket's buffers hold


class Bare(Server):
    """A server without a worker, and its owner's key."""

    def start(self, *arguments):
        super().start("--no-worker", *arguments)
        self.key = getattr(self, "key", None) or self.lanterne("keys", "create", "--name", "bare")
        return self

    @property
    def database(self):
        return Database(f"sqlite:///{self.home / 'service.db'}")

    @property
    def head(self) -> str:
        return f"host: x\r\nauthorization: Bearer {self.key}\r\n"

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def left_behind(self) -> list:
        return [path for path in (self.home / "files").glob("**/*") if path.is_file()]


@pytest.fixture(scope="module")
def bare(tiny_weights, tmp_path_factory):
    bare = Bare(tmp_path_factory.mktemp("bare") / "home", tiny_weights, max_upload_bytes=LIMIT, queued_per_owner=1000).start()
    yield bare
    assert bare.stop() == 0
    assert "Traceback" not in bare.log.read_text()


def _row(video_id, **fields):
    plan = {"seconds": 4, "steps": 10}
    return Video(**{
        "id": video_id, "owner": "me", "kind": "create", "status": "queued", "prompt": "a", "model": "lanterne", "width": 256,
        "height": 144, "seconds": 4, "plan": plan, "stopping": False, "created_at": now(),
    } | fields)


def _big_video(bare, video_id):
    """A finished video whose file is too large for any buffer on its way."""
    name = (video_id.encode().hex() + "0" * 64)[:64]
    path = bare.home / "files" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(BIG)
    with bare.database.session() as session:
        session.add(_row(video_id, status="completed", progress=100, completed_at=now()))
        session.add(File(holder=video_id, role="video", sha256=name, bytes=BIG, media_type="video/mp4"))
    return path


def _status(sock) -> int:
    data = b""
    while b"\r\n" not in data and (piece := sock.recv(4096)):
        data += piece
    return int(data.split()[1]) if data else 0


# Uploads --------------------------------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused_however_it_comes(bare):
    """Claimed, it is not read at all; in pieces of unknown number, it is read up to the limit. The refusal arrives."""
    with bare.raw() as claimed:
        kind = f"content-type: application/json\r\ncontent-length: {2**31}\r\n"
        claimed.sendall(f"POST /v1/videos HTTP/1.1\r\n{bare.head}{kind}\r\n".encode())
        assert _status(claimed) == 413
    with bare.raw() as streamed:
        kind = "content-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n"
        streamed.sendall(f"POST /v1/videos HTTP/1.1\r\n{bare.head}{kind}\r\n".encode())
        part = b'--b\r\ncontent-disposition: form-data; name="input_reference"; filename="f"\r\n\r\n'
        sent = 0
        with contextlib.suppress(OSError):
            for piece in [part, *[bytes(2**16)] * 1000]:
                streamed.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                sent += len(piece)
                streamed.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    if streamed.recv(1, socket.MSG_PEEK):
                        break
                streamed.setblocking(True)
        streamed.setblocking(True)
        assert _status(streamed) == 413 and sent < 2**16 * 1000
    assert bare.left_behind() == []


def test_a_client_that_leaves_in_mid_upload_leaves_nothing(bare):
    for kind in ("application/json", "multipart/form-data; boundary=b"):
        with bare.raw() as client:
            body = b'--b\r\ncontent-disposition: form-data; name="input_reference"; filename="f"\r\n\r\nabc'
            client.sendall(f"POST /v1/videos HTTP/1.1\r\n{bare.head}content-type: {kind}\r\ncontent-length: 9999\r\n\r\n".encode() + body)
    until(lambda: bare.log.read_text().count('"status": 400') + bare.log.read_text().count('"status": 0') >= 2)
    assert bare.left_behind() == []
    with bare.http(bare.key) as http:
        assert http.get("/v1/models").status_code == 200


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb(*extra, size=(256, 144), pixels=b""):
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + _chunk(b"IDAT", zlib.compress(pixels, 9)) + _chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        _bomb(size=(100_000, 100_000), pixels=bytes(10**6)), _bomb(_chunk(b"zTXt", b"t\0\0" + zlib.compress(bytes(2 * 10**8), 9))),
        _bomb(_chunk(b"iCCP", b"t\0\0" + zlib.compress(bytes(2 * 10**8), 9))), _bomb(pixels=bytes(1000)), b"\x89PNG\r\n\x1a\n",
        b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"GIF89a" + bytes(100), b"\xff\xd8\xff\xe0" + bytes(1000), b"%PDF-1.7", b"<svg/>",
    ],
    ids=["size", "text", "profile", "short", "head", "webp", "gif", "jpeg", "pdf", "svg"],
)
def test_pictures_that_blow_up_or_are_none(bare, data):
    with bare.http(bare.key) as http:
        answer = http.post("/v1/videos", data={"prompt": "a", "size": SMALL}, files={"input_reference": ("upload", data)})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "input_reference", answer.text
    assert bare.left_behind() == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": ["a"]}, "prompt"), ({"prompt": None}, "prompt"), ({"prompt": "a", "seconds": {"a": 1}}, "seconds"),
        ({"prompt": "a", "size": [1]}, "size"), ({"prompt": "a", "characters": {"id": "c"}}, "characters"),
        ({"prompt": "a", "input_reference": [1]}, "input_reference"), ({"prompt": "a", "seed": "NaN"}, "seed"),
        ({"prompt": "a", "guidance_scale": float("inf")}, "guidance_scale"), ({"prompt": "a", "model": 7}, "model"),
    ],
)
def test_wrong_types_are_named(bare, body, param):
    with bare.http(bare.key) as http:
        answer = http.post("/v1/videos", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith(param), answer.text


# Clients that dawdle --------------------------------------------------------------------------------------------------------------


def test_a_body_that_trickles_ends(monkeypatch):
    """Within the time that so little data may take, and not when the client likes."""
    monkeypatch.setattr(wire, "SLOWEST_SECONDS", 0.2)

    async def trickle():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def read():
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
        await wire.read_body(wire.Request(scope, trickle), LIMIT)

    with pytest.raises(APIError) as refused:
        asyncio.run(asyncio.wait_for(read(), 60))
    assert (refused.value.status, refused.value.code) == (408, "too_slow")


@pytest.fixture
def dawdling(monkeypatch):
    """The protocol by itself, with little patience; its port."""
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.3)

    async def answer(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

    web = uvicorn.Server(uvicorn.Config(answer, http=protocol.Protocol, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=web.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        web.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 0), (b"GET / HT", 408), (b"GET / HTTP/1.1\r\nhost: x\r\na: b\r\n", 408),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 20_000, 431), (b"GET / HTTP/1.1\r\nhost: " + b"x" * 200_000, 431),
    ],
    ids=["nothing", "line", "header", "many", "long"],
)
def test_a_header_has_to_come_and_to_end(dawdling, sent, status):
    with socket.create_connection(("127.0.0.1", dawdling), timeout=60) as client:
        with contextlib.suppress(OSError):
            client.sendall(sent)
        try:
            assert _status(client) == status and client.recv(4096) in (b"", b"\r\n\r\n")
        except ConnectionResetError:
            assert status == 431  # what was still on its way makes the system say it so


def test_a_refused_body_is_read_for_a_while_and_no_longer(dawdling):
    with socket.create_connection(("127.0.0.1", dawdling), timeout=60) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        assert _status(client) == 200
        with contextlib.suppress(OSError):
            while client.recv(4096):
                pass


def test_one_connection_serves_many_requests(dawdling):
    with socket.create_connection(("127.0.0.1", dawdling), timeout=60) as client:
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert _status(client) == 200


class _Open:
    async def still_opens(self, caller):
        return True


def _stream():
    async def endless():
        while True:
            yield b"x" * 1000

    return downloads.Stream(endless())


@pytest.mark.parametrize("kind", ["stream", "download"])
def test_what_nobody_takes_ends(monkeypatch, tmp_path, kind):
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.1)
    (tmp_path / "file").write_bytes(bytes(2**20))
    sent = []

    async def send(message):
        sent.append(message["type"])
        if len(sent) > 3:
            await asyncio.Event().wait()

    async def receive():
        await asyncio.Event().wait()

    response = _stream() if kind == "stream" else downloads.Download(tmp_path / "file", None, _Open())
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "asgi": {"spec_version": "2.3"}}
    asyncio.run(asyncio.wait_for(response(scope, receive, send), 60))
    assert sent == ["http.response.start"] + ["http.response.body"] * 3


# Keys that end --------------------------------------------------------------------------------------------------------------------


def _new_key(bare, name):
    text = bare.lanterne("keys", "create", "--name", name)
    return text, next(key.id for key in keys.listed(bare.database) if key.name == name)


def test_a_download_ends_with_its_key(bare):
    path = _big_video(bare, "video_download")
    key, key_id = _new_key(bare, "download")
    with bare.http(key) as http, http.stream("GET", "/v1/videos/video_download/content") as answer:
        pieces = answer.iter_raw(2**16)
        got = len(next(pieces))
        revoke(bare.database, key_id)
        until(lambda: bare.http(key).get("/v1/models").status_code == 401)
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):  # an early end, or the connection's reset
            for piece in pieces:
                got += len(piece)
    assert got < BIG
    path.unlink()


def test_a_stream_of_events_ends_with_its_key(bare):
    with bare.database.session() as session:
        session.add(_row("video_stream"))
    key, key_id = _new_key(bare, "stream")
    with bare.http(key) as http, http.stream("GET", "/v1/videos/video_stream/events") as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line) == "event: position"
        revoke(bare.database, key_id)
        assert not any(line.startswith("event: ") for line in lines)  # it ends, and the video has not


def test_a_file_that_is_not_there_any_more_is_a_404(bare):
    _big_video(bare, "video_gone").unlink()
    with bare.http(bare.key) as http:
        answer = http.get("/v1/videos/video_gone/content")
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "file_gone"


def test_ranges_that_are_none_are_told_in_the_apis_shape(bare):
    _big_video(bare, "video_ranges")
    with bare.http(bare.key) as http:
        for range_, status in (("bytes=a-b", 400), ("lines=1-2", 400), (f"bytes={BIG}-", 416)):
            answer = http.get("/v1/videos/video_ranges/content", headers={"range": range_})
            assert answer.status_code == status and set(answer.json()["error"]) == {"message", "type", "param", "code"}


# The end of the server ------------------------------------------------------------------------------------------------------------


def test_the_server_ends_in_order(tiny_weights, tmp_path):
    """A download that is under way comes whole; a stream is closed with a word on when to come again."""
    bare = Bare(tmp_path / "ending", tiny_weights).start()
    _big_video(bare, "video_whole")
    with bare.database.session() as session:
        session.add(_row("video_waits"))
    with (
        bare.http(bare.key) as http, http.stream("GET", "/v1/videos/video_whole/content") as download,
        bare.http(bare.key) as other, other.stream("GET", "/v1/videos/video_waits/events") as stream,
    ):
        pieces, lines = download.iter_raw(2**16), stream.iter_lines()
        got = len(next(pieces))
        assert next(line for line in lines if line) == "event: position"
        bare.process.terminate()
        assert [line for line in lines if line][-1] == "retry: 2000"
        for piece in pieces:
            got += len(piece)
    bare.process.communicate(timeout=60)
    assert got == BIG and bare.process.returncode == 0
    assert "Traceback" not in bare.log.read_text()


# Quotas and the log ---------------------------------------------------------------------------------------------------------------


def test_a_quota_holds_however_many_ask_at_once(bare):
    key = bare.lanterne("keys", "create", "--name", "quota", "--owner", "quota", "--videos", "3", "--period", "1")

    def ask(_):
        with bare.http(key) as http:
            return http.post("/v1/videos", json={"prompt": "a", "seconds": "1", "size": SMALL})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 5
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "quota_exceeded" and 86000 < int(refused.headers["retry-after"]) <= 86400
    with bare.http(key) as http:
        made = [answer.json()["id"] for answer in answers if answer.status_code == 200]
        assert len(http.get("/v1/videos").json()["data"]) == 3  # a refused one leaves nothing
        assert http.post(f"/v1/videos/{made[0]}/cancel").status_code == 200  # it was not begun, and counts for nothing
        assert ask(0).status_code == 200
        assert http.delete(f"/v1/videos/{made[1]}").status_code == 200
        assert [ask(0).status_code, ask(0).status_code] == [200, 429]


@pytest.mark.parametrize("asked", [False, True])
def test_prompts_are_in_the_log_only_where_a_setting_asks(monkeypatch, home, caplog, asked):
    monkeypatch.setenv("LANTERNE_LOG_PROMPTS", str(asked))
    caplog.set_level(logging.INFO, "lanterne")
    ask, _ = _application()
    assert ask("POST", "/v1/videos", json={"prompt": "a very private lake"}).status_code == 200
    assert ("a very private lake" in caplog.text) == asked
    assert "ltn_" not in caplog.text and '"path": "/v1/videos"' in caplog.text


def test_a_log_for_programs_has_an_object_a_line(capsys):
    before = logging.root.handlers[:]
    try:
        log.start(Settings(log_format="json"))
        logging.getLogger("lanterne.web").info("not shown", extra={"fields": {"status": 200}})
        logging.getLogger("lanterne.web").info("two\nlines and %s", "more")
        try:
            raise ValueError("no")
        except ValueError:
            logging.getLogger("lanterne.web").exception("it failed")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        logging.root.handlers[:] = before
    assert lines[0]["status"] == 200 and lines[0]["origin"] == "lanterne.web" and lines[0]["level"] == "info"
    assert lines[1]["message"] == "two\nlines and more" and "ValueError: no" in lines[2]["trace"]


# Databases and disks --------------------------------------------------------------------------------------------------------------


def _application():
    """A way to ask the application in this process, with no patience for locks; and its database."""
    settings = Settings(reserve_bytes=0)
    server.prepare(settings)
    app = build(settings)
    database = app._app.state.deployment.database
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=100"))
    key = new_key(database, "tests", "me", ["videos:read", "videos:write"])
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)

    def ask(method, path, **options):
        async def once():
            async with httpx2.AsyncClient(transport=transport, base_url="http://x", headers={"authorization": f"Bearer {key}"}) as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    return ask, database


@pytest.fixture
def application(home):
    return *_application(), home


def _picture():
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (256, 144)).save(buffer, "PNG")
    return buffer.getvalue()


def _create(ask):
    return ask("POST", "/v1/videos", data={"prompt": "a", "size": SMALL}, files={"input_reference": ("upload", _picture())})


def _files(home):
    return [path for path in (home / "files").glob("**/*") if path.is_file()]


def test_a_locked_database_is_waited_for_and_then_told(application):
    ask, _, home = application
    assert _create(ask).status_code == 200
    kept = _files(home)
    lock = sqlite3.connect(home / "service.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    answer = _create(ask)
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "database_unavailable"
    assert answer.headers["x-should-retry"] == "true" and _files(home) == kept
    assert ask("GET", "/v1/videos").json()["data"]  # readers do not wait for writers
    lock.execute("ROLLBACK")
    lock.close()
    assert _create(ask).status_code == 200


def test_a_broken_database_is_told_and_takes_nothing_in(application):
    ask, database, home = application
    video_id = _create(ask).json()["id"]
    kept = _files(home)
    database.engine.dispose()
    for name in ("service.db-wal", "service.db-shm"):
        (home / name).unlink(missing_ok=True)
    (home / "service.db").write_bytes(b"no database at all" * 10_000)
    for answer in (_create(ask), ask("GET", f"/v1/videos/{video_id}"), ask("GET", "/v1/videos"), ask("GET", "/healthz")):
        assert answer.status_code == 503 and set(answer.json()["error"]) == {"message", "type", "param", "code"}, answer.text
    assert _files(home) == kept


def test_a_full_disk_is_told_and_nothing_is_left_behind(tiny_weights, tmp_path):
    """On a real disk of 6 MB."""
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        bare = Bare(small / "home", tiny_weights, reserve_bytes=0)
        bare.log = tmp_path / "small.log"
        bare.start()
        try:
            with bare.http(bare.key) as http:
                fields = {"prompt": "a", "size": SMALL}
                for _ in range(3):
                    full = http.post("/v1/videos", data=fields, files={"input_reference": ("upload", bytes(8 * 2**20))})
                    assert full.status_code == 503 and "disk" in full.json()["error"]["message"], full.text
                    assert bare.left_behind() == []
                assert http.post("/v1/videos", json=fields | QUICK).status_code == 200
        finally:
            assert bare.stop() == 0
    finally:
        subprocess.run(["umount", "-l", str(small)])
    assert "Traceback" not in bare.log.read_text()


# What is kept ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def deployment(request, home):
    url = request.getfixturevalue("postgres").database() if request.param == "postgres" else None
    settings = Settings(disk_budget_bytes=2**20, database_url=url, reserve_bytes=0)
    server.prepare(settings)
    deployment = Deployment.of(settings)
    yield deployment
    deployment.database.engine.dispose()


def _kept(deployment, video_id, *contents, **fields):
    """A finished video with these files in the store."""
    row = _row(video_id, status="completed", progress=100, completed_at=fields.pop("completed_at", now()), **fields)
    with deployment.database.session() as session:
        session.add(row)
        session.flush()
        given = {f"file-{number}": (deployment.store.receive(io.BytesIO(data)), "x") for number, data in enumerate(contents)}
        hold(session, deployment, video_id, given)


def _who_has_files(deployment):
    with deployment.database.session() as session:
        return set(session.scalars(select(File.holder)))


def test_the_oldest_files_leave_when_the_budget_is_used_up(deployment):
    """Shared bytes count once; what an active video was made from stays; the rows say what happened."""
    shared, half = b"s" * 2**18, 2**19
    for number, video_id in enumerate("abcd"):
        _kept(deployment, video_id, shared, video_id.encode() * half, completed_at=1000 + number)
    with deployment.database.session() as session:
        session.add(_row("later", remixed_from="a"))
    keeping.keep_within_budget(deployment)
    assert _who_has_files(deployment) == {"a"}  # 3/4 of a MiB; with any other it would be 5/4
    with deployment.database.session() as session:
        left = {video.id: video.expires_at for video in session.scalars(select(Video))}
    assert set(left) == {"a", "b", "c", "d", "later"} and left["a"] is None and all(left[name] <= now() for name in "bcd")
    stored = [path for path in deployment.store.folder.glob("??/*")]
    assert sum(path.stat().st_size for path in stored) == 2**18 + half
    keeping.keep_within_budget(deployment)
    assert _who_has_files(deployment) == {"a"}


def test_files_leave_when_their_time_has_come_and_the_video_stays_listed(deployment):
    _kept(deployment, "old", b"1", expires_at=now() - 1)
    _kept(deployment, "new", b"2", expires_at=now() + 1000)
    _kept(deployment, "kept", b"3")
    keeping.expire(deployment)
    assert _who_has_files(deployment) == {"new", "kept"}
    caller = keys.Caller("key_a", "me", ("videos:read",), "hash")
    assert {video.id for video in videos.page(deployment, caller, 10, "asc", None)[0]} == {"old", "new", "kept"}
    for look in (lambda: videos.content(deployment, caller, "old", "video"), lambda: videos.playlist(deployment, caller, "old")):
        with pytest.raises(APIError) as refused:
            look()
        assert (refused.value.status, refused.value.code) == (404, "file_gone")


# On both databases ----------------------------------------------------------------------------------------------------------------


def test_a_quota_is_counted_by_one_at_a_time(deployment):
    new_key(deployment.database, "quota", "me", ["videos:write"], quota=keys.Quota(seconds=10, days=1))
    [key] = keys.listed(deployment.database)
    caller = keys.Caller(key.id, "me", ("videos:write",), key.hash)

    def ask(_):
        try:
            return videos.create(deployment, caller, {"prompt": "a", "seconds": "3", "size": SMALL}, None)
        except APIError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers.count("quota_exceeded") == 5
    assert keys.quota_text(deployment.database, key) == "9 of 10 seconds in 1 day"


def test_counters_add_up_whoever_counts(deployment):
    def count(number):
        with deployment.database.session() as session:
            metrics.count_chunk(session, number)
            metrics.count(session, {("failures", "x"): 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, [0.25, 0.3, 7, 1000] * 5))
    text = metrics.text(deployment.database, "1", 5).decode()
    for line in ('duration_seconds_bucket{le="0.25"} 5.0', 'duration_seconds_bucket{le="0.5"} 10.0', 'duration_seconds_bucket{le="8"} 15.0',
                 'duration_seconds_bucket{le="+Inf"} 20.0', "duration_seconds_count 20.0", "duration_seconds_sum 5037.75",
                 'videos_failed_total{code="x"} 20.0', "disk_free_bytes 5.0"):
        assert line in text, text


def test_events_are_told_and_streams_end(deployment):
    """What was before, what comes while somebody listens, and the end of a key; from the feed itself."""
    new_key(deployment.database, "laptop", "me", ["videos:read"])
    [key] = keys.listed(deployment.database)
    caller = keys.Caller(key.id, "me", ("videos:read",), key.hash)
    with deployment.database.session() as session:
        session.add(_row("video_a"))
        events.note(session, "video_a", "queued", {})

    def tell(name, **data):
        with deployment.database.session() as session:
            events.note(session, "video_a", name, data)

    async def listen():
        feed = events.Feed(deployment.database, waits.Outlook(deployment.database))
        heard, second = [], None
        async for text in feed.listen(caller, "video_a", 0):
            if not text:  # the end, since the video has not ended
                continue
            heard.append(re.search("event: (.*)", text)[1])
            if heard[-1] == "position":
                second = asyncio.create_task(anext(feed.listen(caller, "video_a", 10**9)))
                await asyncio.sleep(0)
                tell("in_progress")
            if heard[-1] == "in_progress":
                for number in range(3):
                    tell("progress", progress=number)
            if heard.count("progress") == 3 and heard[-1] == "progress":
                revoke(deployment.database, key.id)
        return heard, await asyncio.wait_for(second, 60)

    heard, other = asyncio.run(listen())
    assert heard == ["queued", "position", "in_progress", "progress", "progress", "progress"]
    assert "in_progress" in other or "position" in other


def test_a_row_is_read_on_the_loop_or_in_a_thread(deployment):
    with deployment.database.session() as session:
        session.add(_row("video_a"))
    reader = Reader(deployment.database)
    asked = [reader.row(videos.ONE, id=name, owner="me") for name in ("video_a", "video_b")]

    async def read():
        return [await row for row in asked]

    found, missing = asyncio.run(read())
    assert found.id == "video_a" and found.work == 40 and missing is None
    reader.close()


# Clocks and waits -----------------------------------------------------------------------------------------------------------------


def _waits(database, *rows, workers=1):
    with database.session() as session:
        session.add_all(rows)
        session.add_all(Worker(slot=f"w{number}", alive_until=now() + 60) for number in range(workers))
    outlook = waits.Outlook(database)
    with database.session() as session:
        numbers = {video.id: (video.owner, video.number) for video in session.query(Video)}

    async def of(name):
        return await outlook.wait(*numbers[name])

    return lambda name: asyncio.run(of(name))


@pytest.fixture
def database(deployment):
    return deployment.database


def test_waits_come_from_what_videos_took(database):
    """40 units of work took 20 s, so that 4 s with 10 steps take 20 s, too; a time that a clock made negative counts for nothing."""
    wait = _waits(
        database, _row("done", status="completed", started_at=1000, completed_at=1020),
        _row("clock", status="completed", started_at=9000, completed_at=1000), _row("running", status="in_progress", progress=75),
        _row("a"), _row("b"), _row("c", owner="other"), _row("d", owner="other"), _row("e"),
    )
    assert (wait("a").ahead, wait("a").seconds) == (2, 25)  # the running one's quarter, and one of the other owner's by chance
    assert (wait("b").ahead, wait("b").seconds) == (4, 65)
    assert (wait("c").ahead, wait("c").seconds) == (2, 25)
    assert (wait("e").ahead, wait("e").seconds) == (5, 85)


def test_what_was_not_measured_is_not_promised(database):
    assert _waits(database, _row("running", status="in_progress"), _row("a"))("a") == waits.Wait(1, None)


def test_without_a_worker_nothing_is_promised(database):
    wait = _waits(database, _row("done", status="completed", started_at=1000, completed_at=1020), _row("a"), workers=0)
    assert wait("a") == waits.Wait(0, None)


def test_a_watched_video_that_waits_says_how_long(bare):
    with bare.http(bare.key) as http:
        video = http.post("/v1/videos", json={"prompt": "a", "size": SMALL}).json()
        assert "wait" not in video
        watched = http.get(f"/v1/videos/{video['id']}")
        assert set(watched.json()) - set(video) == {"wait"} and watched.json()["wait"]["seconds"] is None  # no worker is there
        ahead = watched.json()["wait"]["ahead"]
        assert watched.headers["openai-poll-after-ms"] == str(1000 * min(1 + ahead, 5))


def test_a_clock_that_goes_back_gives_nothing_away(database, monkeypatch):
    new_key(database, "laptop", "me", ["videos:write"], quota=keys.Quota(videos=1, days=1))
    [key] = keys.listed(database)
    with database.session() as session:
        keys.use(session, key.id, "video_a", 4)
    early = now() - 3600
    monkeypatch.setattr(keys, "now", lambda: early)
    with pytest.raises(APIError) as refused, database.session() as session:
        keys.use(session, key.id, "video_b", 4)
    assert refused.value.status == 429 and int(refused.value.headers["retry-after"]) == 86400 + 3600


# Addresses that clients name ------------------------------------------------------------------------------------------------------


class Answering(threading.Thread):
    """A server on loopback that says to each connection what `says(number)` gives, piece by piece."""

    def __init__(self, says):
        super().__init__(daemon=True)
        self._says, self.asked = says, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/p.png"
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.asked += 1
                with client, contextlib.suppress(OSError):
                    client.recv(4096)
                    for piece in self._says(self.asked):
                        client.sendall(piece)


HEAD = b"HTTP/1.1 200 OK\r\n"


def _trickle():
    yield HEAD
    while True:
        threading.Event().wait(0.02)
        yield b"a: b\r\n"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (lambda _: _trickle(), "takes longer"), (lambda _: [HEAD + b"content-length: 99999999999\r\n\r\n"], "over 33554432 bytes"),
        (lambda _: [HEAD + b"\r\n", *[bytes(2**20)] * 40], "over 33554432 bytes"), (lambda _: [b"nonsense\r\n\r\n"], "does not answer"),
        (lambda _: [b"HTTP/1.1 302 Found\r\nlocation: /other.png\r\n\r\n"], "too often"),
        (lambda _: [b"HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\n\r\n"], "cannot be used"),
        (lambda _: [b"HTTP/1.1 404 Not Found\r\n\r\n"], "answers with 404"), (lambda _: [], "does not answer"),
    ],
    ids=["trickle", "claimed", "long", "nonsense", "loop", "file", "missing", "silent"],
)
def test_an_address_cannot_hold_the_server_up(monkeypatch, says, message):
    monkeypatch.setattr(outside, "TIMEOUT", 0.5 if message == "takes longer" else 60)
    server = Answering(says)
    with pytest.raises(APIError, match=message):
        outside.fetch(server.url, Settings(webhooks_to_private=True), "input_reference.image_url")


def test_where_an_answer_leads_is_looked_at_again(monkeypatch):
    """A public address that leads into the private network, and a name that means another address the second time."""
    server = Answering(lambda _: [b"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/secret\r\n\r\n"])
    port = server.listener.getsockname()[1]
    asked = []

    def place(url, settings):
        asked.append(url)
        return real(url, settings) if len(asked) > 1 else outside.Place("http", "example.org", ("127.0.0.1",), port, "/p.png")

    real = outside.place
    monkeypatch.setattr(outside, "place", place)
    with pytest.raises(APIError, match="private network"):
        outside.fetch("https://example.org/p.png", Settings(), "input_reference.image_url")
    assert asked == ["https://example.org/p.png", "https://127.0.0.1/secret"]


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch):
    """The name is asked for once: what it means a moment later is of no interest."""
    answers = iter([[(2, 1, 6, "", ("93.184.215.14", 443))], [(2, 1, 6, "", ("127.0.0.1", 443))]])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: next(answers))
    connected = []

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(APIError, match="does not answer"):
        outside.fetch("https://example.org/p.png", Settings(), "input_reference.image_url")
    assert connected == [("93.184.215.14", 443)]


def test_addresses_that_hang_do_not_hold_up_other_requests(monkeypatch):
    monkeypatch.setattr(outside, "_fetches", threading.BoundedSemaphore(2))
    goes_on, server = threading.Event(), Answering(lambda _: [goes_on.wait(60) and b"HTTP/1.1 404 Not Found\r\n\r\n"])
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(outside.fetch, server.url, Settings(webhooks_to_private=True), "image_url") for _ in range(2)]
        until(lambda: outside._fetches._value == 0)
        with pytest.raises(APIError, match="Too many pictures") as refused:
            outside.fetch(server.url, Settings(webhooks_to_private=True), "image_url")
        goes_on.set()
    assert refused.value.status == 429 and all(fetch.exception().status == 400 for fetch in hanging)
    assert outside._fetches._value == 2


def test_an_owner_cannot_open_streams_without_end(bare, monkeypatch):
    monkeypatch.setattr(events, "_STREAMS", 1)
    caller = keys.Caller("key_a", "me", ("videos:read",), "hash")
    feed = events.Feed(bare.database, waits.Outlook(bare.database))
    feed.make_room(caller)
    feed._listeners["video_a"].add(events._Listener(caller, "video_a"))
    feed.make_room(keys.Caller("key_b", "other", ("videos:read",), "hash"))
    with pytest.raises(APIError, match="may have 1"):
        feed.make_room(caller)


def test_everything_that_was_taken_in_is_still_there(bare):
    """After all of the above: the list is read to its end, and every row of it answers."""
    with bare.http(bare.key) as http:
        page = http.get("/v1/videos?limit=100").json()
        assert page["data"] and all(http.get(f"/v1/videos/{video['id']}").status_code == 200 for video in page["data"])
