"""The programme's routes for people: an invitation seen and accepted, sessions, one's own keys, alarms about them; and published keys."""

import asyncio
import json

from fastapi import Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.programme import cohorts, leaks, people
from lanterne.programme.pay import day_of
from lanterne.service import access, keys, pages, revocation, watch, wire
from lanterne.service import access_wire as wires
from lanterne.service.database import Key, now
from lanterne.service.deployment import Deployment
from lanterne.service.errors import APIError, invalid
from lanterne.service.signed_in import COOKIE, LARGEST, House, Id, Name, OpenFields, OwnFields, Token, Who, ruled, signed

_MOST_REPORTED = 1000  # keys in one report


# Routes ---------------------------------------------------------------------------------------------------------------------------


def read_invitation(request: Request, house: House, token: Token):
    """What an invitation offers: terms, pay, quotas, end. Nothing is agreed on by looking."""
    if pages.wanted(request):
        return _invitation_page(house, token, f"{token}/accept")
    with ruled(house) as session:
        invitation, offer = cohorts.look(session, token)
        return wires.Invitation(email=invitation.email, expires_at=invitation.expires_at, offer=offer_wire(offer))


def accept_invitation(request: Request, house: House, token: Token, fields: pages.Posted):
    """Accept an invitation, by the hash of the terms that were shown; whose address has an account gives its password."""
    if not pages.wanted(request):
        asked = wire.read(wires.AcceptInvitation, fields)
        return _accept(house, token, asked.sha256, asked.name, asked.password)
    sha256, name, password = pages.texts(fields, ("sha256", "name", "password"))
    try:
        done = _accept(house, token, sha256, name, password)
    except APIError as error:
        return _invitation_page(house, token, "accept", error, name)
    return pages.page("You accepted", person_id=done.person_id, receipt=done.receipt)


def _accept(house: Deployment, token: str, sha256: str, name: str, password: str) -> wires.Accepted:
    with ruled(house) as session:
        done = cohorts.accept(session, token, sha256, name, password)
    if done is None:
        raise APIError(401, "wrong_password", "There is an account for this address already, and this is not its password; give that one.")
    person, receipt = done
    return wires.Accepted(person_id=person.id, receipt=receipt.text())


def _invitation_page(house: Deployment, token: str, action: str, error: APIError | None = None, name: str = ""):
    """action: where its form goes, as seen from it. error: why what was posted was refused; name: as it was typed."""
    try:
        with ruled(house) as session:
            invitation, offer = cohorts.look(session, token)
    except APIError as closed:
        return pages.page("Invitation", closed)
    return pages.page(
        f"You are invited to {offer.cohort}", error, offer=offer, action=action, email=invitation.email, name=name,
        until=day_of(invitation.expires_at), shortest=people.SHORTEST, longest=people.LONGEST,
    )


def accept_terms(house: House, who: Who, name: Name, fields: OwnFields):
    """Accept a cohort's next terms, by their hash; your keys have their quotas from then on."""
    asked = wire.read(wires.AcceptTerms, fields)
    with ruled(house) as session:
        receipt = access.accept_next(session, name, asked.sha256, who)
    return wires.Accepted(person_id=who, receipt=receipt.text())


def sign_in(house: House, fields: OpenFields):
    """Begin a session; it is in a cookie."""
    asked = wire.read(wires.SignIn, fields)
    with ruled(house) as session:
        text = people.sign_in(session, asked.email, asked.password)
        found = people.who(session, text)
    if text is None:
        raise APIError(401, "wrong_password", "The address or the password is wrong; check both.")
    return signed(house, found.id, text)


def sign_out(request: Request, house: House, who: Who):
    """End this session."""
    with house.database.session() as session:
        people.sign_out(session, request.cookies[COOKIE])
    answer = JSONResponse(wires.Signed(person_id=who).model_dump())
    answer.delete_cookie(COOKIE)
    return answer


def me(house: House, who: Who):
    """Who you are here: cohorts with what you accepted, and your keys."""
    with house.database.session() as session:
        person, mine = people.get(session, who), []
        for name in cohorts.of(session, who):
            newest = cohorts.offer(session, name)
            try:
                accepted = cohorts.accepted(session, name, who)
            except cohorts.CohortError:  # it has ended
                continue
            following = offer_wire(newest) if newest.version > accepted.version else None
            mine.append(wires.Membership(accepted=offer_wire(accepted), next=following))
        found = access.keys_of(session, who)
    return wires.Me(
        person_id=person.id, name=person.name, email=person.email, roles=person.roles, cohorts=mine,
        keys=[key_wire(house, key) for key in found],
    )


def make_key(house: House, who: Who, fields: OwnFields):
    """Make a key under the terms that you accepted. It is shown once."""
    asked = wire.read(wires.MakeKey, fields)
    wish = access.Wish(asked.name, tuple(asked.scopes), asked.days, tuple(asked.networks))
    with ruled(house) as session:
        key_id, text = access.make_key(session, who, asked.cohort, wish)
    return wires.NewKey(id=key_id, key=text)


def rotate_key(house: House, who: Who, key_id: Id, fields: OwnFields):
    """Make a key's successor; both open for some hours. It is shown once."""
    asked = wire.read(wires.RotateKey, fields)
    with ruled(house) as session:
        _must_own(session, who, key_id)
        successor_id, text = access.rotate(session, who, key_id, asked.hours)
    return wires.NewKey(id=successor_id, key=text)


