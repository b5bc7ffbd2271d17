"""The routes of the operators' desk: people, cohorts, invitations, cuts and alarms. No key opens accounts or changes what they may."""

from fastapi import BackgroundTasks

from lanterne.programme import cohorts, leaks, people
from lanterne.programme.mail import Mail
from lanterne.service import access_wire, forgetting, keys, revocation, watch, wire
from lanterne.service import desk_wire as wires
from lanterne.service.access_routes import alarm_wire, key_wire, offer_wire
from lanterne.service.account_routes import post, send_link
from lanterne.service.database import now
from lanterne.service.deployment import Deployment
from lanterne.service.signed_in import House, Id, Name, Operator, OperatorInPerson, OperatorsFields, OperatorsOwnFields, ruled

# People --------------------------------------------------------------------------------------------------------------------------


def list_people(house: House, actor: Operator):
    """Accounts, open and closed."""
    with ruled(house) as session:
        return wires.Accounts(data=[_account(person, cohorts.of(session, person.id)) for person in people.listed(session)])


def open_account(house: House, actor: OperatorInPerson, background: BackgroundTasks, fields: OperatorsOwnFields):
    """Open an account; its owner gets a link to set the password. Artists come by invitation."""
    asked = wire.read(wires.OpenAccount, fields)
    with ruled(house) as session:
        person = people.open_account(session, asked.name, asked.email, asked.roles, actor.person_id, asked.id)
    background.add_task(send_link, house, person.id)
    return _account(person, [])


def set_roles(house: House, actor: OperatorInPerson, person_id: Id, fields: OperatorsOwnFields):
    """Change what somebody may do; why is kept in the audit log."""
    asked = wire.read(wires.SetRoles, fields)
    with ruled(house) as session:
        person = people.set_roles(session, person_id, asked.roles, actor.person_id, asked.reason)
        return _account(person, cohorts.of(session, person_id))


def reset_password(house: House, actor: OperatorInPerson, person_id: Id, background: BackgroundTasks):
    """Mail somebody a link with which they set their password; nobody else learns it."""
    with ruled(house) as session:
        person = people.get(session, person_id)
        answer = _account(person, cohorts.of(session, person_id))
    background.add_task(send_link, house, person_id)
    return answer


def revoke_person(house: House, actor: Operator, person_id: Id, background: BackgroundTasks, fields: OperatorsFields):
    """Close an account: its keys, sessions and videos under way end; what it made and is owed stays its owner's."""
    asked = wire.read(wires.GiveReason, fields)
    with ruled(house) as session:
        cut = revocation.revoke_person(session, person_id, actor.person_id, asked.reason)
    return _cut(house, background, cut)


def forget_person(house: House, actor: Operator, person_id: Id):
    """Erase what is known of somebody whose account is closed; the ledger and the log stay valid."""
    with ruled(house) as session:
        people.known(session, person_id)
        return wires.Forgotten(lines=forgetting.forget(house, session, actor, person_id))


# Cohorts and invitations ---------------------------------------------------------------------------------------------------------


def list_cohorts(house: House, actor: Operator):
    """Cohorts, with the terms in force."""
    with ruled(house) as session:
        return wires.Cohorts(data=[
            wires.CohortInForce(
                name=cohort.id, offer=offer_wire(offer), members=members, opened_at=cohort.opened_at, closed_at=cohort.closed_at
            )
            for cohort, offer, members in cohorts.listed(session)
        ])


def open_cohort(house: House, actor: Operator, fields: OperatorsFields):
    """Open a cohort, with its first terms."""
    asked = wire.read(wires.OpenCohort, fields)
    with ruled(house) as session:
        return offer_wire(cohorts.open_cohort(session, asked.name, asked.text, asked.card, _quotas(asked), asked.ends_at, actor.person_id))


def publish_terms(house: House, actor: Operator, name: Name, fields: OperatorsFields):
    """Publish a cohort's next terms; members stay under those that they accepted until they accept these."""
    asked = wire.read(wires.OfferTerms, fields)
    with ruled(house) as session:
        return offer_wire(cohorts.publish_terms(session, name, asked.text, asked.card, _quotas(asked), asked.ends_at, actor.person_id))


def revoke_cohort(house: House, actor: Operator, name: Name, background: BackgroundTasks, fields: OperatorsFields):
    """Close a cohort: its keys and their videos under way end, and nothing else."""
    asked = wire.read(wires.GiveReason, fields)
    with ruled(house) as session:
        cut = revocation.revoke_cohort(session, name, actor.person_id, asked.reason)
    return _cut(house, background, cut)


def list_invitations(house: House, actor: Operator):
    """Invitations, and what became of them."""
    with ruled(house) as session:
        return wires.SentInvitations(data=[_invitation(one) for one in cohorts.invitations(session)])


def invite(house: House, actor: Operator, background: BackgroundTasks, fields: OperatorsFields):
    """Invite somebody to a cohort: a mail with terms, pay and a link that works once."""
    asked = wire.read(wires.Invite, fields)
    with ruled(house) as session:
        invitation, secret = cohorts.invite(session, asked.cohort, asked.email, actor.person_id, asked.days)
        link = f"{house.settings.base}/programme/invitations/{secret}"
        letter = cohorts.mail(session, invitation, link)
    background.add_task(post, house, letter)
    return wires.Sent(id=invitation.id, link=link)


def withdraw_invitation(house: House, actor: Operator, invitation_id: Id):
    """Withdraw an invitation that was not accepted yet."""
    with ruled(house) as session:
        cohorts.withdraw(session, invitation_id, actor.person_id)
        return _invitation(session.get(cohorts.Invitation, invitation_id, populate_existing=True))


