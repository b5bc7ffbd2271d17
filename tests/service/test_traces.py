"""What the server's files say of themselves: signed, with parents; and a copy that is found is traced to its owner."""

import subprocess

import forks
import numpy as np
import pytest
from serving import QUICK

from lanterne.programme.identity import identity
from lanterne.programme.verify import TRUSTED, examine
from lanterne.video import VideoWriter, read_video


def _report(server, client, video_id, path, monkeypatch):
    monkeypatch.setenv("LANTERNE_HOME", str(server.home))
    path.write_bytes(client.videos.download_content(video_id).read())
    return examine(path, identity().root, identity().watermark_secret)


@pytest.fixture
def family(client, http, finished):
    """Ids of a video, an edit of it, and an extension of the edit."""
    made = [finished.id]
    for path, more in (("edits", {"prompt": "at night"}), ("extensions", {"prompt": "snow", "seconds": "1"})):
        made.append(http.post(f"/v1/videos/{path}", json=more | {"video": {"id": made[-1]}} | QUICK).json()["id"])
        assert client.videos.poll(made[-1], poll_interval_ms=100).status == "completed"
    return made


def test_every_video_is_signed_with_its_parents_and_traced(server, client, family, tmp_path, monkeypatch):
    for count, video_id in enumerate(family, start=1):
        report = _report(server, client, video_id, tmp_path / "v.mp4", monkeypatch)
        assert report.state == TRUSTED
        assert [made.kind for made in report.lineage] == ["extended", "edited", "created"][-count:]
        assert report.watermark.number == report.lineage[0].watermark and report.lineage[0].model == "lanterne"
        assert video_id in server.lanterne("trace", str(tmp_path / "v.mp4"))


def test_a_leaked_copy_without_its_signature_is_traced(server, client, finished, tmp_path):
    """Encoded again, so that nothing is left of what was signed."""
    (tmp_path / "v.mp4").write_bytes(client.videos.download_content(finished.id).read())
    with VideoWriter(tmp_path / "leak.mp4", 256, 144, {}) as writer:
        for frame in read_video(tmp_path / "v.mp4", 256, 144):
            writer.write(frame[None])
    assert finished.id in server.lanterne("trace", str(tmp_path / "leak.mp4"))


def test_what_is_not_ours_is_told(server, tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 256, 144, {}) as writer:
        writer.write(np.full((8, 144, 256, 3), 90, "uint8"))
    done = subprocess.run([forks.lanterne(), "trace", tmp_path / "v.mp4"], env=server.env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 5 and "no watermark" in done.stdout
