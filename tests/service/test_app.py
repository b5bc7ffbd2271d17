"""Who may do what: every route, asked by everybody, allowed to nobody but those it is for."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import QUICK, SMALL, new_key, until

from lanterne.programme import people
from lanterne.service import keys, server
from lanterne.service.app import ROUTES, build
from lanterne.service.database import Database
from lanterne.service.settings import Settings
from lanterne.service.signed_in import COOKIE

# What a route asks for: a key's scope; "session", of anybody who is signed in; a role, by a session or by a key with the role's scope;
# "operator in person", by a session alone. None: nothing. A route that is not here fails the matrix.
RIGHTS = {
    "create": "videos:write", "listing": "videos:read", "edit": "videos:write", "extend": "videos:write", "remix": "videos:write",
    "create_character": "videos:write", "get_character": "videos:read", "get": "videos:read", "delete": "videos:write",
    "content": "videos:read", "cancel": "videos:write", "events": "videos:read", "playlist": "videos:read", "segment": "videos:read",
    "link": "videos:read", "models": "videos:read", "get_metrics": "metrics", "healthz": None,
    "accept_terms": "session", "sign_out": "session", "me": "session", "make_key": "session", "rotate_key": "session",
    "revoke_key": "session", "alarms": "session", "contest_alarm": "session",
    "give_feedback": "session", "report_bug": "session", "public_bugs": None, "remarks": "session", "change_remark": "session",
    "withdraw_remark": "session", "contest_remark": "session", "waiting_remarks": "operator", "decide_remark": "operator",
    "compare": "session", "comparisons": "session", "compared_video": "session", "answer_comparison": "session",
    "consents": "session", "give_consent": "session", "withdraw_consent": "session", "publish_consent": "operator",
    "export_dataset": "operator", "dataset_releases": "operator", "register_model": "operator", "export_me": "session",
    "change_password": "session", "list_passkeys": "session", "add_passkey": "session", "begin_passkey": "session",
    "remove_passkey": "session", "make_role_key": "session", "report_copy": "operator",
    "list_work": "session", "claim_work": "session", "dispute_work": "session", "owed": "session", "rate_card": "session",
    "read_payee": "session", "set_payee": "session", "list_statements": "session", "statement_file": "session", "own_lines": "session",
    "own_receipt": "session",
    "list_people": "operator", "open_account": "operator in person", "set_roles": "operator in person",
    "reset_password": "operator in person", "revoke_person": "operator", "forget_person": "operator", "list_cohorts": "operator",
    "open_cohort": "operator", "publish_terms": "operator", "revoke_cohort": "operator", "list_invitations": "operator",
    "invite": "operator", "withdraw_invitation": "operator", "list_keys": "operator", "revoke_any_key": "operator",
    "list_alarms": "operator", "decide_alarm": "operator", "make_decoy": "operator", "work_queue": "operator", "decide_work": "operator",
    "arrears": "operator", "give_credit": "operator", "publish_card": "operator", "set_payee_of": "operator",
    "list_statements_of": "operator", "statement_file_of": "operator", "list_payouts": "operator", "make_payout": "operator",
    "export_payout": "operator", "settle_payout": "operator", "bounce_payout": "operator", "balances": "operator", "journal": "operator",
    "beancount": "operator", "reverse": "operator", "all_lines": "operator", "any_receipt": "operator", "verify_log": "operator",
    # Whoever has the link, the password or the published key; what these say to others is in OPEN.
    "read_invitation": None, "accept_invitation": None, "sign_in": None, "report_keys": None,
    "audit_key": None, "checkpoint": None, "audit_log": None, "prove_consistency": None, "check_receipt": None,
    "report": None, "report_json": None, "read_policy": None, "public_videos": None, "public_video": None, "verify_file": None,
    "linked": None,
    "publish_policy": "operator", "ask_release": "session", "own_requests": "session", "read_request": "session",
    "withdraw_request": "session", "appeal_refusal": "session", "publish_video": "session", "take_down": "session",
    "review_queue": "reviewer", "claim_request": "reviewer", "claimed_video": "reviewer", "give_look": "reviewer",
    "all_requests": "operator", "escalate": "operator", "statements_of_reasons": "operator",
    "ask_for_link": None, "read_link": None, "use_link": None, "begin_sign_in": None, "sign_in_by_passkey": None,
}
# What the owner with the right key is told, so that it is seen to come through: bodies are empty, and the finished video has ended.
OWNERS = {
    "create": 400, "edit": 400, "extend": 400, "remix": 400, "create_character": 400, "cancel": 400,
}
OPEN = {
    "healthz": 200, "read_invitation": 404, "accept_invitation": 400, "sign_in": 400, "report_keys": 400, "report": 200, "report_json": 200,
    "linked": 400, "audit_key": 200, "checkpoint": 200, "audit_log": 200, "prove_consistency": 400, "check_receipt": 400,
    "read_policy": 404, "public_bugs": 200, "public_videos": 200, "public_video": 404, "verify_file": 400,
    "ask_for_link": 400, "read_link": 404, "use_link": 400, "begin_sign_in": 200, "sign_in_by_passkey": 400,
}
ALL = ["videos:read", "videos:write", "metrics"]
KEYS = {
    "reader": ["videos:read"], "writer": ["videos:write"], "meter": ["metrics"], "owner": ALL, "stranger": ALL, "critic": ["review"],
    "clerk": ["admin"],
}
NOBODY = ("nobody", "junk", "revoked", "expired")
PEOPLE = {"artist": "artist", "reviewer": "reviewer", "operator": "operator"}  # signed in, with one role
ACTS_AS = PEOPLE | {"critic": "reviewer", "clerk": "operator"}
ROLES = (*NOBODY, *KEYS, *PEOPLE)


@pytest.fixture(scope="session")
def database(server):
    return Database(f"sqlite:///{server.home / 'service.db'}")


@pytest.fixture(scope="session")
def held(server, database, key):
    """A key for each role that has one, made where the server's keys are; and an account for each of PEOPLE, under the role's name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANTERNE_HOME", str(server.home))
        with database.session() as session:
            for name, role in PEOPLE.items():
                people.add(session, name, f"{name}@example.org", [role], "a test", name)
        owners = {"stranger": "stranger", "critic": "reviewer", "clerk": "operator"}
        made = {role: new_key(database, role, owners.get(role, "me"), scopes) for role, scopes in KEYS.items()}
        made["revoked"] = new_key(database, "revoked", "me", ALL)
        server.lanterne("keys", "revoke", next(key.id for key in keys.listed(database) if key.name == "revoked"))
        patch.setattr(keys, "now", lambda: 1_000_000)
        made["expired"] = new_key(database, "expired", "me", ALL, days=1)
    return made | {"nobody": None, "junk": "ltn_junk"}


