"""A backup taken from a running server is a server again, with its keys, videos and files."""

import pytest
from serving import SMALL, Server, until

from lanterne.errors import LanterneError
from lanterne.paths import secret
from lanterne.service.backup import backup, restore
from lanterne.service.settings import Settings


def test_what_was_backed_up_comes_back(server, key, http, finished, tiny_weights, tmp_path):
    target = tmp_path / "lanterne.tar"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANTERNE_HOME", str(server.home))
        kept = {name: secret(name) for name in ("server-secret", "audit-key", "reviewers-secret")}
    server.lanterne("backup", str(target))
    assert target.stat().st_mode & 0o777 == 0o600 and not list(tmp_path.glob(".*.partial"))
    other = Server(tmp_path / "other", tiny_weights)
    other.lanterne("restore", str(target))
    assert {name: (other.home / name).read_bytes() for name in kept} == kept
    other.start("--no-worker")
    try:
        with other.http(key) as again:
            path = f"/v1/videos/{finished.id}/content"
            assert again.get(path).content == http.get(path).content
    finally:
        assert other.stop() == 0


def test_a_video_in_the_making_is_finished_by_the_copy(server, key, tiny_weights, tmp_path):
    """From the chunks that were kept before; the server that was copied still lives, and has a worker of the same name."""
    job = {"prompt": "a lake", "seconds": "6", "size": SMALL, "num_inference_steps": 6, "seed": 3}
    with server.http(key) as http:
        video = http.post("/v1/videos", json=job).json()["id"]
        until(lambda: server.kept(video))
        target = tmp_path / "lanterne.tar"
        server.lanterne("backup", str(target))
        other = Server(tmp_path / "other", tiny_weights)
        other.lanterne("restore", str(target))
        other.start()
        try:
            with other.http(key) as again:
                for of in (http, again):
                    until(lambda of=of: of.get(f"/v1/videos/{video}").json()["status"] == "completed")
                assert again.get(f"/v1/videos/{video}/content").content == http.get(f"/v1/videos/{video}/content").content
            made_again = set(other.kept(video))
            assert made_again and made_again < set(server.kept(video))
        finally:
            assert other.stop() == 0


def test_what_cannot_be_restored_is_told(home, tmp_path):
    with pytest.raises(LanterneError, match="nothing to back up"):
        backup(Settings(), tmp_path / "b.tar")
    (tmp_path / "b.tar").write_bytes(b"junk")
    with pytest.raises(LanterneError, match="cannot be read as a backup"):
        restore(tmp_path / "b.tar")
    (home / "service.db").touch()
    with pytest.raises(LanterneError, match="holds a server already"):
        restore(tmp_path / "b.tar")
