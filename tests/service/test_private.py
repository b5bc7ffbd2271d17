"""Whatever two artists do in whatever order over HTTP, no answer shows one of them, or a stranger, what is the other's.

All that an artist writes, and the bytes of their videos, have the artist's canary in them; every answer to anybody else is searched for
it, with ids of both tried by both. Operators and reviewers move things on meanwhile, and approve nothing: there is nothing public.
LANTERNE_STEPS=10000 takes so many steps.
"""

import asyncio
import io
import json
import os
import re
import shutil
import zipfile
from collections import Counter
from tempfile import TemporaryDirectory

import httpx2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import event
from test_access import join, open_cohort

from lanterne.paths import home
from lanterne.programme import leaks, people, review
from lanterne.programme.cohorts import Quotas
from lanterne.programme.pay import Actor
from lanterne.service import access, keys, server
from lanterne.service.access import Wish
from lanterne.service.app import ROUTES, build
from lanterne.service.database import File, Video, now
from lanterne.service.settings import Settings

STEPS, EACH = int(os.environ.get("LANTERNE_STEPS", "160")), 40
CANARY = re.compile(rb"canary(ana|ben)[0-9]{6}")
IBAN = "DE89370400440532013000"
_TAKEN = Counter()  # what was really done, and whose canaries were seen by whom
# Not asked: what ends a session, what waits for ever, and what has no artist's things to show.
LEFT_OUT = {"sign_out", "events", "report_keys", "change_password", "verify_file", "create_character", "revoke_key"}
STAFFS = [route for route in ROUTES if route[2].__name__ in {
    "decide_work", "decide_remark", "decide_alarm", "claim_request", "give_look", "export_dataset", "escalate",
}]
ARTISTS = [route for route in ROUTES if route[2].__name__ not in LEFT_OUT and route not in STAFFS]
READS = [route for route in ARTISTS if route[0] == "GET"]


def _body(name: str, said: str, pick) -> dict:
    """What an artist sends; said: a text with the canary in it, pick(): an id of anybody's."""
    return {
        "create": {"prompt": said, "seconds": "1"}, "remix": {"prompt": said}, "edit": {"prompt": said, "video": {"id": pick("video")}},
        "extend": {"prompt": said, "video": {"id": pick("video")}}, "make_key": {"cohort": "spring", "name": said},
        "contest_alarm": {"statement": said}, "claim_work": {"kind": "hours", "hours": 1, "note": said},
        "dispute_work": {"statement": said}, "set_payee": {"name": said, "iban": IBAN},
        "ask_release": {"video_id": pick("video")}, "appeal_refusal": {"words": said},
        "give_feedback": {"rating": 3, "words": said}, "report_bug": {"title": "A bug", "words": said, "credit": "pseudonym"},
        "change_remark": {"words": said}, "contest_remark": {"words": said}, "answer_comparison": {"choice": "left", "words": said},
        "compare": {"video_ids": [pick("video"), pick("video")]}, "take_down": {"explanation": said}, "add_passkey": {"name": said},
    }.get(name, {})


