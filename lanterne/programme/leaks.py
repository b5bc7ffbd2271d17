"""Signs that a key is in other hands, too: each scored and explained in words, the same to the operator and to the artist.

Scores add up to 100 at most, and lead to steps: the artist is told, the key is throttled, the key is frozen. A step is an alarm that stays
on record with all that it was based on; the artist can contest it, and an operator, never the artist, decides. Addresses are kept as
networks (/24 or /48), for a week. Countries are not looked up, and prompts are not compared.
"""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import CheckConstraint, ForeignKey, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError
from lanterne.programme import audit, people
from lanterne.tables import Base, now

HOUR, DAY = 3600, 86400
KEPT = 7 * DAY  # seconds for which sightings are kept
STEPS = {"notify": 30, "throttle": 60, "freeze": 90}  # from which score on
USUAL_NETWORKS, USUAL_AGENTS, USUAL_AT_ONCE, USUAL_JUMP = 3, 3, 10, 5
LONGEST_STATEMENT = 5000  # characters
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_SHOWN = 20  # pieces of evidence that an alarm lists


class LeakError(LanterneError):
    """An alarm that is not there, or cannot be contested or decided any more."""


class Sighting(Base):
    """Requests with a key, within an hour, of one network, user agent and foreign site. peak: how many were under way at once."""

    __tablename__ = "sightings"
    key_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    network: Mapped[str] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(primary_key=True)  # "" for none
    requests: Mapped[int]
    peak: Mapped[int]
    last_at: Mapped[int] = mapped_column(index=True)


class Alarm(Base):
    """A step that was taken, and why. signals: [{"name", "score", "words", "evidence"}]."""

    __tablename__ = "alarms"
    id: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(index=True)
    person_id: Mapped[str] = mapped_column(index=True)
    step: Mapped[str]
    score: Mapped[int]
    signals: Mapped[list]
    raised_at: Mapped[int]


class Contest(Base):
    """What the artist says to an alarm."""

    __tablename__ = "contests"
    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarms.id"), primary_key=True)
    statement: Mapped[str]  # blank once it was erased
    opened_at: Mapped[int]


class Verdict(Base):
    """Whether an alarm was right: upheld, and the key is revoked, or lifted, and it opens again."""

    __tablename__ = "verdicts"
    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarms.id"), primary_key=True)
    person_id: Mapped[str]
    upheld: Mapped[bool]
    reasons: Mapped[str]
    decider: Mapped[str]
    decided_at: Mapped[int]
    __table_args__ = (
        CheckConstraint("decider <> person_id", name="verdict_not_on_oneself"),
        CheckConstraint("length(trim(reasons)) > 0", name="verdict_reasons"),
    )


@dataclass(frozen=True)
class Glimpse:
    """Requests of the same kind with one key, since the last time that glimpses were written down."""

    key_id: str
    network: str
    agent: str
    site: str
    requests: int
    peak: int


@dataclass(frozen=True)
class Seen:
    """What is known of a key within the hour. usual: videos that it asked for in an hour in which it was used, before."""

    networks: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    peak: int = 0
    videos: int = 0
    usual: float = 0
    decoy: bool = False


@dataclass(frozen=True)
class Signal:
    name: str
    score: int
    words: str
    evidence: tuple[str, ...] = ()


# Scoring.


