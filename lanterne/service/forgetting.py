"""A person who wants to be forgotten: what the programme keeps of them (programme/erasure.py), and their videos, keys, mails and what else
the service keeps. All of it or nothing; the bytes, and the mails, go once the database has forgotten them."""

import logging

from sqlalchemy import delete, event, select, update
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.programme import erasure
from lanterne.programme.leaks import Sighting
from lanterne.programme.mail import Post
from lanterne.programme.pay import Actor
from lanterne.programme.people import Person
from lanterne.programme.review import Request
from lanterne.service import holding
from lanterne.service.database import Character, Delivery, Event, Key, Repeat, Video, Webhook, now
from lanterne.service.deployment import Deployment

_log = logging.getLogger("lanterne.forgetting")


def forget(deployment: Deployment, session: Session, by: Actor, person_id: str) -> int:
    """Returns how many lines of the audit log were emptied. Keys stay as ids that open nothing, since videos were counted under them.

    Raises PayError, PeopleError, NotYours as `erasure.forget` does.
    """
    person = session.get(Person, person_id)
    address = person and person.email
    emptied = erasure.forget(session, by, person_id)
    if address:
        event.listen(session, "after_commit", lambda _: _clear(deployment.settings.post, address), once=True)
    mine = select(Key.id).where(Key.owner == person_id)
    session.execute(delete(Sighting).where(Sighting.key_id.in_(mine)))
    session.execute(update(Key).where(Key.owner == person_id, Key.revoked_at.is_(None)).values(revoked_at=now()))
    session.execute(update(Key).where(Key.owner == person_id).values(name="forgotten", networks=None))
    for kind in (Video, Character):
        for holder in session.scalars(select(kind.id).where(kind.owner == person_id)).all():
            holding.forget(session, deployment, holder)  # a video that is being made stops, since its row is gone
        session.execute(delete(kind).where(kind.owner == person_id))
    for request_id in session.scalars(select(Request.id).where(Request.artist_id == person_id)).all():
        holding.forget(session, deployment, request_id)  # the copy that the public was shown
    hooks = select(Webhook.id).where(Webhook.owner == person_id)
    session.execute(delete(Delivery).where(Delivery.webhook_id.in_(hooks)))
    for kind in (Webhook, Repeat, Event):
        session.execute(delete(kind).where(kind.owner == person_id))
    return emptied


def _clear(post: Post, address: str) -> None:
    try:
        post.forget(address)
    except LanterneError as error:
        _log.error("%s", error)
