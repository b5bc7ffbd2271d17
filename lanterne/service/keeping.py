"""How long files of finished videos are kept: so many days, and as long as they are within a budget; and until it is settled whether they
are released. The videos themselves stay listed."""

import logging

from sqlalchemy import func, select, update

from lanterne.programme import release
from lanterne.service.database import File, Video, now
from lanterne.service.deployment import Deployment
from lanterne.service.holding import forget
from lanterne.service.videos import ACTIVE

_AT_ONCE = 100  # videos whose files leave at one look; the next look goes on
_log = logging.getLogger("lanterne.store")


def expire(deployment: Deployment) -> None:
    """Let files leave whose time has come."""
    with deployment.database.session() as session:
        due = select(File.holder).join(Video, Video.id == File.holder).where(Video.status == "completed", Video.expires_at <= now())
        if session.scalar(due.limit(1)) is None:
            return
        due = due.where(Video.id.not_in(release.wanted(session)))
        for video_id in session.scalars(due.distinct().limit(_AT_ONCE)).all():
            forget(session, deployment, video_id)


def keep_within_budget(deployment: Deployment) -> None:
    """Let the files of the oldest finished videos leave while all of them take more than the budget. Not those that an active video was
    made from: what it needs of them it holds itself, and its owner may want to compare; nor those that wait for their release."""
    budget = deployment.settings.disk_budget_bytes
    if budget is None:
        return
    with deployment.database.session() as session:
        finished = select(File.holder, File.sha256, File.bytes).join(Video, Video.id == File.holder).where(Video.status == "completed")
        if (session.scalar(select(func.sum(finished.subquery().c.bytes))) or 0) <= budget:
            return  # even if nothing were shared
        holders: dict[str, set[str]] = {}  # bytes: who holds them
        sizes, of_video = {}, {}
        for holder, name, size in session.execute(finished.order_by(Video.completed_at, Video.number)):
            holders.setdefault(name, set()).add(holder)
            sizes[name] = size
            of_video.setdefault(holder, set()).add(name)
        used = set(session.scalars(select(Video.remixed_from).where(Video.status.in_(ACTIVE), Video.remixed_from.is_not(None))))
        used |= release.wanted(session)
    over, leaving = sum(sizes.values()) - budget, []
    for video_id in (video_id for video_id in of_video if video_id not in used):
        if over <= 0 or len(leaving) == _AT_ONCE:
            break
        leaving.append(video_id)
        for name in of_video[video_id]:
            holders[name].remove(video_id)
            over -= 0 if holders[name] else sizes[name]
    for video_id in leaving:
        _let_go(deployment, video_id)


def _let_go(deployment: Deployment, video_id: str) -> None:
    with deployment.database.session() as session:
        finished = update(Video).where(Video.id == video_id, Video.status == "completed")
        if session.execute(finished.values(expires_at=now())).rowcount:
            forget(session, deployment, video_id)
            _log.info("the files of %s left: the disk budget is used up", video_id)
