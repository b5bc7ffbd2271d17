"""The programme's routes for what artists say and allow: feedback, bugs, comparisons, consent; data sets; all that is kept about one."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import Path as InPath
from fastapi import Request
from sqlalchemy.orm import Session

from lanterne.paths import home
from lanterne.programme import consent, datasets, feedback, people
from lanterne.service import dossier, voice, wire
from lanterne.service import voice_wire as wires
from lanterne.service.downloads import Download
from lanterne.service.signed_in import COOKIE, Anyone, House, Id, Operator, OperatorsFields, OwnFields, ruled

_PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
Side = Annotated[str, InPath(alias="side", max_length=20)]
Purpose = Annotated[str, InPath(alias="purpose", max_length=80)]


# What artists say -----------------------------------------------------------------------------------------------------------------


def give_feedback(house: House, actor: Anyone, video_id: Id, fields: OwnFields):
    """Say what you think of a video: a rating, tags, notes in time and place, words. Nobody looks at it before it counts."""
    asked = wire.read(wires.GiveFeedback, fields)
    with ruled(house) as session:
        video = voice.seen(session, video_id)
        said = feedback.say(session, actor, video, **_plain(asked))
        return _remark(said)


def report_bug(house: House, actor: Anyone, fields: OwnFields):
    """Report a bug. Its title and state are public, and so is who found it, under the name that you choose."""
    asked = wire.read(wires.ReportBug, fields)
    with ruled(house) as session:
        video = voice.seen(session, asked.video_id) if asked.video_id else None
        return _remark(feedback.report_bug(session, actor, asked.title, asked.words, asked.credit, video))


def public_bugs(house: House):
    """Bugs that were reported, with their state and who found them."""
    with ruled(house) as session:
        return wires.Bugs(data=[wires.Bug(**bug) for bug in voice.bugs(session)])


def remarks(house: House, actor: Anyone):
    """All that you said, and what became of it."""
    with ruled(house) as session:
        return wires.Remarks(data=[_remark(said) for said in feedback.listed(session, feedback.Remark.person_id == actor.person_id)])


def change_remark(house: House, actor: Anyone, remark_id: Id, fields: OwnFields):
    """Change what you said; what it was is kept as a version."""
    asked = wire.read(wires.ChangeRemark, fields)
    given = {name: value for name, value in _plain(asked).items() if name in asked.model_fields_set}
    with ruled(house) as session:
        return _remark(voice.change(session, actor, remark_id, given))


def withdraw_remark(house: House, actor: Anyone, remark_id: Id):
    """Take back what you said; it is in no data set from then on."""
    with ruled(house) as session:
        return _remark(feedback.withdraw(session, actor, remark_id))


def contest_remark(house: House, actor: Anyone, remark_id: Id, fields: OwnFields):
    """Say against a remark of yours being declined; somebody else decides."""
    asked = wire.read(wires.ContestRemark, fields)
    with ruled(house) as session:
        return _remark(feedback.contest(session, actor, remark_id, asked.words))


def compare(house: House, actor: Anyone, fields: OwnFields):
    """Put two videos of one prompt side by side for yourself, or, as an operator, for somebody else; chance says which is left."""
    asked = wire.read(wires.Compare, fields)
    with ruled(house) as session:
        first, second = (voice.seen(session, video_id) for video_id in asked.video_ids)
        comparison = feedback.ask(session, actor, asked.person_id or actor.person_id, first, second)
        people.known(session, comparison.person_id)  # now: who may ask nobody is not told who is there
        return _comparison(session, comparison)


def comparisons(house: House, actor: Anyone):
    """Comparisons that wait for your answer."""
    with ruled(house) as session:
        return wires.Comparisons(data=[_comparison(session, one) for one in feedback.comparisons(session, actor)])


def compared_video(request: Request, house: House, actor: Anyone, comparison_id: Id, side: Side):
    """The left or the right video of a comparison."""
    with ruled(house) as session:
        path = voice.compared(house, session, actor, comparison_id, side)
    return Download(path, None, voice.still_signed_in(house.database, request.cookies[COOKIE]), media_type="video/mp4", headers=_PRIVATE)


def answer_comparison(house: House, actor: Anyone, comparison_id: Id, fields: OwnFields):
    """Say which of the two you prefer, or that they are equal, and why."""
    asked = wire.read(wires.AnswerComparison, fields)
    with ruled(house) as session:
        return _remark(feedback.prefer(session, actor, comparison_id, asked.choice, asked.words))


def waiting_remarks(house: House, actor: Operator):
    """What was said and is not decided on: who is to be paid for it, and which bugs are to be mended."""
    with ruled(house) as session:
        return wires.Remarks(data=[_remark(said) for said in voice.waiting(session)])


def decide_remark(house: House, actor: Operator, remark_id: Id, fields: OperatorsFields):
    """Accept what somebody said, which pays for it once; or decline it with a reason."""
    asked = wire.read(wires.DecideRemark, fields)
    with ruled(house) as session:
        return _remark(feedback.decide(session, actor, remark_id, asked.state, asked.reason, asked.card))


# What they allow, and what comes of it --------------------------------------------------------------------------------------------


def consents(house: House, actor: Anyone):
    """What you allow beside being served, by purpose; nothing, unless you said so."""
    with ruled(house) as session:
        return wires.Consents(data=[_consent(session, actor.person_id, one) for one in consent.PURPOSES])


def give_consent(house: House, actor: Anyone, purpose: Purpose, fields: OwnFields):
    """Give consent, by the hash of the words that you were shown."""
    asked = wire.read(wires.GiveConsent, fields)
    with ruled(house) as session:
        consent.give(session, actor.person_id, purpose, asked.sha256)
        return _consent(session, actor.person_id, purpose)


def withdraw_consent(house: House, actor: Anyone, purpose: Purpose):
    """Withdraw consent; the answer lists the models that were trained on something of yours."""
    with ruled(house) as session:
        consent.withdraw(session, actor.person_id, purpose)
        return _consent(session, actor.person_id, purpose)


def publish_consent(house: House, actor: Operator, fields: OperatorsFields):
    """Publish the words that consent is asked for with, from now on."""
    asked = wire.read(wires.PublishConsent, fields)
    with ruled(house) as session:
        return _text(consent.publish(session, actor, asked.purpose, asked.words))


def export_dataset(house: House, actor: Operator, fields: OperatorsFields):
    """Export what may be used for a purpose at this moment, with its description."""
    asked = wire.read(wires.ExportDataset, fields)
    with ruled(house) as session:
        files = datasets.export(session, actor, asked.kind, asked.purpose, asked.licence or datasets.LICENCE)
        return wires.Dataset(release=_release(files.release, []), data_name=files.data_name, data=files.data, croissant=files.description)


def dataset_releases(house: House, actor: Operator):
    """Data sets that were exported, and the models trained on them."""
    with ruled(house) as session:
        return wires.DatasetReleases(data=[_release(*found) for found in datasets.releases(session)])


def register_model(house: House, actor: Operator, release_id: Id, fields: OperatorsFields):
    """Write down that a model was trained on a data set."""
    asked = wire.read(wires.RegisterModel, fields)
    with ruled(house) as session:
        return _model(datasets.register(session, actor, release_id, asked.sha256, asked.name))


def export_me(request: Request, house: House, actor: Anyone):
    """All that is kept about you, as a ZIP file: data as JSON, your videos, and a page that says what is what."""
    handle, name = tempfile.mkstemp(dir=home(), prefix="export-", suffix=".zip")  # where there is room for videos
    path = Path(name)
    try:
        with open(handle, "wb") as file, ruled(house):
            dossier.write(house, actor, actor.person_id, file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _Once(
        path, None, voice.still_signed_in(house.database, request.cookies[COOKIE]), media_type="application/zip",
        filename=f"lanterne-{actor.person_id}.zip", headers=_PRIVATE,
    )


class _Once(Download):
    """A file that was made for this answer, and goes with it."""

    async def __call__(self, scope, receive, send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            Path(self.path).unlink(missing_ok=True)


ROUTES = [
    ("POST", "/programme/videos/{id}/feedback", give_feedback, wires.Remark),
    ("POST", "/programme/bugs", report_bug, wires.Remark),
    ("GET", "/programme/bugs", public_bugs, wires.Bugs),
    ("GET", "/programme/remarks", remarks, wires.Remarks),
    ("GET", "/programme/remarks/waiting", waiting_remarks, wires.Remarks),
    ("PUT", "/programme/remarks/{id}", change_remark, wires.Remark),
    ("DELETE", "/programme/remarks/{id}", withdraw_remark, wires.Remark),
    ("POST", "/programme/remarks/{id}/contest", contest_remark, wires.Remark),
    ("POST", "/programme/remarks/{id}/decide", decide_remark, wires.Remark),
    ("POST", "/programme/comparisons", compare, wires.Comparison),
    ("GET", "/programme/comparisons", comparisons, wires.Comparisons),
    ("GET", "/programme/comparisons/{id}/{side}", compared_video, None),
    ("POST", "/programme/comparisons/{id}/answer", answer_comparison, wires.Remark),
    ("GET", "/programme/consents", consents, wires.Consents),
    ("POST", "/programme/consents/{purpose}", give_consent, wires.Consent),
    ("DELETE", "/programme/consents/{purpose}", withdraw_consent, wires.Consent),
    ("POST", "/programme/consent-texts", publish_consent, wires.ConsentText),
    ("POST", "/programme/datasets", export_dataset, wires.Dataset),
    ("GET", "/programme/datasets", dataset_releases, wires.DatasetReleases),
    ("POST", "/programme/datasets/{id}/models", register_model, wires.DatasetModel),
    ("GET", "/programme/me/export", export_me, None),
]
OPEN = ("public_bugs",)
BODIES = {
    "give_feedback": wires.GiveFeedback, "report_bug": wires.ReportBug, "change_remark": wires.ChangeRemark,
    "contest_remark": wires.ContestRemark, "decide_remark": wires.DecideRemark, "compare": wires.Compare,
    "answer_comparison": wires.AnswerComparison, "give_consent": wires.GiveConsent, "publish_consent": wires.PublishConsent,
    "export_dataset": wires.ExportDataset, "register_model": wires.RegisterModel,
}


def _plain(asked) -> dict:
    """Fields as the rules take them: a note's `from` and `to` under these names."""
    return asked.model_dump(by_alias=True)


