"""The review gate: a video is shown to the public only after an approval, which holds for exactly these bytes.

A request goes through looks. The first look that approves lets it through; a refusal takes a second reviewer who refuses, too, and gives
the artist reasons and an appeal to somebody else. Of approvals, a share is looked at again by somebody who does not know of the first. All
deadlines have a remedy. What a request's state is follows from its looks, which are never changed. A takedown by an operator can be
appealed against as a refusal can: one more look, by somebody else again, keeps or ends it.
"""

import logging
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import JSON, BigInteger, CheckConstraint, Float, ForeignKey, ForeignKeyConstraint, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError, NotFound
from lanterne.programme import audit, ledger, money, pay, people
from lanterne.programme.pay import DAY, DEADLINE, RESERVED, Actor, NotYours, day_of, text
from lanterne.tables import Base, now

LEASE = 1800  # seconds that a reviewer may take for a look
REMEDIES = ("credit", "release")
LONGEST_EXPLANATION = 2000  # characters, as the DSA transparency database has them
MOST_TIMES = 50
_SHA256 = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger("lanterne.review")


class ReviewError(LanterneError):
    """A request, a look or an appeal that cannot be, in one sentence."""


class Missing(ReviewError, NotFound):
    """A version of the policy that is not there."""


class Policy(Base):
    """What may be refused, and what happens when nobody answers in time. grounds: {"3.1": "in words"}."""

    __tablename__ = "policies"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str]
    grounds: Mapped[dict] = mapped_column(JSON)
    decide_days: Mapped[int]
    appeal_days: Mapped[int]  # for how long a refusal can be appealed against
    sample_percent: Mapped[int]  # of approvals, looked at again
    remedy: Mapped[str]
    credit: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    published_by: Mapped[str]
    published_at: Mapped[int]
    __table_args__ = (CheckConstraint("appeal_days >= 183", name="policy_appeal"),)


class Request(Base):
    """An artist's wish to show these bytes."""

    __tablename__ = "release_requests"
    id: Mapped[str] = mapped_column(primary_key=True)
    video_id: Mapped[str]
    sha256: Mapped[str]
    seconds: Mapped[float] = mapped_column(Float(53))
    artist_id: Mapped[str] = mapped_column(index=True)
    policy: Mapped[int] = mapped_column(ForeignKey("policies.version"))
    sampled: Mapped[bool]
    requested_at: Mapped[int]
    due_at: Mapped[int]
    __table_args__ = (
        UniqueConstraint("artist_id", "sha256", name="release_request_once"),
        UniqueConstraint("id", "artist_id", name="release_request_of"),
        UniqueConstraint("id", "sha256", name="release_request_bytes"),
    )


class ReviewClaim(Base):
    """Who is looking now, and until when nobody else may."""

    __tablename__ = "review_claims"
    request_id: Mapped[str] = mapped_column(ForeignKey("release_requests.id"), primary_key=True)
    reviewer: Mapped[str]
    until: Mapped[int]


class Look(Base):
    """What one reviewer said. stage: first, second, blind, appeal, or "takedown 1" on the appeal against that takedown. ground: a number of
    the policy. times: [[from, to]] in seconds of the video."""

    __tablename__ = "review_looks"
    request_id: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    artist_id: Mapped[str]
    reviewer: Mapped[str]
    verdict: Mapped[str]  # approve or refuse
    ground: Mapped[str | None]
    explanation: Mapped[str]
    times: Mapped[list] = mapped_column(JSON)
    looked_at: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(["request_id", "artist_id"], ["release_requests.id", "release_requests.artist_id"]),
        UniqueConstraint("request_id", "reviewer", name="review_look_by_another"),
        CheckConstraint("reviewer <> artist_id", name="review_look_not_on_oneself"),
        CheckConstraint("verdict IN ('approve', 'refuse')", name="review_look_verdict"),
        CheckConstraint("verdict = 'approve' OR (ground IS NOT NULL AND length(trim(explanation)) > 0)", name="review_look_reasons"),
        CheckConstraint("stage <> 'appeal' OR length(trim(explanation)) > 0", name="review_appeal_reasons"),
    )


