"""Event streams: the whole story once, and the rest of it from any point."""

import json

from serving import QUICK, SMALL


def _read(response):
    events, event = [], {}
    for line in response.iter_lines():
        if not line and event:
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
