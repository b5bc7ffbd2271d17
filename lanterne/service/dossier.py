"""All that is kept about a person, as one ZIP file: rows as JSON, the files of their videos, and a page that says what is what.

Every table is in PARTS or, with a reason, in LEFT_OUT; a test holds both against the database, so that a new table cannot be forgotten.
Who else a row names (who decided, who looked) is a pseudonym, also in the audit log's lines. Secrets, such as hashes of keys, are left out.
"""

import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import BinaryIO

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.programme import (
    audit,
    cohorts,
    consent,
    datasets,
    feedback,
    leaks,
    ledger,
    passkeys,
    pay,
    payouts,
    people,
    release,
    review,
)
from lanterne.programme.pay import Actor
from lanterne.service import database as kept
from lanterne.service.deployment import Deployment
from lanterne.service.files import StoreError
from lanterne.tables import Base, now

_FILES = ("video", "thumbnail", "spritesheet", "image", "source", "released")  # roles; the rest is made from these, or again from the row
_TIMES = ("at", "until", "_at", "_until", "pay_by")  # how columns end that hold UTC seconds
# Who did something, in the openings of the audit log's lines.
_ACTORS = ("by", "reviewer", "decider", "person", "taken_by", "given_by")


@dataclass(frozen=True)
class Part:
    """Rows of a table that are about a person. which: by their id. without: columns that are secrets or not about them. others: columns
    that may name somebody else."""

    title: str
    model: type[Base]
    which: Callable[[str], ColumnElement[bool]]
    without: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def _is(column) -> Callable[[str], ColumnElement[bool]]:
    return lambda person_id: column == person_id


def _of(column, model: type[Base], key, owner) -> Callable[[str], ColumnElement[bool]]:
    """Rows whose `column` is the `key` of a row of `model` that is the person's."""
    return lambda person_id: column.in_(select(key).select_from(model).where(owner == person_id))


def _invited(person_id: str):
    return cohorts.Invitation.email.in_(select(people.Person.email).where(people.Person.id == person_id))


def _terms(person_id: str):
    accepted = select(cohorts.Acceptance.sha256).where(cohorts.Acceptance.person_id == person_id)
    return cohorts.Terms.sha256.in_(accepted)


def _uses(person_id: str):
    """Under a key, or under the name that several share."""
    mine = kept.Key.owner == person_id
    return or_(kept.Use.key_id.in_(select(kept.Key.id).where(mine)), kept.Use.key_id.in_(select(kept.Key.pool).where(mine)))


def _held(person_id: str):
    videos = select(kept.Video.id).where(kept.Video.owner == person_id)
    characters = select(kept.Character.id).where(kept.Character.owner == person_id)
    requests = select(review.Request.id).where(review.Request.artist_id == person_id)  # they hold the copies that the public sees
    return or_(kept.File.holder.in_(videos), kept.File.holder.in_(characters), kept.File.holder.in_(requests))


def _transactions(person_id: str):
    accounts = select(ledger.Account.id).where(ledger.Account.person_id == person_id)
    return ledger.Transaction.id.in_(select(ledger.Posting.transaction_id).where(ledger.Posting.account_id.in_(accounts)))


def _consent_texts(person_id: str):
    return consent.ConsentText.sha256.in_(select(consent.Consent.sha256).where(consent.Consent.person_id == person_id))


