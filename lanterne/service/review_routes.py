"""The gate's routes: artists ask, appeal and release; reviewers claim, look and decide; operators see everything; the public sees what was
released, and the policy."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from lanterne.programme import release, review
from lanterne.programme.release import Wishes
from lanterne.service import releasing, wire
from lanterne.service import review_wire as wires
from lanterne.service.downloads import Download
from lanterne.service.errors import APIError
from lanterne.service.signed_in import Anyone, House, Id, Operator, OperatorsFields, OwnFields, Reviewer, ReviewersFields, ruled

_AFTER = Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$", description="last_id of the page before.")
_SECONDS = Query(ge=0, le=2**40)
_VERSION = Query(ge=1, lt=2**31)


# The policy -----------------------------------------------------------------------------------------------------------------------


def read_policy(house: House, version: Annotated[int | None, _VERSION] = None):
    """What may be shown to the public, and what happens when nobody decides in time; by default the latest version."""
    with house.database.session() as session:
        try:
            return _policy(review.policy(session, version))
        except review.ReviewError as error:
            raise APIError(404, "not_found", getattr(error, "elsewhere", str(error)), "version") from None


def publish_policy(house: House, actor: Operator, fields: OperatorsFields):
    """Publish the policy's next version."""
    asked = wire.read(wires.PublishPolicy, fields)
    with ruled(house) as session:
        return _policy(review.publish_policy(session, actor, **asked.model_dump()))


# Artists --------------------------------------------------------------------------------------------------------------------------


def ask_release(house: House, actor: Anyone, fields: OwnFields):
    """Ask for the release of a finished video of yours."""
    asked = wire.read(wires.AskRelease, fields)
    with ruled(house):
        return _told(house, actor, releasing.ask(house, actor, asked.video_id).id)


def own_requests(house: House, actor: Anyone):
    """Your requests, each with its state, its reasons and the day by which it is decided."""
    with house.database.session() as session:
        files = [file for file in review.files(session) if file.request.artist_id == actor.person_id]
        return wires.Requests(data=[wires.Request(**_request(session, actor, file)) for file in files])


def read_request(house: House, actor: Anyone, request_id: Id):
    """One of your requests."""
    with ruled(house):
        return _told(house, actor, request_id)


def withdraw_request(house: House, actor: Anyone, request_id: Id):
    """End your request before its release; for this file it is final."""
    with ruled(house) as session:
        release.withdraw(session, actor, request_id)
    return _told(house, actor, request_id)


def appeal_refusal(house: House, actor: Anyone, request_id: Id, fields: OwnFields):
    """Appeal against a refusal or a takedown by an operator, each once; somebody who has not looked at the video decides."""
    asked = wire.read(wires.AppealRefusal, fields)
    with ruled(house):
        releasing.appeal(house, actor, request_id, asked.words)
        return _told(house, actor, request_id)


def publish_video(house: House, actor: Anyone, request_id: Id, fields: OwnFields):
    """Show an approved video to the public, as a copy with the approval signed into it."""
    asked = wire.read(wires.Publish, fields)
    with ruled(house):
        releasing.publish(house, actor, request_id, Wishes(title=asked.title, credit=asked.credit), asked.with_prompt)
        return _told(house, actor, request_id)


def take_down(house: House, actor: Anyone, request_id: Id, fields: OwnFields):
    """End a release, within a second: its artist at will and for good, an operator with a ground of the policy and an explanation."""
    asked = wire.read(wires.TakeDown, fields)
    with ruled(house):
        releasing.take_down(house, actor, request_id, asked.ground, asked.explanation)
        return _told(house, actor, request_id)


# Reviewers ------------------------------------------------------------------------------------------------------------------------


def review_queue(house: House, actor: Reviewer):
    """What you may look at, the most urgent first; it does not say whose it is."""
    with ruled(house):
        return wires.Tasks(data=[_task(task) for task in releasing.queue(house, actor)])


def claim_request(house: House, actor: Reviewer, request_id: Id):
    """Take a request for half an hour, in which nobody else gets it; again to go on."""
    with ruled(house):
        return _task(releasing.claim(house, actor, request_id))


def claimed_video(house: House, actor: Reviewer, request_id: Id):
    """The file that you have claimed, and as long as you have; ranges are honoured."""
    with ruled(house):
        file, path = releasing.claimed_file(house, actor, request_id)
    lasting = releasing.Lasting(lambda: releasing.is_claimed(house.database, actor, request_id))
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Download(path, None, lasting, media_type=file.media_type, headers=headers)


def give_look(house: House, actor: Reviewer, request_id: Id, fields: ReviewersFields):
    """Approve or refuse what you have claimed; a refusal with a ground, an explanation and time codes. On an appeal against a takedown,
    approving overturns it."""
    asked = wire.read(wires.GiveLook, fields)
    with ruled(house):
        made = releasing.look(
            house, actor, request_id, asked.verdict == "approve", asked.ground, asked.explanation, [tuple(span) for span in asked.times]
        )
    return wires.Looked(request_id=made.request_id, stage=made.stage, verdict=made.verdict)


# Operators ------------------------------------------------------------------------------------------------------------------------


def all_requests(house: House, actor: Operator):
    """Everybody's requests."""
    with house.database.session() as session:
        files = review.files(session)
        reviewers = review.reviewers(session)
        data = [
            wires.OwnedRequest(
                **_request(session, actor, file), artist_id=file.request.artist_id, stalled=review.stalled(file, reviewers)
            )
            for file in files
        ]
    return wires.AllRequests(data=data)


