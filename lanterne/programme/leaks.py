"""Signs that a key is in other hands, too: each scored and explained in words, the same to the operator and to the artist.

Scores add up to 100 at most, and lead to steps: the artist is told, the key is throttled, the key is frozen. A step is an alarm that stays
on record with all that it was based on; the artist can contest it, and an operator, never the artist, decides. Addresses are kept as
networks (/24 or /48), for a week, and with an alarm until its artist is forgotten. Countries are those in which registries gave networks
out, looked up offline. Of prompts, only how unlike they are is told: their words are nobody's evidence.
"""

import ipaddress
import math
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import CheckConstraint, ForeignKey, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError, NotFound
from lanterne.programme import audit, people
from lanterne.tables import Base, now

HOUR, DAY = 3600, 86400
KEPT = 7 * DAY  # seconds for which sightings are kept
STEPS = {"notify": 30, "throttle": 60, "freeze": 90}  # from which score on
USUAL_NETWORKS, USUAL_COUNTRIES, USUAL_AGENTS, USUAL_AT_ONCE, USUAL_VIDEOS, USUAL_JUMP, USUAL_VARIETY = 4, 3, 4, 10, 9, 5, 0.3
LEAST_COMPARED, MOST_COMPARED = 8, 50  # prompts
COPIES_KEPT = 30 * DAY  # seconds for which a copy in public speaks against a key
LONGEST_STATEMENT = 5000  # characters
_DRILL = "drill:"  # how the owners of a drill's keys begin; nobody's id has a colon
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_SHOWN = 20  # pieces of evidence that an alarm lists


class LeakError(LanterneError):
    """An alarm that is not there, or cannot be contested or decided any more."""


class Missing(LeakError, NotFound):
    """An alarm that is not there."""


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
    """A step that was taken, and why. signals: [{"name", "score", "words", "evidence"}]; no evidence once it was erased."""

    __tablename__ = "alarms"
    id: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(index=True)
    person_id: Mapped[str] = mapped_column(index=True)
    step: Mapped[str]
    score: Mapped[int]
    signals: Mapped[list]
    raised_at: Mapped[int]


class Copy(Base):
    """A copy of somebody's video that was found in public, unapproved: with which key it was asked for, or which may be known instead."""

    __tablename__ = "copies"
    id: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(index=True)
    person_id: Mapped[str] = mapped_column(index=True)
    video_id: Mapped[str]
    url: Mapped[str]
    found_by: Mapped[str]  # an operator
    found_at: Mapped[int]


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