class Appeal(Base):
    __tablename__ = "review_appeals"
    request_id: Mapped[str] = mapped_column(ForeignKey("release_requests.id"), primary_key=True)
    words: Mapped[str]  # the artist's own
    opened_at: Mapped[int]
    due_at: Mapped[int]


class Takedown(Base):
    """The end of a release: by its artist, which is final, or by an operator with a ground of the policy. number: 1, and one more for each
    that follows: after one that was overturned, or the artist's own after an operator's."""

    __tablename__ = "takedowns"
    request_id: Mapped[str] = mapped_column(ForeignKey("releases.request_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    taken_by: Mapped[str]
    ground: Mapped[str | None]
    explanation: Mapped[str]
    taken_at: Mapped[int]

    @property
    def stage(self) -> str:
        """Of the look that answers an appeal against it."""
        return f"takedown {self.number}"


class TakedownAppeal(Base):
    __tablename__ = "takedown_appeals"
    request_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str]  # the artist's own
    opened_at: Mapped[int]
    due_at: Mapped[int]
    __table_args__ = (ForeignKeyConstraint(["request_id", "number"], ["takedowns.request_id", "takedowns.number"]),)


def about_takedown(stage: str) -> bool:
    """Whether this is the stage of a look, or the `what` of an escalation, of an appeal against a takedown."""
    return stage.startswith("takedown ")


class Escalation(Base):
    """A deadline that passed, and what the artist got for it. what: request, appeal, or "takedown 1" for the appeal against that one."""

    __tablename__ = "review_escalations"
    request_id: Mapped[str] = mapped_column(ForeignKey("release_requests.id"), primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    remedy: Mapped[str]
    escalated_at: Mapped[int]


class Withdrawal(Base):
    """A request that ended before its release: the artist wanted so, or the video was gone when the deadline came. Of these bytes, it is
    final: who could ask again would look for the reviewer who says yes."""

    __tablename__ = "review_withdrawals"
    request_id: Mapped[str] = mapped_column(ForeignKey("release_requests.id"), primary_key=True)
    reason: Mapped[str]  # withdrawn or deleted
    withdrawn_at: Mapped[int]


@dataclass
class File:
    """A request with all that happened to it."""

    request: Request
    looks: dict[str, Look] = field(default_factory=dict)
    appeal: Appeal | None = None
    escalations: dict[str, Escalation] = field(default_factory=dict)
    withdrawal: Withdrawal | None = None
    takedowns: list[Takedown] = field(default_factory=list)
    takedown_appeals: dict[int, TakedownAppeal] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """waiting, approved, refused, appealed or withdrawn; what became of its release afterwards is in `takedown`."""
        if self.withdrawal:
            return "withdrawn"
        by_default = any(escalation.remedy == "release" for escalation in self.escalations.values())
        if by_default or any(look.verdict == "approve" for stage, look in self.looks.items() if stage != "blind"):
            return "approved"
        if "second" not in self.looks:
            return "waiting"
        return "appealed" if self.appeal and "appeal" not in self.looks else "refused"

    def overturned_at(self, made: Takedown) -> int | None:
        """When a takedown ended: somebody else overturned it, or nobody answered in time and the policy says that it ends then."""
        if (look := self.looks.get(made.stage)) and look.verdict == "approve":
            return look.looked_at
        late = self.escalations.get(made.stage)
        return late.escalated_at if late and late.remedy == "release" else None

    @property
    def takedown(self) -> Takedown | None:
        """What keeps a release from the public; the artist's own, where there is one besides an operator's."""
        return next((made for made in reversed(self.takedowns) if self.overturned_at(made) is None), None)

    @property
    def contested(self) -> TakedownAppeal | None:
        """The appeal against a takedown that waits for its answer."""
        made = self.takedown
        return self.takedown_appeals.get(made.number) if made and made.stage not in self.looks else None

    @property
    def waits(self) -> bool:
        """Whether somebody is to decide, by `due_at`."""
        return self.state in ("waiting", "appealed") or self.contested is not None

    @property
    def what(self) -> str:
        """What is, or was last, to be decided: request, appeal, or the stage of a takedown."""
        return self.takedown.stage if self.contested else "appeal" if self.appeal else "request"

    @property
    def appealable_since(self) -> int | None:
        """When what can be appealed against was decided: a refusal, or a takedown by an operator; each once."""
        if made := self.takedown:
            return None if made.ground is None or made.number in self.takedown_appeals else made.taken_at
        return self.looks["second"].looked_at if self.state == "refused" and not self.appeal else None

    @property
    def next_stage(self) -> str | None:
        """The look that is wanted."""
        if self.contested:
            return self.takedown.stage
        if self.state == "waiting":
            return "second" if "first" in self.looks else "first"
        if self.state == "appealed":
            return "appeal"
        approved_first = self.state == "approved" and "first" in self.looks and self.looks["first"].verdict == "approve"
        sampled = approved_first and self.request.sampled and not self.takedowns  # of what was taken down, no look is blind any more
        return "blind" if sampled and "blind" not in self.looks else None

    @property
    def due_at(self) -> int:
        return (self.contested or self.appeal or self.request).due_at


@dataclass(frozen=True)
class Task:
    """What a reviewer learns before looking: nothing of who made it, nor of what others said. appeal: the artist's words, if it is one.
    takedown: the ground and the explanation that an appeal is against, where it is against a takedown."""

    request_id: str
    video_id: str
    sha256: str
    policy: int
    due_at: int
    appeal: str | None
    takedown: str | None = None


# The policy and requests.


def publish_policy(
    session: Session, by: Actor, words: str, grounds: dict[str, str], *, decide_days: int = 5, appeal_days: int = 183,
    sample_percent: int = 10, remedy: str = "credit", credit: int | None = None, currency: str | None = None,
) -> Policy:
    """The next version; requests made before stay under the one of their time. Raises ReviewError."""
    audit.take_turn(session)
    by.require_operator()
    for name, days, least, most in (("decide_days", decide_days, 1, 60), ("appeal_days", appeal_days, 183, 3660),
                                    ("sample_percent", sample_percent, 0, 100)):
        if type(days) is not int or not least <= days <= most:
            raise ReviewError(f"{name}={days!r} cannot be used; give a whole number from {least} to {most}.")
    if not grounds:
        raise ReviewError("A policy without grounds cannot refuse anything; number them and say them in words.")
    for number, ground in grounds.items():
        text(number, "ground's number", 20, needed=True)
        text(ground, "ground", 2000, needed=True)
    if remedy not in REMEDIES:
        raise ReviewError(f"The remedy {remedy!r} is unknown; give one of {', '.join(REMEDIES)}.")
    if remedy == "credit":
        if type(credit) is not int or not 0 < credit <= money.LARGEST:
            raise ReviewError(f"credit={credit!r} cannot be owed for a missed deadline; give minor units from 1 to {money.LARGEST}.")
        money.currency(currency)
    version = (session.scalar(select(func.max(Policy.version))) or 0) + 1
    made = Policy(
        version=version, words=text(words, "policy", 100_000, needed=True), grounds=dict(grounds), decide_days=decide_days,
        appeal_days=appeal_days, sample_percent=sample_percent, remedy=remedy, credit=credit if remedy == "credit" else None,
        currency=currency if remedy == "credit" else None, published_by=by.person_id, published_at=now(),
    )
    session.add(made)
    session.flush()
    audit.append(session, "policy.published", {"version": version, "words": made.words, "grounds": grounds, "by": by.person_id})
    return made


def policy(session: Session, version: int | None = None) -> Policy:
    """The version that new requests are under, or another. Raises ReviewError."""
    wanted = select(Policy) if version is None else select(Policy).where(Policy.version == version)
    found = session.scalar(wanted.order_by(Policy.version.desc()).limit(1))
    if found is None and version is None:
        raise ReviewError("There is no policy to review by yet; an operator publishes one first.")
    if found is None:
        raise Missing(
            f"There is no version {version} of the policy", "`lanterne policy show` has the latest", "leave it out for the latest"
        )
    return found


def request(session: Session, by: Actor, video_id: str, sha256: str, seconds: float) -> Request:
    """Ask to show a file. The same bytes asked for again give the same request. seconds: its length. Raises ReviewError."""
    audit.take_turn(session)
    ledger.person(by.person_id)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ReviewError(f"The SHA-256 {str(sha256)[:80]!r} cannot be one; give 64 hexadecimal digits in small letters.")
    if not 0 < seconds <= 86400:
        raise ReviewError(f"seconds={seconds!r} is not the length of a video; give more than 0 and at most a day.")
    under = policy(session)
    if found := session.scalar(select(Request).where(Request.artist_id == by.person_id, Request.sha256 == sha256)):
        if session.get(Withdrawal, found.id):
            raise ReviewError(f"{found.id} about these bytes was withdrawn, which is final; ask about another video.")
        return found
    asked = Request(
        id=f"rev_{secrets.token_hex(8)}", video_id=text(video_id, "video", 200, needed=True), sha256=sha256, seconds=float(seconds),
        artist_id=by.person_id, policy=under.version, sampled=secrets.randbelow(100) < under.sample_percent, requested_at=now(),
        due_at=now() + under.decide_days * DAY,
    )
    session.add(asked)
    session.flush()
    told = {"request": asked.id, "video": video_id, "sha256": sha256, "artist": by.person_id, "policy": under.version}
    audit.append(session, "review.requested", told, by.person_id)
    return asked


# Looks.


def queue(session: Session, by: Actor) -> list[Task]:
    """What this reviewer may look at, the most urgent first. Raises NotYours without being a reviewer."""
    by.require_reviewer()
    claimed = set(session.scalars(
        select(ReviewClaim.request_id).where(ReviewClaim.until > now(), ReviewClaim.reviewer != by.person_id)
    ))
    open_ = [file for file in files(session) if file.request.id not in claimed and _may_look(file, by.person_id)]
    # Late ones first by their due time; approvals that are looked at again are never late.
    open_.sort(key=lambda file: (file.next_stage == "blind", file.due_at, file.request.id))
    return [_task(file) for file in open_]


def claim(session: Session, by: Actor, request_id: str) -> Task:
    """Take a request for LEASE seconds; again before they are over to go on. Raises ReviewError where somebody else has it."""
    audit.take_turn(session)
    by.require_reviewer()
    file = file_of(session, request_id)
    if not _may_look(file, by.person_id):
        raise NotYours(f"{request_id} is not for you: it is your own, you have looked at it, or no look is wanted; take another.")
    held = session.get(ReviewClaim, request_id, populate_existing=True)
    if held and held.until > now() and held.reviewer != by.person_id:
        raise ReviewError(f"{request_id} is being looked at; take another, or wait until the lease ends.")
    session.merge(ReviewClaim(request_id=request_id, reviewer=by.person_id, until=now() + LEASE))
    session.flush()
    return _task(file)


def require_claim(session: Session, by: Actor, request_id: str) -> Request:
    """The request, for whoever is looking at it now. Raises ReviewError for everybody else."""
    by.require_reviewer()
    held = session.get(ReviewClaim, request_id, populate_existing=True)
    if held is None or held.reviewer != by.person_id or held.until <= now():
        raise ReviewError(f"You have not claimed {request_id[:80]}, or the lease is over; claim it again.")
    return session.get(Request, request_id)


def look(
    session: Session, by: Actor, request_id: str, approve: bool, ground: str | None = None, explanation: str = "",
    times: Sequence[tuple[float, float]] = (),
) -> Look:
    """Say what one thinks of a claimed request. A refusal takes a ground of the policy, an explanation, and where in the video it is. On an
    appeal against a takedown, to approve is to overturn it and to refuse to uphold it; both take an explanation.

    Raises ReviewError without a claim that holds, or without reasons; NotYours on one's own or for a second time.
    """
    audit.take_turn(session)
    by.require_reviewer()
    file = file_of(session, request_id)
    asked, stage = file.request, file.next_stage
    if not _may_look(file, by.person_id):
        raise NotYours(f"{request_id} is not for you: it is your own, you have looked at it, or no look is wanted; take another.")
    require_claim(session, by, request_id)
    under = policy(session, asked.policy)
    if not approve:
        check_ground(under, ground)
    if len(times) > MOST_TIMES:
        raise ReviewError(f"{len(times)} time codes are more than the {MOST_TIMES} that a look may have; give the clearest.")
    for span in times:
        if len(span) != 2 or not 0 <= span[0] < span[1] <= asked.seconds:
            raise ReviewError(f"The time code {list(span)} is not in the video; give from and to within {asked.seconds:g} seconds.")
    if not approve and not times:
        raise ReviewError("A refusal says where in the video its reason is; give time codes.")
    made = Look(
        request_id=request_id, stage=stage, artist_id=asked.artist_id, reviewer=by.person_id, verdict="approve" if approve else "refuse",
        ground=None if approve else ground,
        explanation=text(explanation, "explanation", LONGEST_EXPLANATION, needed=not approve or stage == "appeal" or bool(file.contested)),
        times=[] if approve else [list(span) for span in times], looked_at=now(),
    )
    session.add(made)
    session.execute(delete(ReviewClaim).where(ReviewClaim.request_id == request_id))
    session.flush()
    audit.append(session, "review.looked", {
        "request": request_id, "stage": stage, "reviewer": by.person_id, "verdict": made.verdict, "ground": made.ground,
        "explanation": made.explanation, "times": made.times, "policy": under.version, "sha256": asked.sha256,
    }, asked.artist_id)
    return made


def check_ground(under: Policy, ground: str | None) -> None:
    known = ", ".join(under.grounds)
    if ground is None:
        raise ReviewError(f"A ground of version {under.version} of the policy must be given; give one of {known}.")
    if ground not in under.grounds:
        raise ReviewError(f"The ground {ground!r} is not in version {under.version} of the policy; give one of {known}.")


def reviewers(session: Session) -> list[str]:
    """Whose role it is to look, in open accounts."""
    return [one.id for one in people.listed(session) if one.closed_at is None and "reviewer" in one.roles]


def stalled(file: File, reviewers: Collection[str]) -> bool:
    """Whether somebody is to decide, and none of these reviewers may: all have looked at it, took it down, or asked for it."""
    return file.waits and not any(_may_look(file, one) for one in reviewers)


def _may_look(file: File, reviewer: str) -> bool:
    seen = {file.request.artist_id, *(done.reviewer for done in file.looks.values())}
    if file.contested:
        seen.add(file.takedown.taken_by)
    return file.next_stage is not None and reviewer not in seen


def _task(file: File) -> Task:
    asked, appeal, made = file.request, file.contested, file.takedown if file.contested else None
    if file.next_stage == "appeal":
        appeal = file.appeal
    return Task(
        asked.id, asked.video_id, asked.sha256, asked.policy, file.due_at, appeal.words if appeal else None,
        f"{made.ground}: {made.explanation}" if made else None,
    )


# What artists can do.


def state(session: Session, by: Actor, request_id: str) -> str:
    """waiting, approved, refused, appealed or withdrawn. Raises NotYours."""
    return own(session, by, request_id).state


def appeal(session: Session, by: Actor, request_id: str, words: str) -> Appeal | TakedownAppeal:
    """Against a refusal or a takedown by an operator, each once, to a reviewer who has not looked yet and did not take it down. Raises
    ReviewError, NotYours."""
    audit.take_turn(session)
    file = file_of(session, request_id)
    if by.person_id != file.request.artist_id:
        raise NotYours(f"{request_id[:80]!r} is not yours; only who asked for the release can appeal.")
    under, made = policy(session, file.request.policy), file.takedown
    if file.appealable_since is None:
        if made:
            after = f"taken down by {'its artist' if made.ground is None else 'an operator, and was appealed against'}"
        else:
            by = f", and is answered by {day_of(file.due_at)}" if file.waits else ", after an appeal"
            after = f"{file.state}{by if file.appeal else ''}"
        raise ReviewError(
            f"{request_id} cannot be appealed against: it is {after}; a refusal or a takedown by an operator can be, each once."
        )
    last = file.appealable_since + under.appeal_days * DAY
    if now() > last:
        raise ReviewError(f"{request_id} could be appealed against until {day_of(last)}.")
    given = {"words": text(words, "appeal", 4000, needed=True), "opened_at": now(), "due_at": now() + under.decide_days * DAY}
    told = {"request": request_id, "words": given["words"]}
    if made:
        opened = TakedownAppeal(request_id=request_id, number=made.number, **given)
        kind, told["number"] = "review.takedown_appealed", made.number
    else:
        opened, kind = Appeal(request_id=request_id, **given), "review.appealed"
    session.add(opened)
    session.flush()
    audit.append(session, kind, told, by.person_id)
    return opened


# Deadlines.


def late(session: Session) -> list[File]:
    """Whose deadline passed without a remedy yet."""
    return [file for file in files(session) if file.waits and now() > file.due_at and file.what not in file.escalations]


def escalate(session: Session, gone: Collection[str] = ()) -> list[Escalation]:
    """Give the remedy for every deadline that passed, once. To be called every few minutes. gone: requests whose video is not there any
    more, which nobody could look at; these end instead. What fails for one request is logged, and leaves the others theirs."""
    audit.take_turn(session)
    made = []
    for file in late(session):
        request_id = file.request.id
        try:
            with session.begin_nested():
                if request_id in gone:
                    end(session, file.request, "deleted")
                else:
                    made.append(_escalate(session, file))
        except Exception:
            _log.exception("the remedy for %s could not be given", request_id)
    return made


def _escalate(session: Session, file: File) -> Escalation:
    asked, what = file.request, file.what
    under = policy(session, asked.policy)
    escalation = Escalation(request_id=asked.id, what=what, remedy=under.remedy, escalated_at=now())
    session.add(escalation)
    session.flush()
    audit.append(session, "review.late", {"request": asked.id, "what": what, "remedy": under.remedy}, asked.artist_id)
    if under.remedy == "credit":
        since = file.contested.opened_at if file.contested else asked.requested_at
        spoken = "appeal" if file.contested else what
        because = f"The {spoken} of {day_of(since)} was to be answered by {day_of(file.due_at)}."
        pay.credit(
            session, DEADLINE, asked.artist_id, f"{RESERVED}{asked.id}:{what}", under.credit, under.currency, because, file.due_at, now()
        )
    return escalation


def end(session: Session, asked: Request, reason: str) -> Withdrawal:
    """End a request that was not released. reason: withdrawn or deleted."""
    ended = Withdrawal(request_id=asked.id, reason=reason, withdrawn_at=now())
    session.add(ended)
    session.flush()
    audit.append(session, "review.withdrawn", {"request": asked.id, "reason": reason}, asked.artist_id)
    return ended


def own(session: Session, by: Actor, request_id: str) -> File:
    file = file_of(session, request_id)
    if not by.operator and by.person_id != file.request.artist_id:
        raise NotYours(f"There is no request {request_id[:80]!r} among yours; check the id.")
    return file


def file_of(session: Session, request_id: str) -> File:
    found = files(session, request_id)
    if not found:
        raise NotYours(f"There is no request {str(request_id)[:80]!r} among yours; check the id.")
    return found[0]


def files(session: Session, request_id: str | None = None) -> list[File]:
    def rows(kind, column):
        wanted = select(kind) if request_id is None else select(kind).where(column == request_id)
        return session.scalars(wanted)

    found = {asked.id: File(asked) for asked in rows(Request, Request.id)}
    for made in rows(Look, Look.request_id):
        found[made.request_id].looks[made.stage] = made
    for opened in rows(Appeal, Appeal.request_id):
        found[opened.request_id].appeal = opened
    for escalation in rows(Escalation, Escalation.request_id):
        found[escalation.request_id].escalations[escalation.what] = escalation
    for ended in rows(Withdrawal, Withdrawal.request_id):
        found[ended.request_id].withdrawal = ended
    for made in sorted(rows(Takedown, Takedown.request_id), key=lambda made: made.number):
        found[made.request_id].takedowns.append(made)
    for opened in rows(TakedownAppeal, TakedownAppeal.request_id):
        found[opened.request_id].takedown_appeals[opened.number] = opened
    return sorted(found.values(), key=lambda file: (file.request.requested_at, file.request.id))