def signals(seen: Seen) -> list[Signal]:
    """What speaks for a leak, the heaviest first."""
    found = []
    if seen.decoy:
        found.append(Signal("decoy", 100, "This key is a decoy: nobody has a right to it, so whoever used it found it somewhere."))
    if (over := len(seen.networks) - USUAL_NETWORKS) > 0:
        found.append(Signal(
            "networks", min(90, 12 * over),
            f"The key was used from {len(seen.networks)} networks within the hour; up to {USUAL_NETWORKS} are usual for one person.",
            seen.networks,
        ))
    if (over := len(seen.agents) - USUAL_AGENTS) > 0:
        found.append(Signal(
            "agents", min(30, 5 * over),
            f"{len(seen.agents)} kinds of programs used the key within the hour; up to {USUAL_AGENTS} are usual.", seen.agents,
        ))
    if seen.sites:
        found.append(Signal(
            "sites", 40 if len(seen.sites) == 1 else 60,
            f"Requests came out of web pages of {len(seen.sites)} other {'site' if len(seen.sites) == 1 else 'sites'}: a key in a page is "
            "open to all of its visitors.", seen.sites,
        ))
    if (over := seen.peak - USUAL_AT_ONCE) > 0:
        found.append(Signal(
            "concurrency", min(30, 3 * over),
            f"{seen.peak} requests were under way at once; up to {USUAL_AT_ONCE} are usual for one person.",
        ))
    if seen.videos >= 10 and seen.videos > USUAL_JUMP * max(seen.usual, 1):
        found.append(Signal(
            "volume", min(40, round(4 * seen.videos / max(seen.usual, 1))),
            f"{seen.videos} videos were asked for within the hour; {seen.usual:.1f} were usual in an hour of use before.",
        ))
    return sorted(found, key=lambda signal: -signal.score)


def score(found: Sequence[Signal]) -> int:
    return min(100, sum(signal.score for signal in found))


def step_of(points: int) -> str | None:
    return next((step for step, least in reversed(STEPS.items()) if points >= least), None)


