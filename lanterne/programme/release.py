"""What was approved and is shown: releases and their end, the reasons of a refusal, and figures that anybody may know."""

import hmac
from collections import Counter
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import ForeignKey, ForeignKeyConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.paths import secret
from lanterne.programme import audit
from lanterne.programme.pay import Actor, NotYours, day_of, text
from lanterne.programme.review import Look, Policy, Request, ReviewError, check_ground, file_of, files, own
from lanterne.tables import Base, now


class Release(Base):
    """sha256: exactly what was approved."""

    __tablename__ = "releases"
    request_id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    released_at: Mapped[int]
    __table_args__ = (ForeignKeyConstraint(["request_id", "sha256"], ["release_requests.id", "release_requests.sha256"]),)


class Takedown(Base):
    """By the artist, or by an operator with a ground of the policy."""

    __tablename__ = "takedowns"
    request_id: Mapped[str] = mapped_column(ForeignKey("releases.request_id"), primary_key=True)
    taken_by: Mapped[str]
    ground: Mapped[str | None]
    explanation: Mapped[str]
    taken_at: Mapped[int]


def release(session: Session, by: Actor, request_id: str, sha256: str) -> Release:
    """Show to the public what was approved. Raises ReviewError where these bytes were not, NotYours."""
    audit.take_turn(session)
    file = file_of(session, request_id)
    if by.person_id != file.request.artist_id:
        raise NotYours(f"{request_id[:80]!r} is not yours; only who asked for the release can release.")
    if sha256 != file.request.sha256:
        raise ReviewError("These are not the bytes that were asked about; ask for a release of this file.")
    if file.state != "approved":
        raise ReviewError(f"{request_id} is {file.state} and not approved.")
    if found := session.get(Release, request_id):
        if session.get(Takedown, request_id):
            raise ReviewError(f"{request_id} was taken down; it is not released again.")
        return found
    made = Release(request_id=request_id, sha256=sha256, released_at=now())
    session.add(made)
    session.flush()
    audit.append(session, "review.released", {"request": request_id, "sha256": sha256}, by.person_id)
    return made


def take_down(session: Session, by: Actor, request_id: str, ground: str | None = None, explanation: str = "") -> Takedown:
    """End a release: the artist at will, an operator with a ground of the policy and an explanation. Raises ReviewError, NotYours."""
    audit.take_turn(session)
    file = own(session, by, request_id)
    artist, policy = by.person_id == file.request.artist_id, session.get(Policy, file.request.policy)
    if session.get(Release, request_id) is None or session.get(Takedown, request_id):
        raise ReviewError(f"{request_id} is not public; there is nothing to take down.")
    if not artist:
        check_ground(policy, ground)
    made = Takedown(
        request_id=request_id, taken_by=by.person_id, ground=ground, explanation=text(explanation, "explanation", 4000, needed=not artist),
        taken_at=now(),
    )
    session.add(made)
    session.flush()
    audit.append(session, "review.taken_down", {
        "request": request_id, "by": by.person_id, "ground": ground, "explanation": made.explanation
    }, file.request.artist_id)
    return made


def is_public(session: Session, sha256: str) -> bool:
    """Whether exactly these bytes may be shown to anyone."""
    shown = select(Release.request_id).where(Release.sha256 == sha256, Release.request_id.not_in(select(Takedown.request_id)))
    return session.scalar(shown.limit(1)) is not None


def reasons(session: Session, by: Actor, request_id: str) -> list[dict]:
    """A refusal's statements of reasons, one a look, in the fields of the EU's DSA transparency database. Raises NotYours.

    Beside those fields, `times` says where in the video it is, and `reviewer` is a pseudonym.
    """
    file = own(session, by, request_id)
    policy = session.get(Policy, file.request.policy)
    stages = ("first", "second", "appeal") if file.state in ("refused", "appealed") else ()
    return [_reasons(file.request, policy, file.looks[stage]) for stage in stages if stage in file.looks]


def _reasons(asked: Request, policy: Policy, made: Look) -> dict:
    return {
        "puid": f"{asked.id}-{made.stage}",
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_DISABLED"],
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": f"{made.ground}: {policy.grounds[made.ground]} (policy, version {policy.version})",
        "incompatible_content_explanation": made.explanation,
        "incompatible_content_illegal": "No",
        "category": "STATEMENT_CATEGORY_SCOPE_OF_PLATFORM_SERVICE",
        "content_type": ["CONTENT_TYPE_SYNTHETIC_MEDIA"],
        "decision_facts": f"The file with SHA-256 {asked.sha256} was looked at by a person before its release to the public.",
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "No",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
        "content_date": day_of(asked.requested_at),
        "application_date": day_of(made.looked_at),
        "times": made.times,
        "reviewer": pseudonym(made.reviewer),
    }


def pseudonym(reviewer: str) -> str:
    """The same for the same reviewer, and nobody's name."""
    return f"reviewer-{hmac.new(secret('reviewers-secret'), reviewer.encode(), 'sha256').hexdigest()[:8]}"


def figures(session: Session) -> dict:
    """What anybody may know: counts, median hours, deadlines missed, refusals by ground, appeals overturned, agreement of second looks."""
    all_ = files(session)
    blind = [file for file in all_ if "blind" in file.looks]
    seconds = [file for file in all_ if "second" in file.looks]
    appeals = [file.looks["appeal"].verdict for file in all_ if "appeal" in file.looks]
    hours = [(file.looks["first"].looked_at - file.request.requested_at) / 3600 for file in all_ if "first" in file.looks]
    refused = [file.looks["second"].ground for file in all_ if file.state in ("refused", "appealed")]
    return {
        "requests": len(all_),
        "states": dict(Counter(file.state for file in all_)),
        "median_hours_to_first_look": round(median(hours), 2) if hours else None,
        "deadlines_missed": sum(len(file.escalations) for file in all_),
        "refused_by_ground": dict(Counter(refused)),
        "appeals": len(appeals),
        "overturned": appeals.count("approve"),
        "refusals_looked_at_again": len(seconds),
        "refusals_agreed": sum(file.looks["second"].verdict == "refuse" for file in seconds),
        "approvals_looked_at_again": len(blind),
        "approvals_agreed": sum(file.looks["blind"].verdict == "approve" for file in blind),
        "at": datetime.fromtimestamp(now(), UTC).isoformat(),
    }