_KEYS = (kept.Key, kept.Key.id, kept.Key.owner)
_VIDEOS = (kept.Video, kept.Video.id, kept.Video.owner)
_REQUESTS = (review.Request, review.Request.id, review.Request.artist_id)
_REMARKS = (feedback.Remark, feedback.Remark.id, feedback.Remark.person_id)
_IN_DATASETS = (datasets.DatasetRecord, datasets.DatasetRecord.release_id, datasets.DatasetRecord.person_id)
PARTS = (
    Part("Account", people.Person, _is(people.Person.id), ("password",)),
    Part("Sessions", people.WebSession, _is(people.WebSession.person_id), ("hash",)),
    Part("Passkeys", passkeys.Passkey, _is(passkeys.Passkey.person_id)),
    Part("Passkeys being added", passkeys.Challenge, _is(passkeys.Challenge.person_id), ("hash",)),
    Part("Links that set a password", people.PasswordLink, _is(people.PasswordLink.person_id), ("hash",)),
    Part("Invitations", cohorts.Invitation, _invited, ("hash",), ("invited_by",)),
    Part("Cohorts", cohorts.Member, _is(cohorts.Member.person_id)),
    Part("What you accepted", cohorts.Acceptance, _is(cohorts.Acceptance.person_id)),
    Part("Terms that you accepted, word for word", cohorts.Terms, _terms, (), ("published_by",)),
    Part("Keys", kept.Key, _is(kept.Key.owner), ("hash",)),
    Part("Where your keys were used from", leaks.Sighting, _of(leaks.Sighting.key_id, *_KEYS)),
    Part("What was used of quotas", kept.Use, _uses),
    Part("Alarms about keys", leaks.Alarm, _is(leaks.Alarm.person_id)),
    Part("What you said to alarms", leaks.Contest, _of(leaks.Contest.alarm_id, leaks.Alarm, leaks.Alarm.id, leaks.Alarm.person_id)),
    Part("What was decided on alarms", leaks.Verdict, _is(leaks.Verdict.person_id), (), ("decider",)),
    Part("What another person decided on them", leaks.SecondVerdict, _is(leaks.SecondVerdict.person_id), (), ("decider",)),
    Part("Copies of your videos that were found in public", leaks.Copy, _is(leaks.Copy.person_id), (), ("found_by",)),
    Part("Videos, with their prompts", kept.Video, _is(kept.Video.owner), ("claim",)),
    Part("Characters", kept.Character, _is(kept.Character.owner)),
    Part("Files", kept.File, _held),
    Part("What happened to videos", kept.Event, _of(kept.Event.video_id, *_VIDEOS)),
    Part("Idempotency keys", kept.Repeat, _is(kept.Repeat.owner), ("fingerprint",)),
    Part("Webhooks", kept.Webhook, _is(kept.Webhook.owner), ("secret",)),
    Part("Webhook messages", kept.Delivery,
         _of(kept.Delivery.webhook_id, kept.Webhook, kept.Webhook.id, kept.Webhook.owner)),
    Part("Requests for release", review.Request, _is(review.Request.artist_id)),
    Part("Who looks now", review.ReviewClaim, _of(review.ReviewClaim.request_id, *_REQUESTS), (), ("reviewer",)),
    Part("What reviewers said", review.Look, _is(review.Look.artist_id), (), ("reviewer",)),
    Part("Appeals", review.Appeal, _of(review.Appeal.request_id, *_REQUESTS)),
    Part("Deadlines missed in review", review.Escalation, _of(review.Escalation.request_id, *_REQUESTS)),
    Part("Releases", release.Release, _of(release.Release.request_id, *_REQUESTS)),
    Part("What is shown of releases", release.Publication, _of(release.Publication.request_id, *_REQUESTS)),
    Part("What is told beside them", release.Showing, _of(release.Showing.request_id, *_REQUESTS)),
    Part("Requests that were withdrawn", review.Withdrawal, _of(review.Withdrawal.request_id, *_REQUESTS)),
    Part("Takedowns", review.Takedown, _of(review.Takedown.request_id, *_REQUESTS), (), ("taken_by",)),
    Part("Appeals against takedowns", review.TakedownAppeal, _of(review.TakedownAppeal.request_id, *_REQUESTS)),
    Part("Work", pay.Entry, _is(pay.Entry.person_id)),
    Part("Decisions on work", pay.Decision, _is(pay.Decision.person_id), (), ("decider",)),
    Part("Disputes", pay.Dispute, _of(pay.Dispute.entry_id, pay.Entry, pay.Entry.id, pay.Entry.person_id)),
    Part("Credits for missed deadlines", pay.Credit, _is(pay.Credit.person_id), (), ("given_by",)),
    Part("Where your money goes", payouts.Payee, _is(payouts.Payee.person_id), (), ("set_by",)),
    Part("Payouts", payouts.PayoutLine, _is(payouts.PayoutLine.person_id)),
    Part("Accounts in the ledger", ledger.Account, _is(ledger.Account.person_id)),
    Part("Postings in the ledger", ledger.Posting,
         _of(ledger.Posting.account_id, ledger.Account, ledger.Account.id, ledger.Account.person_id)),
    Part("Transactions in the ledger", ledger.Transaction, _transactions),
    Part("Remarks", feedback.Remark, _is(feedback.Remark.person_id)),
    Part("Remarks, word for word", feedback.Version, _of(feedback.Version.remark_id, *_REMARKS)),
    Part("What became of remarks", feedback.Verdict, _is(feedback.Verdict.person_id), (), ("decider",)),
    Part("Your videos that were spoken of", feedback.Subject, _is(feedback.Subject.maker_id)),
    Part("Comparisons", feedback.Comparison, _is(feedback.Comparison.person_id), (), ("asked_by",)),
    Part("Consents", consent.Consent, _is(consent.Consent.person_id)),
    Part("What consent was asked for, word for word", consent.ConsentText, _consent_texts, (), ("published_by",)),
    Part("Records in data sets", datasets.DatasetRecord, _is(datasets.DatasetRecord.person_id)),
    Part("Data sets with something of yours", datasets.DatasetRelease, _of(datasets.DatasetRelease.id, *_IN_DATASETS), (),
         ("exported_by",)),
    Part("Models trained on these", datasets.DatasetModel, _of(datasets.DatasetModel.release_id, *_IN_DATASETS), (), ("registered_by",)),
)
LEFT_OUT = {  # table: why none of its rows is given
    "audit_head": "How far the log goes; about nobody.",
    "audit_log": "Given in audit.json, with what its lines about the person say.",
    "audit_openings": "Given in audit.json.",
    "cohorts": "Names and times of groups; who is in them is under Cohorts, and who opened them did so in office.",
    "manifests": "What was signed into a content first, by the content's hash; a person's are in their files.",
    "payouts": "Of many people at once: the bank file has everybody's IBAN. One's own part is under Payouts.",
    "policies": "What anybody may read; who published it did so in office.",
    "rate_cards": "What anybody may read, and part of the terms; who published it did so in office.",
    "tallies": "Counts of the whole server.",
    "workers": "Programs that make videos.",
}


