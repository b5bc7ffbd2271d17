"""From an artist's wish to the public: requests for release with the files that they are about.

Whoever acts on a request is told when its file is not there any more, or is not what was asked about. What is released is shown as a copy
into which the approval is signed; the copy is made first, and then release, copy and the log's lines are written in one transaction. So
nothing is ever public unsigned, and a process that dies on the way leaves everything as it was.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lanterne.errors import writing
from lanterne.paths import home
from lanterne.programme import people, release, review, signing
from lanterne.programme.identity import identity
from lanterne.programme.mail import Mail
from lanterne.programme.pay import Actor, NotYours, day_of
from lanterne.programme.release import Publication, Showing, Wishes
from lanterne.programme.review import Escalation, Look, Policy, Request, ReviewError, Takedown, Task
from lanterne.service.database import Database, File, Video
from lanterne.service.deployment import Deployment
from lanterne.service.files import sha256_of
from lanterne.service.holding import forget, hold
from lanterne.service.provenance import GIVEN, number_of
from lanterne.service.watch import send
from lanterne.video import blank_settings

RELEASED = "released"  # the role of the copy that the public is shown; its holder is the request
_BELIEVED = 0.25  # seconds for which a video that is being downloaded is taken to be public still
_log = logging.getLogger("lanterne.releases")


# What artists do.


def ask(deployment: Deployment, by: Actor, video_id: str) -> Request:
    """Ask for the release of a finished video of one's own. Raises ReviewError, NotYours."""
    with deployment.database.session() as session:
        video = session.scalar(select(Video).where(Video.id == video_id, Video.owner == by.person_id))
        if video is None:
            raise NotYours(f"There is no video {video_id[:80]!r} among yours; check the id.")
        if video.status != "completed":
            raise ReviewError(f"The video {video.id} is {video.status}; ask for its release when it is completed.")
        file = session.get(File, (video_id, "video"))
    if file is None or (trouble := _bytes_trouble(deployment, video.id, file.sha256)):
        raise (trouble if file else ReviewError(f"The file of {video.id} is not kept any more; make the video again."))
    with deployment.database.session() as session:
        return review.request(session, by, video.id, file.sha256, video.seconds)


def appeal(deployment: Deployment, by: Actor, request_id: str, words: str) -> review.Appeal | review.TakedownAppeal:
    """Against a refusal, or a takedown by an operator; operators are told where no reviewer may answer it. Raises ReviewError, NotYours."""
    with _about(deployment, request_id) as session:
        made = review.appeal(session, by, request_id, words)
        letters = _stalled(session, request_id)
    send(deployment.settings.post, letters)
    return made


def publish(deployment: Deployment, by: Actor, request_id: str, wishes: Wishes, with_prompt: bool = False) -> Publication:
    """Show what was approved to the public. with_prompt: tell the video's prompt, too. Again with the same wishes, it gives the same.
    Raises ReviewError, NotYours."""
    with deployment.database.session() as session:
        asked = review.file_of(session, request_id).request
        release.require_approval(session, by, request_id, asked.sha256)
        if done := session.get(Publication, request_id):
            release.require_same(session, request_id, wishes, with_prompt)
            return done
    with _copy(deployment, asked, with_prompt) as (path, number), deployment.database.session() as session:
        video = _video(session, asked)
        if with_prompt:
            prompt = "".join(letter for letter in video.prompt if letter.isprintable() or letter in "\n\t")
            wishes = Wishes(wishes.title, prompt, wishes.credit)
        release.release(session, by, request_id, asked.sha256, wishes)
        return _show(session, deployment, asked, path, number)


def take_down(
    deployment: Deployment, by: Actor, request_id: str, ground: str | None = None, explanation: str = ""
) -> Takedown:
    """End a release; whoever is downloading it is cut. The copy goes once no appeal can bring it back. Raises ReviewError, NotYours."""
    with deployment.database.session() as session:
        made = release.take_down(session, by, request_id, ground, explanation)
        asked = session.get(Request, request_id)
        letters = []
        if made.ground is None:
            forget(session, deployment, request_id)
        else:
            policy = session.get(Policy, asked.policy)
            until = day_of(made.taken_at + policy.appeal_days * 86400)
            said = (
                f"{_named(asked)} was taken down.\n\n{made.ground}: {policy.grounds[made.ground]}\n{made.explanation}\n\n"
                f"Until {until} you can appeal; somebody else then decides."
            )
            letters = _to(session, asked.artist_id, "Your video was taken down", said)
    send(deployment.settings.post, letters)
    return made


# What reviewers do.


