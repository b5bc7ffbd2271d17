"""Schemathesis against a real server with its real worker: every operation by itself and in sequences, all of its checks.

A short run in the suite, always the same. LANTERNE_FUZZ=10000 goes on with new seeds until the server has answered so many requests.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from serving import QUICK, SMALL, Server, until

REQUESTS = int(os.environ.get("LANTERNE_FUZZ", 0))
IN_SHORT = "^/(v1|programme/public|media|metrics|healthz)"  # of the paths; all of them, also in short, take two minutes
OWNERS = ("ana", "ben")
CONFIG = """
request-timeout = 30
max-stream-events = 2
continue-on-failure = true
hooks = "{hooks}"

[auth.wfc]
path = "{folder}/auth.json"
peers = ["ana", "ben"]

[generation]
max-examples = {examples}
database = "none"

# A third of the ids are of finished videos; chance and the answers to other requests give the rest.
[dictionaries.finished]
values = {finished}
[dictionaries.first]
values = [0]

[parameters]
"path.id" = {{ dictionary = "finished", probability = 0.33 }}
"path.number" = {{ dictionary = "first", probability = 0.5 }}

# 400 is let pass here because refuses_only_for_what_no_schema_says looks at each of them more strictly.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "429"]
"""


@pytest.fixture
def own_server(tiny_weights, tmp_path):
    server = Server(tmp_path / "own", tiny_weights, queued_per_owner=10**6, max_seconds=4).start()
    yield server
    assert server.stop() == 0
    log = server.log.read_text()
    assert "Traceback" not in log and " ERROR " not in log, log[-4000:]


@pytest.fixture
def folder(own_server, tmp_path):
    """What the hooks read: a picture, a video, finished videos' ids; and two owners' keys with every scope."""
    folder = tmp_path / "fuzz"
    folder.mkdir()
    scopes = [part for scope in ("videos:read", "videos:write", "metrics") for part in ("--scope", scope)]
    keys = [own_server.lanterne("keys", "create", "--name", "fuzz", "--owner", owner, *scopes) for owner in OWNERS]
    auth = [
        {"name": owner, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
        for owner, key in zip(OWNERS, keys, strict=True)
    ]
    (folder / "auth.json").write_text(json.dumps({"auth": auth}))
    Image.new("RGB", (256, 144), (200, 80, 20)).save(folder / "picture.png")
    finished = []
    with own_server.openai(keys[0]) as client:
        for _ in range(3):
            finished.append(client.videos.create(prompt="a lake", seconds="1", size=SMALL, extra_body=QUICK).id)
        for video in finished:
            until(lambda video=video: client.videos.retrieve(video).status == "completed")
        (folder / "video.mp4").write_bytes(client.videos.download_content(finished[0]).read())
    (folder / "finished.json").write_text(json.dumps(finished))
    config = CONFIG.format(
        folder=folder, hooks=Path(__file__).with_name("fuzz_hooks.py"), finished=json.dumps(finished), examples=100 if REQUESTS else 5
    )
    (folder / "schemathesis.toml").write_text(config)
    return folder


def test_no_request_finds_a_fault_or_breaks_the_document(own_server, folder):
    for seed in range(1, 1000):
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(folder / "schemathesis.toml"), "run",
            f"http://127.0.0.1:{own_server.port}/openapi.json", "--checks", "all", "--seed", str(seed), "--no-color",
            *([] if REQUESTS else ["--include-path-regex", IN_SHORT]),
        ]
        env = os.environ | {"LANTERNE_FUZZ_FOLDER": str(folder)}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        answers = _answers(own_server)
        if len(answers) >= REQUESTS:
            break
    assert not [status for status in answers if status >= 500]
    print(f"\nfuzz: {len(answers)} requests answered in {seed} rounds, no 5xx, nothing against the document")


def _answers(server) -> list[int]:
    """The statuses of all answers, from the server's log."""
    return [int(status) for status in re.findall(r'"request": .*"status": (\d+)', server.log.read_text())]
