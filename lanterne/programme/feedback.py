"""What artists say: feedback on a video, bugs, and which of two videos they prefer. Never gated, never looked at before it counts.

What somebody says is a *remark*. It is theirs: they change it, which keeps what it was as a version, and withdraw it. An operator, never
its author, accepts or declines it, the latter with a reason that its author can contest, so that somebody else decides; what is accepted
is paid by the rate card, once. What a remark is about is kept, so that it can be understood when the video is gone.
"""

import json
import math
import secrets
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, ForeignKeyConstraint, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError
from lanterne.programme import audit, consent, ledger, pay
from lanterne.programme.pay import Actor, Entry, NotByYou, NotYours, text
from lanterne.tables import Base, now

KINDS = ("feedback", "bug", "preference")
VOCABULARY = 1  # the version of TAGS that a remark is written with; a change of TAGS is a new version
TAGS = (
    "prompt-followed", "prompt-missed", "motion-good", "motion-stiff", "motion-jumpy", "flicker", "camera-as-asked", "camera-wrong",
    "colours-good", "colours-off", "detail-soft", "seam-visible", "composition-good", "surprising", "usable-as-it-is",
)
CHOICES = ("left", "right", "equal")
CREDITS = ("name", "pseudonym")
MOST_NOTES = 100
# What an operator may make of a remark, by what it is now. A contest opens it again.
NEXT = {
    "bug": {"open": ("confirmed", "declined"), "confirmed": ("fixed", "declined")},
    "feedback": {"open": ("accepted", "declined")},
    "preference": {"open": ("accepted", "declined")},
}
_PAID_AS = {"bug": "bug", "feedback": "feedback", "preference": "feedback"}


class FeedbackError(LanterneError):
    """Something that cannot be said, or decided, in one sentence."""


class Subject(Base):
    """A video that something was said about, as it was then. prompt: the maker's own words; blank once they were erased."""

    __tablename__ = "remark_videos"
    video_id: Mapped[str] = mapped_column(primary_key=True)
    maker_id: Mapped[str] = mapped_column(index=True)
    sha256: Mapped[str]
    seconds: Mapped[float] = mapped_column(Float(53))
    prompt: Mapped[str]
    negative_prompt: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    model: Mapped[str]
    made_with: Mapped[str]  # canonical JSON of the rest that the model was asked for
    noted_at: Mapped[int]


class Comparison(Base):
    """Two videos of one prompt, for one person to choose between; which is left is by chance, and neither's seed or model is shown."""

    __tablename__ = "comparisons"
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(index=True)  # who is asked
    asked_by: Mapped[str]
    left_id: Mapped[str] = mapped_column(ForeignKey("remark_videos.video_id"))
    right_id: Mapped[str] = mapped_column(ForeignKey("remark_videos.video_id"))
    asked_at: Mapped[int]
    __table_args__ = (
        UniqueConstraint("id", "person_id", name="comparison_of"),
        CheckConstraint("left_id <> right_id", name="comparison_of_two"),
    )


class Remark(Base):
    """What somebody said. video_id: what feedback is about, and where a bug was seen, if it was. comparison_id: of a preference."""

    __tablename__ = "remarks"
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    video_id: Mapped[str | None] = mapped_column(ForeignKey("remark_videos.video_id"), index=True)
    comparison_id: Mapped[str | None] = mapped_column(unique=True)
    said_at: Mapped[int]
    withdrawn_at: Mapped[int | None]
    __table_args__ = (
        ForeignKeyConstraint(["comparison_id", "person_id"], ["comparisons.id", "comparisons.person_id"]),
        UniqueConstraint("id", "person_id", name="remark_of"),
        CheckConstraint(
            "kind = 'feedback' AND video_id IS NOT NULL AND comparison_id IS NULL OR kind = 'bug' AND comparison_id IS NULL "
            "OR kind = 'preference' AND video_id IS NULL AND comparison_id IS NOT NULL", name="remark_about",
        ),
    )