def revoke_key(house: House, who: Who, key_id: Id):
    """Revoke one of your keys; within a second it opens nothing more."""
    with ruled(house) as session:
        _must_own(session, who, key_id)
        revocation.revoke_key(session, key_id, who, "Its owner revoked it.")
        key = session.get(Key, key_id, populate_existing=True)
    return key_wire(house, key)


def alarms(house: House, who: Who):
    """Why keys of yours looked as if others had them, with the evidence, and what was decided."""
    with house.database.session() as session:
        return wires.Alarms(data=[alarm_wire(*found) for found in leaks.listed(session, who)])


def contest_alarm(house: House, who: Who, alarm_id: Id, fields: OwnFields):
    """Say against an alarm; somebody else decides."""
    asked = wire.read(wires.ContestAlarm, fields)
    with ruled(house) as session:
        mine = {alarm.id for alarm, *_ in leaks.listed(session, who)}
        if alarm_id not in mine:
            raise APIError(404, "not_found", f"There is no alarm {alarm_id[:80]!r} about a key of yours; check the id.", "id")
        leaks.contest(session, alarm_id, who, asked.statement)
    with house.database.session() as session:
        return next(alarm_wire(*found) for found in leaks.listed(session, who) if found[0].id == alarm_id)


async def report_keys(request: Request, house: House):
    """Report keys that were found published, as GitHub's secret scanning does; each that is one is revoked at once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", ""):
        raise APIError(415, "unsupported_media_type", f"A body of type {kind[:80]!r} is not read here; send application/json.")
    body = await wire.read_bytes(request, LARGEST)
    known = house.settings.secret_scanning_keys
    key_id, signature = (request.headers.get(f"github-public-key-{part}") for part in ("identifier", "signature"))
    if known and not watch.signed(body, key_id, signature, known):
        raise APIError(401, "wrong_signature", "This report is not signed by a scanner that this server knows; check its public keys.")
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON; send a list of objects with token, type and url.", code="invalid_json") from None
    if not isinstance(listed, list) or not len(listed) <= _MOST_REPORTED or not all(isinstance(one, dict) for one in listed):
        said = f"The body is no list of up to {_MOST_REPORTED} objects; send one with token, type and url in each."
        raise invalid(said, code="invalid_json")
    found = [watch.Found(one.token, one.type, one.url) for one in (wire.read(wires.LeakedKey, fields) for fields in listed)]
    return await asyncio.to_thread(_report, house, found)


def _report(house: Deployment, found: list[watch.Found]) -> list[wires.Label]:
    with house.database.session() as session:
        answers, mails = watch.report(session, found)
    watch.send(house.settings.post, mails)
    return [wires.Label(**answer) for answer in answers]


ROUTES = [
    ("GET", "/programme/invitations/{token}", read_invitation, wires.Invitation),
    ("POST", "/programme/invitations/{token}/accept", accept_invitation, wires.Accepted),
    ("POST", "/programme/cohorts/{name}/accept", accept_terms, wires.Accepted),
    ("POST", "/programme/session", sign_in, wires.Signed),
    ("DELETE", "/programme/session", sign_out, wires.Signed),
    ("GET", "/programme/me", me, wires.Me),
    ("POST", "/programme/keys", make_key, wires.NewKey),
    ("POST", "/programme/keys/{id}/rotate", rotate_key, wires.NewKey),
    ("DELETE", "/programme/keys/{id}", revoke_key, wires.Key),
    ("GET", "/programme/alarms", alarms, wires.Alarms),
    ("POST", "/programme/alarms/{id}/contest", contest_alarm, wires.Alarm),
    ("POST", "/programme/leaked-keys", report_keys, list[wires.Label]),
]
# To whoever has the link, the password, or the published key.
OPEN = ("read_invitation", "accept_invitation", "sign_in", "report_keys")
BODIES = {
    "accept_invitation": wires.AcceptInvitation, "accept_terms": wires.AcceptTerms,
    "sign_in": wires.SignIn, "make_key": wires.MakeKey, "rotate_key": wires.RotateKey, "contest_alarm": wires.ContestAlarm,
}


def _must_own(session: Session, who: str, key_id: str) -> None:
    try:
        access.own(session, who, key_id)
    except LanterneError as error:
        raise APIError(404, "not_found", str(error), "id") from None


def offer_wire(offer: cohorts.Offer) -> wires.Offer:
    return wires.Offer(cohort=offer.cohort, version=offer.version, sha256=offer.sha256, document=offer.document, text=offer.text())


def key_wire(house: Deployment, key: Key) -> wires.Key:
    state = (
        "revoked" if key.revoked_at else "frozen" if key.frozen_at else "expired" if key.expires_at and key.expires_at <= now()
        else "throttled" if key.throttled_at else "in use"
    )
    return wires.Key(
        id=key.id, name=key.name, cohort=key.cohort_id, scopes=key.scopes, state=state, expires_at=key.expires_at,
        networks=key.networks or [], used=keys.quota_text(house.database, key),
    )


def alarm_wire(alarm: leaks.Alarm, contest: leaks.Contest | None, verdict: leaks.Verdict | None) -> wires.Alarm:
    return wires.Alarm(
        id=alarm.id, key_id=alarm.key_id, step=alarm.step, score=alarm.score, signals=[wires.Signal(**one) for one in alarm.signals],
        raised_at=alarm.raised_at, contested_at=contest and contest.opened_at,
        verdict=verdict and wires.Verdict(upheld=verdict.upheld, reasons=verdict.reasons, decided_at=verdict.decided_at),
    )