class Private(RuleBasedStateMachine):
    empty = None  # a home folder with empty databases, set by the test

    @initialize()
    def open(self):
        self.folder, self.before = TemporaryDirectory(), os.environ["LANTERNE_HOME"]
        shutil.copytree(self.empty, f"{self.folder.name}/home")
        os.environ["LANTERNE_HOME"] = f"{self.folder.name}/home"
        self.application = build(Settings())
        database = self.application._app.state.deployment.database
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.number, self.ids, self.who = 0, {}, {"nobody": {}}
        with database.session() as session:
            open_cohort(session, "spring", Quotas(1000, 10_000, 30, 500))
            review.publish_policy(session, Actor("olga", operator=True), "words", {"1": "A real person."}, credit=1, currency="EUR")
            people.add(session, "Rita", "rita@example.org", ["reviewer"], "olga", "rita")
            people.add(session, "Rolf", "rolf@example.org", ["reviewer"], "olga", "rolf")
            for name in ("ana", "ben"):
                join(session, "spring", name)
                key_id, text = access.make_key(session, name, "spring", Wish(self._say(name)))
                cookie = people.begin_session(session, name)
                self.who[name] = {"authorization": f"Bearer {text}", "cookie": f"lanterne_session={cookie}"}
                self._know({"id": key_id})
                for film in range(2):
                    digest = self._film(session, f"video_{name}{film}", name, key_id)
                # Over HTTP a release is asked for of files that are whole and signed, which these are not.
                self._know({"id": review.request(session, Actor(name), f"video_{name}{film}", digest, 4.0).id})
                alarm = leaks.assess(session, key_id, name, leaks.Seen(copies=(f"https://x.example/{self._say(name)}",)))
                self._know({"id": alarm.id})
            for name, scopes in (("olga", ["admin"]), ("rita", ["review"]), ("rolf", ["review"])):
                self.who[name] = {"authorization": f"Bearer {keys.insert(session, name, name, scopes, None, keys.Quota())[1]}"}

    def _film(self, session, video_id, owner, key_id):
        content, digest = b"\0\0\0\x18ftypmp42" + self._say(owner).encode(), f"{self.number:064x}"
        path = home() / "files" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        session.add(Video(
            id=video_id, owner=owner, key_id=key_id, kind="create", status="completed", progress=100, prompt=self._say(owner),
            model="lanterne", width=256, height=144, seconds=4, plan={"seconds": 4, "steps": 10, "seed": 1, "guidance": 3.0},
            stopping=False, created_at=now(), completed_at=now(),
        ))
        for role in ("video", "thumbnail", "segment-0000"):
            session.add(File(holder=video_id, role=role, sha256=digest, bytes=len(content), media_type="video/mp4"))
        self._know({"id": video_id})
        self.ids.setdefault("film", []).append(video_id)  # made, as most that are asked for here never are
        return digest

    def _say(self, name: str) -> str:
        self.number += 1
        return f"canary{name}{self.number:06}"

    def _know(self, found) -> None:
        """Remember every id in an answer, whoever got it."""
        if isinstance(found, dict):
            for name, value in found.items():
                if isinstance(value, str) and (name == "id" or name.endswith("_id")):
                    self.ids.setdefault(value.partition("_")[0], []).append(value)
                self._know(value)
        elif isinstance(found, list):
            for one in found:
                self._know(one)

    def _pick(self, chance: int, kind: str = "") -> str:
        among = self.ids.get(kind) or [one for ids in self.ids.values() for one in ids]
        return among[chance % len(among)]

    def _ask(self, who: str, route, chance: int, body: dict | None) -> None:
        method, path, endpoint, _ = route
        name = endpoint.__name__
        kinds = {
            "/v1": "video", "/media": "video", "/programme/videos": "film", "/programme/keys": "key", "/programme/alarms": "alarm",
            "/programme/desk/alarms": "alarm", "/programme/requests": "rev", "/programme/review": "rev", "/programme/work": "work",
            "/programme/desk/work": "work", "/programme/comparisons": "cmp",
            "/programme/remarks": ("feedback", "bug")[chance % 2],
        }
        kind = next((kind for start, kind in kinds.items() if path.startswith(start)), "")
        url = path.format(
            id=self._pick(chance, kind), number=chance % 9, token="junk", name="spring", side=("left", "right")[chance % 2],
            form=("html", "csv")[chance % 2], purpose="training",
        )
        headers = dict(self.who[who])
        if path.startswith("/programme"):  # by the session where one has one: a key is no person's there
            headers.pop("authorization", None) if "cookie" in headers else None
        else:
            headers.pop("cookie", None)

        async def send():
            transport = httpx2.ASGITransport(app=self.application, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                return await client.request(method, url, **({"json": body} if body is not None else {}))

        answer = asyncio.run(send())
        assert answer.status_code < 500, (name, answer.text)
        if who in ("ana", "ben", "nobody"):
            for seen in CANARY.finditer(_plain(answer)):
                assert seen[1].decode() == who, f"{name} showed {who} {seen[0]}: {method} {url} {answer.text[:500]}"
                _TAKEN[f"{who} sees their own in {name}"] += 1
        if answer.status_code < 300:
            _TAKEN[name] += 1
            if answer.headers.get("content-type") == "application/json":  # the log is one of lines
                self._know(answer.json())

    @rule(who=st.sampled_from(("ana", "ben")), route=st.sampled_from(ARTISTS), chance=st.integers(0, 10**6))
    def act(self, who, route, chance):
        body = _body(route[2].__name__, self._say(who), lambda kind: self._pick(chance, kind)) if route[0] in ("POST", "PUT") else None
        self._ask(who, route, chance, body)

    @rule(who=st.sampled_from(("ana", "ben", "nobody")), route=st.sampled_from(READS), chance=st.integers(0, 10**6))
    def read(self, who, route, chance):
        self._ask(who, route, chance, None)

    @rule(who=st.sampled_from(("olga", "rita", "rolf")), route=st.sampled_from(STAFFS), chance=st.integers(0, 10**6))
    def move_on(self, who, route, chance):
        body = {
            "decide_work": {"accepted": 0, "reason": "No."}, "decide_remark": {"state": "declined", "reason": "No."},
            "decide_alarm": {"upheld": False, "reasons": "No."}, "export_dataset": {"kind": "feedback", "purpose": "training"},
            "give_look": {"verdict": "refuse", "ground": "1", "explanation": "No.", "times": []},
        }.get(route[2].__name__, {})
        self._ask(who, route, chance, body)

    def teardown(self):
        if hasattr(self, "folder"):
            os.environ["LANTERNE_HOME"] = self.before
            self.application._app.state.deployment.database.engine.dispose()
            self.folder.cleanup()


def _plain(answer) -> bytes:
    """An answer's headers and body, unpacked where it is an archive."""
    said = json.dumps(dict(answer.headers)).encode() + answer.content
    if answer.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            said += b"".join(archive.read(name) for name in archive.namelist())
    return said


def test_no_answer_shows_anybody_what_is_anothers(tmp_path, home):
    server.prepare(Settings())
    keys.server_secret()
    Private.empty = tmp_path / "empty"
    shutil.copytree(home, Private.empty)
    _TAKEN.clear()
    run_state_machine_as_test(Private, settings=settings(
        max_examples=max(1, STEPS // EACH), stateful_step_count=EACH, deadline=None, derandomize=STEPS < 10_000,
        suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate],
    ))
    print(dict(_TAKEN))
    assert any(name.startswith(("ana sees", "ben sees")) for name in _TAKEN)
    if STEPS >= 10_000:
        needed = {"create", "content", "claim_work", "give_feedback", "report_bug", "contest_alarm", "read_request", "export_me", "link"}
        assert needed <= set(_TAKEN), f"never taken: {needed - set(_TAKEN)}"


def test_a_leak_would_be_noticed():
    """The search itself finds a canary in words, bytes and archives."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", "canaryana000007" * 50)
    for content in (b"x canaryana000007", packed.getvalue()):
        assert CANARY.search(_plain(httpx2.Response(200, content=content)))[1] == b"ana"
    assert not CANARY.search(_plain(httpx2.Response(200, content=b"canary")))
