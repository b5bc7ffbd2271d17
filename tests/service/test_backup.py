"""A backup taken from a running server is a server again, with its keys, videos and files."""

import shutil

import pytest
from serving import SMALL, Server, until

from lanterne.errors import LanterneError
from lanterne.paths import secret
from lanterne.programme.mail import Mail
from lanterne.service.backup import backup, restore
from lanterne.service.server import prepare
from lanterne.service.settings import Settings


def test_what_was_backed_up_comes_back(server, key, http, finished, tiny_weights, tmp_path):
    target = tmp_path / "lanterne.tar"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANTERNE_HOME", str(server.home))
        kept = {name: secret(name) for name in ("server-secret", "audit-key", "reviewers-secret")}
        Settings().post.send(Mail("ana@example.org", "Hello", "It waits."))
    mail = next((server.home / "outbox").glob("*.eml"))
    manifest = next((server.home / "manifests").glob("*.c2pa"))
    kept |= {str(path.relative_to(server.home)): path.read_bytes() for path in (mail, manifest)}
    kept["settings.toml"] = b'smtp_password = "hush"\n'
    (server.home / "settings.toml").write_bytes(kept["settings.toml"])
    server.lanterne("backup", str(target))
    (server.home / "settings.toml").unlink()
    assert target.stat().st_mode & 0o777 == 0o600 and not list(tmp_path.glob(".*.partial"))
    other = Server(tmp_path / "other", tiny_weights)
    other.lanterne("restore", str(target))
    assert {name: (other.home / name).read_bytes() for name in kept} == kept
    assert (other.home / "settings.toml").stat().st_mode & 0o777 == 0o600 and not (other.home / "name").exists()
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
        shutil.rmtree(other.home / "manifests", ignore_errors=True)  # both go on from here, and are the same bytes by what they share
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


def test_settings_that_wait_stay_and_an_older_backup_has_none(home, tmp_path):
    prepare(Settings())
    secret("server-secret")
    backup(Settings(), tmp_path / "old.tar")
    (home / "settings.toml").write_text("port = 1\n")
    backup(Settings(), tmp_path / "new.tar")
    for name, port in (("old", 8000), ("new", 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LANTERNE_HOME", str(tmp_path / name))
            restore(tmp_path / f"{name}.tar")
            assert Settings().port == port
            (tmp_path / name / "service.db").unlink()
            (tmp_path / name / "settings.toml").write_text("port = 2\n")
            restore(tmp_path / f"{name}.tar")
            assert Settings().port == 2


def test_what_cannot_be_restored_is_told(home, tmp_path):
    with pytest.raises(LanterneError, match="nothing to back up"):
        backup(Settings(), tmp_path / "b.tar")
    with pytest.raises(LanterneError, match=r"There is no file .*b.tar; check the path\.$"):
        restore(tmp_path / "b.tar")
    (tmp_path / "b.tar").write_bytes(b"junk")
    with pytest.raises(LanterneError, match="is not a backup of Lanterne's; give a file"):
        restore(tmp_path / "b.tar")
    assert not home.exists()
    home.mkdir()
    (home / "service.db").touch()
    with pytest.raises(LanterneError, match="holds a server already"):
        restore(tmp_path / "b.tar")
