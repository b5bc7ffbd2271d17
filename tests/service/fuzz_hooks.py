"""What Schemathesis cannot know of this server: real files, ids of finished videos, and which refusals depend on more than a schema."""

import base64
import json
import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

FOLDER = Path(os.environ["LANTERNE_FUZZ_FOLDER"])
PICTURE = (FOLDER / "picture.png").read_bytes()  # 256x144
VIDEO = (FOLDER / "video.mp4").read_bytes()
FINISHED = json.loads((FOLDER / "finished.json").read_text())
# A schema does not say whether a video is finished by now, or whether bytes are a video. Such refusals have codes of their own.
OF_STATE = {
    "video_not_ready", "video_failed", "video_not_running", "file_gone", "invalid_file", "too_long", "idempotency_mismatch", "refused",
}

schemathesis.openapi.format("binary", st.one_of(st.sampled_from([VIDEO, PICTURE]), st.binary(max_size=100)))


@schemathesis.hook
def before_call(context, case, kwargs):
    """No request to addresses drawn by chance, and every second id in a body is a finished video's. What is meant to be refused stays."""
    if _fits(case) and isinstance(case.body, dict):
        picture, video = case.body.get("input_reference"), case.body.get("video")
        if isinstance(picture, dict) and str(picture.get("image_url", "")).startswith("https://"):
            url = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
            case.body |= {"input_reference": {"image_url": url}, "size": "256x144"}
        if isinstance(video, dict) and isinstance(video.get("id"), str) and len(video["id"]) % 2:
            case.body["video"] = {"id": FINISHED[len(video["id"]) % len(FINISHED)]}


@schemathesis.hook
def filter_case(context, case):
    """Not a whole character under the name of a broken one: Schemathesis cannot hold a body with bytes against its schema."""
    body = case.body
    whole = isinstance(body, dict) and set(body) == {"name", "video"} and isinstance(body["name"], str) and 0 < len(body["name"]) <= 80
    return _fits(case) or not (whole and VIDEO in (body["video"], getattr(body["video"], "data", None)))


def _fits(case) -> bool:
    return case.meta is not None and case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE


@schemathesis.check
def refuses_only_for_what_no_schema_says(ctx, response, case):
    """Stricter than Schemathesis' own check of accepted data, which is told to let 400 pass for the sake of this one."""
    if _fits(case) and response.status_code == 400:
        error = response.json()["error"]
        assert error["code"] in OF_STATE, f"{error['code']}: {error['message']}"
