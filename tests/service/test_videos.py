"""The Videos API as its clients use it: the official SDK, unmodified, against a real server."""

import base64
import hashlib
import io
import json
import socket
import struct
import time
import zlib

import av
import numpy as np
import openai
import pytest
from PIL import Image
from serving import QUICK, SMALL, until

from lanterne.video import read_settings, read_video

ALL_13 = {
    "id", "object", "model", "status", "progress", "created_at", "completed_at", "expires_at", "prompt", "size", "seconds",
    "remixed_from_video_id", "error",
}


def _frames(data):
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        return sum(1 for _ in container.decode(stream)), stream.width, stream.height


def _picture(size, kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 80, 20)).save(buffer, kind)
    return buffer.getvalue()


def test_a_plain_call_is_queued_and_becomes_a_file(client, tmp_path):
    video = client.videos.create(prompt="dunes at noon", model="sora-2", extra_body=QUICK)
    assert set(video.to_dict()) == ALL_13
    assert (video.status, video.progress, video.seconds, video.size, video.model) == ("queued", 0, "4", "720x1280", "lanterne")
    done = client.videos.poll(video.id, poll_interval_ms=100)
    assert (done.status, done.progress, done.error) == ("completed", 100, None)
    assert done.completed_at >= done.created_at and set(done.to_dict()) == ALL_13
    data = client.videos.download_content(video.id).read()
    assert _frames(data) == (64, 720, 1280)
    (tmp_path / "v.mp4").write_bytes(data)
    settings = read_settings(tmp_path / "v.mp4")
    assert settings["native_size"] == [144, 256] and settings["resampling"] == "lanczos" and settings["generated_by_ai"]


def test_progress_rises_and_reaches_100_with_the_file(client, http):
    video = client.videos.create(prompt="a forest", seconds="3", size=SMALL, extra_body={"num_inference_steps": 12})
    seen = []
    while not seen or seen[-1][0] in ("queued", "in_progress"):
        now = client.videos.retrieve(video.id)
        seen.append((now.status, now.progress))
        time.sleep(0.01)
    percents = [percent for _, percent in seen]
    assert percents == sorted(percents) and percents[-1] == 100 and len(set(percents)) > 3
    assert all(percent < 100 for status, percent in seen if status != "completed")


def test_three_variants(client, finished):
    video = client.videos.download_content(finished.id)
    thumbnail = client.videos.download_content(finished.id, variant="thumbnail")
    sheet = client.videos.download_content(finished.id, variant="spritesheet")
    types = [part.response.headers["content-type"] for part in (video, thumbnail, sheet)]
    assert types == ["video/mp4", "image/webp", "image/jpeg"]
    assert _frames(video.read()) == (32, 256, 144)
    assert Image.open(io.BytesIO(thumbnail.read())).size == (256, 144)
    assert Image.open(io.BytesIO(sheet.read())).size == (320, 90)