@pytest.fixture(scope="session")
def clients(server, held):
    """Connections that stay open, one for each key, and one for browsers."""
    with ExitStack() as open_:
        yield {role: open_.enter_context(server.http(text)) for role, text in held.items()}


@pytest.fixture(scope="session")
def character(server, key, finished):
    with server.openai(key) as client:
        return client.videos.create_character(name="Mossy", video=client.videos.download_content(finished.id).read())


def _expected(name: str, path: str, role: str) -> int | None:
    """None: the route is open to the role; what it says then depends on what there is."""
    asked = RIGHTS[name]
    if asked is None:
        return OPEN[name]
    if role in NOBODY:
        return 401
    if asked in ALL:
        if role in PEOPLE:
            return 401
        if asked not in KEYS[role]:
            return 403
        return 404 if role == "stranger" and "{id}" in path else OWNERS.get(name, 200)
    if asked in ("session", "operator in person") and role not in PEOPLE:
        return 401
    return None if asked == "session" or asked.partition(" ")[0] == ACTS_AS.get(role) else 403


@pytest.mark.parametrize("route", ROUTES, ids=[f"{method} {path}" for method, path, *_ in ROUTES])
def test_only_those_who_may_can(server, database, http, finished, character, clients, route):
    method, path, endpoint, _ = route
    name = endpoint.__name__
    with database.session() as session:
        cookies = {role: f"{COOKIE}={people.begin_session(session, role)}" for role in PEOPLE}
    for role in ROLES:
        expected, video_id = _expected(name, path, role), finished.id
        if name == "delete" and expected == 200:  # one of its own, which waits behind nothing
            video_id = http.post("/v1/videos", json={"prompt": "a", "seconds": "1", "size": SMALL} | QUICK).json()["id"]
        junk = {word: "junk" for word in re.findall(r"{(\w+)}", path)}
        url = path.format(**junk | {"id": character.id if "character" in path else video_id, "number": 0, "form": "html"})
        client, headers = (clients["nobody"], {"cookie": cookies[role]}) if role in PEOPLE else (clients[role], {})
        # A stranger's body is a good one: what keeps it out is whose the video is.
        body = {"prompt": "mine"} if role == "stranger" and name == "remix" else {}
        answer = client.request(method, url, headers=headers, **({"json": body} if method == "POST" else {}))
        said = f"{role}: {answer.text}"
        assert answer.status_code == expected or (expected is None and answer.status_code in (200, 400, 404, 409)), said
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}, said
        if name == "content":
            assert client.head(url, headers=headers).status_code == answer.status_code, said


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has in memory")
def test_the_server_itself_does_without_torch(server):
    """Its workers have the models: a server then starts in half the time, in less than half the memory."""
    assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_the_matrix_and_the_document_have_every_route_and_nothing_else_answers(http, home):
    assert set(RIGHTS) == {endpoint.__name__ for _, _, endpoint, _ in ROUTES}
    document = http.get("/openapi.json").json()
    assert {(method.upper(), path) for path, methods in document["paths"].items() for method in methods} == {
        (method, path) for method, path, *_ in ROUTES
    }
    settings = Settings()
    server.prepare(settings)
    others = {route.path for route in build(settings)._app.routes} - {path for _, path, *_ in ROUTES}
    assert others == {"/openapi.json", "/docs"}  # which tell what is public anyway