class Version(Base):
    """A remark's words, first and as they were changed. content: canonical JSON by the remark's kind; blank once it was erased."""

    __tablename__ = "remark_versions"
    remark_id: Mapped[str] = mapped_column(ForeignKey("remarks.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[str]
    vocabulary: Mapped[int]
    written_at: Mapped[int]


class Verdict(Base):
    """What became of a remark. decider: None where its author opened it again, and `reason` is then why."""

    __tablename__ = "remark_verdicts"
    remark_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    decider: Mapped[str | None]
    decided_at: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(["remark_id", "person_id"], ["remarks.id", "remarks.person_id"]),
        CheckConstraint("decider <> person_id", name="remark_verdict_not_on_oneself"),
        CheckConstraint("state <> 'declined' OR length(trim(reason)) > 0", name="remark_verdict_reason"),
        CheckConstraint("(state = 'open') = (decider IS NULL)", name="remark_verdict_contest"),
    )


@dataclass(frozen=True)
class Seen:
    """A finished video, as the service knows it. settings: what else the model was asked for. public: whether anybody may see it."""

    video_id: str
    maker_id: str
    sha256: str
    seconds: float
    prompt: str
    negative_prompt: str
    seed: int
    model: str
    settings: dict
    public: bool


@dataclass
class Said:
    """A remark with all that happened to it."""

    remark: Remark
    versions: list[Version] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def content(self) -> dict:
        """The words that count now; nothing where they were erased."""
        return json.loads(self.versions[-1].content or "{}")

    @property
    def state(self) -> str:
        """open, confirmed, fixed, accepted, declined or withdrawn."""
        if self.remark.withdrawn_at is not None:
            return "withdrawn"
        return self.verdicts[-1].state if self.verdicts else "open"


# Saying.


def say(
    session: Session, by: Actor, video: Seen, *, rating: int | None = None, tags: list[str] | None = None, notes: list[dict] | None = None,
    words: str = "",
) -> Said:
    """Feedback on a video of one's own, or of a comparison, or that is public. notes: [{"from", "to", "words", "region"}], seconds of the
    video and shares (x, y, w, h) of its frame. Raises FeedbackError, NotYours."""
    audit.take_turn(session)
    _may_see(session, by, video)
    return _open(session, by, "feedback", feedback(video.seconds, rating, tags or [], notes or [], words), video=video)


def report_bug(session: Session, by: Actor, title: str, words: str, credit: str, video: Seen | None = None) -> Said:
    """A bug. The title and its state are public, and who found it under the name that they choose; the rest is for operators."""
    audit.take_turn(session)
    if video is not None:
        _may_see(session, by, video)
    return _open(session, by, "bug", bug(title, words, credit), video=video)


def ask(session: Session, by: Actor, person_id: str, first: Seen, second: Seen) -> Comparison:
    """Ask somebody, such as oneself, which of two videos they prefer. Of their own or of who is asked; operators may ask others.

    Raises FeedbackError, NotYours.
    """
    audit.take_turn(session)
    person_id = ledger.person(person_id)
    if person_id != by.person_id:
        by.require_operator()
    for video in (first, second):
        if video.maker_id not in (by.person_id, person_id):  # what is shown are the private bytes, and the prompt beside them
            raise NotYours(f"There is no video {video.video_id[:80]!r} that you may show; give one of your own, or of who is asked.")
    if first.video_id == second.video_id or first.sha256 == second.sha256:
        raise FeedbackError("These are the same bytes; give two videos that differ.")
    if (first.prompt, first.negative_prompt) != (second.prompt, second.negative_prompt):
        raise FeedbackError("The two videos have different prompts; a preference is between two videos of the same.")
    left, right = (first, second) if secrets.randbelow(2) else (second, first)
    for video in (left, right):
        _note(session, video)
    made = Comparison(
        id=f"cmp_{secrets.token_hex(8)}", person_id=person_id, asked_by=by.person_id, left_id=left.video_id, right_id=right.video_id,
        asked_at=now(),
    )
    session.add(made)
    session.flush()
    audit.append(session, "feedback.asked", {"comparison": made.id, "person": person_id, "by": by.person_id}, person_id)
    return made


def prefer(session: Session, by: Actor, comparison_id: str, choice: str, words: str) -> Said:
    """Answer a comparison: left, right or equal, and why. Raises FeedbackError, NotYours."""
    audit.take_turn(session)
    asked = comparison(session, by, comparison_id)
    found = session.scalar(select(Remark).where(Remark.comparison_id == asked.id))
    if found is not None:
        raise FeedbackError(f"You answered {asked.id} before, as {found.id}; change that.")
    return _open(session, by, "preference", preference(choice, words), comparison=asked)


def revise(session: Session, by: Actor, remark_id: str, content: dict) -> Said:
    """Change one's words; what they were is kept. content: as the kind's own function makes it. Raises NotYours, FeedbackError."""
    audit.take_turn(session)
    said = own(session, by, remark_id)
    if said.remark.withdrawn_at is not None:
        raise FeedbackError(f"{said.remark.id} was withdrawn; say it anew.")
    if said.content != content:
        _write(session, said, content)
        audit.append(session, "feedback.changed", {"remark": said.remark.id, "version": len(said.versions)}, by.person_id)
    return said


def withdraw(session: Session, by: Actor, remark_id: str) -> Said:
    """Take back what one said: it is shown to nobody else and in no data set from then on. What was paid for it stays paid."""
    audit.take_turn(session)
    said = own(session, by, remark_id)
    if said.remark.withdrawn_at is None:
        said.remark.withdrawn_at = now()
        session.flush()
        audit.append(session, "feedback.withdrawn", {"remark": said.remark.id}, by.person_id)
    return said


def feedback(seconds: float, rating: int | None, tags: list[str], notes: list[dict], words: str) -> dict:
    """The content of feedback on a video of so many seconds. Raises FeedbackError."""
    if rating is not None and (type(rating) is not int or not 1 <= rating <= 5):
        raise FeedbackError(f"rating={rating!r} cannot be given; give a whole number from 1 to 5, or none.")
    for tag in tags:
        if tag not in TAGS:
            known = ", ".join(TAGS)
            raise FeedbackError(f"The tag {str(tag)[:80]!r} is not in version {VOCABULARY} of the vocabulary; give some of {known}.")
    if len(notes) > MOST_NOTES:
        raise FeedbackError(f"There are {len(notes)} notes and may be {MOST_NOTES}; say the rest in words.")
    content = {
        "rating": rating, "tags": sorted(set(tags)), "notes": [_noted(note, seconds) for note in notes],
        "words": text(words, "feedback", 10_000),
    }
    if rating is None and not (content["tags"] or content["notes"] or content["words"]):
        raise FeedbackError("This says nothing; give a rating, tags, notes or words.")
    return content


def _noted(note: dict, seconds: float) -> dict:
    start, end, region = note.get("from"), note.get("to"), note.get("region")
    if not (_is_number(start) and _is_number(end) and 0 <= start <= end <= seconds):
        raise FeedbackError(f"The time code {[start, end]} is not in the video; give from and to within {seconds:g} seconds.")
    if region is not None:
        shares = [region.get(name) for name in ("x", "y", "w", "h")]
        if not all(map(_is_number, shares)) or not _in_frame(*shares):
            raise FeedbackError(f"The region {shares} is not in the frame; give x, y, w and h as shares of it, from 0 to 1 together.")
        region = dict(zip(("x", "y", "w", "h"), shares, strict=True))
    return {"from": start, "to": end, "words": text(note.get("words", ""), "note", 2000), "region": region}


def _in_frame(x: float, y: float, w: float, h: float) -> bool:
    return min(x, y) >= 0 and min(w, h) > 0 and max(x + w, y + h) <= 1 + 1e-9


def _is_number(value) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def bug(title: str, words: str, credit: str) -> dict:
    if credit not in CREDITS:
        raise FeedbackError(f"The credit {str(credit)[:80]!r} is unknown; give one of {', '.join(CREDITS)}.")
    return {"title": text(title, "title", 200, needed=True), "words": text(words, "report", 10_000, needed=True), "credit": credit}


def preference(choice: str, words: str) -> dict:
    if choice not in CHOICES:
        raise FeedbackError(f"The choice {str(choice)[:80]!r} is unknown; give one of {', '.join(CHOICES)}.")
    return {"choice": choice, "words": text(words, "reason", 4000, needed=True)}


def _may_see(session: Session, by: Actor, video: Seen) -> None:
    if video.public or video.maker_id == by.person_id:
        return
    pairs = session.scalars(select(Comparison).where(Comparison.person_id == by.person_id))
    if not any(video.video_id in (one.left_id, one.right_id) for one in pairs):
        raise NotYours(f"There is no video {video.video_id[:80]!r} among those that you may see; check the id.")


def _open(
    session: Session, by: Actor, kind: str, content: dict, video: Seen | None = None, comparison: Comparison | None = None
) -> Said:
    ledger.person(by.person_id)
    if video is not None:
        _note(session, video)
    said = Said(Remark(
        id=f"{kind}_{secrets.token_hex(8)}", person_id=by.person_id, kind=kind, video_id=video and video.video_id,
        comparison_id=comparison and comparison.id, said_at=now(), withdrawn_at=None,
    ))
    session.add(said.remark)
    session.flush()
    _write(session, said, content)
    audit.append(session, f"feedback.{kind}", {"remark": said.remark.id, "person": by.person_id}, by.person_id)
    return said


def _write(session: Session, said: Said, content: dict) -> None:
    version = Version(
        remark_id=said.remark.id, number=len(said.versions) + 1, content=_canonical(content), vocabulary=VOCABULARY, written_at=now()
    )
    session.add(version)
    session.flush()
    said.versions.append(version)


def _note(session: Session, video: Seen) -> None:
    if session.get(Subject, video.video_id) is None:
        session.add(Subject(
            video_id=video.video_id, maker_id=video.maker_id, sha256=video.sha256, seconds=video.seconds, prompt=video.prompt,
            negative_prompt=video.negative_prompt, seed=video.seed, model=video.model, made_with=_canonical(video.settings), noted_at=now(),
        ))
        session.flush()


def _canonical(content: dict) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)