def queue(deployment: Deployment, by: Actor) -> list[Task]:
    """What this reviewer may look at; not what is not there any more."""
    with deployment.database.session() as session:
        about = {}
        for task in review.queue(session, by):
            about[task] = _subject(session, session.get(Request, task.request_id), task.takedown is not None)
        there = set(session.execute(select(File.holder, File.role, File.sha256).where(
            File.holder.in_([subject[0] for subject in about.values()])
        )).tuples())
    return [replace(task, sha256=subject[2]) for task, subject in about.items() if subject in there]


def claim(deployment: Deployment, by: Actor, request_id: str) -> Task:
    with _about(deployment, request_id) as session:
        task = review.claim(session, by, request_id)
        return replace(task, sha256=_subject(session, session.get(Request, request_id), task.takedown is not None)[2])


def claimed_file(deployment: Deployment, by: Actor, request_id: str) -> tuple[File, Path]:
    """The file, for whoever has claimed it and as long as they have. Raises ReviewError."""
    with deployment.database.session() as session:
        asked = review.require_claim(session, by, request_id)
        down = review.file_of(session, request_id).takedown is not None
        file = _row(session, asked, down)
    return file, _local(deployment, asked.id, file.sha256)


def look(
    deployment: Deployment, by: Actor, request_id: str, approve: bool, ground: str | None = None, explanation: str = "", times=(),
) -> Look:
    """A reviewer's verdict; the artist is told what it decides, and operators where no reviewer is left for the next look. Raises
    ReviewError, NotYours."""
    with _about(deployment, request_id) as session:
        made = review.look(session, by, request_id, approve, ground, explanation, times)
        letters = _verdict(session, made) + _stalled(session, request_id)
    send(deployment.settings.post, letters)
    return made


# What is public.


def public_file(deployment: Deployment, request_id: str) -> tuple[File, Path] | None:
    """What anybody may fetch under this name: the signed copy of what was approved, while its release lasts."""
    with deployment.database.session() as session:
        if (shown := release.shown(session, request_id)) is None:
            return None
        file = session.get(File, (request_id, RELEASED))
    if file is None or file.sha256 != shown.sha256:
        return None
    with suppress(FileNotFoundError):
        return file, deployment.store.local(file.sha256)
    _log.error("the store does not have the public copy of %s", request_id)
    return None


class Lasting:
    """For downloads: whether what opened one still holds, looked up anew every quarter of a second."""

    def __init__(self, holds: Callable[[], bool]):
        self._holds, self._at = holds, time.monotonic()

    async def still_opens(self, _) -> bool:
        if time.monotonic() - self._at < _BELIEVED:
            return True
        try:
            holds = await to_thread.run_sync(self._holds)
        except SQLAlchemyError:
            return True  # a database that does not answer takes nothing down
        self._at = time.monotonic()
        return holds


def is_shown(database: Database, request_id: str) -> bool:
    with database.session() as session:
        return release.shown(session, request_id) is not None


def is_claimed(database: Database, by: Actor, request_id: str) -> bool:
    with database.session() as session:
        try:
            review.require_claim(session, by, request_id)
        except ReviewError:
            return False
    return True


# What comes round by itself.


def look_after(deployment: Deployment) -> None:
    """What is due about requests and releases; done by every worker every minute or so, and each thing once."""
    with deployment.database.session() as session:
        due = bool(review.late(session))
    if due:
        escalate(deployment)
    with deployment.database.session() as session:
        unpublished = [(asked, bool(session.get(Showing, asked.id).prompt)) for asked in release.unpublished(session)]
        over = select(File.holder).where(File.role == RELEASED, File.holder.in_(release.over(session)))
        for request_id in session.scalars(over).all():
            forget(session, deployment, request_id)
    for asked, with_prompt in unpublished:  # of a version that made no copies
        with suppress(ReviewError), _copy(deployment, asked, with_prompt) as (path, number), deployment.database.session() as session:
            _video(session, asked)
            _show(session, deployment, asked, path, number)


def escalate(deployment: Deployment) -> list[Escalation]:
    """Give the remedy for every deadline that passed, and tell artists and operators."""
    with deployment.database.session() as session:
        gone = [file.request.id for file in review.late(session) if not file.contested and _row_trouble(session, file.request)]
        made = review.escalate(session, gone)
        letters = [letter for escalation in made for letter in _lateness(session, escalation)]
    send(deployment.settings.post, letters)
    return made


# Files.


