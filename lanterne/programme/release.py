"""What was approved and is shown: releases and their end, and the reasons of a refusal.

Two files belong to a release: the one that was approved, and the copy of it that the public gets, into which the approval is signed. The
rows say which copy is of which approval; nothing is public without both.
"""

import hmac
from dataclasses import dataclass

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, String, cast, exists, literal, select, tuple_, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.paths import secret
from lanterne.programme import audit, dsa, review
from lanterne.programme.pay import DAY, Actor, NotYours, day_of, text
from lanterne.programme.review import File, Look, Policy, Request, ReviewError, Takedown, check_ground, file_of, files, own
from lanterne.tables import Base, now


class Release(Base):
    """sha256: exactly what was approved."""

    __tablename__ = "releases"
    request_id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    released_at: Mapped[int]
    __table_args__ = (ForeignKeyConstraint(["request_id", "sha256"], ["release_requests.id", "release_requests.sha256"]),)


class Publication(Base):
    """The copy that the public is shown of a release. watermark: the number in it, so that copies of copies are known again."""

    __tablename__ = "publications"
    request_id: Mapped[str] = mapped_column(ForeignKey("releases.request_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    watermark: Mapped[int | None] = mapped_column(BigInteger, index=True)
    published_at: Mapped[int]


class Showing(Base):
    """What is told beside a released video, as its artist wished; blank: nothing."""

    __tablename__ = "showings"
    request_id: Mapped[str] = mapped_column(ForeignKey("releases.request_id"), primary_key=True)
    title: Mapped[str]
    prompt: Mapped[str]
    credit: Mapped[str]  # a name or a pseudonym


@dataclass(frozen=True)
class Wishes:
    """What the artist wants to be told beside the video; blank: nothing."""

    title: str = ""
    prompt: str = ""
    credit: str = ""


@dataclass(frozen=True)
class Shown:
    """A released video as the public sees it. approved: SHA-256 of the bytes that were approved; sha256: of the copy that is shown."""

    request: Request
    release: Release
    publication: Publication
    showing: Showing

    @property
    def approved(self) -> str:
        return self.release.sha256

    @property
    def sha256(self) -> str:
        return self.publication.sha256


def require_approval(session: Session, by: Actor, request_id: str, sha256: str) -> File:
    """The request, where its artist may release these bytes. Raises ReviewError where they were not approved, NotYours."""
    file = file_of(session, request_id)
    if by.person_id != file.request.artist_id:
        raise NotYours(f"{request_id[:80]!r} is not yours; only who asked for the release can release.")
    if sha256 != file.request.sha256:
        raise ReviewError("These are not the bytes that were asked about; ask for a release of this file.")
    if file.state != "approved":
        raise ReviewError(f"{request_id} is {file.state} and not approved; {_instead(session, file)}.")
    if file.takedown:
        raise ReviewError(f"{request_id} was taken down; it is released again only where an appeal overturns that.")
    return file


def _instead(session: Session, file: File) -> str:
    """What the artist of a request that is not approved can do."""
    if file.waits:
        return f"wait for the decision, which is due by {day_of(file.due_at)}"
    until = appeal_until(session, file)
    return f"appeal until {day_of(until)}" if until else "ask about another video"


def require_same(session: Session, request_id: str, wishes: Wishes, with_prompt: bool) -> None:
    """Raises ReviewError where a release was asked for before with other wishes."""
    told = session.get(Showing, request_id)
    if (told.title, told.credit, bool(told.prompt)) != (wishes.title.strip(), wishes.credit.strip(), with_prompt):
        raise ReviewError(
            f"{request_id} was released with the title {told.title!r}, the credit {told.credit!r} and {'its' if told.prompt else 'no'} "
            "prompt, which stay; ask with the same, or take it down."
        )


def release(session: Session, by: Actor, request_id: str, sha256: str, wishes: Wishes | None = None) -> Release:
    """Decide that what was approved is shown. It is once `publish` has told which copy. Again with the same wishes, it gives the same.
    Raises ReviewError, NotYours."""
    audit.take_turn(session)
    require_approval(session, by, request_id, sha256)
    wishes = wishes or Wishes()
    if found := session.get(Release, request_id):
        require_same(session, request_id, wishes, bool(wishes.prompt.strip()))
        return found
    made = Release(request_id=request_id, sha256=sha256, released_at=now())
    session.add(made)
    session.flush()
    session.add(Showing(
        request_id=request_id, title=text(wishes.title, "title", 200), prompt=text(wishes.prompt, "prompt", 32000),
        credit=text(wishes.credit, "credit", 80),
    ))
    session.flush()
    audit.append(session, "review.released", {"request": request_id, "sha256": sha256}, by.person_id)
    return made


def publish(session: Session, request_id: str, sha256: str, watermark: int | None = None) -> Publication:
    """Show this copy of what was released: from now on it is public. sha256: the copy's. Once; later copies of the same are not taken.
    Raises ReviewError where nothing was released, or it was taken down."""
    audit.take_turn(session)
    released = session.get(Release, request_id)
    if released is None or file_of(session, request_id).takedown:
        raise ReviewError(f"{request_id[:80]} is not released, or was taken down; nothing of it is shown.")
    if found := session.get(Publication, request_id):
        return found
    made = Publication(request_id=request_id, sha256=sha256, watermark=watermark, published_at=now())
    session.add(made)
    session.flush()
    artist = session.get(Request, request_id).artist_id
    audit.append(session, "review.published", {"request": request_id, "approved": released.sha256, "shown": sha256}, artist)
    return made


def unpublished(session: Session) -> list[Request]:
    """What was released, and of which no copy is there yet."""
    ended = [*session.scalars(down()), *session.scalars(select(Publication.request_id))]
    return [asked for asked in session.scalars(select(Request).join(Release, Release.request_id == Request.id)) if asked.id not in ended]


def withdraw(session: Session, by: Actor, request_id: str) -> review.Withdrawal:
    """End one's own request before its release; for these bytes it is final. Raises ReviewError, NotYours."""
    audit.take_turn(session)
    file = file_of(session, request_id)
    if by.person_id != file.request.artist_id:
        raise NotYours(f"There is no request {request_id[:80]!r} among yours; check the id.")
    if session.get(Release, request_id):
        raise ReviewError(f"{request_id} was released; take it down instead.")
    return file.withdrawal or review.end(session, file.request, "withdrawn")


def take_down(session: Session, by: Actor, request_id: str, ground: str | None = None, explanation: str = "") -> Takedown:
    """End a release: the artist at will and for good, also one that an operator has taken down; an operator with a ground of the policy and
    an explanation, until it is overturned. Raises ReviewError, NotYours."""
    audit.take_turn(session)
    file = own(session, by, request_id)
    artist, policy = by.person_id == file.request.artist_id, session.get(Policy, file.request.policy)
    before = file.takedown
    if session.get(Release, request_id) is None or (before and not (artist and before.ground is not None)):
        raise ReviewError(f"{request_id} is not public; there is nothing to take down.")
    if not artist:
        check_ground(policy, ground)
    made = Takedown(
        request_id=request_id, number=len(file.takedowns) + 1, taken_by=by.person_id, ground=None if artist else ground,
        explanation=text(explanation, "explanation", review.LONGEST_EXPLANATION, needed=not artist), taken_at=now(),
    )
    session.add(made)
    session.flush()
    audit.append(session, "review.taken_down", {
        "request": request_id, "number": made.number, "by": by.person_id, "ground": made.ground, "explanation": made.explanation
    }, file.request.artist_id)
    return made


def forget(session: Session, person_id: str) -> None:
    """Take down what is public of a person, or was until an operator took it down, and erase what they wanted to be told beside it."""
    mine = list(session.scalars(select(Release.request_id).join(Request, Request.id == Release.request_id).where(
        Request.artist_id == person_id
    )))
    for request_id in mine:
        standing = file_of(session, request_id).takedown
        if standing is None or standing.ground is not None:
            take_down(session, Actor(person_id), request_id)
    session.execute(update(Showing).where(Showing.request_id.in_(mine)).values(title="", prompt="", credit=""))


# What is public.


def down():
    """Which requests a takedown keeps from the public now, as a query. As `File.takedown`, which tells it of one."""
    stage = literal("takedown ") + cast(Takedown.number, String)
    overturned = exists().where(Look.request_id == Takedown.request_id, Look.stage == stage, Look.verdict == "approve")
    late = review.Escalation
    in_silence = exists().where(late.request_id == Takedown.request_id, late.what == stage, late.remedy == "release")
    return select(Takedown.request_id).where(~overturned, ~in_silence)


def shown(session: Session, request_id: str) -> Shown | None:
    """A video that is public now."""
    found = session.execute(_public().where(Publication.request_id == request_id)).first()
    return Shown(*found) if found else None


def is_public(session: Session, sha256: str) -> bool:
    """Whether exactly these bytes may be shown to anyone: they are the copy of an approval that lives."""
    return session.execute(_public().where(Publication.sha256 == sha256).limit(1)).first() is not None


def page(session: Session, limit: int, after: str | None = None) -> tuple[list[Shown], bool]:
    """What is public, the latest first; and whether there is more. after: the last of the page before. Raises ReviewError."""
    wanted = _public().order_by(Publication.published_at.desc(), Publication.request_id.desc())
    if after is not None:
        last = session.get(Publication, after)
        if last is None:
            raise ReviewError(f"Nothing was ever released under {after[:80]!r}; give the last_id of the page before.")
        place = (Publication.published_at, Publication.request_id)
        wanted = wanted.where(tuple_(*place) < tuple_(last.published_at, last.request_id))
    found = [Shown(*row) for row in session.execute(wanted.limit(limit + 1))]
    return found[:limit], len(found) > limit


def _public():
    return (
        select(Request, Release, Publication, Showing)
        .join(Release, Release.request_id == Request.id)
        .join(Publication, Publication.request_id == Request.id)
        .join(Showing, Showing.request_id == Request.id)
        .where(Request.id.not_in(down()))
    )


def found(session: Session, sha256: str, watermark: int | None = None) -> tuple[str, Release] | None:
    """What a file has to do with the public: released (these bytes are shown), approved (a signed copy of these bytes is), copy (its
    watermark is that of a video which is), taken down (it was one of the three). The best that is true."""
    ended = set(session.scalars(down()))
    answers = []
    for kind, same in (("released", Publication.sha256 == sha256), ("approved", Release.sha256 == sha256),
                       ("copy", Publication.watermark == watermark)):
        if kind == "copy" and watermark is None:
            continue
        matches = session.scalars(select(Release).join(Publication, Publication.request_id == Release.request_id).where(same))
        answers += [(kind, match) for match in matches]
    living = [answer for answer in answers if answer[1].request_id not in ended]
    return living[0] if living else ("taken down", answers[0][1]) if answers else None


def state(session: Session, file: File) -> str:
    """The request's state; once it is released, public, taken down, or takedown appealed."""
    if file.takedown:
        return "takedown appealed" if file.contested else "taken down"
    return "public" if session.get(Publication, file.request.id) else file.state


def appeal_until(session: Session, file: File) -> int | None:
    """Until when a refusal, or a takedown by an operator, can be appealed against; None where it cannot."""
    if file.appealable_since is None:
        return None
    until = file.appealable_since + session.get(Policy, file.request.policy).appeal_days * DAY
    return until if now() <= until else None


def over(session: Session) -> list[str]:
    """Requests whose release has ended for good: by their artist, or by an operator where no appeal waits or is still possible."""
    return [
        file.request.id for file in files(session) if file.takedown and not file.contested and appeal_until(session, file) is None
    ]


def wanted(session: Session) -> set[str]:
    """Videos whose files are not to leave: somebody is to look at them, or their artist may yet release them, or appeal."""
    published, found = set(session.scalars(select(Publication.request_id))), set()
    for file in files(session):
        if file.request.id in published:
            continue  # what is decided after that is about the copy, which is held for itself
        if file.waits or appeal_until(session, file) or file.state == "approved":
            found.add(file.request.video_id)
    return found


# Reasons.


def reasons(session: Session, by: Actor, request_id: str) -> list[dict]:
    """The statements of reasons of a refusal, and of those who upheld a takedown, one a look, in the fields of the EU's DSA transparency
    database. Raises NotYours.

    Beside those fields, `times` says where in the video it is, and `reviewer` is a pseudonym.
    """
    file = own(session, by, request_id)
    policy = session.get(Policy, file.request.policy)
    refused = "second" in file.looks and file.looks["second"].verdict == "refuse" and file.state != "approved"
    stages = [*(("first", "second", "appeal") if refused else ()), *(made.stage for made in file.takedowns)]
    looks = [file.looks[stage] for stage in stages if stage in file.looks]
    return [_reasons(file, policy, made) for made in looks if made.verdict == "refuse"]


def _reasons(file: File, policy: Policy, made: Look) -> dict:
    name, visibility, when = made.stage, dsa.DISABLED, "before its release to the public"
    if review.about_takedown(made.stage):
        name, visibility, when = f"{made.stage.replace(' ', '-')}-appeal", dsa.REMOVED, "on appeal, after its public copy was taken down"
    facts = f"The file with SHA-256 {file.request.sha256} was looked at by a person {when}."
    said = dsa.statement(
        f"{file.request.id}-{name}", visibility, policy, made.ground, made.explanation, facts, day_of(file.request.requested_at),
        day_of(made.looked_at),
    )
    return said | {"times": made.times, "reviewer": pseudonym(made.reviewer)}


def statements(session: Session, by: Actor, since: int = 0) -> list[dict]:
    """One statement for each refusal and each takedown by an operator since then, for the DSA transparency database. Raises NotYours."""
    by.require_operator()
    made = []
    for file in files(session):
        second = file.looks.get("second")
        if second and second.verdict == "refuse" and second.looked_at >= since:
            made.append((second.looked_at, _refusal(file, session.get(Policy, file.request.policy))))
        down_since = [ended for ended in file.takedowns if ended.ground is not None and ended.taken_at >= since]
        made += [(ended.taken_at, _removal(session, file, ended)) for ended in down_since]
    return [said for _, said in sorted(made, key=lambda one: (one[0], one[1]["puid"]))]


def takedown(session: Session, by: Actor, request_id: str) -> dict | None:
    """The statement of reasons of the last takedown by an operator, for the artist, also when it was overturned since; None where there was
    none. Raises NotYours."""
    file = own(session, by, request_id)
    by_operators = [made for made in file.takedowns if made.ground is not None]
    return _removal(session, file, by_operators[-1]) if by_operators else None


def _removal(session: Session, file: File, made: Takedown) -> dict:
    """A takedown; and since when it does not hold any more, if it was overturned."""
    asked, at = file.request, file.overturned_at(made)
    facts = f"The public copy of the file with SHA-256 {asked.sha256} was taken down by a person."
    if made.stage in file.looks:
        what = "upheld" if at is None else "overturned"
        facts += f" On appeal, another person {what} it on {day_of(file.looks[made.stage].looked_at)}."
    return dsa.statement(
        f"{asked.id}-takedown{f'-{made.number}' if made.number > 1 else ''}", dsa.REMOVED, session.get(Policy, asked.policy), made.ground,
        made.explanation, facts, day_of(asked.requested_at), day_of(made.taken_at), at and day_of(at),
    )


def _refusal(file: File, policy: Policy) -> dict:
    """The decision of two who refused, in the second's words; and since when it does not hold any more, if it was overturned."""
    first, second, asked = file.looks["first"], file.looks["second"], file.request
    facts = [
        f"The file with SHA-256 {asked.sha256} was looked at before its release to the public by two persons, each alone.",
        f"The first refused it on ground {first.ground}, the second on ground {second.ground}.",
        f"Seconds of the video: {', '.join(f'{start:g} to {end:g}' for start, end in second.times)}.",
    ]
    overturned = None
    if "appeal" in file.looks and file.looks["appeal"].verdict == "approve":
        overturned = day_of(file.looks["appeal"].looked_at)
        facts.append(f"On appeal, a third person overturned it on {overturned}.")
    elif file.state == "approved":  # nobody answered the appeal in time
        overturned = day_of(file.escalations["appeal"].escalated_at)
    return dsa.statement(
        f"{asked.id}-refusal", dsa.DISABLED, policy, second.ground, second.explanation, " ".join(facts), day_of(asked.requested_at),
        day_of(second.looked_at), overturned,
    )


def pseudonym(reviewer: str) -> str:
    """The same for the same reviewer, and nobody's name."""
    return f"reviewer-{hmac.new(secret('reviewers-secret'), reviewer.encode(), 'sha256').hexdigest()[:8]}"