# What becomes of it.


def decide(session: Session, by: Actor, remark_id: str, state: str, reason: str = "", card: str | None = None) -> Said:
    """Accept, confirm, mark as fixed, or decline with a reason. What is accepted or confirmed is paid as the card says, once; a card that
    pays nothing for it pays nothing. Raises NotYours on one's own, or twice after a contest; FeedbackError."""
    audit.take_turn(session)
    by.require_operator()
    said = get(session, remark_id)
    remark = said.remark
    if by.person_id == remark.person_id:
        raise NotByYou(f"{remark.id} is your own; somebody else decides on it.")
    allowed = NEXT[remark.kind].get(said.state, ())
    if state not in allowed:
        what = f"give one of {', '.join(allowed)}" if allowed else "nothing more is decided on it"
        raise FeedbackError(f"{remark.id} is {said.state} and cannot become {state[:80]}; {what}.")
    if said.state == "open" and any(by.person_id == one.decider for one in said.verdicts):
        raise NotByYou(f"You decided on {remark.id} before; since it was contested, somebody else does.")
    _judge(session, said, state, text(reason, "reason", 4000, needed=state == "declined"), by.person_id)
    if state in ("accepted", "confirmed"):
        _pay(session, by, said, card)
    return said


def contest(session: Session, by: Actor, remark_id: str, words: str) -> Said:
    """Say against one's remark being declined, once; somebody else then decides. Raises FeedbackError, NotYours."""
    audit.take_turn(session)
    said = own(session, by, remark_id)
    if said.state != "declined" or any(one.decider is None for one in said.verdicts):
        raise FeedbackError(f"{said.remark.id} is {said.state}; what was declined is contested once.")
    _judge(session, said, "open", text(words, "contest", 4000, needed=True), None)
    return said


