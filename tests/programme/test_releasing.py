"""The gate over HTTP, each route as whoever may use it: what is public is the signed copy of what was approved, and nothing else ever."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import gate
import pytest
from gate import ANA, OLGA, add_video, asked, delete_video, film, looked, ok, path_of, refused
from sqlalchemy import update

from lanterne.programme import audit, erasure, people, release, review, signing
from lanterne.programme.identity import identity
from lanterne.programme.pay import PayError
from lanterne.programme.release import Release
from lanterne.programme.verify import examine
from lanterne.service import keeping, releasing
from lanterne.service.database import Video
from lanterne.video import read_settings, read_video

REFUSAL = {"verdict": "refuse", "ground": "1", "explanation": "A person can be recognised.", "times": [[1, 2.5]]}


def letters(home):
    return "\n".join(path.read_text() for path in sorted((home / "outbox").glob("*.eml"), key=os.path.getmtime))


def test_from_the_request_over_an_appeal_to_the_public_and_back(house, browsers, home, tmp_path):
    digest = add_video(house, "video_1")
    ana, ben, public = browsers["ana"], browsers["ben"], browsers["public"]
    made = ok(ana.post("/programme/requests", json={"video_id": "video_1"}))
    request_id, path = made["id"], f"/programme/requests/{made['id']}"
    assert made["sha256"] == digest and made["state"] == "waiting" and made["due_at"]
    assert [task["request_id"] for task in ok(browsers["rita"].get("/programme/review/queue"))["data"]] == [request_id]
    refused(browsers["rita"].get(f"/programme/review/{request_id}/video"), 400, "not claimed")
    looked(browsers, "rita", request_id, **REFUSAL)
    assert ok(ana.get(path))["reasons"] == [] and letters(home) == ""  # the artist learns of one who refuses when the second has
    looked(browsers, "ron", request_id, **REFUSAL)
    told = ok(ana.get(path))
    assert told["state"] == "refused" and told["appeal_until"] and told["reasons"][0]["times"] == [[1, 2.5]]
    assert "rita" not in str(told) and "1: Shows a real person" in letters(home)
    refused(ben.get(path), 404, "among yours")
    refused(ben.post(f"{path}/appeal", json={"words": "no"}), 404, "not yours")
    ok(ana.post(f"{path}/appeal", json={"words": "It is a statue."}))
    assert ok(browsers["rita"].get("/programme/review/queue")) == {"data": []}  # whoever has looked does not decide on the appeal
    assert ok(browsers["ruth"].get("/programme/review/queue"))["data"][0]["appeal"] == "It is a statue."
    looked(browsers, "ruth", request_id, verdict="approve", explanation="It is a statue indeed.")
    assert "It is a statue indeed." in letters(home)
    assert ok(public.get("/programme/public"))["data"] == [] and public.get(f"/programme/public/{request_id}/video").status_code == 404
    shown = ok(ana.post(f"{path}/publish", json={"title": "Dawn", "credit": "A.", "with_prompt": True}))
    assert shown["state"] == "public" and shown["public_sha256"] != digest
    again = ok(ana.post(f"{path}/publish", json={"title": "Dawn", "credit": "A.", "with_prompt": True}))
    assert again["public_sha256"] == shown["public_sha256"]  # once
    [listed] = ok(public.get("/programme/public"))["data"]
    assert (listed["title"], listed["credit"], listed["prompt"], listed["approved_sha256"]) == ("Dawn", "A.", gate.PROMPT, digest)
    whole = public.get(f"/programme/public/{request_id}/video")
    assert sha256(whole.content).hexdigest() == listed["sha256"] == shown["public_sha256"]
    part = public.get(f"/programme/public/{request_id}/video", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert public.get(f"/programme/public/{request_id}/video", headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    head = public.head(f"/programme/public/{request_id}/video")  # players ask so before they play
    assert (head.status_code, head.content) == (200, b"")
    assert {name for name, value in head.headers.items() if whole.headers[name] != value} == {"x-request-id"}
    assert public.head(f"/programme/public/{request_id}/video", headers={"range": "bytes=4-7"}).headers["content-length"] == "4"
    # The copy says of itself what was approved, and that it came from there.
    (tmp_path / "shown.mp4").write_bytes(whole.content)
    report = examine(tmp_path / "shown.mp4", identity().root)
    assert report.state == "trusted" and report.lineage[0].approval["sha256"] == report.lineage[1].sha256 == digest
    assert report.lineage[0].approval["by"].startswith("reviewer-") and report.lineage[0].approval["policy"] == 1
    assert read_settings(tmp_path / "shown.mp4")["request"]["prompt"] == gate.PROMPT
    ok(ana.post(f"{path}/takedown", json={}))
    refused(public.get(f"/programme/public/{request_id}/video"), 404, "taken down")
    assert public.head(f"/programme/public/{request_id}/video").status_code == 404
    assert ok(public.get("/programme/public"))["data"] == [] and not path_of(house, listed["sha256"]).exists()
    assert path_of(house, digest).exists() and ok(ana.get(path))["state"] == "taken down"
    refused(ana.post(f"{path}/publish", json={}), 400, "taken down")
    with house.database.session() as session:
        audit.verify(session, audit.Signer().verifier)
        kinds = [kind for _, _, kind, _ in audit.told(session, "ana")]
    assert [kind for kind in kinds if kind.startswith("review.")] == [
        "review.requested", "review.looked", "review.looked", "review.appealed", "review.looked", "review.released", "review.published",
        "review.taken_down",
    ]


def test_the_public_copy_tells_no_prompt_unasked(house, browsers, tmp_path):
    digest = add_video(house, "video_1")
    request_id = asked(browsers)
    looked(browsers, "rita", request_id)
    ok(browsers["ana"].post(f"/programme/requests/{request_id}/publish", json={}))
    data = browsers["public"].get(f"/programme/public/{request_id}/video").content
    assert gate.PROMPT.encode() in film("video_1") and gate.PROMPT.encode() not in data
    (tmp_path / "shown.mp4").write_bytes(data)
    (tmp_path / "approved.mp4").write_bytes(film("video_1"))
    report = examine(tmp_path / "shown.mp4", identity().root)
    assert report.state == "trusted" and report.settings is None and report.lineage[1].sha256 == digest
    shown, approved = (list(read_video(tmp_path / name, 256, 144)) for name in ("shown.mp4", "approved.mp4"))
    assert len(shown) == len(approved) and all((one == other).all() for one, other in zip(shown, approved, strict=True))


def test_what_cannot_be_asked(house, browsers):
    add_video(house, "video_1")
    add_video(house, "bens", "ben")
    with house.database.session() as session:
        session.execute(update(Video).values(status="in_progress"))
    ana = browsers["ana"]
    refused(ana.post("/programme/requests", json={"video_id": "video_1"}), 400, "is in_progress")
    refused(ana.post("/programme/requests", json={"video_id": "bens"}), 404, "among yours")
    refused(ana.post("/programme/requests", json={"video_id": "none"}), 404, "among yours")
    refused(ana.post("/programme/requests", json={}), 400, "video_id is missing")
    digest = add_video(house, "video_2")
    path_of(house, digest).write_bytes(b"something else")
    refused(ana.post("/programme/requests", json={"video_id": "video_2"}), 400, "was changed")
    refused(browsers["public"].post("/programme/requests", json={"video_id": "video_2"}), 401, "not signed in")


def test_the_file_is_for_whoever_holds_the_claim(house, browsers, monkeypatch):
    digest = add_video(house, "video_1")
    request_id = asked(browsers)
    path = f"/programme/review/{request_id}/video"
    refused(browsers["ana"].post(f"/programme/review/{request_id}/claim"), 403, "role reviewer")
    ok(browsers["rita"].post(f"/programme/review/{request_id}/claim"))
    refused(browsers["ron"].post(f"/programme/review/{request_id}/claim"), 400, "is being looked at")  # two at once
    refused(browsers["ron"].get(path), 400, "not claimed")
    got = browsers["rita"].get(path)
    assert sha256(got.content).hexdigest() == digest and got.headers["cache-control"] == "no-store"
    assert browsers["rita"].get(path, headers={"range": "bytes=4-7"}).content == b"ftyp"
    monkeypatch.setattr(review, "now", lambda: 2**31)
    refused(browsers["rita"].get(path), 400, "lease is over")
    refused(browsers["rita"].post(f"/programme/review/{request_id}/look", json={"verdict": "approve"}), 400, "lease is over")


def test_nobody_reviews_their_own(house, browsers):
    with house.database.session() as session:
        people.set_roles(session, "ana", ["artist", "reviewer"], "olga", "a test")
    add_video(house, "video_1")
    request_id = asked(browsers)
    assert ok(browsers["ana"].get("/programme/review/queue")) == {"data": []}
    refused(browsers["ana"].post(f"/programme/review/{request_id}/claim"), 404, "your own")
    refused(browsers["ana"].post(f"/programme/review/{request_id}/look", json={"verdict": "approve"}), 404, "your own")


def test_a_refusal_without_reasons_is_a_sentence(house, browsers):
    add_video(house, "video_1")
    request_id = asked(browsers)
    ok(browsers["rita"].post(f"/programme/review/{request_id}/claim"))
    for body, said in (
        ({"ground": "9"}, "give one of 1, 2.1"), ({"ground": None}, "A ground of version 1 of the policy must be given; give one of 1"),
        ({"explanation": " "}, "explanation is empty"), ({"times": []}, "give time codes"),
        ({"times": [[1, 9]]}, "within 8 seconds"), ({"times": [[1]]}, "at least 2"), ({"times": [["1", 2]]}, "without quotes"),
        ({"explanation": "x" * 2001}, "at most 2000"), ({"verdict": "maybe"}, "give approve or refuse"),
        ({"verdicts": 1}, "not known here"),
    ):
        refused(browsers["rita"].post(f"/programme/review/{request_id}/look", json=REFUSAL | body), 400, said)
    looked(browsers, "rita", request_id, **REFUSAL)


@pytest.mark.parametrize("harm, said", [("delete", "was deleted"), ("change", "was changed"), ("remove", "not kept any more")])
def test_every_step_says_when_the_bytes_are_not_those(house, browsers, harm, said):
    digest, kept = add_video(house, "video_1"), film("video_1")
    request_id = asked(browsers)
    path = f"/programme/requests/{request_id}"

    def hurt():
        if harm == "delete":
            delete_video(house, "video_1")
        elif harm == "change":
            path_of(house, digest).write_bytes(kept[:-1] + b"x")
        else:
            path_of(house, digest).unlink()

    def mend():
        add_video(house, "video_1", data=kept) if harm == "delete" else path_of(house, digest).write_bytes(kept)

    hurt()
    refused(browsers["rita"].post(f"/programme/review/{request_id}/claim"), 400, said)
    mend()
    for name in ("rita", "ron"):
        ok(browsers[name].post(f"/programme/review/{request_id}/claim"))
        hurt()
        refused(browsers[name].post(f"/programme/review/{request_id}/look", json=REFUSAL), 400, said)
        mend()
        looked(browsers, name, request_id, **REFUSAL)
    hurt()
    refused(browsers["ana"].post(f"{path}/appeal", json={"words": "no"}), 400, said)
    mend()
    ok(browsers["ana"].post(f"{path}/appeal", json={"words": "no"}))
    looked(browsers, "ruth", request_id, verdict="approve", explanation="no person")
    hurt()
    refused(browsers["ana"].post(f"{path}/publish", json={}), 400, said)
    assert release_rows(house) == 0
    mend()
    assert ok(browsers["ana"].post(f"{path}/publish", json={}))["state"] == "public"


def release_rows(house):
    with house.database.session() as session:
        return session.query(Release).count()


def test_a_process_that_dies_while_releasing_leaves_nothing(house, browsers, monkeypatch):
    add_video(house, "video_1")
    request_id = asked(browsers)
    looked(browsers, "rita", request_id)

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    for moment in ((signing, "_write_signed"), (house.store, "send_ahead"), (releasing, "hold"), (release, "publish")):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(*moment, die)
            releasing.publish(house, ANA, request_id, release.Wishes())
        assert releasing.public_file(house, request_id) is None and release_rows(house) == 0 and gate.held_by(house, request_id) == []
    releasing.publish(house, ANA, request_id, release.Wishes())
    assert releasing.public_file(house, request_id)


def test_what_an_older_version_released_gets_its_signed_copy(house, browsers):
    digest = add_video(house, "video_1")
    request_id = asked(browsers)
    looked(browsers, "rita", request_id)
    with house.database.session() as session:
        release.release(session, ANA, request_id, digest)
    assert releasing.public_file(house, request_id) is None
    releasing.look_after(house)
    file, path = releasing.public_file(house, request_id)
    assert sha256(path.read_bytes()).hexdigest() == file.sha256 != digest
    releasing.look_after(house)
    assert releasing.public_file(house, request_id)[0].sha256 == file.sha256


def test_the_public_copy_outlives_the_video_and_not_the_person(house, browsers, home):
    add_video(house, "video_1")
    request_id = asked(browsers)
    looked(browsers, "rita", request_id)
    ok(browsers["ana"].post(f"/programme/requests/{request_id}/publish", json={"credit": "Ana"}))
    delete_video(house, "video_1")
    assert ok(browsers["public"].get("/programme/public"))["data"][0]["credit"] == "Ana"
    assert browsers["public"].get(f"/programme/public/{request_id}/video").status_code == 200
    with house.database.session() as session:
        people.close(session, "ana", "olga", "She left.")
        erasure.forget(session, OLGA, "ana")
    refused(browsers["public"].get(f"/programme/public/{request_id}/video"), 404, "taken down")
    releasing.look_after(house)
    assert gate.held_by(house, request_id) == []


def test_withdrawing_is_final_for_these_bytes(house, browsers):
    add_video(house, "video_1")
    request_id = asked(browsers)
    path = f"/programme/requests/{request_id}/withdraw"
    refused(browsers["ben"].post(path), 404, "among yours")
    assert ok(browsers["ana"].post(path))["state"] == ok(browsers["ana"].post(path))["state"] == "withdrawn"
    assert ok(browsers["rita"].get("/programme/review/queue")) == {"data": []}
    refused(browsers["ana"].post("/programme/requests", json={"video_id": "video_1"}), 400, "withdrawn")
    add_video(house, "video_2")
    other = asked(browsers, "video_2")
    looked(browsers, "rita", other)
    ok(browsers["ana"].post(f"/programme/requests/{other}/publish", json={}))
    refused(browsers["ana"].post(f"/programme/requests/{other}/withdraw"), 400, "take it down")


def test_deadlines_are_noticed_by_themselves_and_pay_nobody_who_deleted(house, browsers, clock, home):
    with house.database.session() as session:
        people.set_roles(session, "olga", ["operator", "reviewer"], "olga", "a test")
    for name in ("video_1", "video_2"):
        add_video(house, name)
    kept, deleted = asked(browsers, "video_1"), asked(browsers, "video_2")
    delete_video(house, "video_2")
    releasing.look_after(house)
    assert letters(home) == ""
    clock.pass_days(5.1)
    for _ in range(3):  # as several workers would
        releasing.look_after(house)
    said = letters(home)
    assert said.count("A deadline of ours passed") == 1 and said.count(f"Overdue: {kept}") == 1
    states = {one["id"]: one["state"] for one in ok(browsers["ana"].get("/programme/requests"))["data"]}
    assert states == {kept: "waiting", deleted: "withdrawn"}
    assert ok(browsers["olga"].post("/programme/review/escalate")) == {"data": []}
    with house.database.session() as session:
        assert len(review.file_of(session, kept).escalations) == 1 and not review.file_of(session, deleted).escalations


def test_operators_take_down_with_a_ground_and_it_goes_to_the_dsa(house, browsers, home):
    add_video(house, "video_1")
    add_video(house, "video_2")
    request_id, other = asked(browsers), asked(browsers, "video_2")
    looked(browsers, "rita", request_id)
    path = f"/programme/requests/{request_id}"
    refused(browsers["olga"].post(f"{path}/takedown", json={}), 400, "not public")
    ok(browsers["ana"].post(f"{path}/publish", json={}))
    refused(browsers["ben"].post(f"{path}/takedown", json={}), 404, "among yours")
    refused(browsers["olga"].post(f"{path}/takedown", json={"ground": "9", "explanation": "x"}), 400, "give one of")
    refused(browsers["olga"].post(f"{path}/takedown", json={"ground": "1"}), 400, "explanation is empty")
    ok(browsers["olga"].post(f"{path}/takedown", json={"ground": "1", "explanation": "A person asked us."}))
    assert "A person asked us." in letters(home)
    told = ok(browsers["ana"].get(path))["takedown"]
    assert told["incompatible_content_explanation"] == "A person asked us." and told["puid"] == f"{request_id}-takedown"
    assert told["statement"] in ok(browsers["olga"].get("/programme/review/statements"))["statements"]
    assert "olga" not in json.dumps(told) and ok(browsers["ana"].get(f"/programme/requests/{other}"))["takedown"] is None
    for name in ("rita", "ron"):
        looked(browsers, name, other, **REFUSAL)
    ok(browsers["ana"].post(f"/programme/requests/{other}/appeal", json={"words": "no"}))
    looked(browsers, "ruth", other, verdict="approve", explanation="There is nobody.")
    found = ok(browsers["olga"].get("/programme/review/statements"))["statements"]
    assert {said["puid"] for said in found} == {f"{request_id}-takedown", f"{other}-refusal"}
    assert [said["end_date_visibility_restriction"] for said in found if "end_date_visibility_restriction" in said]
    assert "'rita'" not in str(found) and "times" not in found[0] and "'ana'" not in str(found)
    assert ok(browsers["olga"].get(f"/programme/review/statements?since={2**34}")) == {"statements": []}
    refused(browsers["ana"].get("/programme/review/statements"), 403, "operator")
    assert {one["artist_id"] for one in ok(browsers["olga"].get("/programme/review/requests"))["data"]} == {"ana"}


def _taken_down(browsers):
    """A request whose release olga took down."""
    request_id = asked(browsers)
    path = f"/programme/requests/{request_id}"
    looked(browsers, "rita", request_id)
    ok(browsers["ana"].post(f"{path}/publish", json={"title": "Dawn"}))
    ok(browsers["olga"].post(f"{path}/takedown", json={"ground": "1", "explanation": "A person asked us."}))
    return request_id, path


def test_an_appeal_brings_the_very_copy_back(house, browsers, home):
    add_video(house, "video_1")
    ana, public = browsers["ana"], browsers["public"]
    request_id, path = _taken_down(browsers)
    video = f"/programme/public/{request_id}/video"
    delete_video(house, "video_1")  # the copy is what it is about
    releasing.look_after(house)
    told = ok(ana.get(path))
    assert told["state"] == "taken down" and told["appeal_until"] and "you can appeal" in letters(home)
    refused(public.get(video), 404, "taken down")
    refused(browsers["ben"].post(f"{path}/appeal", json={"words": "no"}), 404, "not yours")
    told = ok(ana.post(f"{path}/appeal", json={"words": "It is a statue."}))
    assert told["state"] == "takedown appealed" and told["due_at"] and told["appeal_until"] is None
    refused(browsers["ana"].post(f"{path}/appeal", json={"words": "no"}), 400, "was appealed against")
    assert ok(browsers["rita"].get("/programme/review/queue")) == {"data": []}
    task = ok(browsers["ron"].post(f"/programme/review/{request_id}/claim"))
    assert (task["appeal"], task["takedown"]) == ("It is a statue.", "1: A person asked us.") and "olga" not in str(task)
    whole = browsers["ron"].get(f"/programme/review/{request_id}/video").content
    assert sha256(whole).hexdigest() == task["sha256"]
    refused(public.get(video), 404, "taken down")
    look = {"verdict": "approve", "explanation": "It is a statue indeed."}
    assert ok(browsers["ron"].post(f"/programme/review/{request_id}/look", json=look))["stage"] == "takedown 1"
    assert "is public again" in letters(home) and "It is a statue indeed." in letters(home)
    assert public.get(video).content == whole and ok(public.get("/programme/public"))["data"][0]["title"] == "Dawn"
    told = ok(ana.get(path))
    assert told["state"] == "public" and told["takedown"]["statement"]["end_date_visibility_restriction"] and "ron" not in str(told)
    ok(ana.post(f"{path}/takedown", json={}))
    assert not path_of(house, task["sha256"]).exists()
    with house.database.session() as session:
        audit.verify(session, audit.Signer().verifier)
        kinds = [kind for _, _, kind, _ in audit.told(session, "ana")]
    assert kinds[-4:] == ["review.taken_down", "review.takedown_appealed", "review.looked", "review.taken_down"]


def test_operators_are_told_of_an_appeal_that_no_reviewer_may_answer(house, browsers, home):
    add_video(house, "video_1")
    request_id = asked(browsers)
    path = f"/programme/requests/{request_id}"
    for name in ("rita", "ron"):
        looked(browsers, name, request_id, **REFUSAL)
    ok(browsers["ana"].post(f"{path}/appeal", json={"words": "It is a statue."}))
    looked(browsers, "ruth", request_id, verdict="approve", explanation="It is a statue.")
    ok(browsers["ana"].post(f"{path}/publish", json={}))
    ok(browsers["olga"].post(f"{path}/takedown", json={"ground": "1", "explanation": "A person asked us."}))

    def stalled():
        return [one["stalled"] for one in ok(browsers["olga"].get("/programme/review/requests"))["data"]]

    assert stalled() == [False] and "No reviewer is left" not in letters(home)
    told = ok(browsers["ana"].post(f"{path}/appeal", json={"words": "It is still a statue."}))
    assert told["state"] == "takedown appealed" and "stalled" not in told and stalled() == [True]
    [letter] = [text for text in letters(home).split("\nFrom: ") if f"No reviewer is left: {request_id}" in text]
    assert "To: olga@example.org" in letter and "Give somebody else the role reviewer" in letter
    with house.database.session() as session:
        people.set_roles(session, "ben", ["artist", "reviewer"], "olga", "All others have looked.")
    assert stalled() == [False]
    looked(browsers, "ben", request_id, verdict="approve", explanation="It is.")


def test_what_was_released_is_not_released_otherwise(house, browsers):
    add_video(house, "video_1")
    request_id = asked(browsers)
    path = f"/programme/requests/{request_id}/publish"
    refused(browsers["ana"].post(path, json={}), 400, "waiting and not approved; wait for the decision")
    looked(browsers, "rita", request_id)
    wishes = {"title": "Dawn ", "credit": "A.", "with_prompt": True}
    told = ok(browsers["ana"].post(path, json=wishes))
    assert ok(browsers["ana"].post(path, json=wishes)) == told
    for other in ({"title": "Dusk"}, {"credit": ""}, {"with_prompt": False}):
        refused(browsers["ana"].post(path, json=wishes | other), 400, "with the title 'Dawn', the credit 'A.' and its prompt, which stay")
    assert ok(browsers["public"].get("/programme/public"))["data"][0]["title"] == "Dawn"


def test_a_takedown_that_is_upheld_has_reasons_and_its_copy_goes(house, browsers, home):
    add_video(house, "video_1")
    request_id, path = _taken_down(browsers)
    ok(browsers["ana"].post(f"{path}/appeal", json={"words": "It is a statue."}))
    with house.database.session() as session:
        people.close(session, "ana", "olga", "She left.")
        with pytest.raises(PayError, match="waits for a decision"):
            erasure.forget(session, OLGA, "ana")
    looked(browsers, "ron", request_id, **REFUSAL)
    releasing.look_after(house)
    assert gate.held_by(house, request_id) == [] and gate.held_by(house, "video_1")
    with house.database.session() as session:
        [reason] = release.reasons(session, ANA, request_id)
        assert reason["puid"] == f"{request_id}-takedown-1-appeal" and "on appeal" in reason["decision_facts"]
        erasure.forget(session, OLGA, "ana")
        assert [opened.words for opened in review.file_of(session, request_id).takedown_appeals.values()] == [""]


def test_a_copy_that_was_changed_or_lost_does_not_come_back(house, browsers):
    add_video(house, "video_1")
    request_id, path = _taken_down(browsers)
    ok(browsers["ana"].post(f"{path}/appeal", json={"words": "It is a statue."}))
    task = ok(browsers["ron"].post(f"/programme/review/{request_id}/claim"))
    path_of(house, task["sha256"]).write_bytes(b"something else")
    look = {"verdict": "approve", "explanation": "It is a statue indeed."}
    refused(browsers["ron"].post(f"/programme/review/{request_id}/look", json=look), 400, "was changed")
    path_of(house, task["sha256"]).unlink()
    refused(browsers["ron"].post(f"/programme/review/{request_id}/look", json=look), 400, "not kept any more")
    refused(browsers["public"].get(f"/programme/public/{request_id}/video"), 404, "taken down")
    assert ok(browsers["ana"].get(path))["state"] == "takedown appealed"


def test_the_public_is_listed_by_pages(house, browsers, clock):
    for number in range(3):
        add_video(house, f"video_{number}")
        request_id = asked(browsers, f"video_{number}")
        looked(browsers, "rita", request_id)
        ok(browsers["ana"].post(f"/programme/requests/{request_id}/publish", json={"title": str(number)}))
        clock.at += number // 2  # the first two in one second
    first = ok(browsers["public"].get("/programme/public?limit=2"))
    second = ok(browsers["public"].get("/programme/public", params={"limit": 2, "after": first["last_id"]}))
    assert first["has_more"] and not second["has_more"] and second["last_id"]
    assert {video["title"] for video in first["data"] + second["data"]} == {"0", "1", "2"}
    assert all(video["prompt"] == video["credit"] == "" for video in first["data"])
    refused(browsers["public"].get("/programme/public?after=nothing"), 404, "nothing")


def test_files_stay_while_it_is_not_settled_whether_they_are_released(house, browsers):
    add_video(house, "video_1")
    request_id = asked(browsers)

    def expire():
        with house.database.session() as session:
            session.execute(update(Video).values(expires_at=1))
        keeping.expire(house)
        return gate.held_by(house, "video_1") == []

    assert not expire()
    looked(browsers, "rita", request_id)
    assert not expire()
    ok(browsers["ana"].post(f"/programme/requests/{request_id}/publish", json={}))
    assert expire()
    assert browsers["public"].get(f"/programme/public/{request_id}/video").status_code == 200


def test_a_download_is_cut_when_it_is_taken_down(house, monkeypatch):
    import asyncio

    held = [True]
    lasting = releasing.Lasting(lambda: held[0])
    monkeypatch.setattr(releasing, "_BELIEVED", 0)

    async def ask():
        before = await lasting.still_opens(None)
        held[0] = False
        return before, await lasting.still_opens(None)

    assert asyncio.run(ask()) == (True, False)


def test_what_is_not_there_is_a_404_without_the_words_of_a_shell(house, browsers):
    ana, olga = browsers["ana"], browsers["olga"]
    for answer, said in (
        (ana.post("/programme/keys", json={"cohort": "none", "name": "x"}), "There is no cohort 'none'; check its spelling."),
        (ana.get("/programme/rate-card?name=none"), "There is no rate card 'none'; an operator publishes one."),
        (ana.get("/programme/policy?version=9"), "There is no version 9 of the policy; leave it out for the latest."),
        (olga.get("/programme/desk/people/none/statements"), "There is no person 'none'; check its spelling."),
        (olga.get("/programme/desk/work?person=none"), "There is no person 'none'; check its spelling."),
        (olga.post("/programme/desk/work/none/decide", json={}), "There is no entry 'none'; check its spelling."),
        (olga.post("/programme/desk/payouts/none/settle"), "There is no payout 'none'; check its spelling."),
        (olga.post("/programme/desk/ledger/none/reverse", json={"reason": "x"}), "There is no transaction 'none'; check its spelling."),
        (olga.post("/programme/desk/keys/none/revoke", json={"reason": "x"}), "There is no key 'none' in use; check its spelling."),
        (olga.post("/programme/desk/alarms/none/decide", json={"upheld": True, "reasons": "x"}), "There is no alarm 'none'; check"),
        (olga.delete("/programme/desk/invitations/none"), "There is no open invitation 'none'; check its spelling."),
        (olga.post("/programme/datasets/none/models", json={"sha256": "0" * 64, "name": "x"}), "There is no release 'none' of a data set;"),
    ):
        refused(answer, 404, said)
        assert answer.json()["error"]["code"] == "not_found"


def test_the_policy_is_for_everybody_to_read(house, browsers):
    assert ok(browsers["public"].get("/programme/policy"))["grounds"] == gate.GROUNDS
    body = {"words": "More.", "grounds": {"1": "x"}, "remedy": "release"}
    assert ok(browsers["olga"].post("/programme/policy", json=body))["version"] == 2
    assert ok(browsers["public"].get("/programme/policy?version=1"))["remedy"] == "credit"
    refused(browsers["public"].get("/programme/policy?version=3"), 404, "version 3")
    refused(browsers["olga"].post("/programme/policy", json=body | {"remedy": "credit"}), 400, "credit=None")
    refused(browsers["olga"].post("/programme/policy", json=body | {"appeal_days": 5}), 400, "appeal_days=5")
    refused(browsers["ana"].post("/programme/policy", json=body), 403, "operator")


def test_two_who_release_at_once_show_one_copy(house, browsers, monkeypatch):
    add_video(house, "video_1")
    request_id = asked(browsers)
    looked(browsers, "rita", request_id)
    ready, send_ahead = threading.Barrier(2), house.store.send_ahead  # both have signed a copy, and no two copies are alike
    monkeypatch.setattr(house.store, "send_ahead", lambda path: (ready.wait(60), send_ahead(path)))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(releasing.publish, house, ANA, request_id, release.Wishes()) for _ in range(2)]
    shown = {one.result().sha256 for one in both}
    assert len(shown) == 1 and {file.sha256 for file in gate.held_by(house, request_id)} == shown
    assert releasing.public_file(house, request_id)[0].sha256 in shown