def test_ranges_etags_and_head(http, finished):
    path = f"/v1/videos/{finished.id}/content"
    whole = http.get(path, headers={"accept": "application/binary"})
    part = http.get(path, headers={"range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole.content[10:20]
    assert http.get(path, headers={"range": f"bytes={len(whole.content)}-"}).status_code == 416
    head = http.head(path)
    assert head.content == b"" and int(head.headers["content-length"]) == len(whole.content)
    assert whole.headers["etag"] == head.headers["etag"] == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    assert http.get(path, headers={"if-none-match": whole.headers["etag"]}).status_code == 304


def test_the_same_seed_gives_the_same_bytes(client, finished):
    again = client.videos.create_and_poll(
        prompt="a lake at dawn", seconds="2", size=SMALL, extra_body=QUICK | {"seed": 1}, poll_interval_ms=100
    )
    assert client.videos.download_content(again.id).read() == client.videos.download_content(finished.id).read()


def test_json_forms_and_multipart_say_the_same(http):
    fields = {"prompt": "a canyon", "seconds": "1", "size": SMALL, "seed": 9, "guidance_scale": 1.0, "num_inference_steps": 1}
    strings = {name: (None, str(value)) for name, value in fields.items()}
    made = [
        http.post("/v1/videos", json=fields), http.post("/v1/videos", files=strings),
        http.post("/v1/videos", data={name: str(value) for name, value in fields.items()}),
        http.post("/v1/videos", json=fields | {"seconds": 1}),
    ]
    assert [answer.status_code for answer in made] == [200] * 4
    names = [answer.json()["id"] for answer in made]
    for name in names:
        until(lambda name=name: http.get(f"/v1/videos/{name}").json()["status"] == "completed")
    assert len({http.get(f"/v1/videos/{name}/content").content for name in names}) == 1


def test_start_image_as_upload_and_as_data_url(client, http):
    """Python can only upload bytes, which arrive as `upload`, application/octet-stream; Node flattens the object."""
    picture = _picture((256, 144), "WEBP")
    options = {"prompt": "a lake", "seconds": "1", "size": SMALL}
    uploaded = client.videos.create_and_poll(**options, input_reference=picture, extra_body=QUICK | {"seed": 4}, poll_interval_ms=100)
    url = "data:image/webp;base64," + base64.b64encode(picture).decode()
    flattened = http.post("/v1/videos", files={
        name: (None, str(value)) for name, value in (options | QUICK | {"seed": 4, "input_reference[image_url]": url}).items()
    }).json()
    assert client.videos.poll(flattened["id"], poll_interval_ms=100).status == uploaded.status == "completed"
    assert client.videos.download_content(uploaded.id).read() == client.videos.download_content(flattened["id"]).read()


def test_listing_pages_through_all_of_mine_and_nobody_elses(client, server, stranger, finished):
    mine = [video.id for video in client.videos.list(limit=2)]
    assert finished.id in mine and len(set(mine)) == len(mine) > 2
    assert [video.id for video in client.videos.list(limit=3, order="asc")] == mine[::-1]
    page = client.videos.list(limit=1)
    assert page.has_more and page.first_id == page.last_id == mine[0] and page.object == "list"
    with server.openai(stranger) as other:
        assert list(other.videos.list()) == []


def test_remix_edit_and_extend_a_video(client, http, finished):
    remix = client.videos.remix(finished.id, prompt="a lake at night", extra_body=QUICK)
    assert remix.remixed_from_video_id == finished.id
    edit = http.post("/v1/videos/edits", files={"prompt": (None, "in fog"), "video[id]": (None, finished.id), "strength": (None, "0.5")})
    extension = http.post("/v1/videos/extensions", json={"prompt": "snow", "seconds": "1", "video": {"id": finished.id}} | QUICK)
    assert (edit.status_code, extension.status_code) == (200, 200), (edit.text, extension.text)
    assert extension.json()["seconds"] == "3" and edit.json()["seconds"] == "2"
    assert client.videos.poll(remix.id, poll_interval_ms=100).status == "completed"
    assert client.videos.poll(edit.json()["id"], poll_interval_ms=100).status == "completed"
    assert client.videos.poll(extension.json()["id"], poll_interval_ms=100).status == "completed"
    assert _frames(client.videos.download_content(extension.json()["id"]).read())[0] == 48
    assert _frames(client.videos.download_content(edit.json()["id"]).read())[0] == 32


def test_an_extension_begins_with_the_very_frames_of_its_video(client, http, finished, tmp_path):
    """Latents are carried over, never pixels: the first seconds are the same, so far as the encoder lets them be, and but for the
    watermark, which is the extension's own: its waves are gone in means of 16 x 16 pixels."""
    made = http.post("/v1/videos/extensions", json={"prompt": "snow", "seconds": "1", "video": {"id": finished.id}} | QUICK).json()
    assert client.videos.poll(made["id"], poll_interval_ms=100).status == "completed"
    pictures = []
    for name in (finished.id, made["id"]):
        (tmp_path / "v.mp4").write_bytes(client.videos.download_content(name).read())
        frames = np.stack(list(read_video(tmp_path / "v.mp4", 256, 144)))
        pictures.append(frames.reshape(len(frames), 9, 16, 16, 16, 3).mean(axis=(2, 4)))
    assert np.abs(pictures[1][:31] - pictures[0][:31]).mean() < 1.0


def test_edit_and_extend_an_uploaded_file(client, finished):
    data = client.videos.download_content(finished.id).read()
    edit = client.videos.edit(prompt="at night", video=data, extra_body=QUICK)
    extension = client.videos.extend(prompt="snow", seconds="1", video=data, extra_body=QUICK)
    assert (edit.seconds, edit.size, extension.seconds) == ("2", SMALL, "3")
    assert client.videos.poll(edit.id, poll_interval_ms=100).status == "completed"
    assert client.videos.poll(extension.id, poll_interval_ms=100).status == "completed"
    assert _frames(client.videos.download_content(extension.id).read()) == (48, 256, 144)


def test_characters_are_kept_and_fetched_and_a_video_with_one_is_refused(client, finished):
    data = client.videos.download_content(finished.id).read()
    character = client.videos.create_character(name="Mossy", video=data)
    assert client.videos.get_character(character.id).name == "Mossy"
    with pytest.raises(openai.BadRequestError, match="cannot keep a character"):
        client.videos.create(prompt="a walk", extra_body={"characters": [{"id": character.id}]})


def test_delete_takes_video_and_files_away(client, server):
    video = client.videos.create_and_poll(prompt="a beach", seconds="1", size=SMALL, extra_body=QUICK, poll_interval_ms=100)
    data = client.videos.download_content(video.id).read()
    stored = server.home / "files" / (name := hashlib.sha256(data).hexdigest())[:2] / name
    assert stored.read_bytes() == data
    deleted = client.videos.delete(video.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (video.id, "video.deleted", True)
    assert not stored.exists()
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


def test_not_ready_is_a_400_that_is_not_repeated(client):
    video = client.videos.create(prompt="a city", seconds="10", size=SMALL, extra_body={"num_inference_steps": 50})
    with pytest.raises(openai.BadRequestError) as refused:
        client.videos.download_content(video.id)
    assert refused.value.code == "video_not_ready" and refused.value.response.headers["x-should-retry"] == "false"
    client.videos.delete(video.id)


def test_cancel_and_delete_stop_the_work(client, http, server):
    """The worker takes the next video at once, and nothing of the stopped ones is left on the disk."""
    long = {"prompt": "a mountain", "seconds": "60", "size": SMALL, "num_inference_steps": 100}
    names = [http.post("/v1/videos", json=long).json()["id"] for _ in range(3)]
    until(lambda: client.videos.retrieve(names[0]).progress > 0)
    cancelled = http.post(f"/v1/videos/{names[0]}/cancel").json()
    assert (cancelled["status"], cancelled["error"]["code"]) == ("failed", "cancelled")
    assert http.post(f"/v1/videos/{names[0]}/cancel").json()["error"]["code"] == "video_not_running"
    until(lambda: client.videos.retrieve(names[1]).status == "in_progress")
    client.videos.delete(names[1])
    assert http.post(f"/v1/videos/{names[2]}/cancel", json={}).json()["status"] == "failed"
    short = client.videos.create_and_poll(prompt="a lake", seconds="1", size=SMALL, extra_body=QUICK, poll_interval_ms=100)
    assert short.status == "completed"
    until(lambda: not any((server.home / "work").iterdir()))


def test_cancel_can_keep_what_is_finished(client, http):
    video = http.post("/v1/videos", json={"prompt": "waves", "seconds": "60", "size": SMALL, "num_inference_steps": 20}).json()
    until(lambda: client.videos.retrieve(video["id"]).progress >= 4)
    http.post(f"/v1/videos/{video['id']}/cancel", json={"keep": True})
    done = client.videos.poll(video["id"], poll_interval_ms=100)
    assert done.status == "completed" and 1 <= int(done.seconds) < 60
    assert _frames(client.videos.download_content(done.id).read())[0] == int(done.seconds) * 16


def test_idempotency_key(client):
    options = {"prompt": "a glacier", "seconds": "1", "size": SMALL, "extra_headers": {"Idempotency-Key": "k-1"}}
    first = client.videos.create(**options, extra_body=QUICK)
    assert client.videos.create(**options, extra_body=QUICK).id == first.id
    with pytest.raises(openai.BadRequestError) as refused:
        client.videos.create(**options | {"prompt": "another"}, extra_body=QUICK)
    assert refused.value.code == "idempotency_mismatch"


def test_models_and_health(client, server):
    assert [model.id for model in client.models.list()] == ["lanterne", "sora-2", "sora-2-pro"]
    with server.http(None) as nobody:
        assert nobody.get("/healthz").json()["status"] == "ok"


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({}, "missing_field", "prompt is missing"),
        ({"prompt": ""}, "invalid_value", "prompt"),
        ({"prompt": 7}, "invalid_value", "give text"),
        ({"prompt": "x" * 2001}, "invalid_value", "2,001 characters"),
        ({"prompt": "x" * 32001}, "invalid_value", "32000"),
        ({"prompt": "a", "seconds": "4.5"}, "invalid_value", "whole number"),
        ({"prompt": "a", "seconds": "0"}, "invalid_value", "whole number"),
        ({"prompt": "a", "seconds": "61"}, "invalid_value", "60 or less"),
        ({"prompt": "a", "seconds": True}, "invalid_value", "seconds"),
        ({"prompt": "a", "size": "big"}, "invalid_value", "1280x720"),
        ({"prompt": "a", "size": "255x143"}, "invalid_value", "width of 255"),
        ({"prompt": "a", "size": "9000x9000"}, "invalid_value", "4096"),
        ({"prompt": "a", "model": "gpt"}, "model_not_found", "sora-2"),
        ({"prompt": "a", "fps": 24}, "invalid_value", "16 frames"),
        ({"prompt": "a", "seed": -1}, "invalid_value", "seed"),
        ({"prompt": "a", "seed": 2**63}, "invalid_value", "seed"),
        ({"prompt": "a", "guidance_scale": "much"}, "invalid_value", "guidance_scale"),
        ({"prompt": "a", "num_inference_steps": 1000}, "invalid_value", "200"),
        ({"prompt": "a", "colour": "red"}, "unknown_field", "colour"),
        ({"prompt": "a", "input_reference": "p.png"}, "invalid_value", "upload a file"),
        ({"prompt": "a", "input_reference": {}}, "invalid_value", "exactly one"),
        ({"prompt": "a", "input_reference": {"file_id": "f"}}, "unsupported", "image_url"),
        ({"prompt": "a", "input_reference": {"image_url": "ftp://x/y"}}, "invalid_value", "https address"),
        ({"prompt": "a", "input_reference": {"image_url": "data:image/png,abc"}}, "invalid_file", "base64"),
        ({"prompt": "a", "input_reference": {"image_url": "data:image/png;base64,????"}}, "invalid_file", "base64"),
        ({"prompt": "a", "input_reference": {"image_url": "data:image/png;base64,aaaa"}}, "invalid_file", "picture"),
        ({"prompt": "a", "characters": [{"id": "c"}] * 3}, "invalid_value", "2"),
    ],
)
def test_bad_fields_are_a_400_with_a_sentence(http, fields, code, message):
    answer = http.post("/v1/videos", json=fields)
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["code"] == code and message in error["message"], answer.text
    assert set(error) == {"message", "type", "param", "code"} and error["message"].endswith(".")
    assert answer.headers["x-request-id"].startswith("req_")


def _png_of_claimed_size(width, height):
    """A PNG whose header promises width x height, and that is not there."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"), (b"text", "cannot be read as a picture"), (_picture((320, 180)), "320x180"),
        (_picture((256, 144), "GIF"), "cannot be read"), (_png_of_claimed_size(60000, 60000), "60000x60000|cannot be read"),
        (_png_of_claimed_size(256, 144), "cannot be read"),
    ],
)
def test_bad_pictures(client, server, data, message):
    with pytest.raises(openai.BadRequestError, match=message):
        client.videos.create(prompt="a", size=SMALL, input_reference=data)
    assert not any((server.home / "files" / "incoming").iterdir())


def test_bad_videos(client, server, finished, tmp_path):
    whole = client.videos.download_content(finished.id).read()
    sound = io.BytesIO()
    with av.open(sound, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), format="flt", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for data, message in (
        (b"text", "cannot be read as a video"), (whole[: len(whole) // 2], "cannot be read|cut short|no frame"),
        (sound.getvalue(), "no video|cannot be read"), (_picture((256, 144)), "cannot be read|seconds"),
    ):
        with pytest.raises(openai.BadRequestError, match=message):
            client.videos.edit(prompt="a", video=data)
    assert not any((server.home / "files" / "incoming").iterdir())


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "invalid_json"), (b"[]", "application/json", 400, "invalid_json"),
        (b"[" * 100_000, "application/json", 400, "invalid_json"), (b'{"prompt": "\\ud800"}', "application/json", 400, "invalid_value"),
        (b"x", "text/plain", 415, "unsupported_media_type"), (b"x", "multipart/form-data", 400, "invalid_value"),
        (b"x", "multipart/form-data; boundary=b", 400, None), (b"\xff\xfe", "application/json", 400, "invalid_json"),
        (b"prompt=a&prompt=b", "application/x-www-form-urlencoded", 400, "invalid_value"),
        (b"a[b][c][d][e]=1", "application/x-www-form-urlencoded", 400, "invalid_value"),
        (b"a]=1", "application/x-www-form-urlencoded", 400, "invalid_value"),
        (b'{"prompt": "a\\u0000b"}', "application/json", 400, "invalid_value"),
    ],
)
def test_bad_bodies(http, body, kind, status, code):
    answer = http.post("/v1/videos", content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert code is None or answer.json()["error"]["code"] == code, answer.text


def test_an_upload_over_the_limit_is_refused_before_it_is_read(http):
    with socket.create_connection((http.base_url.host, http.base_url.port)) as raw:
        raw.sendall(
            f"POST /v1/videos HTTP/1.1\r\nhost: x\r\nauthorization: {http.headers['authorization']}\r\n"
            f"content-type: application/json\r\ncontent-length: {2 * 2**30}\r\n\r\n".encode()
        )
        assert b"413" in raw.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize("query", ["limit=101", "limit=-1", "limit=many", "order=up", "after=", "after=video_none"])
def test_bad_pages(http, query):
    answer = http.get(f"/v1/videos?{query}")
    assert answer.status_code == (404 if query == "after=video_none" else 400)
    assert answer.json()["error"]["param"] == query.partition("=")[0]


def test_nothing_else_is_there(http):
    for method, path, status in (("GET", "/v1/other", 404), ("PUT", "/v1/videos", 405), ("GET", "/v1/videos/video_none", 404)):
        answer = http.request(method, path)
        assert status != 405 or answer.headers["allow"] == "GET, POST"
        assert answer.status_code == status and set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_the_document_names_every_route_and_body(http):
    document = http.get("/openapi.json").json()
    assert document["paths"].keys() >= {"/v1/videos", "/v1/videos/{id}/content", "/v1/videos/{id}/events", "/v1/models"}
    bodies = document["paths"]["/v1/videos"]["post"]["requestBody"]["content"]
    assert set(bodies) == {"multipart/form-data", "application/json"}
    text = json.dumps(document)
    for name in set(part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]):
        assert name in document["components"]["schemas"], name
    assert "ValidationError" not in text