def _judge(session: Session, said: Said, state: str, reason: str, decider: str | None) -> None:
    made = Verdict(
        remark_id=said.remark.id, number=len(said.verdicts) + 1, person_id=said.remark.person_id, state=state, reason=reason,
        decider=decider, decided_at=now(),
    )
    session.add(made)
    session.flush()
    said.verdicts.append(made)
    audit.append(session, "feedback.decided" if decider else "feedback.contested", {
        "remark": said.remark.id, "number": made.number, "state": state, "reason": reason, "decider": decider,
    }, said.remark.person_id)


def _pay(session: Session, by: Actor, said: Said, card: str | None) -> None:
    kind, remark = _PAID_AS[said.remark.kind], said.remark
    if kind not in pay.card_of(session, remark.person_id, card).rates:
        return
    entry = session.scalar(select(Entry).where(Entry.person_id == remark.person_id, Entry.kind == kind, Entry.subject == remark.id))
    if entry is None:  # its author did not claim it themselves
        entry = pay.claim(session, Actor(remark.person_id), kind, pay.today().isoformat(), subject=remark.id, card=card, key=remark.id)
    case = next(case for case in pay.cases(session, by, remark.person_id) if case.entry.id == entry.id)
    if not case.decisions:
        pay.decide(session, by, entry.id)


