"""Event streams: the whole story once, and the rest of it from any point."""

import json

import av
from serving import QUICK, SMALL, until


def _read(response):
    events, event = [], {}
    for line in response.iter_lines():
        if not line and event:
            if event["event"] != "position":  # how many wait before it; it has no id, since it is only true now
                events.append(event)
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = json.loads(value) if name == "data" else value
    return events


def _stream(http, video, **headers):
    with http.stream("GET", f"/v1/videos/{video}/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        return _read(response)


def test_a_video_is_told_while_it_is_made_and_again_from_any_point(http):
    video = http.post("/v1/videos", json={"prompt": "dunes", "seconds": "3", "size": SMALL} | QUICK).json()["id"]
    events = _stream(http, video)
    names = [event["event"] for event in events]
    assert names[:2] == ["queued", "in_progress"] and names[-1] == "completed" and names.count("chunk") == 3
    percents = [event["data"]["progress"] for event in events if event["event"] == "progress"]
    assert percents == sorted(set(percents)) and max(percents) < 100
    chunks = [event["data"] for event in events if event["event"] == "chunk"]
    assert [chunk["seconds"] for chunk in chunks] == [1, 2, 3]
    assert all(chunk["preview"].startswith("data:image/jpeg;base64,") for chunk in chunks)
    numbers = [int(event["id"]) for event in events]
    assert numbers == sorted(set(numbers))
    assert _stream(http, video) == events
    assert _stream(http, video, **{"last-event-id": events[3]["id"]}) == events[4:]
    assert [event["event"] for event in _stream(http, video, **{"last-event-id": events[-1]["id"]})] == ["completed"]


def test_a_video_can_be_watched_while_it_is_made(http, tmp_path):
    """The playlist grows; its pieces, one after the other, are the whole video in its order."""
    video = http.post("/v1/videos", json={"prompt": "dunes", "seconds": "12", "size": SMALL, "num_inference_steps": 20}).json()["id"]
    path = f"/v1/videos/{video}"
    growing = until(lambda: "#EXTINF" in (text := http.get(f"{path}/stream.m3u8").text) and text)
    assert "ENDLIST" not in growing and http.get(f"{path}/stream/0000.ts").status_code == 200
    until(lambda: http.get(path).json()["status"] == "completed", 300)
    whole = http.get(f"{path}/stream.m3u8").text
    names = [line for line in whole.splitlines() if line and not line.startswith("#")]
    assert whole.startswith("#EXTM3U\n") and whole.endswith("#EXT-X-ENDLIST\n") and len(names) == 12
    (tmp_path / "all.ts").write_bytes(b"".join(http.get(f"{path}/{name}").content for name in names))
    with av.open(str(tmp_path / "all.ts")) as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert len(times) == 12 * 16 and times == sorted(times)


def test_a_stream_ends_when_its_video_is_deleted(http):
    video = http.post("/v1/videos", json={"prompt": "dunes", "seconds": "60", "size": SMALL, "num_inference_steps": 90}).json()["id"]
    with http.stream("GET", f"/v1/videos/{video}/events") as response:
        lines = response.iter_lines()
        assert "id: " in next(lines)
        http.delete(f"/v1/videos/{video}")
        assert [line for line in lines if line.startswith("event: ")][-1] == "event: deleted"


def test_a_missing_video_is_a_404_and_junk_is_the_beginning(http, finished):
    assert http.get("/v1/videos/video_none/events").status_code == 404
    assert _stream(http, finished.id, **{"last-event-id": "junk"})[0]["event"] == "queued"