def network_of(address: str | None) -> str:
    """What is kept of an address: the network of a household or an office, not the machine."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


# Remembering.


def record(session: Session, glimpses: Sequence[Glimpse]) -> None:
    """Write down what was seen, in one order, so that two servers never wait for each other; and forget what is a week old."""
    at = now()
    insert = _INSERT[session.get_bind().dialect.name]
    for one in sorted(glimpses, key=lambda one: (one.key_id, one.network, one.agent, one.site)):
        row = insert(Sighting).values(hour=at // HOUR, last_at=at, **asdict(one))
        columns = ["key_id", "hour", "network", "agent", "site"]
        session.execute(row.on_conflict_do_update(index_elements=columns, set_={
            "requests": Sighting.requests + row.excluded.requests, "last_at": at,
            "peak": func.max(Sighting.peak, row.excluded.peak) if session.get_bind().dialect.name == "sqlite"
            else func.greatest(Sighting.peak, row.excluded.peak),
        }))
    session.execute(delete(Sighting).where(Sighting.last_at < at - KEPT))


def seen(session: Session, key_id: str, videos: int, usual: float, decoy: bool) -> Seen:
    """What is known of a key within the hour, and since an alarm about it was lifted."""
    lifted = select(func.max(Verdict.decided_at)).join(Alarm).where(Alarm.key_id == key_id, Verdict.upheld.is_(False))
    since = max(now() - HOUR, session.scalar(lifted) or 0)
    rows = session.scalars(select(Sighting).where(Sighting.key_id == key_id, Sighting.last_at > since)).all()
    names = {name: tuple(sorted({getattr(row, name) for row in rows} - {""})) for name in ("network", "agent", "site")}
    peak = max((row.peak for row in rows), default=0)
    return Seen(names["network"], names["agent"], names["site"], peak, videos, usual, decoy and bool(rows))


# Alarms.


def assess(session: Session, key_id: str, person_id: str, known: Seen) -> Alarm | None:
    """The alarm that what is known asks for, written down with a line in the audit log; None for no step, or one that was taken today."""
    found = signals(known)
    step = step_of(score(found))
    if step is None or step not in list(STEPS)[_taken(session, key_id):]:
        return None
    audit.take_turn(session)
    if step not in list(STEPS)[_taken(session, key_id):]:  # another server was quicker
        return None
    alarm = Alarm(
        id=f"alarm_{secrets.token_hex(6)}", key_id=key_id, person_id=person_id, step=step, score=score(found), raised_at=now(),
        signals=[asdict(signal) | {"evidence": list(signal.evidence[:_SHOWN])} for signal in found],
    )
    session.add(alarm)
    session.flush()
    audit.append(session, f"leak.{step}", {
        "alarm": alarm.id, "key": key_id, "person": person_id, "score": alarm.score, "signals": {one.name: one.score for one in found},
    }, person_id)
    return alarm


def _taken(session: Session, key_id: str) -> int:
    """How many steps up a key is: by its alarms of the last day that were not lifted."""
    lifted = select(Verdict.alarm_id).where(Verdict.upheld.is_(False))
    steps = session.scalars(
        select(Alarm.step).where(Alarm.key_id == key_id, Alarm.raised_at > now() - DAY, Alarm.id.not_in(lifted))
    )
    return max((list(STEPS).index(step) + 1 for step in steps), default=0)


def words(alarm: Alarm) -> str:
    """An alarm for a person to read: what was done, and every signal with its score and evidence."""
    did = {"notify": "Nothing was done yet.", "throttle": "It may now ask once in two seconds.", "freeze": "It opens nothing now."}
    lines = [
        f"The key {alarm.key_id} looks as if others had it, too: {alarm.score} points of 100. {did[alarm.step]}", "",
        *(f"- {signal['words']} ({signal['score']} points)" for signal in alarm.signals),
    ]
    for signal in alarm.signals:
        if signal["evidence"]:
            lines += ["", f"{signal['name']}: {', '.join(signal['evidence'])}"]
    return "\n".join(lines)


def get(session: Session, alarm_id: str) -> Alarm:
    alarm = session.get(Alarm, alarm_id)
    if alarm is None:
        raise LeakError(f"There is no alarm {alarm_id[:80]!r}; `lanterne leaks list` shows them.")
    return alarm


def listed(session: Session, person_id: str | None = None) -> list[tuple[Alarm, Contest | None, Verdict | None]]:
    """Alarms, the latest first; of one person, or of all."""
    query = select(Alarm).order_by(Alarm.raised_at.desc(), Alarm.id)
    if person_id is not None:
        query = query.where(Alarm.person_id == person_id)
    return [(alarm, session.get(Contest, alarm.id), session.get(Verdict, alarm.id)) for alarm in session.scalars(query)]


def contest(session: Session, alarm_id: str, person_id: str, statement: str) -> None:
    """Say against an alarm about one's own key. Raises LeakError."""
    audit.take_turn(session)
    alarm = session.get(Alarm, alarm_id)
    if alarm is None or alarm.person_id != person_id:
        raise LeakError(f"There is no alarm {alarm_id[:80]!r} about a key of yours; check the id.")
    if session.get(Contest, alarm_id) is not None:
        raise LeakError("You contested this alarm before; it is decided once.")
    if session.get(Verdict, alarm_id) is not None:
        raise LeakError("This alarm was decided already; its reasons are with it.")
    if not 0 < len(statement.strip()) <= LONGEST_STATEMENT:
        raise LeakError(f"The statement has {len(statement)} characters; give 1 to {LONGEST_STATEMENT}.")
    session.add(Contest(alarm_id=alarm_id, statement=statement.strip(), opened_at=now()))
    session.flush()
    audit.append(session, "leak.contested", {"alarm": alarm_id, "person": person_id}, person_id)


def decide(session: Session, alarm_id: str, upheld: bool, by: str, reasons: str) -> Alarm:
    """An operator's word on an alarm, contested or not. Raises LeakError, PeopleError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    alarm = get(session, alarm_id)
    if alarm.person_id == by:
        raise LeakError("This alarm is about a key of your own; another operator decides on it.")
    if session.get(Verdict, alarm_id) is not None:
        raise LeakError(f"The alarm {alarm_id} was decided before.")
    if not reasons.strip():
        raise LeakError("An alarm is decided with reasons, which the artist reads; give them.")
    session.add(Verdict(
        alarm_id=alarm_id, person_id=alarm.person_id, upheld=upheld, reasons=reasons.strip(), decider=by, decided_at=now()
    ))
    session.flush()
    audit.append(session, "leak.upheld" if upheld else "leak.lifted", {"alarm": alarm_id, "by": by, "reasons": reasons}, alarm.person_id)
    return alarm
