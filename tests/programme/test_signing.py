"""Signed files, read by the library and by a second reader that shares no code with it."""

import hashlib
import json
import shutil
from functools import partial

import av
import pytest
from PIL import Image
from second_opinion import opinion
from signed_files import clip, signed, unsigned

from lanterne.programme import signing
from lanterne.programme.identity import identity
from lanterne.programme.signing import Statement, approve, manifest_place, sign
from lanterne.programme.verify import CHANGED, TRUSTED, UNKNOWN_SIGNER, UNSIGNED, examine
from lanterne.service.provenance import first_of_all
from lanterne.video import read_settings


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flipped(path, target, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    target.write_bytes(data)
    return target


def test_the_three_states_and_none(tmp_path, home, monkeypatch):
    """Two readers agree on all of them."""
    video, mine = signed(tmp_path / "v.mp4"), identity()
    assert examine(video, mine.root).state == TRUSTED and opinion(video, mine.root) == set()
    monkeypatch.setenv("LANTERNE_HOME", str(tmp_path / "another"))
    foreign = signed(tmp_path / "foreign.mp4")
    assert identity().root != mine.root
    assert examine(foreign, mine.root).state == UNKNOWN_SIGNER and opinion(foreign, mine.root) == {"signature"}
    assert examine(foreign, mine.root + identity().root).state == TRUSTED
    assert examine(foreign, "").state == UNKNOWN_SIGNER
    bad = _flipped(video, tmp_path / "bad.mp4", -200)
    report = examine(bad, mine.root)
    assert report.state == CHANGED and report.problems == ["the pictures or the index were changed after signing"]
    assert opinion(bad, mine.root) == {"content"}
    assert examine(unsigned(tmp_path / "u.mp4"), mine.root).state == UNSIGNED


def test_a_changed_manifest_is_found_by_both(tmp_path):
    video, root = signed(tmp_path / "v.mp4"), identity().root
    offset = video.read_bytes().index(b"notAllowed")
    bad = _flipped(video, tmp_path / "bad.mp4", offset)
    assert examine(bad, root).state == CHANGED and "assertion" in opinion(bad, root)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_no_byte_that_counts_can_be_changed_unseen(tmp_path, share):
    """A flip anywhere in the manifest's statements or in the video: never trusted, never a crash."""
    video, root = signed(tmp_path / "v.mp4", frames=2), identity().root
    start, size = manifest_place(video)
    padding = video.read_bytes().index(b"\0" * 200, start, start + size)  # room that is left in the signature's box, not signed
    for first, last in ((start + 60, padding), (start + size, video.stat().st_size)):
        bad = _flipped(video, tmp_path / "bad.mp4", first + int((last - first) * share))
        assert examine(bad, root).state in (CHANGED, UNSIGNED)


def test_what_is_said_is_read_back(tmp_path):
    made = examine(signed(tmp_path / "v.mp4", training=True, author="Ana", watermark=0x123456789A), identity().root).lineage[0]
    assert (made.kind, made.model, made.weights, made.author) == ("created", "lanterne", "ab" * 32, "Ana")
    assert made.training_allowed and made.watermark == 0x123456789A
    assert made.source_type == signing.MACHINE_MADE and made.generator.startswith("Lanterne ") and made.when.endswith("Z")
    assert made.signer.startswith("Lanterne, installation ")
    assert examine(signed(tmp_path / "w.mp4"), identity().root).lineage[0].training_allowed is False


def test_the_video_is_the_same_and_still_plays_before_it_is_whole(tmp_path):
    plain, video = unsigned(tmp_path / "u.mp4"), signed(tmp_path / "v.mp4")
    pictures = []
    for path in (plain, video):
        with av.open(str(path)) as container:
            pictures.append([frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0)])
    assert pictures[0] == pictures[1] and len(pictures[0]) == len(clip())
    assert read_settings(video) == read_settings(plain)
    data = video.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_the_same_content_is_the_same_file_again(tmp_path):
    first, second = signed(tmp_path / "a.mp4"), signed(tmp_path / "b.mp4")
    child, again = (signed(tmp_path / name, "edited", frames=4, parent=first) for name in ("c.mp4", "d.mp4"))
    assert _hash(first) == _hash(second) and _hash(child) == _hash(again)
    assert _hash(signed(tmp_path / "e.mp4", training=True)) != _hash(first)
    assert examine(second, identity().root).state == examine(again, identity().root).state == TRUSTED


def test_workers_with_homes_of_their_own_and_one_database_make_the_same_file(either, tmp_path, home, monkeypatch):
    files = []
    for machine in ("one", "two"):
        folder = tmp_path / machine
        shutil.copytree(identity() and home / "provenance", folder / "provenance")
        with monkeypatch.context() as there:
            there.setenv("LANTERNE_HOME", str(folder))
            files.append(signed(folder / "v.mp4", first=partial(first_of_all, either)))
            files.append(signed(folder / "w.mp4", first=partial(first_of_all, either)))
    assert len({_hash(file) for file in files}) == 1 and examine(files[-1], identity().root).state == TRUSTED
    assert not (tmp_path / "two" / "manifests").exists()  # the first one's is taken
    assert _hash(signed(tmp_path / "alone.mp4")) != _hash(files[0])


