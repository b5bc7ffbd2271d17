"""Webhooks: owners' addresses are told when videos end, signed as Standard Webhooks says, again and again for up to 72 hours."""

import base64
import http.client
import json
import secrets
import ssl
from datetime import UTC, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Signer

from lanterne.errors import LanterneError
from lanterne.service import metrics, outside
from lanterne.service.database import Database, Delivery, Video, Webhook, now
from lanterne.service.settings import Settings

KEEP_TRYING = 72 * 3600
_DELAYS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)  # seconds after each failed attempt; the last one repeats


def add(database: Database, settings: Settings, owner: str, url: str) -> tuple[str, str]:
    """A new webhook's id and its secret. Raises LanterneError for an address that may not be asked."""
    outside.place(url, settings)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    webhook = Webhook(id=f"wh_{secrets.token_hex(8)}", owner=owner, url=url, secret=secret, created_at=now())
    with database.session() as session:
        session.add(webhook)
    return webhook.id, secret


def remove(database: Database, webhook_id: str) -> None:
    with database.session() as session:
        if not session.execute(delete(Webhook).where(Webhook.id == webhook_id)).rowcount:
            raise LanterneError(f"There is no webhook {webhook_id!r}; `lanterne webhooks list` shows them.")


def listed(database: Database) -> list[tuple[Webhook, Delivery | None]]:
    """Every webhook with its latest delivery."""
    with database.session() as session:
        latest = {}
        for delivery in session.scalars(select(Delivery).order_by(Delivery.created_at)):
            latest[delivery.webhook_id] = delivery
        return [(webhook, latest.get(webhook.id)) for webhook in session.scalars(select(Webhook).order_by(Webhook.created_at))]


def announce(session: Session, video_id: str, kind: str) -> None:
    """Write down a message for each of the owner's webhooks, in the transaction of what it tells of; a worker sends them."""
    owner = session.scalar(select(Video.owner).where(Video.id == video_id))
    for webhook_id in session.scalars(select(Webhook.id).where(Webhook.owner == owner)):
        _write(session, webhook_id, kind, video_id)


def test(database: Database, settings: Settings, webhook_id: str) -> str:
    """Send a message of type video.completed about a video that does not exist, at once; what came of it."""
    with database.session() as session:
        if session.get(Webhook, webhook_id) is None:
            raise LanterneError(f"There is no webhook {webhook_id!r}; `lanterne webhooks list` shows them.")
        delivery_id = _write(session, webhook_id, "video.completed", "video_test")
    attempt(database, settings, delivery_id, 0, last=True)
    with database.session() as session:
        return session.get(Delivery, delivery_id).outcome


def _write(session: Session, webhook_id: str, kind: str, video_id: str) -> str:
    event_id, at = f"evt_{secrets.token_hex(16)}", now()
    body = {"id": event_id, "object": "event", "created_at": at, "type": kind, "data": {"id": video_id}}
    session.add(
        Delivery(id=event_id, webhook_id=webhook_id, type=kind, body=json.dumps(body), attempts=0, outcome=None, created_at=at)
    )
    return event_id


def unsent(database: Database) -> list[str]:
    """Messages that no attempt was made for yet."""
    with database.session() as session:
        open_ = (Delivery.attempts == 0, Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None))
        return list(session.scalars(select(Delivery.id).where(*open_).order_by(Delivery.created_at).limit(1000)))


def attempt(database: Database, settings: Settings, delivery_id: str, number: int, last: bool = False) -> float | None:
    """Send a message once more. Returns the seconds until the next attempt, or None when there is none."""
    with database.session() as session:
        delivery = session.get(Delivery, delivery_id)
        if delivery is None or delivery.delivered_at or delivery.given_up_at:
            return None
        webhook = session.get(Webhook, delivery.webhook_id)
    outcome, delivered = _send(webhook, delivery, settings)
    delay = _DELAYS[min(number, len(_DELAYS) - 1)]
    given_up = not delivered and (last or outcome == "410" or now() + delay > delivery.created_at + KEEP_TRYING)
    with database.session() as session:
        session.execute(
            update(Delivery).where(Delivery.id == delivery_id).values(
                attempts=number + 1, outcome=outcome, delivered_at=now() if delivered else None, given_up_at=now() if given_up else None
            )
        )
        ends = {"delivered": delivered, "failed": not delivered, "given_up": given_up}
        metrics.count(session, {("webhooks", name): 1 for name, happened in ends.items() if happened})
    return None if delivered or given_up else delay


def _send(webhook: Webhook, delivery: Delivery, settings: Settings) -> tuple[str, bool]:
    at = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Signer(webhook.secret).sign(delivery.id, at, delivery.body),
    }
    try:
        status, _, _ = outside.ask(outside.place(webhook.url, settings), "POST", delivery.body.encode(), headers)
    except (outside.OutsideError, OSError, http.client.HTTPException) as error:
        return _reason(error)[:200], False
    return str(status), 200 <= status < 300


def _reason(error: Exception) -> str:
    """What kept a message from its address, in one sentence."""
    if isinstance(error, outside.OutsideError):
        return str(error)
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused; check that something listens at that address and port."
    if isinstance(error, TimeoutError):
        return f"It took longer than {outside.TIMEOUT} seconds; check that the address can be reached from here, and answers at once."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate there cannot be trusted: {error.verify_message}."
    if isinstance(error, http.client.HTTPException):
        return "What answered there does not speak HTTP; check the address and the port."
    return f"The connection failed: {getattr(error, 'strerror', None) or error}; check the address and the network."
