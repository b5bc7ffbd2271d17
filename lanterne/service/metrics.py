"""Figures for Prometheus, read from the database when they are asked for, so that they are the same from every process.

What only rises (chunk times, ends, computed seconds) is counted in the transaction of what it counts, and outlives deleted videos.
"""

import math
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lanterne.service.database import Database, Delivery, File, Tally, Video, Worker, now

BUCKETS = (0.25, 0.5, 1, 2, 3, 5, 8, 15, 30, 60, 120, 300)  # seconds that a chunk takes
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def count(session: Session, amounts: dict[tuple[str, str], float]) -> None:
    """Add to tallies: {(name, label): amount}. In their order, so that two writers never wait for each other."""
    insert = _INSERT[session.get_bind().dialect.name]
    for (name, label), amount in sorted(amounts.items()):
        row = insert(Tally).values(name=name, label=label, value=amount)
        session.execute(row.on_conflict_do_update(index_elements=["name", "label"], set_={"value": Tally.value + row.excluded.value}))


def count_chunk(session: Session, seconds: float) -> None:
    """A chunk was computed in so many seconds."""
    bucket = next((str(limit) for limit in BUCKETS if seconds <= limit), "+Inf")
    count(session, {("chunks", bucket): 1, ("chunk_seconds", ""): seconds})


def count_completed(session: Session, made: float, took: float) -> None:
    """A video of `made` new seconds was completed after it had been in progress for `took` seconds."""
    count(session, {("completed", ""): 1, ("made_seconds", ""): made, ("took_seconds", ""): took})


def text(database: Database, version: str, free: int) -> bytes:
    """free: bytes left where files are kept."""
    with database.session() as session:
        families = list(_families(session, version, free))
    registry = CollectorRegistry()
    registry.register(_Collected(families))
    return generate_latest(registry)


def _families(session: Session, version: str, free: int):
    tallies = {(name, label): value for name, label, value in session.execute(select(Tally.name, Tally.label, Tally.value))}
    yield _gauge("info", "The version.", [(version, 1)], ("version",))
    by_status = dict(session.execute(select(Video.status, func.count()).group_by(Video.status)).all())
    kept = [(status, by_status.get(status, 0)) for status in ("queued", "in_progress", "completed", "failed")]
    yield _gauge("videos", "Videos that are kept, by status.", kept, ("status",))
    oldest = session.scalar(select(func.min(Video.created_at)).where(Video.status == "queued"))
    yield _gauge("queue_age_seconds", "How long the oldest queued video has waited.", [(max(0, now() - oldest) if oldest else 0,)])
    yield _gauge("workers", "Workers that are alive.", [(session.scalar(select(func.count()).where(Worker.alive_until >= now())),)])

    yield _counter("videos_completed", "Videos completed.", [(tallies.get(("completed", ""), 0),)])
    failures = [(label, value) for (name, label), value in tallies.items() if name == "failures"]
    yield _counter("videos_failed", "Videos failed, by the code of their error.", failures, ("code",))
    yield _counter("video_seconds", "Seconds of video in completed videos.", [(tallies.get(("made_seconds", ""), 0),)])
    yield _counter("compute_seconds", "Seconds for which completed videos were in progress.", [(tallies.get(("took_seconds", ""), 0),)])
    lately = session.execute(
        select(func.sum(Video.completed_at - Video.started_at), func.sum(Video.seconds))
        .where(Video.status == "completed", Video.completed_at > now() - 3600, Video.kind != "extend")
    ).one()
    yield _gauge(
        "compute_seconds_per_video_second", "Over the videos completed within the hour, extensions left out; NaN where there are none.",
        [(float(lately[0] or 0) / float(lately[1]) if lately[1] else math.nan,)],
    )
    yield _chunk_times(tallies)

    yield _gauge("disk_free_bytes", "Bytes left where files are kept.", [(free,)])
    each = select(File.sha256, func.max(File.bytes).label("bytes")).group_by(File.sha256).subquery()
    yield _gauge("stored_bytes", "Bytes of the files that are kept.", [(session.scalar(select(func.sum(each.c.bytes))) or 0,)])
    waiting = select(func.count()).where(Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None))
    yield _gauge("webhooks_waiting", "Messages not delivered yet.", [(session.scalar(waiting),)])
    ends = [("delivered", tallies.get(("webhooks", "delivered"), 0)), ("given_up", tallies.get(("webhooks", "given_up"), 0))]
    yield _counter("webhooks", "Messages by how they ended.", ends, ("outcome",))
    yield _counter("webhook_attempts_failed", "Attempts to deliver a message that failed.", [(tallies.get(("webhooks", "failed"), 0),)])


def _chunk_times(tallies: dict[tuple[str, str], float]) -> HistogramMetricFamily:
    names = [str(limit) for limit in BUCKETS] + ["+Inf"]
    totals = accumulate(tallies.get(("chunks", name), 0) for name in names)
    family = HistogramMetricFamily("lanterne_chunk_duration_seconds", "What computing a chunk of a video took.")
    family.add_metric([], list(zip(names, totals, strict=True)), tallies.get(("chunk_seconds", ""), 0))
    return family


def _gauge(name: str, help_: str, rows: list[tuple], labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return _filled(GaugeMetricFamily(f"lanterne_{name}", help_, labels=labels), rows)


def _counter(name: str, help_: str, rows: list[tuple], labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    return _filled(CounterMetricFamily(f"lanterne_{name}", help_, labels=labels), rows)


def _filled(family, rows: list[tuple]):
    for *names, value in rows:
        family.add_metric(names, value)
    return family


class _Collected:
    def __init__(self, families: list):
        self._families = families

    def collect(self) -> list:
        return self._families
