"""A house with accounts, a policy and finished videos, for tests of the gate; no server and no worker."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import delete

from lanterne.programme import people, review
from lanterne.programme.pay import Actor
from lanterne.service.database import File, Video, now
from lanterne.service.deployment import Deployment
from lanterne.service.holding import forget, hold
from lanterne.video import VideoWriter

ANA, BEN, OLGA = Actor("ana"), Actor("ben"), Actor("olga", operator=True)
RITA, RON, RUTH = (Actor(name, reviewer=True) for name in ("rita", "ron", "ruth"))
ROLES = {"olga": "operator", "rita": "reviewer", "ron": "reviewer", "ruth": "reviewer", "ana": "artist", "ben": "artist"}
GROUNDS = {"1": "Shows a real person without their consent.", "2.1": "Sells something."}
PROMPT = "a lake at dawn"


@cache
def film(name: str) -> bytes:
    """A small MP4 of half a second; another for another name."""
    from signed_files import clip

    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with VideoWriter(path, 256, 144, {"lanterne": name, "request": {"prompt": PROMPT}}) as writer:
            writer.write(clip(2))
        return path.read_bytes()


def people_and_policy(house: Deployment, **given) -> None:
    with house.database.session() as session:
        for name, role in ROLES.items():
            people.open_account(session, name.title(), f"{name}@example.org", [role], "olga", name)
        publish_policy(session, **given)


def publish_policy(session, **given):
    return review.publish_policy(
        session, OLGA, "What may be shown.", GROUNDS, **{"sample_percent": 0, "credit": 1000, "currency": "EUR"} | given
    )


def add_video(house: Deployment, video_id: str, owner: str = "ana", data: bytes | None = None) -> str:
    """A finished video; the SHA-256 of its file."""
    path = house.store.folder / "incoming" / video_id
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data or film(video_id))
    digest = sha256(path.read_bytes()).hexdigest()
    with house.database.session() as session:
        session.add(Video(
            id=video_id, owner=owner, key_id=None, kind="create", status="completed", progress=100, prompt=PROMPT, model="lanterne",
            width=256, height=144, seconds=8, plan={"prompt": PROMPT}, remixed_from=None, stopping=False, created_at=now(),
            completed_at=now(),
        ))
        session.flush()
        hold(session, house, video_id, {"video": (path, "video/mp4")})
    return digest


def delete_video(house: Deployment, video_id: str) -> None:
    with house.database.session() as session:
        session.execute(delete(Video).where(Video.id == video_id))
        forget(session, house, video_id)


def path_of(house: Deployment, digest: str) -> Path:
    return house.store.folder / digest[:2] / digest


def held_by(house: Deployment, holder: str) -> list[File]:
    with house.database.session() as session:
        return list(session.query(File).where(File.holder == holder))


# Over HTTP.


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer, status, said):
    assert answer.status_code == status and said in answer.json()["error"]["message"], answer.text


def asked(browsers, video_id="video_1", by="ana"):
    return ok(browsers[by].post("/programme/requests", json={"video_id": video_id}))["id"]


def looked(browsers, by, request_id, **body):
    ok(browsers[by].post(f"/programme/review/{request_id}/claim"))
    return ok(browsers[by].post(f"/programme/review/{request_id}/look", json=body or {"verdict": "approve"}))
