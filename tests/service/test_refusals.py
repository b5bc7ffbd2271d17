"""What is refused, as its user reads it: the value, the rule and the remedy; no library's sentence, no pattern, no Python. And lists,
repeats and sources, as far as a server without a worker has them."""

import contextlib
import io
import json
import re
import socket

import openai
import pytest
from PIL import Image
from serving import SMALL, Server
from sqlalchemy import update

from lanterne.errors import counted
from lanterne.service import openapi, pay_wire, programme_routes, refusals, server, wire
from lanterne.service.app import build
from lanterne.service.database import Database, File, Video, now
from lanterne.service.errors import APIError
from lanterne.service.links import Link
from lanterne.service.settings import Settings

NAN = float("nan")
FOREIGN = re.compile(r"Input should|should (match|have)|Value |UploadFile|None|True|False|after validation|\[0-9|constrained")


@pytest.fixture(scope="module")
def bare(tiny_weights, tmp_path_factory):
    bare = Server(tmp_path_factory.mktemp("refusals") / "home", tiny_weights, queued_per_owner=1000).start("--no-worker")
    bare.key = bare.lanterne("keys", "create", "--name", "bare")
    yield bare
    assert bare.stop() == 0
    assert "Traceback" not in bare.log.read_text()


@pytest.fixture
def http(bare):
    with bare.http(bare.key) as http:
        yield http


@pytest.fixture
def finished(bare, http):
    """A video that counts as finished, with latents of its own."""
    return ended(bare, http, "completed")


def ended(bare, http, status, **fields) -> str:
    video_id = http.post("/v1/videos", json={"prompt": "a lake", "seconds": "1", "size": SMALL}).json()["id"]
    with Database(f"sqlite:///{bare.home / 'service.db'}").session() as session:
        session.execute(update(Video).where(Video.id == video_id).values(status=status, completed_at=now(), **fields))
        session.add(File(holder=video_id, role="latents", sha256=video_id, bytes=1, media_type="application/octet-stream"))
    return video_id


def said(answer, status: int, code: str, param: str | None) -> str:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param), answer.text
    assert not FOREIGN.search(error["message"]), error["message"]
    return error["message"]


# Bodies ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"prompt": None}, "prompt", "prompt=null cannot be used: give text."),
        ({"prompt": True}, "prompt", "prompt=true cannot be used: give text."),
        ({"prompt": NAN}, "prompt", "prompt=NaN cannot be used: give text."),
        ({"prompt": ""}, "prompt", 'prompt="" cannot be used: it has 0 characters; give at least 1.'),
        ({"prompt": "é" * 32001}, "prompt", f'prompt="{"é" * 56}… cannot be used: it has 32001 characters; give at most 32000.'),
        ({"prompt": "\ud800"}, "prompt", r'prompt="\ud800" cannot be used: give text without lone surrogates.'),
        ({"negative_prompt": "a\0"}, "negative_prompt", r'negative_prompt="a\u0000" cannot be used: leave the null character out.'),
        *(({"seconds": value}, "seconds",
           f'seconds={text} cannot be used: give a whole number of seconds as a string, such as "4".')
          for value, text in ((None, "null"), (True, "true"), (NAN, "NaN"), ("08", '"08"'), ([1], "[1]"))),
        ({"size": None}, "size", "size=null cannot be used: give width x height in pixels, such as 1280x720."),
        ({"seed": True}, "seed", "seed=true cannot be used: give a number."),
        ({"seed": NAN}, "seed", "seed=NaN cannot be used: give a finite number."),
        ({"seed": "5"}, "seed", 'seed="5" cannot be used: in JSON, give a number without quotes.'),
        ({"seed": -1}, "seed", "seed=-1 cannot be used: give 0 or more."),
        ({"seed": 2**63}, "seed", "seed=9223372036854775808 cannot be used: give less than 9223372036854775808."),
        ({"guidance_scale": 0.5}, "guidance_scale", "guidance_scale=0.5 cannot be used: give 1 or more."),
        ({"characters": [{"id": "a"}] * 3}, "characters",
         'characters=[{"id": "a"}, {"id": "a"}, {"id": "a"}] cannot be used: it has 3 entries; give at most 2.'),
        ({"characters": [{}]}, "characters.0.id", "The field characters.0.id is missing; give it."),
        ({"input_reference": {"image_url": 7}}, "input_reference.image_url", "input_reference.image_url=7 cannot be used: give text."),
        ({"input_reference": "a"}, "input_reference",
         'input_reference="a" cannot be used: upload a file in multipart/form-data, or give an object such as {"image_url": "https://…"}.'),
    ],
)
def test_what_json_says_wrongly(fields, param, message):
    refused(wire.Create, {"prompt": "a"} | fields, param, message)


def refused(schema, fields, param, message):
    with pytest.raises(APIError) as error:
        wire.read(schema, fields)
    assert (str(error.value), error.value.param) == (message, param)