def write(deployment: Deployment, by: Actor, person_id: str, target: BinaryIO) -> None:
    """Write the ZIP file about a person. Raises NotYours for who is neither them nor an operator, LanterneError where nothing is known."""
    by.require_sight_of(person_id)
    with deployment.database.session() as session:  # nobody waits for the files, which may be large
        names = set(session.scalars(select(people.Person.id))) - {person_id}
        found = [(part, [_row(part, row, person_id) for row in _rows(session, part, person_id)]) for part in PARTS]
        lines = list(_lines(session, person_id, names))
        held = select(kept.File).where(_held(person_id), kept.File.role.in_(_FILES)).order_by(kept.File.holder, kept.File.role)
        files = session.scalars(held).all()
    if not lines and not any(rows for _, rows in found):
        raise LanterneError(f"Nothing is kept about {person_id[:80]!r}; `lanterne people list` shows accounts.")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, rows in found:
            archive.writestr(f"data/{part.model.__tablename__}.json", _json(rows))
        archive.writestr("data/audit.json", _json(lines))
        put = [(_put(deployment, file, archive), file.sha256) for file in files]
        archive.writestr("index.html", _page(person_id, found, len(lines), put))
    with deployment.database.session() as session:
        audit.append(session, "person.exported", {"person": person_id, "by": by.person_id}, person_id)


def _rows(session: Session, part: Part, person_id: str) -> Iterable[Base]:
    keys = part.model.__table__.primary_key.columns
    return session.scalars(select(part.model).where(part.which(person_id)).order_by(*keys))