class SecondVerdict(Base):
    """The word of another person on an alarm that was upheld before the artist contested it."""

    __tablename__ = "second_verdicts"
    alarm_id: Mapped[str] = mapped_column(ForeignKey("verdicts.alarm_id"), primary_key=True)
    person_id: Mapped[str]
    upheld: Mapped[bool]
    reasons: Mapped[str]
    decider: Mapped[str]
    decided_at: Mapped[int]
    __table_args__ = (
        CheckConstraint("decider <> person_id", name="second_verdict_not_on_oneself"),
        CheckConstraint("length(trim(reasons)) > 0", name="second_verdict_reasons"),
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
class Work:
    """What a key was asked for within the hour. usual: videos in an hour in which its owner used it or another, before. variety: how
    unlike the prompts are, 0 to 1, and those before; where there are too few to say, as if they had been as unlike as can be."""

    videos: int = 0
    usual: float = 0
    variety: float = 0
    usual_variety: float = 1


@dataclass(frozen=True)
class Seen:
    """What is known of a key within the hour. copies: addresses at which what it made was found, within COPIES_KEPT."""

    networks: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    peak: int = 0
    work: Work = Work()
    decoy: bool = False


@dataclass(frozen=True)
class Signal:
    name: str
    score: int
    words: str
    evidence: tuple[str, ...] = ()


# Scoring. What an artist's own life brings about (bench/week.py lives a hundred of them) stays under the first step, whatever of it comes
# together within an hour: a train, a partner's network, a VPN and a night before a deadline.


def signals(seen: Seen) -> list[Signal]:
    """What speaks for a leak, the heaviest first."""
    return sorted([*_of_the_key(seen), *_of_places(seen), *_of_work(seen)], key=lambda signal: -signal.score)


def _of_the_key(seen: Seen) -> Iterator[Signal]:
    if seen.decoy:
        yield Signal("decoy", 100, "This key is a decoy: nobody has a right to it, so whoever used it found it somewhere.")
    if count := len(seen.sites):
        yield Signal(
            "sites", 40 if count == 1 else 60,
            f"Requests came out of web pages of {count} other {'site' if count == 1 else 'sites'}: a key in a page is "
            "open to all of its visitors.", seen.sites,
        )
    if count := len(seen.copies):
        yield Signal(
            "copies", 35 if count == 1 else 50,
            f"What was made with this key, and is not approved for release, was found in public at {count} "
            f"{'address' if count == 1 else 'addresses'}; the invisible watermark names it.", seen.copies,
        )


def _of_places(seen: Seen) -> Iterator[Signal]:
    ranges = len({_range_of(network) for network in seen.networks})
    if (over := ranges + (len(seen.networks) - ranges) / 6 - USUAL_NETWORKS) > 0:
        said = f"{len(seen.networks)} networks" + (f" of {ranges} providers' ranges" if ranges < len(seen.networks) else "")
        yield Signal(
            "networks", min(90, math.ceil(13 * over)),
            f"The key was used from {said} within the hour; up to {USUAL_NETWORKS} are usual for one person.", seen.networks,
        )
    if (over := len(seen.countries) - USUAL_COUNTRIES) > 0:
        yield Signal(
            "countries", min(40, 6 * over),
            f"The networks that used the key within the hour are registered in {len(seen.countries)} countries; up to {USUAL_COUNTRIES} "
            "are usual for one person.", seen.countries,
        )
    if (over := len(seen.agents) - USUAL_AGENTS) > 0:
        yield Signal(
            "agents", min(30, 3 * over),
            f"{len(seen.agents)} kinds of programs used the key within the hour; up to {USUAL_AGENTS} are usual.", seen.agents,
        )


def _of_work(seen: Seen) -> Iterator[Signal]:
    work = seen.work
    if (over := seen.peak - USUAL_AT_ONCE) > 0:
        yield Signal(
            "concurrency", min(31, 3 * over),
            f"{seen.peak} requests were under way at once; up to {USUAL_AT_ONCE} are usual for one person.",
        )
    if work.videos > USUAL_VIDEOS and work.videos > USUAL_JUMP * max(work.usual, 1):
        yield Signal(
            "volume", min(15, round(2 * work.videos / max(work.usual, 1))),
            f"{work.videos} videos were asked for within the hour; {work.usual:.1f} were usual in an hour of use before.",
        )
    if (jump := work.variety - work.usual_variety) > USUAL_VARIETY:
        yield Signal(
            "variety", min(14, round(28 * jump)),
            f"Prompts of the last hour have {1 - work.variety:.0%} of their words in common with the most similar other one; "
            f"{1 - work.usual_variety:.0%} was usual before. Several people want different things.",
        )


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


def _range_of(network: str) -> str:
    """The range that a provider's networks are likely to share: phones change networks within it all the time."""
    try:
        found = ipaddress.ip_network(network)
    except ValueError:
        return network
    return str(found.supernet(new_prefix=16 if found.version == 4 else 32))


def countries_of(networks: Sequence[str]) -> tuple[str, ...]:
    """Two letters for each country in which registries gave these networks out; private ones are in none."""
    from iptocc import country_code

    return tuple(sorted(filter(None, {country_code(network.partition("/")[0]) for network in networks})))


def variety(prompts: Sequence[str]) -> float:
    """How unlike each other prompts are: of each, the Jaccard distance of its words to the most similar other's, 0 to 1; the mean."""
    words = [set(re.findall(r"\w+", prompt.lower())) for prompt in prompts]
    nearest = [
        min((1 - len(own & other) / max(1, len(own | other)) for at, other in enumerate(words) if at != number), default=0.0)
        for number, own in enumerate(words)
    ]
    return sum(nearest) / max(1, len(nearest))


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


def seen(session: Session, key_id: str, work: Work, decoy: bool) -> Seen:
    """What is known of a key within the hour, and since an alarm about it was lifted."""
    lifted = session.scalar(
        select(func.max(Verdict.decided_at)).join(Alarm).where(Alarm.key_id == key_id, Verdict.upheld.is_(False))
    ) or 0
    rows = session.scalars(select(Sighting).where(Sighting.key_id == key_id, Sighting.last_at > max(now() - HOUR, lifted))).all()
    found = select(Copy.url).where(Copy.key_id == key_id, Copy.found_at > max(now() - COPIES_KEPT, lifted)).distinct().order_by(Copy.url)
    names = {name: tuple(sorted({getattr(row, name) for row in rows} - {""})) for name in ("network", "agent", "site")}
    return Seen(
        names["network"], names["agent"], names["site"], countries_of(names["network"]), tuple(session.scalars(found)),
        max((row.peak for row in rows), default=0), work, decoy and bool(rows),
    )


def find_copy(session: Session, key_id: str, person_id: str, video_id: str, url: str, by: str) -> None:
    """Write down that a copy of an unapproved video is in public. Raises LeakError, PeopleError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    if not re.fullmatch(r"https?://[^\s\x00-\x1f]{1,2000}", url):
        raise LeakError(f"The address {url[:80]!r} cannot be used; give where the copy is, such as https://example.org/video.")
    session.add(Copy(
        id=f"copy_{secrets.token_hex(6)}", key_id=key_id, person_id=person_id, video_id=video_id, url=url, found_by=by, found_at=now()
    ))
    session.flush()
    audit.append(session, "leak.copy", {"key": key_id, "video": video_id, "url": url, "by": by}, person_id)


# Alarms.


def assess(session: Session, key_id: str, person_id: str, known: Seen) -> Alarm | None:
    """The alarm that what is known asks for, written down with a line in the audit log; None for no step, or one that was taken today.
    The line about a drill's key is of a kind of its own, which no figure of the report counts."""
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
    audit.append(session, f"{'drill' if of_drill(person_id) else 'leak'}.{step}", {
        "alarm": alarm.id, "key": key_id, "person": person_id, "score": alarm.score, "signals": {one.name: one.score for one in found},
    }, person_id)
    return alarm


def drill_owner(name: str) -> str:
    """Whose a key of a drill is: somebody who can be no person."""
    return f"{_DRILL}{name}"


def of_drill(person_id: str) -> bool:
    return person_id.startswith(_DRILL)


def end_drill(session: Session, key_ids: Sequence[str]) -> None:
    """Close the alarms that a drill raised, so that none of them waits for an operator; and drop what was seen of its keys."""
    audit.take_turn(session)
    for alarm in session.scalars(select(Alarm).where(Alarm.key_id.in_(key_ids)).order_by(Alarm.id)).all():
        session.add(Verdict(
            alarm_id=alarm.id, person_id=alarm.person_id, upheld=True, reasons="This was a drill; its keys are gone.", decider="drill",
            decided_at=now(),
        ))
    session.execute(delete(Sighting).where(Sighting.key_id.in_(key_ids)))


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
        raise Missing(f"There is no alarm {alarm_id[:80]!r}", "`lanterne leaks list` shows them")
    return alarm


def verdict_of(session: Session, alarm_id: str) -> Verdict | SecondVerdict | None:
    """The one that counts now."""
    return session.get(SecondVerdict, alarm_id) or session.get(Verdict, alarm_id)


def listed(session: Session, person_id: str | None = None) -> list[tuple[Alarm, Contest | None, Verdict | SecondVerdict | None]]:
    """Alarms, the latest first; of one person, or of all. Each with the verdict that counts now."""
    query = select(Alarm).order_by(Alarm.raised_at.desc(), Alarm.id)
    if person_id is not None:
        query = query.where(Alarm.person_id == person_id)
    return [(alarm, session.get(Contest, alarm.id), verdict_of(session, alarm.id)) for alarm in session.scalars(query)]


def contest(session: Session, alarm_id: str, person_id: str, statement: str) -> None:
    """Say against an alarm about one's own key, once, also after it was upheld. Raises LeakError."""
    audit.take_turn(session)
    alarm = session.get(Alarm, alarm_id)
    if alarm is None or alarm.person_id != person_id:
        raise LeakError(f"There is no alarm {alarm_id[:80]!r} about a key of yours; check the id.")
    if session.get(Contest, alarm_id) is not None:
        raise LeakError("You contested this alarm before; it is decided once.")
    verdict = session.get(Verdict, alarm_id)
    if verdict is not None and not verdict.upheld:
        raise LeakError("This alarm was lifted already; there is nothing to contest.")
    if not 0 < len(statement.strip()) <= LONGEST_STATEMENT:
        raise LeakError(f"The statement has {len(statement)} characters; give 1 to {LONGEST_STATEMENT}.")
    # That it came after the verdict, and so asks for a second one, is told by the time alone: never in the same second.
    opened_at = max(now(), verdict.decided_at + 1) if verdict else now()
    session.add(Contest(alarm_id=alarm_id, statement=statement.strip(), opened_at=opened_at))
    session.flush()
    audit.append(session, "leak.contested", {"alarm": alarm_id, "person": person_id}, person_id)


def decide(session: Session, alarm_id: str, upheld: bool, by: str, reasons: str) -> Alarm:
    """An operator's word on an alarm, contested or not; and another operator's, where it was contested after it had been upheld. Raises
    LeakError, PeopleError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    alarm = get(session, alarm_id)
    if alarm.person_id == by:
        raise LeakError("This alarm is about a key of your own; another operator decides on it.")
    first, contested = session.get(Verdict, alarm_id), session.get(Contest, alarm_id)
    if first is not None:
        again = contested is not None and contested.opened_at > first.decided_at
        if not again or session.get(SecondVerdict, alarm_id) is not None:
            raise LeakError(f"The alarm {alarm_id} was decided before.")
        if first.decider == by:
            raise LeakError("You upheld this alarm before it was contested; another operator decides on it now.")
    if not reasons.strip():
        raise LeakError("An alarm is decided with reasons, which the artist reads; give them.")
    session.add((Verdict if first is None else SecondVerdict)(
        alarm_id=alarm_id, person_id=alarm.person_id, upheld=upheld, reasons=reasons.strip(), decider=by, decided_at=now()
    ))
    session.flush()
    audit.append(session, "leak.upheld" if upheld else "leak.lifted", {"alarm": alarm_id, "by": by, "reasons": reasons}, alarm.person_id)
    return alarm