def test_a_strangers_ids_are_of_no_use_in_bodies_and_pages(server, finished, stranger):
    with server.http(stranger) as http:
        for path in ("/v1/videos/edits", "/v1/videos/extensions"):
            assert http.post(path, json={"prompt": "a", "video": {"id": finished.id}}).status_code == 404
        assert http.get(f"/v1/videos?after={finished.id}").status_code == 404


def test_a_revoked_key_is_out_at_once(server):
    key = server.lanterne("keys", "create", "--name", "short")
    with server.http(key) as http:
        assert http.get("/v1/models").status_code == 200
        key_id = re.findall(r"(key_\w+)  me  short", server.lanterne("keys", "list"))[-1]
        server.lanterne("keys", "revoke", key_id)
        until(lambda: http.get("/v1/models").status_code == 401)


def test_metrics_count_in_the_way_of_prometheus(server, held, finished):
    with server.http(held["meter"]) as http:
        text = http.get("/metrics").text
    from prometheus_client.parser import text_string_to_metric_families

    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {(sample.name, *sample.labels.values()): sample.value for family in families.values() for sample in family.samples}
    assert values["lanterne_videos", "completed"] >= 1 and values["lanterne_workers",] == 1
    assert values["lanterne_disk_free_bytes",] > 0 and values["lanterne_stored_bytes",] > 0
    for name in ("videos_completed", "videos_failed", "video_seconds", "compute_seconds", "webhooks"):
        assert families[f"lanterne_{name}"].type == "counter"
    assert families["lanterne_chunk_duration_seconds"].type == "histogram"
    assert values["lanterne_videos_completed_total",] >= 1 and values["lanterne_video_seconds_total",] >= 2
    assert values["lanterne_chunk_duration_seconds_count",] >= 2 and values["lanterne_chunk_duration_seconds_sum",] > 0


def test_the_documentation_needs_no_other_server(server):
    with server.http(None) as http:
        page = http.get("/docs")
        assert page.status_code == 200 and "SwaggerUIBundle" in page.text
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
        for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text):
            assert len(http.get(f"/{name}").content) > 500
        assert "openapi.json" in page.text


def test_the_log_has_no_prompt_and_no_key(server, key, finished):
    log = server.log.read_text()
    assert finished.id in log and "a lake at dawn" not in log and key not in log
