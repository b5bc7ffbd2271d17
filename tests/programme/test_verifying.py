"""What anybody may ask of a file: who made it, whether it was changed, whether it was released; whole, copied, cropped, broken."""

import json

import av
import gate
import numpy as np
import pytest
from gate import ANA, RITA, add_video, ok, path_of, refused
from signed_files import clip

from lanterne.programme import release, signing, watermark
from lanterne.programme.identity import _make, identity
from lanterne.programme.release import Wishes
from lanterne.service import releasing, verifying
from lanterne.service.database import Video
from lanterne.service.provenance import number_of
from lanterne.video import VideoWriter


@pytest.fixture
def files(house, home, tmp_path):
    """A video that was released, and what became of it elsewhere, by name."""
    video = Video(owner="ana", model="lanterne", plan={"prompt": gate.PROMPT})
    number = number_of(identity().watermark_secret, video, [])
    with VideoWriter(tmp_path / "approved.mp4", 256, 144, {}) as writer:
        writer.write(watermark.embed(clip(8), watermark.pattern(identity().watermark_secret, number, 256, 144)))
    signing.sign(tmp_path / "approved.mp4", signing.Statement("created", "lanterne", "ab" * 32, number), identity())
    add_video(house, "video_1", data=(tmp_path / "approved.mp4").read_bytes())
    asked = releasing.ask(house, ANA, "video_1")
    releasing.claim(house, RITA, asked.id)
    releasing.look(house, RITA, asked.id, True)
    releasing.publish(house, ANA, asked.id, Wishes())
    data = releasing.public_file(house, asked.id)[1].read_bytes()
    (tmp_path / "released.mp4").write_bytes(data)
    (tmp_path / "changed.mp4").write_bytes(data[:-200] + bytes([data[-200] ^ 1]) + data[-199:])
    (tmp_path / "half.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.mp4").write_text("This is a text.")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with av.open(str(tmp_path / "released.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for name, cut in (("encoded", frames), ("cropped", [frame[8:136, 12:240] for frame in frames])):
        height, width = cut[0].shape[:2]
        with VideoWriter(tmp_path / f"{name}.mp4", width, height, {}) as writer:
            writer.write(np.stack(cut))
    with VideoWriter(tmp_path / "other.mp4", 256, 144, {}) as writer:
        writer.write(clip(8)[:, ::-1])
    _make(tmp_path / "elsewhere")
    return {path.stem: path for path in tmp_path.glob("*.mp4")}, asked.id


def test_the_command_says_whether_it_is_public(house, lanterne, files):
    paths, request_id = files
    expected = {
        "released": (0, "released"), "approved": (0, "approved"), "encoded": (5, "copy"), "cropped": (5, "copy"), "changed": (4, "copy"),
        "other": (5, "no"),
    }
    for name, (code, how) in expected.items():
        found = json.loads(lanterne("verify", str(paths[name]), "--json", code=code))
        assert found["released"]["how"] == how, name
        assert (found["released"]["request"] == request_id) == (how != "no")
    assert "It is public here" in lanterne("verify", str(paths["released"]))
    for name, said in (("half", "cut short"), ("text", "neither a video nor a picture"), ("empty", "neither a video nor a picture")):
        assert said in lanterne("verify", str(paths[name]), code=2)
    releasing.take_down(house, ANA, request_id)
    assert "was taken down" in lanterne("verify", str(paths["released"]))
    elsewhere = {"LANTERNE_HOME": str(paths["other"].parent / "nowhere")}
    assert "public here" not in lanterne("verify", str(paths["released"]), code=3, **elsewhere)  # no server, no account


def test_anybody_may_upload_and_operators_learn_whose_it_is(house, browsers, files, home, monkeypatch):
    paths, _ = files

    def verify(by, name):
        return browsers[by].post("/verify", files={"file": paths[name].read_bytes()})

    found = ok(verify("public", "encoded"))
    assert found["state"] == "unsigned" and found["released"]["how"] == "copy" and found["watermark"] and found["traced"] is None
    assert "/" not in found["words"][0].partition(":")[0] and "ana" not in json.dumps(found)
    assert ok(verify("olga", "released"))["traced"] == [{"video_id": "video_1", "owner": "ana"}]
    refused(verify("public", "half"), 400, "The file is cut short")
    refused(browsers["public"].post("/verify", files={"file": b""}), 400, "is empty")
    refused(browsers["public"].post("/verify", json={}), 400, "file is missing")
    assert not any((home / "files" / "incoming").glob("*"))  # nothing is kept
    (home / "provenance" / "signer.key").write_text("damaged")
    damaged = browsers["public"].post("/verify", files={"file": paths["other"].read_bytes()})
    refused(damaged, 503, "The signing keys in provenance are damaged")
    assert str(home) not in damaged.text
    monkeypatch.setattr(verifying, "A_MINUTE", 1)
    refused(browsers["public"].post("/verify", json={}), 429, "a minute")


def test_the_watermark_alone_proves_no_release(house, files):
    _, request_id = files
    with house.database.session() as session:
        assert release.found(session, "0" * 64, None) is None and release.found(session, "0" * 64, 5) is None
        number = session.get(release.Publication, request_id).watermark
        assert release.found(session, "0" * 64, number)[0] == "copy"
    assert path_of(house, "0" * 64).exists() is False