def _remark(said: feedback.Said) -> wires.Remark:
    remark = said.remark
    return wires.Remark(
        id=remark.id, kind=remark.kind, author=remark.person_id, video_id=remark.video_id, comparison_id=remark.comparison_id,
        state=said.state, content=said.content, versions=len(said.versions), said_at=remark.said_at,
        changed_at=said.versions[-1].written_at,
        verdicts=[
            wires.RemarkVerdict(
                state=one.state, reason=one.reason, decider=one.decider and consent.pseudonym(one.decider, "office", "operator"),
                decided_at=one.decided_at,
            ) for one in said.verdicts
        ],
    )


def _comparison(session: Session, asked: feedback.Comparison) -> wires.Comparison:
    prompt, negative = voice.prompt_of(session, asked)
    path = f"/programme/comparisons/{asked.id}"
    return wires.Comparison(
        id=asked.id, prompt=prompt, negative_prompt=negative, left=f"{path}/left", right=f"{path}/right", asked_at=asked.asked_at
    )


def _consent(session: Session, person_id: str, purpose: str) -> wires.Consent:
    given, asked = consent.given(session, person_id, purpose), consent.in_force(session, purpose)
    return wires.Consent(
        purpose=purpose, given=given is not None, version=given and given.version, since=given and given.at, asked=asked and _text(asked),
        affected=[
            wires.AffectedRelease(release=one.release.id, kind=one.release.kind, records=one.records, models=list(map(_model, one.models)))
            for one in datasets.affected(session, person_id, purpose)
        ],
    )


def _text(asked: consent.ConsentText) -> wires.ConsentText:
    return wires.ConsentText(
        purpose=asked.purpose, version=asked.version, words=asked.words, sha256=asked.sha256, published_at=asked.published_at
    )


def _release(release: datasets.DatasetRelease, models: list[datasets.DatasetModel]) -> wires.DatasetRelease:
    return wires.DatasetRelease(
        id=release.id, kind=release.kind, purpose=release.purpose, records=release.records, sha256=release.sha256, licence=release.licence,
        exported_at=release.exported_at, models=list(map(_model, models)),
    )


def _model(model: datasets.DatasetModel) -> wires.DatasetModel:
    return wires.DatasetModel(sha256=model.sha256, name=model.name, registered_at=model.registered_at)
