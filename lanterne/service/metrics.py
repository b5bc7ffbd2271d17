"""Figures for Prometheus, counted in the database when they are asked for, so that they are the same from every process."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from lanterne.service.database import Database, Delivery, Video, Worker, now


def text(database: Database, version: str) -> bytes:
    registry = CollectorRegistry()

    def gauge(name: str, help_: str, rows, labels: tuple[str, ...] = ()) -> None:
        metric = Gauge(f"lanterne_{name}", help_, labels, registry=registry)
        for *names, value in rows:
            (metric.labels(*names) if labels else metric).set(value or 0)

    with database.session() as session:
        gauge("info", "The version.", [(version, 1)], ("version",))
        gauge("videos", "Videos by status.", session.execute(select(Video.status, func.count()).group_by(Video.status)), ("status",))
        failed = select(Video.error_code, func.count()).where(Video.status == "failed").group_by(Video.error_code)
        gauge("failures", "Failed videos by the code of their error.", session.execute(failed), ("code",))
        oldest = session.scalar(select(func.min(Video.created_at)).where(Video.status == "queued"))
        gauge("queue_age_seconds", "How long the oldest queued video has waited.", [(now() - oldest if oldest else 0,)])
        lately = select(func.sum(Video.completed_at - Video.started_at), func.sum(Video.seconds)).where(
            Video.status == "completed", Video.completed_at > now() - 3600
        )
        compute, seconds = session.execute(lately).one()
        ratio = (compute or 0) / seconds if seconds else 0
        gauge("compute_seconds_per_video_second", "Over the videos completed within the hour.", [(ratio,)])
        gauge("workers", "Workers that are alive.", [(session.scalar(select(func.count()).where(Worker.alive_until >= now())),)])
        waiting = select(func.count()).where(Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None))
        gauge("webhooks_waiting", "Messages not delivered yet.", [(session.scalar(waiting),)])
    return generate_latest(registry)