# Keys and alarms -----------------------------------------------------------------------------------------------------------------


def list_keys(house: House, actor: Operator):
    """All keys, whose they are and what they were used for of their quotas."""
    return wires.OwnedKeys(data=[
        wires.OwnedKey(**key_wire(house, key).model_dump(), owner=key.owner) for key in keys.listed(house.database)
    ])


def revoke_any_key(house: House, actor: Operator, key_id: Id, background: BackgroundTasks, fields: OperatorsFields):
    """Revoke a key: its requests, streams, downloads and videos under way end within a second, and nothing else."""
    asked = wire.read(wires.GiveReason, fields)
    with ruled(house) as session:
        cut = revocation.revoke_key(session, key_id, actor.person_id, asked.reason)
    return _cut(house, background, cut)


def list_alarms(house: House, actor: Operator):
    """Alarms about keys that look leaked, the latest first, as their owners see them."""
    with ruled(house) as session:
        return wires.RaisedAlarms(data=[_alarm(*found) for found in leaks.listed(session)])


def decide_alarm(house: House, actor: Operator, alarm_id: Id, background: BackgroundTasks, fields: OperatorsFields):
    """Say whether an alarm was right."""
    asked = wire.read(wires.DecideAlarm, fields)
    with ruled(house) as session:
        mails = (watch.uphold if asked.upheld else watch.lift)(session, alarm_id, actor.person_id, asked.reasons)
        answer = next(_alarm(*found) for found in leaks.listed(session) if found[0].id == alarm_id)
    _send(house, background, mails)
    return answer


def make_decoy(house: House, actor: Operator, fields: OperatorsFields):
    """Make a decoy: a key that opens nothing, to be left where a thief looks. It is shown once."""
    asked = wire.read(wires.MakeDecoy, fields)
    with ruled(house) as session:
        text = watch.make_decoy(session, asked.name, asked.owner, actor.person_id)
        return access_wire.NewKey(id=keys.by_text(session, text).id, key=text)


ROUTES = [
    ("GET", "/programme/desk/people", list_people, wires.Accounts),
    ("POST", "/programme/desk/people", open_account, wires.Account),
    ("POST", "/programme/desk/people/{id}/roles", set_roles, wires.Account),
    ("POST", "/programme/desk/people/{id}/password-link", reset_password, wires.Account),
    ("POST", "/programme/desk/people/{id}/revoke", revoke_person, wires.Cut),
    ("POST", "/programme/desk/people/{id}/forget", forget_person, wires.Forgotten),
    ("GET", "/programme/desk/cohorts", list_cohorts, wires.Cohorts),
    ("POST", "/programme/desk/cohorts", open_cohort, access_wire.Offer),
    ("POST", "/programme/desk/cohorts/{name}/terms", publish_terms, access_wire.Offer),
    ("POST", "/programme/desk/cohorts/{name}/revoke", revoke_cohort, wires.Cut),
    ("GET", "/programme/desk/invitations", list_invitations, wires.SentInvitations),
    ("POST", "/programme/desk/invitations", invite, wires.Sent),
    ("DELETE", "/programme/desk/invitations/{id}", withdraw_invitation, wires.SentInvitation),
    ("GET", "/programme/desk/keys", list_keys, wires.OwnedKeys),
    ("POST", "/programme/desk/keys/{id}/revoke", revoke_any_key, wires.Cut),
    ("GET", "/programme/desk/alarms", list_alarms, wires.RaisedAlarms),
    ("POST", "/programme/desk/alarms/{id}/decide", decide_alarm, wires.RaisedAlarm),
    ("POST", "/programme/desk/decoys", make_decoy, access_wire.NewKey),
]
OPEN = ()
BODIES = {
    "open_account": wires.OpenAccount, "set_roles": wires.SetRoles, "revoke_person": wires.GiveReason, "open_cohort": wires.OpenCohort,
    "publish_terms": wires.OfferTerms, "revoke_cohort": wires.GiveReason, "invite": wires.Invite, "revoke_any_key": wires.GiveReason,
    "decide_alarm": wires.DecideAlarm, "make_decoy": wires.MakeDecoy,
}


def _account(person: people.Person, of: list[str]) -> wires.Account:
    return wires.Account(
        id=person.id, name=person.name, email=person.email, roles=person.roles, cohorts=of, created_at=person.created_at,
        closed_at=person.closed_at,
    )


def _quotas(asked: wires.OfferTerms) -> cohorts.Quotas:
    return cohorts.Quotas(asked.videos, asked.seconds, asked.days, asked.at_once)


def _invitation(one: cohorts.Invitation) -> wires.SentInvitation:
    state = "accepted" if one.used_at else "withdrawn" if one.withdrawn_at else "expired" if one.expires_at <= now() else "open"
    return wires.SentInvitation(
        id=one.id, cohort=one.cohort_id, email=one.email, state=state, created_at=one.created_at, expires_at=one.expires_at
    )


def _alarm(alarm: leaks.Alarm, contest: leaks.Contest | None, verdict: leaks.Verdict | None) -> wires.RaisedAlarm:
    return wires.RaisedAlarm(
        **alarm_wire(alarm, contest, verdict).model_dump(), person_id=alarm.person_id, statement=contest and contest.statement,
        decided_by=verdict and verdict.decider,
    )


def _cut(house: Deployment, background: BackgroundTasks, cut: revocation.Cut) -> wires.Cut:
    _send(house, background, cut.mails)
    return wires.Cut(keys=list(cut.keys), videos=list(cut.videos))


def _send(house: Deployment, background: BackgroundTasks, mails: tuple[Mail, ...] | list[Mail]) -> None:
    background.add_task(watch.send, house.settings.post, mails)
