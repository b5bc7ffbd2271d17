"""Videos as those who speak about them see them: what a remark keeps of a video, and the files of a comparison, without what tells them
apart."""

import json
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.programme import feedback, people
from lanterne.programme.feedback import Comparison, Said, Seen, Subject
from lanterne.programme.pay import Actor, NotYours
from lanterne.programme.people import Person
from lanterne.programme.release import Release, down
from lanterne.programme.review import Request
from lanterne.service.database import Database, File, Video
from lanterne.service.deployment import Deployment
from lanterne.service.releasing import Lasting

_SAID = ("prompt", "negative_prompt", "seed")  # of the plan, in columns of their own


def still_signed_in(database: Database, cookie: str) -> Lasting:
    """For downloads by who is signed in: they end with the session."""

    def holds() -> bool:
        with database.session() as session:
            return people.who(session, cookie) is not None

    return Lasting(holds)


def seen(session: Session, video_id: str) -> Seen:
    """A finished video that is kept, whoever's it is: the rules of `feedback` say who may speak of it. video_id: or that of its request for
    release, under which the public knows it. Raises NotYours."""
    released = session.get(Request, video_id)
    video_id = released.video_id if released else video_id
    video = session.scalar(select(Video).where(Video.id == video_id, Video.status == "completed"))
    file = session.get(File, (video_id, "video"))
    if video is None or file is None:
        raise NotYours(f"There is no finished video {video_id[:80]!r} among those that you may see; check the id.")
    settings = {name: value for name, value in video.plan.items() if name not in _SAID}
    return Seen(
        video.id, video.owner, file.sha256, float(video.seconds), video.prompt, video.plan.get("negative_prompt") or "",
        video.plan["seed"], video.model, settings, _is_public(session, video_id),
    )


def _is_public(session: Session, video_id: str) -> bool:
    shown = select(Release.request_id).join(Request, Request.id == Release.request_id).where(
        Request.video_id == video_id, Release.request_id.not_in(down())
    )
    return session.scalar(shown.limit(1)) is not None


def change(session: Session, by: Actor, remark_id: str, fields: dict) -> Said:
    """Change one's words by some of their fields; the rest stays. Raises FeedbackError, NotYours."""
    said = feedback.own(session, by, remark_id)
    known = said.content
    if unknown := sorted(fields.keys() - known.keys()):
        raise feedback.FeedbackError(f"A {said.remark.kind} has no {unknown[0]}; it has {', '.join(sorted(known)) or 'nothing any more'}.")
    content = known | fields
    if said.remark.kind == "feedback":
        content = feedback.feedback(session.get(Subject, said.remark.video_id).seconds, **content)
    elif said.remark.kind == "bug":
        content = feedback.bug(**content)
    else:
        content = feedback.preference(**content)
    return feedback.revise(session, by, remark_id, content)


def compared(house: Deployment, session: Session, by: Actor, comparison_id: str, side: str) -> Path:
    """The file of the left or the right video of a comparison. Raises NotYours, LanterneError."""
    asked = feedback.comparison(session, by, comparison_id)
    if side not in ("left", "right"):
        raise LanterneError(f"The side {side[:80]!r} is unknown; give left or right.")
    subject = session.get(Subject, asked.left_id if side == "left" else asked.right_id)
    file = session.get(File, (subject.video_id, "video"))
    if file is None or file.sha256 != subject.sha256:
        raise NotYours(f"The {side} video of {asked.id} is not kept any more; answer another comparison.")
    try:
        return house.store.local(file.sha256)
    except FileNotFoundError:
        raise NotYours(f"The {side} video of {asked.id} is not kept any more; answer another comparison.") from None


def bugs(session: Session) -> list[dict]:
    """What anybody may know of bugs."""
    erased = "@forgotten.invalid"
    people = session.execute(select(Person.id, Person.name, Person.email))
    return feedback.public_bugs(session, {row.id: row.name for row in people if not row.email.endswith(erased)})


def notes_of(text: str) -> list[dict]:
    """Notes as they are given on the command line: a JSON list. Raises LanterneError."""
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        notes = None
    if not isinstance(notes, list) or not all(
        isinstance(note, dict) and set(note) <= {"from", "to", "words", "region"} and isinstance(note.get("region"), dict | None)
        for note in notes
    ):
        raise LanterneError('The notes cannot be read; give JSON such as [{"from": 1, "to": 2.5, "words": "It jumps."}].')
    return notes


def waiting(session: Session) -> list[Said]:
    """What operators have not decided on."""
    everything = feedback.listed(session, feedback.Remark.withdrawn_at.is_(None))
    return [said for said in everything if said.content and said.state in ("open", "confirmed")]


def prompt_of(session: Session, asked: Comparison) -> tuple[str, str]:
    video = session.get(Subject, asked.left_id)
    return video.prompt, video.negative_prompt
