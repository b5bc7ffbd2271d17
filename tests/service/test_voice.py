"""What artists say and allow, over HTTP and at the command line; all that is kept about one, and nothing of anybody else; forgetting it."""

import io
import json
import secrets
import sys
import zipfile
from hashlib import sha256

import pytest
from inside import refused
from sqlalchemy import select, text

from lanterne import cli
from lanterne.errors import LanterneError
from lanterne.models import checkpoint
from lanterne.programme import audit, consent, datasets, feedback, leaks, ledger, pay, payouts, people, release, review
from lanterne.programme.pay import Actor, NotYours
from lanterne.service import access, dossier, forgetting, keys, revocation, voice
from lanterne.service.database import File, Key, Video, now
from lanterne.tables import Base

OLGA = Actor("olga", operator=True)
NOTE = {"from": 0.5, "to": 1, "words": "It jumps.", "region": {"x": 0, "y": 0, "w": 0.5, "h": 1}}


@pytest.fixture
def someone(inside):
    """Who is new here, signed in: their browser; and their id, drawn by chance, since all tests share the server."""

    def run(*roles):
        name = f"p{secrets.token_hex(4)}"
        return inside.person(name, *(roles or ("artist",))), name

    return run


@pytest.fixture
def lanterne(inside, monkeypatch, capfd):
    """A command, run in this process, where the server's home is."""

    def run(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["lanterne", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return (said.err if code else said.out).strip()

    return run


def film(inside, owner, prompt="a lake at dawn", content=None):
    """A finished video of somebody's, as a worker leaves it behind; the id."""
    content = content or secrets.token_bytes(200)
    name, path = sha256(content).hexdigest(), inside.home / f"film-{secrets.token_hex(4)}"
    path.write_bytes(content)
    deployment = inside.app._app.state.deployment
    deployment.store.put(path, name)
    video_id = f"video_{secrets.token_hex(8)}"
    with inside.database.session() as session:
        session.add(Video(
            id=video_id, owner=owner, kind="create", status="completed", progress=100, prompt=prompt, model="lanterne-1", width=256,
            height=144, seconds=2, plan={"prompt": prompt, "negative_prompt": None, "seed": 7, "steps": 14}, stopping=False,
            created_at=now(),
        ))
        session.add(File(holder=video_id, role="video", sha256=name, bytes=len(content), media_type="video/mp4"))
    return video_id


def test_feedback_from_the_first_word_to_the_last(inside, someone):
    (ana, ana_id), (ben, _), (otto, _) = someone(), someone(), someone("operator")
    video = film(inside, ana_id)
    path = f"/programme/videos/{video}/feedback"
    refused(ben.post(path, json={"rating": 1}), 404, "not_found", "you may see")
    refused(ana.post(path, json={"rating": 6}), 400, "invalid_value", "rating=6")
    refused(ana.post(path, json={}), 400, "refused", "says nothing")
    refused(ana.post(path, json={"notes": [NOTE | {"to": 3}]}), 400, "refused", "within 2 seconds")
    refused(ana.post(path, json={"notes": [NOTE | {"region": {"x": 0.9, "y": 0, "w": 0.5, "h": 1}}]}), 400, "refused", "not in the frame")
    said = ana.post(path, json={"rating": 4, "tags": ["flicker"], "notes": [NOTE]}).json()
    assert said["content"]["notes"] == [NOTE] and said["state"] == "open"
    own = f"/programme/remarks/{said['id']}"
    refused(ben.put(own, json={"rating": 1}), 404, "not_found", "among yours")
    refused(ana.put(own, json={"choice": "left"}), 400, "refused", "A feedback has no choice")
    changed = ana.put(own, json={"words": "Better on a second look."}).json()
    assert changed["versions"] == 2 and changed["content"]["rating"] == 4
    assert said["id"] in otto.get("/programme/remarks/waiting").text
    refused(otto.post(f"{own}/decide", json={"state": "declined"}), 400, "refused", "reason is empty")
    assert otto.post(f"{own}/decide", json={"state": "declined", "reason": "Too short."}).json()["state"] == "declined"
    [mine] = ana.get("/programme/remarks").json()["data"]
    assert mine["verdicts"][0]["reason"] == "Too short." and mine["verdicts"][0]["decider"].startswith("operator-")
    assert ana.post(f"{own}/contest", json={"words": "It says all."}).json()["state"] == "open"
    assert otto.post(f"{own}/decide", json={"state": "accepted"}).status_code in (403, 404)
    assert inside.browser("olga").post(f"{own}/decide", json={"state": "accepted"}).json()["state"] == "accepted"
    assert ana.delete(own).json()["state"] == "withdrawn" and ben.get("/programme/remarks").json()["data"] == []


def test_bugs_are_public_and_pay_is_owed_once(inside, someone):
    ana, ana_id = someone()
    body = {"title": f"Loops jump for {ana_id}", "words": "My secret prompt does it.", "credit": "name"}
    refused(ana.post("/programme/bugs", json=body | {"title": " "}), 400, "refused", "title is empty")
    bug = ana.post("/programme/bugs", json=body).json()
    olga = inside.browser("olga")
    assert olga.post(f"/programme/remarks/{bug['id']}/decide", json={"state": "confirmed"}).json()["state"] == "confirmed"
    [shown] = [one for one in inside.browser().get("/programme/bugs").json()["data"] if one["id"] == bug["id"]]
    assert (shown["state"], shown["credit"]) == ("confirmed", ana_id.title()) and "secret" not in str(shown)
    with inside.database.session() as session:
        assert pay.owed(session, Actor(ana_id), ana_id) == {"EUR": 5000}


def test_a_comparison_is_blind_and_its_files_are_for_whom_it_is(inside, someone):
    (ana, ana_id), (ben, ben_id) = someone(), someone()
    films = {film(inside, ana_id, content=content): content for content in (b"first" * 50, b"second" * 50)}
    refused(ana.post("/programme/comparisons", json={"video_ids": list(films), "person_id": ben_id}), 404, "not_found", "operator")
    refused(ben.post("/programme/comparisons", json={"video_ids": list(films)}), 404, "not_found", "may show")
    refused(ana.post("/programme/comparisons", json={"video_ids": ["a", "b"]}), 404, "not_found", "no finished video")
    asked = ana.post("/programme/comparisons", json={"video_ids": list(films)}).json()
    assert not any(word in json.dumps(asked) for word in ("seed", "lanterne-1", *films))
    got = {ana.get(asked[side]).content for side in ("left", "right")}
    assert got == set(films.values())
    refused(ben.get(asked["left"]), 404, "not_found", "for you")
    refused(ana.get(f"/programme/comparisons/{asked['id']}/top"), 400, "refused", "left or right")
    answer = {"choice": "left", "words": "It moves."}
    refused(ana.post(f"/programme/comparisons/{asked['id']}/answer", json=answer | {"words": " "}), 400, "refused", "reason is empty")
    said = ana.post(f"/programme/comparisons/{asked['id']}/answer", json=answer).json()
    refused(ana.post(f"/programme/comparisons/{asked['id']}/answer", json=answer), 400, "refused", "answered")
    assert ana.get("/programme/comparisons").json()["data"] == []
    assert ana.put(f"/programme/remarks/{said['id']}", json={"choice": "equal"}).json()["content"]["choice"] == "equal"


def _ask(olga, purpose="training"):
    return olga.post("/programme/consent-texts", json={"purpose": purpose, "words": f"Use mine for {purpose}."}).json()


def test_consent_is_given_to_what_was_shown_and_its_withdrawal_names_models(inside, someone):
    (ana, ana_id), (ben, ben_id), olga = someone(), someone(), inside.browser("olga")
    refused(ana.post("/programme/consents/fame", json={"sha256": "0" * 64}), 400, "refused", "unknown")
    asked = _ask(olga)
    path = "/programme/consents/training"
    refused(ana.post(path, json={"sha256": "0" * 64}), 400, "refused", "not what is asked for")
    refused(ana.delete(path), 400, "refused", "nothing to withdraw")
    assert not any(one["given"] for one in ana.get("/programme/consents").json()["data"])
    for browser in (ana, ben):
        assert browser.post(path, json={"sha256": asked["sha256"]}).json()["given"]
    mine, theirs = film(inside, ana_id, f"prompt of {ana_id}"), film(inside, ben_id, f"prompt of {ben_id}")
    ana.post(f"/programme/videos/{mine}/feedback", json={"rating": 5})
    ben.post(f"/programme/videos/{theirs}/feedback", json={"rating": 2})
    made = olga.post("/programme/datasets", json={"kind": "feedback"}).json()
    assert ana_id in made["data"] and sha256(made["data"].encode()).hexdigest() == made["release"]["sha256"]
    assert ana.post("/programme/datasets", json={"kind": "feedback"}).status_code == 403
    models = f"/programme/datasets/{made['release']['id']}/models"
    refused(olga.post(models, json={"sha256": "x", "name": "m"}), 400, "invalid_value", "sha256")
    assert olga.post(models, json={"sha256": "a" * 64, "name": "lanterne-2"}).status_code == 200
    assert "lanterne-2" in olga.get("/programme/datasets").text
    gone = ana.delete(path).json()
    assert not gone["given"] and [model["name"] for one in gone["affected"] for model in one["models"]] == ["lanterne-2"]
    again = olga.post("/programme/datasets", json={"kind": "feedback"}).json()
    assert ana_id not in again["data"] and ben_id in again["data"]


def test_what_is_signed_into_a_file_is_its_owners_choice_at_that_moment(inside, someone, monkeypatch):
    from lanterne.service import provenance

    (ana, ana_id), olga = someone(), inside.browser("olga")
    with inside.database.session() as session:
        video = session.scalar(select(Video).where(Video.id == film(inside, ana_id)))
    video.plan = {"prompt": "a", "seed": 1, "width": 256, "height": 144}
    said = []
    monkeypatch.setattr(provenance, "sign", lambda path, statement, *rest: said.append(statement.training))
    marks = provenance.Marks(inside.app._app.state.deployment, video, {}, None, "f" * 64)
    marks.sign(inside.home / "x.mp4")
    ana.post("/programme/consents/training", json={"sha256": _ask(olga)["sha256"]})
    marks.sign(inside.home / "x.mp4")
    ana.delete("/programme/consents/training")
    marks.sign(inside.home / "x.mp4")
    assert said == [False, True, False]


# All that is kept about somebody --------------------------------------------------------------------------------------------------


def test_every_table_is_exported_or_left_out_for_a_reason():
    """A table that is new is in neither, and fails here until somebody has thought about it."""
    exported = [part.model.__tablename__ for part in dossier.PARTS]
    assert len(exported) == len(set(exported)) and not set(exported) & set(dossier.LEFT_OUT)
    assert {*exported, *dossier.LEFT_OUT} == set(Base.metadata.tables)
    assert all(dossier.LEFT_OUT.values())
    for part in dossier.PARTS:
        columns = {column.name for column in part.model.__table__.columns}
        assert {*part.without, *part.others} <= columns
        secret = {name for name in columns if name in ("hash", "password", "secret", "claim", "fingerprint")}
        officers = {name for name in columns if (name.endswith("_by") and name != "pay_by") or name in ("decider", "reviewer")}
        assert secret <= set(part.without) and officers <= set(part.others), part.title


def _live(inside, browser, name, canary):
    """Leave something of oneself in every corner of the database, each with a word that nobody else says. The video's id."""
    video, other = film(inside, name, f"{canary} prompt", f"{canary} bytes".encode()), film(inside, name, f"{canary} prompt")
    browser.post(f"/programme/videos/{video}/feedback", json={"words": f"{canary} feedback", "notes": [NOTE | {"words": f"{canary} note"}]})
    bug = browser.post("/programme/bugs", json={"title": f"{canary} title", "words": f"{canary} bug"}).json()["id"]
    asked = browser.post("/programme/comparisons", json={"video_ids": [video, other]}).json()
    browser.post(f"/programme/comparisons/{asked['id']}/answer", json={"choice": "left", "words": f"{canary} reason"})
    with inside.database.session() as session:
        person = session.get(people.Person, name)
        person.name = f"{canary} name"
        feedback.decide(session, OLGA, bug, "declined", f"Told {canary} why.")
        feedback.contest(session, Actor(name), bug, f"{canary} contest")
        feedback.decide(session, Actor("olaf", operator=True), bug, "confirmed")
        asked_text = consent.in_force(session, "training") or consent.publish(session, OLGA, "training", "Train on it.")
        consent.give(session, name, "training", asked_text.sha256)
        key_id, _ = keys.insert(session, f"{canary} key", name, ["videos:read"], None, keys.Quota(videos=3), decoy=False)
        session.add(leaks.Sighting(key_id=key_id, hour=1, network=f"{canary}/24", agent="a", site="", requests=1, peak=1, last_at=now()))
        alarm = leaks.assess(session, key_id, name, leaks.Seen(networks=(f"{canary}/24", *"bcdefghijk")))
        leaks.contest(session, alarm.id, name, f"{canary} train")
        leaks.decide(session, alarm.id, False, "olga", f"Believed {canary}.")
        entry = pay.claim(session, Actor(name), "hours", pay.today().isoformat(), hours=2, note=f"{canary} work")
        pay.decide(session, OLGA, entry.id, 100, f"{canary} slept.")
        pay.dispute(session, Actor(name), entry.id, f"{canary} did not.")
        pay.decide(session, Actor("otto", operator=True), entry.id)
        payouts.set_payee(session, Actor(name), name, f"{canary} payee", "DE89370400440532013000")
        if session.scalar(select(review.Policy.version)) is None:
            review.publish_policy(session, OLGA, "Be kind.", {"1": "A real person."}, sample_percent=0, credit=1, currency="EUR")
        digest = session.get(File, (video, "video")).sha256
        request = review.request(session, Actor(name), video, digest, 2).id
        for reviewer in ("rita", "ron"):
            review.claim(session, Actor(reviewer, reviewer=True), request)
            review.look(session, Actor(reviewer, reviewer=True), request, False, "1", f"{canary} is seen.", [(0, 1)])
        review.appeal(session, Actor(name), request, f"{canary} appeals.")
        review.claim(session, Actor("ruth", reviewer=True), request)
        review.look(session, Actor("ruth", reviewer=True), request, True, explanation=f"{canary} is right.")
        release.release(session, Actor(name), request, digest)
        release.take_down(session, OLGA, request, "1", "Somebody wrote to us.")
        review.appeal(session, Actor(name), request, f"{canary} objects.")
        review.claim(session, Actor("rosa", reviewer=True), request)
        review.look(session, Actor("rosa", reviewer=True), request, True, explanation=f"{canary} is right again.")
    return video


def _read(content) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}


def test_an_export_has_all_of_ones_own_and_nothing_of_anybody_elses(inside, someone, lanterne, tmp_path):
    (ana, ana_id), (ben, ben_id) = someone(), someone()
    video = _live(inside, ana, ana_id, "anacanary")
    _live(inside, ben, ben_id, "bencanary")
    answer = ana.get("/programme/me/export")
    assert answer.headers["content-type"] == "application/zip" and answer.headers["cache-control"] == "no-store"
    files = _read(answer.content)
    everything = "\n".join(files.values())
    for words in ("prompt", "bytes", "feedback", "note", "title", "bug", "reason", "name", "contest", "key", "train", "work", "did not",
                  "payee", "is seen", "appeals", "is right", "objects", "is right again", "slept"):
        assert f"anacanary {words}" in everything, words
    assert files[f"files/{video}/video.mp4"] == "anacanary bytes" and "DE89" in everything and f"{ana_id}@example.org" in everything
    for stranger in ("bencanary", ben_id, *(f'"{name}"' for name in ("olga", "rita", "ron", "ruth", "rosa", "otto"))):
        assert stranger not in everything, stranger
    # Who decides on work is told by name elsewhere; what they are called there is not what they are called as a reviewer.
    names = {consent.pseudonym(who, "office", "person") for who in ("rita", "ron", "ruth")}
    assert not any(name in everything for name in names) and consent.pseudonym("olga", "office", "person") in everything
    assert consent.pseudonym("rita", "review", "person") in files["data/review_looks.json"] and "review.looked" in files["data/audit.json"]
    with inside.database.session() as session:
        hashes = [*session.scalars(select(Key.hash).where(Key.owner == ana_id)), *session.scalars(select(people.WebSession.hash))]
    assert not any(hash_ in everything for hash_ in hashes)
    assert set(files) >= {"index.html", "data/audit.json", "data/review_looks.json"} and "What reviewers said" in files["index.html"]
    lines = json.loads(files["data/audit.json"])
    whole = [line for line in lines if line["salt"]]
    for line in whole:  # what nobody else is in can be checked against the log
        assert audit._commitment(line["salt"], audit._canonical(line["data"])) == line["commitment"]
    assert whole and len(whole) < len(lines)
    assert list(inside.home.glob("export-*")) == []
    # At the command line, the same; and for nobody but them and operators.
    lanterne("people", "export", ana_id, "--by", "olga", "-o", str(tmp_path / "ana.zip"))
    assert _read((tmp_path / "ana.zip").read_bytes()).keys() == files.keys()
    assert "does not have the role" in lanterne("people", "export", ana_id, "--by", ben_id, "-o", str(tmp_path / "b.zip"), code=2)
    assert "is there already" in lanterne("people", "export", ana_id, "--by", "olga", "-o", str(tmp_path / "ana.zip"), code=2)
    assert "Nothing is kept about" in lanterne("people", "export", "nobody", "--by", "olga", "-o", str(tmp_path / "n.zip"), code=2)
    assert not (tmp_path / "b.zip").exists() and not (tmp_path / "n.zip").exists()
    with pytest.raises(NotYours), (tmp_path / "c.zip").open("wb") as file:
        dossier.write(inside.app._app.state.deployment, Actor(ben_id), ana_id, file)


def test_a_person_is_forgotten_everywhere_and_books_and_log_hold(inside, someone):
    (cleo, cleo_id), (ben, ben_id) = someone(), someone()
    video = _live(inside, cleo, cleo_id, "cleocanary")
    _live(inside, ben, ben_id, "dancanary")
    deployment = inside.app._app.state.deployment
    with inside.database.session() as session:
        digest = session.get(File, (video, "video")).sha256
        made, _ = payouts.make(session, OLGA, _payer())
        payouts.export(session, OLGA, made.id)
        payouts.settle(session, OLGA, made.id)
    with pytest.raises(LanterneError, match="is open"), inside.database.session() as session:
        forgetting.forget(deployment, session, OLGA, cleo_id)
    with inside.database.session() as session:
        revocation.revoke_person(session, cleo_id, "olga", "They asked.")
    with inside.database.session() as session:
        forgetting.forget(deployment, session, OLGA, cleo_id)
    with inside.database.session() as session:
        # Policies, bank files and what others wrote down about their decisions stay, as does the ledger.
        kept = {"payouts", "review_looks", "verdicts", "second_verdicts", "pay_decisions", "remark_verdicts"}
        for table in set(Base.metadata.tables) - kept:
            for row in session.execute(text(f"SELECT * FROM {table}")):
                assert "cleocanary" not in str(row), (table, row)
        [alarm] = session.scalars(select(leaks.Alarm).where(leaks.Alarm.person_id == cleo_id))
        assert (alarm.score, [(one["name"], one["evidence"]) for one in alarm.signals]) == (90, [("networks", [])])
        everything = " ".join(str(row) for table in Base.metadata.tables for row in session.execute(text(f"SELECT * FROM {table}")))
        assert "dancanary prompt" in everything  # nobody else's
        assert "cleocanary did not" not in everything and "cleocanary contest" not in everything
        mine = select(release.Release.request_id).join(review.Request, review.Request.id == release.Release.request_id)
        [shown] = session.scalars(mine.where(review.Request.artist_id == cleo_id))
        assert review.file_of(session, shown).takedown.taken_by == cleo_id and consent.given(session, cleo_id, "training") is None
        audit.verify(session, audit.Signer().verifier)
        assert ledger.check(session) > 0 and pay.owed(session, OLGA, cleo_id) == {}
    with pytest.raises(FileNotFoundError):
        deployment.store.local(digest)


def _payer():
    from lanterne.programme.exports import Payer

    return Payer("Studio Lanterne", "DE02120300000000202051")


# At the command line --------------------------------------------------------------------------------------------------------------


def test_a_season_of_words_at_the_command_line(inside, someone, lanterne, tmp_path, tiny_weights):
    _, name = someone()
    first, second = (film(inside, name) for _ in range(2))
    remark = lanterne("feedback", "say", first, "--by", name, "--rating", "4", "--tag", "flicker", "--notes", json.dumps([NOTE]))
    assert "cannot be read" in lanterne("feedback", "say", first, "--by", name, "--notes", "[1]", code=2)
    assert "not in version 1" in lanterne("feedback", "say", first, "--by", name, "--tag", "nice", code=2)
    assert "version 2" in lanterne("feedback", "change", remark, "--by", name, "--words", "So so.")
    bug = lanterne("feedback", "bug", f"Bug of {name}", "In words.", "--by", name, "--video", first)
    assert f"{bug}  open  Bug of {name}  (artist-" in lanterne("feedback", "bugs")
    assert lanterne("feedback", "decide", bug, "confirmed", "--by", "olga") == "confirmed"
    assert "does not have the role operator" in lanterne("feedback", "decide", remark, "accepted", "--by", name, code=2)
    assert lanterne("feedback", "decide", remark, "declined", "--by", "olga", "--reason", "Short.") == "declined"
    lanterne("feedback", "contest", remark, "It says all.", "--by", name)
    assert "somebody else does" in lanterne("feedback", "decide", remark, "accepted", "--by", "olga", code=2)
    asked = lanterne("feedback", "compare", first, second, "--by", name)
    preference = lanterne("feedback", "answer", asked, "right", "--by", name, "--because", "It moves.")
    assert '"choice": "right"' in lanterne("feedback", "list", "--person", name, "--waiting")
    (tmp_path / "words.txt").write_text("Train on mine.")
    digest = lanterne("consent", "publish", "training", "--text", str(tmp_path / "words.txt"), "--by", "olga").split()[-1]
    assert digest in lanterne("consent", "show", "training")
    assert "Nobody has asked" in lanterne("consent", "show", "publicity", code=2)
    lanterne("consent", "give", "training", "--by", name, "--sha256", digest)
    assert "training  given" in lanterne("consent", "list", name)
    folder = tmp_path / "set"
    release_id = lanterne("data", "export", "preferences", "--by", "olga", "-o", str(folder)).split()[0]
    assert "is there already" in lanterne("data", "export", "preferences", "--by", "olga", "-o", str(folder), code=2)
    with inside.database.session() as session:  # the second was not exported, then
        assert [one.release.id for one in datasets.affected(session, name)] == [release_id]
    assert preference in (folder / "preferences.jsonl").read_text()
    # A model that was trained on it says so in its file; the server learns it from there.
    loaded = checkpoint.load(tiny_weights)
    assert "names no data set" in lanterne("data", "register", str(tiny_weights), "--by", "olga", code=2)
    model = tmp_path / "trained.safetensors"
    checkpoint.save(model, {"autoencoder": loaded.build("autoencoder")}, {"sources": [{"release": release_id}]}, dtype="float32")
    assert release_id in lanterne("data", "register", str(model), "--by", "olga")
    assert "trained.safetensors" in lanterne("data", "releases") and "trained.safetensors" in lanterne("data", "affected", name)
    found = lanterne("train", "consented", "--data", str(folder))
    total, usable = int(found.split(" of ")[1].split()[0]), int(found.split(": ")[1].split()[0])
    assert found.startswith(release_id) and total == usable > 0
    assert "trained.safetensors" in lanterne("consent", "withdraw", "training", "--by", name)
    assert f"{usable - 1} of {total} records" in lanterne("train", "consented", "--data", str(folder))
    lanterne("feedback", "withdraw", remark, "--by", name)
    assert remark not in lanterne("feedback", "list")
    with inside.database.session() as session:
        assert voice.waiting(session) is not None and access.keys_of(session, name) == []