def test_an_extension_of_an_edit_of_a_video_knows_its_parents(tmp_path):
    video = signed(tmp_path / "v.mp4")
    edit = signed(tmp_path / "e.mp4", "edited", parent=video)
    extension = signed(tmp_path / "x.mp4", "extended", frames=12, parent=edit)
    report = examine(extension, identity().root)
    assert report.state == TRUSTED and [made.kind for made in report.lineage] == ["extended", "edited", "created"]
    assert [made.sha256 for made in report.lineage] == [None, _hash(edit), _hash(video)]
    assert {made.source_type for made in report.lineage} == {signing.MACHINE_MADE}
    assert opinion(extension, identity().root) == set()


def test_a_parent_that_was_changed_is_told(tmp_path):
    """The child is whole, and says of its parent that it was not."""
    bad = _flipped(signed(tmp_path / "v.mp4"), tmp_path / "bad.mp4", -200)
    report = examine(signed(tmp_path / "e.mp4", "edited", parent=bad), identity().root)
    assert report.state == TRUSTED and [made.changed for made in report.lineage] == [False, True]
    assert report.lineage[1].sha256 == _hash(bad)


def test_what_others_made_is_told_apart(tmp_path):
    Image.new("RGB", (64, 36), (200, 80, 20)).save(tmp_path / "p.jpg")
    started = examine(signed(tmp_path / "i.mp4", inputs=[tmp_path / "p.jpg"]), identity().root)
    assert started.state == TRUSTED and [given.sha256 for given in started.inputs] == [_hash(tmp_path / "p.jpg")]
    assert len(started.lineage) == 1 and started.lineage[0].source_type == signing.MACHINE_MADE
    theirs = unsigned(tmp_path / "u.mp4")
    edited = examine(signed(tmp_path / "e.mp4", "edited", parent=theirs), identity().root)
    assert edited.state == TRUSTED and edited.lineage[0].source_type == signing.COMPOSITE
    assert [made.sha256 for made in edited.lineage] == [None, _hash(theirs)] and edited.lineage[1].signer is None


def test_files_of_a_store_have_no_endings(tmp_path):
    video = signed(tmp_path / "v.mp4").rename(tmp_path / "0a1b2c")
    assert examine(signed(tmp_path / "e.mp4", "edited", parent=video), identity().root).lineage[1].kind == "created"


def test_stills_are_signed_too(tmp_path):
    still, again = signed(tmp_path / "p.png"), signed(tmp_path / "q.png")
    assert _hash(still) == _hash(again) and read_settings(still)["lanterne"] == "test"
    assert examine(still, identity().root).state == TRUSTED
    with Image.open(still) as picture:
        assert picture.size == (256, 144)
    bad = _flipped(still, tmp_path / "bad.png", still.stat().st_size // 2)
    assert examine(bad, identity().root).state == CHANGED


def test_approval_is_bound_to_the_exact_bytes(tmp_path):
    video, root = signed(tmp_path / "v.mp4"), identity().root
    approve(video, tmp_path / "released.mp4", {"policy": "3", "reviewer": "r-17"}, identity())
    report = examine(tmp_path / "released.mp4", root)
    assert report.state == TRUSTED
    assert report.lineage[0].approval == {"policy": "3", "reviewer": "r-17", "sha256": _hash(video)}
    assert report.lineage[1].kind == "created" and report.lineage[1].sha256 == _hash(video)
    assert examine(video, root).lineage[0].approval is None
    assert examine(_flipped(tmp_path / "released.mp4", tmp_path / "bad.mp4", -200), root).state == CHANGED


def test_a_failure_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    video = unsigned(tmp_path / "v.mp4")
    before = _hash(video)
    broken = identity()
    monkeypatch.setattr(type(broken), "sign", lambda self, data: b"too short")
    with pytest.raises(signing.SigningError, match="could not be signed"):
        sign(video, Statement("created", "lanterne", "ab" * 32), broken)
    assert _hash(video) == before and [path.name for path in tmp_path.glob("*v*")] == ["v.mp4"]


def test_no_name_of_a_file_or_person_gets_into_a_manifest(tmp_path):
    private = unsigned(tmp_path / "anna-at-home.mp4")
    child = signed(tmp_path / "my-secret.mp4", "edited", parent=private)
    start, size = manifest_place(child)
    manifest = child.read_bytes()[start : start + size]
    assert b"anna" not in manifest and b"secret" not in manifest and str(tmp_path).encode() not in manifest
    assert "anna" not in json.dumps(signing.read(child, ""))




def test_a_time_stamp_authority_that_fails_holds_nothing_up(tmp_path):
    video = signed(tmp_path / "v.mp4", timestamp_url="http://127.0.0.1:9/tsa")
    report = examine(video, identity().root)
    assert report.state == TRUSTED and report.lineage[0].time_stamp is None


def test_what_the_library_cannot_take_apart_is_named_all_the_same(tmp_path):
    (tmp_path / "odd.mp4").write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + b"\xff" * 64)
    (tmp_path / "other.bin").write_bytes(b"anything")
    for name in ("odd.mp4", "other.bin"):
        report = examine(signed(tmp_path / "e.mp4", "edited", parent=tmp_path / name), identity().root)
        assert report.state == TRUSTED and report.lineage[1].sha256 == _hash(tmp_path / name)