# What there is.


def get(session: Session, remark_id: str) -> Said:
    found = listed(session, Remark.id == remark_id)
    if not found:
        raise NotYours(f"There is no remark {str(remark_id)[:80]!r}; check the id.")
    return found[0]


def own(session: Session, by: Actor, remark_id: str) -> Said:
    found = listed(session, Remark.id == remark_id, Remark.person_id == by.person_id)
    if not found:
        raise NotYours(f"There is no remark {str(remark_id)[:80]!r} among yours; check the id.")
    return found[0]


def listed(session: Session, *which) -> list[Said]:
    """Remarks in order of saying; which: conditions on Remark."""
    found = {one.id: Said(one) for one in session.scalars(select(Remark).where(*which).order_by(Remark.said_at, Remark.id))}
    for kind, name in ((Version, "versions"), (Verdict, "verdicts")):
        rows = select(kind).join(Remark, Remark.id == kind.remark_id).where(*which).order_by(kind.remark_id, kind.number)
        for row in session.scalars(rows):
            getattr(found[row.remark_id], name).append(row)
    return list(found.values())


def comparison(session: Session, by: Actor, comparison_id: str) -> Comparison:
    found = session.get(Comparison, comparison_id)
    if found is None or found.person_id != by.person_id:
        raise NotYours(f"There is no comparison {str(comparison_id)[:80]!r} for you; check the id.")
    return found


def comparisons(session: Session, by: Actor) -> list[Comparison]:
    """Those that wait for this person's answer."""
    answered = select(Remark.comparison_id).where(Remark.comparison_id.is_not(None))
    waiting = select(Comparison).where(Comparison.person_id == by.person_id, Comparison.id.not_in(answered))
    return list(session.scalars(waiting.order_by(Comparison.asked_at, Comparison.id)))


def public_bugs(session: Session, names: dict[str, str]) -> list[dict]:
    """What anybody may know of bugs: title, state, the reason of who declined it, and who found it as they want to be called.

    names: {person: name} of the accounts that are open or closed, and not erased.
    """
    shown = []
    for said in listed(session, Remark.kind == "bug", Remark.withdrawn_at.is_(None)):
        content = said.content
        if not content:
            continue  # erased
        person_id = said.remark.person_id
        name = names.get(person_id) if content["credit"] == "name" else None
        shown.append({
            "id": said.remark.id, "title": content["title"], "state": said.state, "reported_at": said.remark.said_at,
            "credit": name or consent.pseudonym(person_id, "credit"),
            "reason": said.verdicts[-1].reason if said.state == "declined" else "",
        })
    return shown


def erase(session: Session, person_id: str) -> None:
    """Take a person's words away: remarks, contests, and the prompts of their videos that others spoke about."""
    mine = select(Remark.id).where(Remark.person_id == person_id)
    session.execute(update(Version).where(Version.remark_id.in_(mine)).values(content=""))
    session.execute(update(Verdict).where(Verdict.remark_id.in_(mine), Verdict.decider.is_(None)).values(reason=""))
    session.execute(update(Remark).where(Remark.person_id == person_id, Remark.withdrawn_at.is_(None)).values(withdrawn_at=now()))
    blank = {"prompt": "", "negative_prompt": "", "made_with": ""}
    session.execute(update(Subject).where(Subject.maker_id == person_id).values(**blank))
