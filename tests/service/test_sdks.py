"""The official SDKs as they are published, and curl, against a real server: the same program in each language, the same report of it.

`make test` installs what is not a Python package of ours: an older Python SDK in a folder of its own, and the Node SDK by npm.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import openai
import pytest
from PIL import Image
from serving import SMALL, receiver, until

SCRIPTS = Path(__file__).parent / "sdks"
VENV = Path(sys.prefix)
OLDER, NODE = VENV / "openai-2.54.0", VENV / "node" / "node_modules"
NODE_VERSION = "7.57.0"


@pytest.fixture(scope="module")
def delivery(server):
    """(owner's secret, the message that told of a finished video, as it arrived)."""
    with receiver() as (url, received, _):
        secret = server.lanterne("webhooks", "add", url, "--owner", "hooked")
        with server.openai(server.lanterne("keys", "create", "--name", "hooked", "--owner", "hooked")) as client:
            video = client.videos.create(prompt="a lake", seconds="1", size=SMALL, extra_body={"num_inference_steps": 1})
        headers, body = until(lambda: received and received[0])
    return secret, video.id, {"headers": headers, "body": body.decode()}


def _report(server, delivery, folder: Path, owner: str, command: list[str], **env) -> dict:
    secret, _, message = delivery
    (folder / "delivery.json").write_text(json.dumps(message))
    key = server.lanterne("keys", "create", "--name", "sdk", "--owner", owner)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PYTHONWARNINGS"))}
    command = [*command, f"http://127.0.0.1:{server.port}/v1", key, str(folder), secret]
    done = subprocess.run(command, env=kept | env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("version", [openai.__version__, "2.54.0"])
def test_python(server, delivery, tmp_path, version):
    older = version == "2.54.0"
    if older and not OLDER.exists():
        pytest.skip(f"openai {version} is not at {OLDER}; `make test` puts it there")
    env = {"PYTHONPATH": str(OLDER)} if older else {}
    seen = _report(server, delivery, tmp_path, f"python-{version}", [sys.executable, str(SCRIPTS / "python_sdk.py")], **env)
    _is_as_it_should(seen, version, tmp_path, delivery)


def test_node(server, delivery, tmp_path):
    if not (NODE / "openai").exists():
        pytest.skip(f"openai-node is not at {NODE}; `make test` puts it there where npm's registry can be reached")
    seen = _report(
        server, delivery, tmp_path, "node", [str(VENV / "bin" / "node"), str(SCRIPTS / "node_sdk.cjs")], NODE_PATH=str(NODE)
    )
    _is_as_it_should(seen, NODE_VERSION, tmp_path, delivery)


def _is_as_it_should(seen: dict, version: str, folder: Path, delivery) -> None:
    assert seen["sdk"] == version
    created, finished, polled = seen["created"], seen["finished"], seen["polled"]
    assert (created["status"], created["progress"], created["seconds"], created["size"]) == ("queued", 0, "1", SMALL)
    for video in (finished, polled, seen["retrieved"], seen["remix"], seen["edit"], seen["extension"]):
        assert (video["status"], video["progress"], video["error"]) == ("completed", 100, None)
    assert polled["id"] == created["id"] and seen["retrieved"]["id"] == finished["id"]
    assert seen["remix"]["remixed_from_video_id"] == finished["id"]
    assert (seen["edit"]["seconds"], seen["extension"]["seconds"]) == ("1", "2")

    assert seen["files"] == {"video": "video/mp4", "thumbnail": "image/webp", "spritesheet": "image/jpeg"}
    assert _frames(folder / "video") == (16, 256, 144)
    assert [Image.open(folder / name).format for name in ("thumbnail", "spritesheet")] == ["WEBP", "JPEG"]

    made = [seen[name]["id"] for name in ("created", "finished", "remix", "edit", "extension")]
    assert seen["listed_upwards"] == made and seen["listed"] == made[::-1]
    assert seen["character"] == seen["character_again"] and seen["character"][1] == "Mossy"
    assert seen["deleted"] == [created["id"], "video.deleted", True]
    assert seen["refused"] == [[404, "not_found", "id"], [400, "invalid_value", "seconds"]]

    _, video_id, message = delivery
    assert seen["event"] == ["video.completed", video_id, message["headers"]["webhook-id"]]
    assert seen["tampered"] == "InvalidWebhookSignatureError"


def _frames(path: Path) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sum(1 for _ in container.decode(stream)), stream.width, stream.height


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(server, tmp_path):
    key = server.lanterne("keys", "create", "--name", "sdk", "--owner", "curl")
    base = f"http://127.0.0.1:{server.port}/v1/videos"

    def curl(path: str, *arguments: str) -> dict:
        command = ["curl", "--silent", "--show-error", "--fail-with-body", "-H", f"Authorization: Bearer {key}", base + path, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout or "null")

    def post(path: str, **fields) -> dict:
        return curl(path, "-H", "Content-Type: application/json", "-d", json.dumps(fields | {"num_inference_steps": 1}))

    def finished(video: dict) -> dict:
        until(lambda: curl(f"/{video['id']}")["status"] == "completed")
        return video

    video = finished(post("", prompt="a lake at dawn, fog", seconds="1", size=SMALL))
    for variant in ("video", "thumbnail", "spritesheet"):
        curl(f"/{video['id']}/content?variant={variant}", "-o", str(tmp_path / variant))
    assert _frames(tmp_path / "video") == (16, 256, 144)
    made = [
        video, post(f"/{video['id']}/remix", prompt="at night"), post("/edits", prompt="in snow", video={"id": video["id"]}),
        post("/extensions", prompt="a storm", seconds="1", video={"id": video["id"]}),
        curl("/edits", "-F", "prompt=in rain", "-F", f"video=@{tmp_path / 'video'}", "-F", "num_inference_steps=1"),
    ]
    character = curl("/characters", "-F", "name=Mossy", "-F", f"video=@{tmp_path / 'video'}")
    assert curl(f"/characters/{character['id']}") == character
    page = curl("?limit=2")
    rest = curl(f"?limit=100&after={page['last_id']}")
    assert page["has_more"] and not rest["has_more"]
    assert [item["id"] for item in page["data"] + rest["data"]] == [item["id"] for item in reversed(made)]
    for item in made:
        assert curl(f"/{finished(item)['id']}", "-X", "DELETE", "-H", "Content-Type: application/json")["deleted"] is True
    assert curl("")["data"] == []