def test_what_stands_for_a_video():
    fields = {"prompt": "a"}
    for value, message in (
        ("video_abc", 'video="video_abc" cannot be used: give it as {"id": "video_abc"}.'),
        (None, 'video=null cannot be used: upload a file in multipart/form-data, or give an object such as {"id": "video_…"}.'),
    ):
        for schema in (wire.Edit, wire.Extend):
            refused(schema, fields | {"video": value}, "video", message)
    given = wire.nested([("prompt", "a"), ("video", "video_abc")])
    refused(wire.Edit, given, "video", 'video="video_abc" cannot be used: give it as video[id]=video_abc.')
    refused(wire.Edit, fields | {"video": {"id": 5}}, "video.id", "video.id=5 cannot be used: give text.")
    given = wire.nested([("prompt", "a"), ("video", '{"id": 5}')])
    refused(wire.Edit, given, "video.id", "video.id=5 cannot be used: give text.")


def test_files_and_texts_in_forms(http):
    answer = http.post("/v1/videos", files={"prompt": ("a.txt", b"a lake")})
    assert said(answer, 400, "invalid_value", "prompt") == "prompt=a file cannot be used: give text."
    answer = http.post("/v1/videos/characters", files={"name": (None, "a" * 81), "video": ("v.mp4", b"x")})
    assert said(answer, 400, "invalid_value", "name").endswith("… cannot be used: it has 81 characters; give at most 80.")
    answer = http.post("/v1/videos", files={"prompt": (None, "a"), "seed": (None, "NaN")})
    assert said(answer, 400, "invalid_value", "seed") == 'seed="NaN" cannot be used: give a whole number.'
    answer = http.post("/v1/videos", content="null", headers={"content-type": "application/json"})
    assert said(answer, 400, "invalid_json", None) == "The body is null; send a JSON object with fields."
    answer = http.post("/v1/videos", content=r'{"prompt": "\ud800"}', headers={"content-type": "application/json"})
    assert r"\ud800" in said(answer, 400, "invalid_value", "prompt")


def test_a_value_as_deep_as_can_be_read():
    """Reading it takes less of the stack than writing it does."""
    for depth in range(900, 1000):
        with contextlib.suppress(RecursionError):
            deep = json.loads("[" * depth + "]" * depth)
            assert refusals.shown(deep)[:2] in ("[[", "li")


def test_bodies_of_the_programme():
    claim = {"kind": "hours", "hours": "abc"}
    refused(pay_wire.ClaimWork, claim, "hours", 'hours="abc" cannot be used: give hours such as 1.5 or "1:30".')
    refused(pay_wire.ClaimWork, claim | {"hours": True}, "hours", "hours=true cannot be used: give a number.")
    refused(pay_wire.ClaimWork, {"kind": "x"}, "kind", 'kind="x" cannot be used: give hours, bug, feedback or use.')
    refused(pay_wire.ClaimWork, {"kind": "bug", "day": "today"}, "day", 'day="today" cannot be used: give a day such as 2026-11-25.')


def test_every_pattern_of_every_route_has_its_sentence(home):
    """A regular expression is for programs."""
    settings = Settings()
    server.prepare(settings)
    found = set()

    def look(part):
        if isinstance(part, dict):
            found.update([part["pattern"]] if isinstance(part.get("pattern"), str) else [])
            part = list(part.values())
        for inner in part if isinstance(part, list) else ():
            look(inner)

    app = build(settings)._app
    look([body.model_json_schema() for body in (*openapi.BODIES.values(), *programme_routes.BODIES.values())])
    look([operation.get("parameters", []) for path in app.openapi()["paths"].values() for operation in path.values()])
    assert found and found <= set(refusals.PATTERNS)


def test_numbers_of_things():
    assert [counted(1, "second"), counted(2, "second"), counted(0, "entry")] == ["1 second", "2 seconds", "0 entries"]


# Addresses ------------------------------------------------------------------------------------------------------------------------


def test_parameters(http):
    for query, param, message in (
        ("limit=many", "limit", 'limit="many" cannot be used: give a whole number.'),
        ("limit=101", "limit", 'limit="101" cannot be used: give 100 or less.'),
        ("order=up", "order", 'order="up" cannot be used: give asc or desc.'),
        ("after=", "after", 'after="" cannot be used: it has 0 characters; give at least 1.'),
        ("after=%00", "after", r'after="\u0000" cannot be used: leave the null character out.'),
    ):
        assert said(http.get(f"/v1/videos?{query}"), 400, "invalid_value", param) == message
    answer = http.post("/v1/videos", json={"prompt": "a"}, headers={"idempotency-key": "a" * 256})
    assert said(answer, 400, "invalid_value", "Idempotency-Key").endswith("it has 256 characters; give at most 255.")


def test_a_link_that_was_not_copied_whole(bare):
    path = Link("video_a", "video", "key_a", 2**40).address(b"another server's secret")
    with bare.http(None) as anyone:
        for cut in (path[:-3], path.partition("?")[0], re.sub("key=[^&]*&", "", path), path.replace("variant=video", "variant=vid")):
            assert said(anyone.get(cut), 400, "invalid_link", None).endswith("copy the whole link again.")
        assert said(anyone.get(path), 403, "invalid_link", None).endswith("copy the whole link again.")