def _row(part: Part, row: Base, person_id: str) -> dict:
    values = {}
    for column in part.model.__table__.columns:
        if column.name in part.without:
            continue
        value = getattr(row, column.key)
        if column.name in part.others and value not in (None, person_id):
            value = _pseudonym(value, column.name)
        elif type(value) is int and column.name.endswith(_TIMES):
            value = _time(value)
        values[column.name] = value
    return values


def _lines(session: Session, person_id: str, names: set[str]) -> Iterable[dict]:
    """What the audit log says about a person. The salt, with which it can be checked, is given where nobody else had to be left out."""
    rows = select(audit.Line.number, audit.Line.leaf, audit.Opening.salt, audit.Opening.data).join(
        audit.Opening, audit.Opening.number == audit.Line.number
    ).where(audit.Opening.person_id == person_id).order_by(audit.Line.number)
    for number, leaf, salt, data in session.execute(rows):
        public, said = json.loads(leaf), json.loads(data)
        shown = _masked(said, person_id, names)
        yield {
            "number": number, "at": _time(public["at"]), "kind": public["kind"], "data": shown, "commitment": public["commitment"],
            "salt": salt if shown == said else None,
        }


def _masked(value, person_id: str, names: set[str], key: str = ""):
    """The same with everybody else as a pseudonym."""
    if isinstance(value, dict):
        return {name: _masked(one, person_id, names, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, person_id, names, key) for one in value]
    if isinstance(value, str) and value != person_id and (key in _ACTORS or value in names):
        return _pseudonym(value, key)
    return value


def _pseudonym(person_id: str, named: str) -> str:
    """Of who reviews, another than of what they do in office: operators are told by name elsewhere, such as in decisions on work, and the
    same pseudonym would tell which reviewer each of them is."""
    return consent.pseudonym(person_id, "review" if named == "reviewer" else "office", "person")


def _put(deployment: Deployment, file: kept.File, archive: zipfile.ZipFile) -> str | None:
    """The name under which a file was put in; None where it is not kept any more."""
    endings = {"video/mp4": "mp4", "image/webp": "webp", "image/jpeg": "jpg", "image/png": "png"}
    name = f"files/{file.holder}/{file.role}.{endings.get(file.media_type, 'bin')}"
    try:
        archive.write(deployment.store.local(file.sha256), name, zipfile.ZIP_STORED)
    except (FileNotFoundError, StoreError):
        return None
    return name


def _json(rows: list[dict]) -> str:
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _page(person_id: str, found: list[tuple[Part, list[dict]]], lines: int, files: list[tuple[str | None, str]]) -> str:
    parts = [
        f'<tr><td><a href="data/{part.model.__tablename__}.json">{escape(part.title)}</a></td><td>{len(rows)}</td></tr>'
        for part, rows in found if rows
    ]
    nothing = ", ".join(part.title for part, rows in found if not rows)
    put = [f'<li><a href="{escape(name)}">{escape(name)}</a></li>' for name, _ in files if name]
    gone = [f"<li>a file with SHA-256 {sha256}, which is not kept any more</li>" for name, sha256 in files if not name]
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>What is kept about {escape(person_id)}</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }} td {{ padding-right: 2rem }}</style>
<h1>What is kept about {escape(person_id)}</h1>
<p>Written on {_time(now())}. Each entry is a file of JSON. Times are UTC. Other people are pseudonyms. Hashes of passwords, keys and
sessions, and secrets of webhooks, are left out.</p>
<table>{"".join(parts)}<tr><td><a href="data/audit.json">Lines of the audit log about you</a></td><td>{lines}</td></tr></table>
<p>Nothing is kept under: {escape(nothing) or "–"}.</p>
<h2>Files</h2><ul>{"".join(put + gone) or "<li>none</li>"}</ul>
<p>Not in here, since they follow from these: a video's latents and pieces for streaming.</p></html>
"""