def escalate(house: House, actor: Operator):
    """Give the remedy for every deadline that passed, now; a worker does so every minute."""
    with ruled(house):
        made = releasing.escalate(house)
    return wires.Escalated(data=[wires.Late(request_id=late.request_id, what=late.what, remedy=late.remedy) for late in made])


def statements_of_reasons(house: House, actor: Operator, since: Annotated[int, _SECONDS] = 0):
    """Statements of reasons of all refusals and takedowns, as the EU's DSA transparency database takes them."""
    with ruled(house) as session:
        return wires.Statements(statements=release.statements(session, actor, since))


# The public -----------------------------------------------------------------------------------------------------------------------


def public_videos(
    house: House, limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, _AFTER] = None,
):
    """Videos that were released, the latest first, a page at a time."""
    with house.database.session() as session:
        try:
            found, more = release.page(session, limit, after)
        except review.ReviewError as error:
            raise APIError(404, "not_found", str(error), "after") from None
    data = [
        wires.PublicVideo(
            id=shown.request.id, title=shown.showing.title, prompt=shown.showing.prompt, credit=shown.showing.credit,
            seconds=shown.request.seconds, sha256=shown.sha256, approved_sha256=shown.approved, released_at=shown.publication.published_at,
        )
        for shown in found
    ]
    return wires.PublicVideos(data=data, last_id=data[-1].id if data else None, has_more=more)


def public_video(request: Request, house: House, request_id: Id):
    """A released video's file, with its approval signed into it; ranges and ETags are honoured. Gone within a second of a takedown."""
    found = releasing.public_file(house, request_id)
    if found is None:
        raise APIError(404, "not_found", f"No video is public under {request_id[:80]!r}; it may have been taken down.", "id")
    file, path = found
    # Kept by whoever wants to, and asked about again each time: what was taken down is to be gone.
    headers = {"etag": f'"{file.sha256}"', "cache-control": "public, no-cache", "x-content-type-options": "nosniff"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["etag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    lasting = releasing.Lasting(lambda: releasing.is_shown(house.database, request_id))
    return Download(path, None, lasting, media_type=file.media_type, headers=headers)


ROUTES = [
    ("GET", "/programme/policy", read_policy, wires.Policy),
    ("POST", "/programme/policy", publish_policy, wires.Policy),
    ("POST", "/programme/requests", ask_release, wires.Request),
    ("GET", "/programme/requests", own_requests, wires.Requests),
    ("GET", "/programme/requests/{id}", read_request, wires.Request),
    ("POST", "/programme/requests/{id}/withdraw", withdraw_request, wires.Request),
    ("POST", "/programme/requests/{id}/appeal", appeal_refusal, wires.Request),
    ("POST", "/programme/requests/{id}/publish", publish_video, wires.Request),
    ("POST", "/programme/requests/{id}/takedown", take_down, wires.Request),
    ("GET", "/programme/review/queue", review_queue, wires.Tasks),
    ("POST", "/programme/review/{id}/claim", claim_request, wires.Task),
    ("GET", "/programme/review/{id}/video", claimed_video, None),
    ("POST", "/programme/review/{id}/look", give_look, wires.Looked),
    ("GET", "/programme/review/requests", all_requests, wires.AllRequests),
    ("POST", "/programme/review/escalate", escalate, wires.Escalated),
    ("GET", "/programme/review/statements", statements_of_reasons, wires.Statements),
    ("GET", "/programme/public", public_videos, wires.PublicVideos),
    ("GET", "/programme/public/{id}/video", public_video, None),
]
OPEN = ("read_policy", "public_videos", "public_video")
BODIES = {
    "publish_policy": wires.PublishPolicy, "ask_release": wires.AskRelease, "appeal_refusal": wires.AppealRefusal,
    "publish_video": wires.Publish, "take_down": wires.TakeDown, "give_look": wires.GiveLook,
}


def _policy(found: review.Policy) -> wires.Policy:
    return wires.Policy(**{name: getattr(found, name) for name in wires.Policy.model_fields})


def _task(task: review.Task) -> wires.Task:
    return wires.Task(**{name: getattr(task, name) for name in wires.Task.model_fields})


def _told(house, actor, request_id: str) -> wires.Request:
    with house.database.session() as session:
        return wires.Request(**_request(session, actor, review.own(session, actor, request_id)))


def _request(session, actor, file: review.File) -> dict:
    asked, shown = file.request, release.shown(session, file.request.id)
    ended = release.takedown(session, actor, asked.id)
    return {
        "id": asked.id, "video_id": asked.video_id, "sha256": asked.sha256, "policy": asked.policy,
        "state": release.state(session, file), "requested_at": asked.requested_at,
        "due_at": file.due_at if file.waits else None, "appeal_until": release.appeal_until(session, file),
        "reasons": [_reason(said) for said in release.reasons(session, actor, asked.id)], "public_sha256": shown.sha256 if shown else None,
        "takedown": ended and _removal(ended),
    }


def _reason(said: dict) -> wires.Reason:
    statement = {name: value for name, value in said.items() if name not in ("times", "reviewer")}
    return wires.Reason(**{name: said[name] for name in wires.Reason.model_fields if name != "statement"}, statement=statement)


def _removal(said: dict) -> wires.Removal:
    return wires.Removal(**{name: said[name] for name in wires.Removal.model_fields if name != "statement"}, statement=said)