@contextmanager
def _about(deployment: Deployment, request_id: str) -> Iterator[Session]:
    """A transaction about a request whose file is there, byte for byte. Who has no right to what they do in it is told that first."""
    with deployment.database.session() as session:
        asked = session.get(Request, request_id)
        down = asked and review.file_of(session, request_id).takedown is not None  # now: the decision may end it
        subject = asked and _subject(session, asked, down)
    trouble = asked and _bytes_trouble(deployment, request_id, subject[2])  # before: a transaction must not wait for a bucket
    with deployment.database.session() as session:
        yield session
        if trouble := asked and (_row_trouble(session, asked, down) or trouble):
            raise trouble


def _subject(session: Session, asked: Request, down: bool) -> tuple[str, str, str]:
    """(holder, role, SHA-256) of the file that a decision on a request is about: the one that was asked about, or its public copy, where
    that was taken down."""
    shown = session.get(Publication, asked.id) if down else None
    return (asked.id, RELEASED, shown.sha256) if shown else (asked.video_id, "video", asked.sha256)


def _row_trouble(session: Session, asked: Request, down: bool = False) -> ReviewError | None:
    holder, role, sha256 = _subject(session, asked, down)
    if role == RELEASED:
        copy = session.get(File, (holder, role), populate_existing=True)
        if copy is None or copy.sha256 != sha256:
            return ReviewError(f"The public copy of {asked.id} is not kept any more; its takedown stays.")
        return None
    video = session.scalar(select(Video.id).where(Video.id == asked.video_id, Video.owner == asked.artist_id))
    if video is None:
        return ReviewError(f"The video of {asked.id} was deleted; nothing can be decided on it or shown of it any more.")
    file = session.get(File, (asked.video_id, "video"), populate_existing=True)
    if file is None:
        return ReviewError(f"The file of {asked.id} is not kept any more; nothing can be decided on it or shown of it.")
    if file.sha256 != asked.sha256:
        return ReviewError(f"The file of {asked.id} is another than was asked about; ask for the release of the new one.")
    return None


def _bytes_trouble(deployment: Deployment, name: str, sha256: str) -> ReviewError | None:
    try:
        path = deployment.store.local(sha256)
        if sha256_of(path) == sha256:
            return None
    except FileNotFoundError:
        return ReviewError(f"The file of {name} is not kept any more; nothing can be decided on it or shown of it.")
    return ReviewError(f"The file of {name} was changed: its bytes are not those that were asked about; nothing can be decided.")


def _row(session: Session, asked: Request, down: bool = False) -> File:
    if trouble := _row_trouble(session, asked, down):
        raise trouble
    return session.get(File, _subject(session, asked, down)[:2])


def _video(session: Session, asked: Request) -> Video:
    """The video, while its file is the one that was asked about."""
    _row(session, asked)
    return session.scalar(select(Video).where(Video.id == asked.video_id))


def _local(deployment: Deployment, name: str, sha256: str) -> Path:
    try:
        return deployment.store.local(sha256)
    except FileNotFoundError:
        raise ReviewError(f"The file of {name} is not kept any more; nothing can be decided on it or shown of it.") from None


@contextmanager
def _copy(deployment: Deployment, asked: Request, with_prompt: bool) -> Iterator[tuple[Path, int]]:
    """What the public is to get: the approved file with the approval signed into it, ready to be held; and its watermark's number.
    Without the prompt, the settings that our files carry are taken out.

    Raises ReviewError where the file is not what was approved any more, WriteError, StoreError.
    """
    who = identity()
    with deployment.database.session() as session:
        file, video = review.file_of(session, asked.id), _video(session, asked)
        given = list(session.scalars(select(File).where(File.holder == video.id, File.role.in_(GIVEN))))
        number, approval = number_of(who.watermark_secret, video, given), _approval(file)
    if trouble := _bytes_trouble(deployment, asked.id, asked.sha256):
        raise trouble
    work = home() / "work"
    with writing(work):
        work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="release-", dir=work) as folder:
        approved, content, path = _local(deployment, asked.id, asked.sha256), None, Path(folder) / "video.mp4"
        if not with_prompt:
            content = Path(folder) / "content.mp4"
            with writing(content):
                shutil.copyfile(approved, content)
            blank_settings(content)
        signing.approve(approved, path, approval, who, deployment.settings.timestamp_url, content)
        deployment.store.send_ahead(path)
        yield path, number


def _approval(file: review.File) -> dict:
    """What is signed into the copy: by which policy, on which day, by whom (a pseudonym, or nobody in time)."""
    looks = [look for stage, look in sorted(file.looks.items()) if look.verdict == "approve" and stage != "blind"]
    if looks:
        decided, by = looks[0].looked_at, release.pseudonym(looks[0].reviewer)
    else:
        decided, by = next(late.escalated_at for late in file.escalations.values() if late.remedy == "release"), "deadline"
    return {"request": file.request.id, "policy": file.request.policy, "day": day_of(decided), "by": by}