# Sources and repeats --------------------------------------------------------------------------------------------------------------


def test_a_failed_source_is_not_waited_for(bare, http):
    failed = ended(bare, http, "failed", error_code="cancelled", error_message="It was cancelled by its owner.")
    queued = http.post("/v1/videos", json={"prompt": "a"}).json()["id"]
    for path, param in (("/v1/videos/{}/remix", "id"), ("/v1/videos/edits", "video.id"), ("/v1/videos/extensions", "video.id")):
        def ask(video_id, path=path):
            body = {"prompt": "b"} | ({} if "{}" in path else {"video": {"id": video_id}})
            return http.post(path.format(video_id), json=body)

        message = said(ask(failed), 400, "video_failed", param)
        assert message == f"The video {failed} failed (It was cancelled by its owner); give a finished one."
        assert said(ask(queued), 400, "video_not_ready", param).endswith("is queued; wait until it is completed.")
        said(ask("video_none"), 404, "not_found", param)


def test_a_repeat_needs_no_source_any_more(http, finished):
    def asked():
        headers = {"idempotency-key": "again"}
        return [
            http.post(path, json={"prompt": "b"} | body, headers={"idempotency-key": path[-5:]})
            for path, body in (
                (f"/v1/videos/{finished}/remix", {}), ("/v1/videos/edits", {"video": {"id": finished}}),
                ("/v1/videos/extensions", {"video": {"id": finished}, "seconds": "1"}),
            )
        ] + [http.post("/v1/videos", files={"prompt": (None, "a")}, headers=headers)]

    first = asked()
    assert http.delete(f"/v1/videos/{finished}").status_code == 200
    assert [answer.json()["id"] for answer in asked()] == [answer.json()["id"] for answer in first]
    other = http.post(f"/v1/videos/{finished}/remix", json={"prompt": "c"}, headers={"idempotency-key": "remix"})
    said(other, 400, "idempotency_mismatch", "Idempotency-Key")


def test_an_upload_is_part_of_what_is_repeated(http):
    """By its bytes: another file of the same size under the same key is another body."""
    def ask(data):
        fields, headers = {"prompt": "a", "size": SMALL}, {"idempotency-key": "upload"}
        return http.post("/v1/videos", data=fields, files={"input_reference": ("f", data)}, headers=headers)

    picture = _png()
    assert (first := ask(picture)).status_code == 200, first.text
    assert ask(picture).json()["id"] == first.json()["id"]
    said(ask(picture[:-1] + b"x"), 400, "idempotency_mismatch", "Idempotency-Key")


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (256, 144)).save(buffer, "PNG")
    return buffer.getvalue()


# Lists ----------------------------------------------------------------------------------------------------------------------------


def test_a_list_goes_on_while_what_it_lists_is_deleted(bare):
    """As the official SDK pages by itself: after the last of the page, which is gone by then."""
    for order in ("desc", "asc"):
        with bare.openai(bare.lanterne("keys", "create", "--name", "pages", "--owner", f"pages-{order}"), max_retries=0) as client:
            made = [client.videos.create(prompt="a", seconds="1", size=SMALL).id for _ in range(5)]
            seen = []
            for video in client.videos.list(limit=2, order=order):
                client.videos.delete(video.id)
                seen.append(video.id)
            assert sorted(seen) == sorted(made) and list(client.videos.list()) == []
        with bare.openai(bare.key, max_retries=0) as stranger, pytest.raises(openai.NotFoundError):
            stranger.videos.list(after=made[0])


# Connections ----------------------------------------------------------------------------------------------------------------------


def exchange(bare, sent: bytes) -> tuple[int, dict, dict]:
    """Status, headers and the error of what the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", bare.port), timeout=60) as client:
        client.sendall(sent)
        data = b""
        while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < int(re.search(rb"content-length: (\d+)", data)[1]):
            piece = client.recv(2**16)
            assert piece, data
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), json.loads(body).get("error", {})


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed_request"),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"x" * 70_000 + b"\r\n\r\n", 431, "header_too_long"),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"abcdefg: hij\r\n" * 7000 + b"\r\n", 431, "header_too_long"),
        (b"GET /?" + b"x" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 431, "header_too_long"),
    ],
    ids=["nonsense", "field", "fields", "address"],
)
def test_what_does_not_come_as_far_as_the_application_is_answered_as_everything_is(bare, sent, status, code):
    answered, headers, error = exchange(bare, sent)
    assert (answered, error["code"], set(error)) == (status, code, {"message", "type", "param", "code"})
    assert headers["content-type"] == "application/json" and headers["x-request-id"] in bare.log.read_text()


def test_a_long_header_that_is_within_the_limit_is_read(bare):
    answered, headers, _ = exchange(bare, b"GET /healthz HTTP/1.1\r\nhost: x\r\na: " + b"x" * 60_000 + b"\r\n\r\n")
    assert answered == 200 and headers["x-request-id"]
