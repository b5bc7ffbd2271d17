"""A person who wants to be forgotten: what is erased, and what stays because others need it."""

import secrets

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from lanterne.programme import audit, consent, feedback, ledger, pay, payouts, release, review
from lanterne.programme.cohorts import Invitation
from lanterne.programme.leaks import Alarm, Contest, Copy
from lanterne.programme.passkeys import Challenge, Passkey
from lanterne.programme.pay import Actor, Dispute, Entry, PayError
from lanterne.programme.payouts import Payee, PayoutLine
from lanterne.programme.people import PasswordLink, PeopleError, Person
from lanterne.programme.review import Appeal, Request, TakedownAppeal


def forget(session: Session, by: Actor, person_id: str) -> int:
    """Erase a person's IBAN, name, address and words, and what the audit log's lines about them say; end their consents, and take down
    what is public of theirs. The ledger stays, under their id, and so do bank files, as bookkeeping must. Returns how many lines were
    emptied. Their videos, keys and mails are the service's to erase, in the same transaction.

    Raises PayError while money is owed or on its way, or while something of theirs waits for a decision; PeopleError while their account is
    open.
    """
    by.require_sight_of(person_id)
    audit.take_turn(session)
    lines = session.scalars(select(PayoutLine).where(PayoutLine.person_id == person_id))
    if ledger.balance(session, f"liability:payable:{person_id}") or any(payouts.state(session, line) == "on its way" for line in lines):
        raise PayError(f"{person_id} is still owed money, or some is on its way; pay and settle first, and forget then.")
    waiting = [file.request.id for file in review.files(session) if file.request.artist_id == person_id and file.waits]
    if waiting or any(case.waiting for case in pay.cases(session, by, person_id)):
        raise PayError(f"{person_id} waits for a decision{f' on {waiting[0]}' if waiting else ''}; decide first, and forget then.")
    person = session.get(Person, person_id)
    if person is not None and person.closed_at is None:
        raise PeopleError(f"The account of {person_id} is open; close it first, and forget then.")
    if person is not None:
        session.execute(update(Invitation).where(Invitation.email == person.email).values(email=""))
        person.name, person.email = "forgotten", f"{person_id}@forgotten.invalid"  # no address is there, and none can be
    for alarm in session.scalars(select(Alarm).where(Alarm.person_id == person_id)):
        alarm.signals = [signal | {"evidence": []} for signal in alarm.signals]  # networks, programs, sites; kinds and points stay
    own_alarms = select(Alarm.id).where(Alarm.person_id == person_id)
    session.execute(update(Contest).where(Contest.alarm_id.in_(own_alarms)).values(statement=""))
    for kind in (Passkey, Challenge, PasswordLink, Copy):
        session.execute(delete(kind).where(kind.person_id == person_id))
    session.execute(delete(Payee).where(Payee.person_id == person_id))
    own_entries = select(Entry.id).where(Entry.person_id == person_id)
    own_requests = select(Request.id).where(Request.artist_id == person_id)
    session.execute(update(Dispute).where(Dispute.entry_id.in_(own_entries)).values(statement=""))
    _erase_entries(session, person_id)
    release.forget(session, person_id)
    for kind in (Appeal, TakedownAppeal):
        session.execute(update(kind).where(kind.request_id.in_(own_requests)).values(words=""))
    feedback.erase(session, person_id)
    consent.withdraw_all(session, person_id)
    return audit.erase(session, person_id)


def _erase_entries(session: Session, person_id: str) -> None:
    """What work was about is a text of theirs, as is the key that their program gave; each must stay unlike the others, and becomes a word
    of chance. The id of a remark says nothing, and stays, so that the remark is not paid again."""
    remarks = set(session.scalars(select(feedback.Remark.id).where(feedback.Remark.person_id == person_id)))
    for entry in session.scalars(select(Entry).where(Entry.person_id == person_id)):
        entry.note, entry.key = "", f"erased:{secrets.token_hex(8)}"
        if entry.subject is not None and entry.subject not in remarks:
            entry.subject = f"erased:{secrets.token_hex(8)}"
    session.flush()