def _show(session: Session, deployment: Deployment, asked: Request, path: Path, number: int) -> Publication:
    sha256 = sha256_of(path)
    made = release.publish(session, asked.id, sha256, number)
    if made.sha256 == sha256:  # and not somebody else's, who was quicker
        hold(session, deployment, asked.id, {RELEASED: (path, "video/mp4")})
    return made


# Letters.


def _verdict(session: Session, made: Look) -> list[Mail]:
    """What the artist is told of a look: nothing while a second one is to come, nor of blind ones."""
    file = review.file_of(session, made.request_id)
    asked = file.request
    if made.stage == "blind" or (made.stage == "first" and made.verdict == "refuse"):
        return []
    if review.about_takedown(made.stage):
        return _takedown_verdict(session, file, made)
    if made.verdict == "approve":
        how = "Your appeal was right" if made.stage == "appeal" else "Your video was approved"
        words = f"\n\nThe reviewer says: {made.explanation}" if made.explanation else ""
        said = f"{_named(asked)} was approved. It is not public yet: you release it, when you want to.{words}"
        return _to(session, asked.artist_id, how, said)
    policy = session.get(Policy, asked.policy)
    reasons = "\n\n".join(_reason(policy, file.looks[stage]) for stage in ("first", "second", "appeal") if stage in file.looks)
    if made.stage == "appeal":
        return _to(session, asked.artist_id, "Your appeal was decided", f"The refusal of {_named(asked)} stays.\n\n{reasons}")
    until = day_of(made.looked_at + policy.appeal_days * 86400)
    said = f"{_named(asked)} was refused, for these reasons.\n\n{reasons}\n\nUntil {until} you can appeal; somebody else then decides."
    return _to(session, asked.artist_id, "Your video was refused", said)


def _takedown_verdict(session: Session, file: review.File, made: Look) -> list[Mail]:
    """What the artist is told of the answer to an appeal against a takedown."""
    if made.verdict == "approve":
        said = f"{_named(file.request)} is public again.\n\nThe reviewer says: {made.explanation}"
        return _to(session, file.request.artist_id, "Your appeal was right", said)
    reason = _reason(session.get(Policy, file.request.policy), made)
    said = f"The takedown of {_named(file.request)} stays.\n\n{reason}"
    return _to(session, file.request.artist_id, "Your appeal was decided", said)


def _reason(policy: Policy, made: Look) -> str:
    where = ", ".join(f"{start:g} to {end:g}" for start, end in made.times)
    return f"{made.ground}: {policy.grounds[made.ground]}\n{made.explanation}\nSeconds {where}, says {release.pseudonym(made.reviewer)}."


def _lateness(session: Session, late: Escalation) -> list[Mail]:
    asked = session.get(Request, late.request_id)
    policy = session.get(Policy, asked.policy)
    remedy = {
        "credit": "You are owed what the policy promises for that, and the decision is still to come.",
        "release": "So it counts as approved: you release it, when you want to.",
    }
    what = late.what
    if review.about_takedown(what):
        what, remedy["release"] = f"appeal against {what}", "So the takedown has ended, and it is public again."
    said = f"The {what} about {_named(asked)} was not decided in time. {remedy[policy.remedy]}"
    letters = _to(session, asked.artist_id, "A deadline of ours passed", said)
    overdue = f"The {what} {asked.id} was not decided in time; the remedy was given: {late.remedy}."
    return letters + _to_operators(session, f"Overdue: {asked.id}", overdue)


def _stalled(session: Session, request_id: str) -> list[Mail]:
    """What operators are told where somebody is to decide, and no reviewer may."""
    file = review.file_of(session, request_id)
    if not review.stalled(file, review.reviewers(session)):
        return []
    said = (
        f"{_named(file.request)} is to be decided on by {day_of(file.due_at)}, and no reviewer may: all have looked at it, took it down, "
        "or asked for it. Give somebody else the role reviewer."
    )
    return _to_operators(session, f"No reviewer is left: {request_id}", said)


def _named(asked: Request) -> str:
    return f"The video {asked.video_id} (request {asked.id})"


def _to(session: Session, person_id: str, subject: str, said: str) -> list[Mail]:
    person = session.get(people.Person, person_id)
    return [Mail(person.email, subject, f"{said}\n")] if person and person.closed_at is None else []


def _to_operators(session: Session, subject: str, said: str) -> list[Mail]:
    operators = [one for one in people.listed(session) if one.closed_at is None and "operator" in one.roles]
    return [Mail(one.email, subject, f"{said}\n") for one in operators]
