"""The programme's routes, as a browser uses them: from an invitation to keys, alarms and the end of an account."""

import re
from contextlib import ExitStack

import httpx2
import pytest
from serving import Server, until
from test_access import open_cohort

from lanterne.programme import audit, cohorts, leaks
from lanterne.programme.cohorts import Quotas
from lanterne.service import revocation
from lanterne.service.database import Database, now
from lanterne.service.programme_routes import OPEN, ROUTES

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def own(tiny_weights, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("programme") / "home", tiny_weights).start("--no-worker")
    yield server
    assert server.stop() == 0, server.log.read_text()
    log = server.log.read_text()
    assert "Traceback" not in log and PASSWORD not in log


@pytest.fixture
def database(own, monkeypatch):
    monkeypatch.setenv("LANTERNE_HOME", str(own.home))
    return Database(f"sqlite:///{own.home / 'service.db'}")


@pytest.fixture
def cohort(database, request):
    name = re.sub(r"\W", "", request.node.name)[:60]
    with database.session() as session:
        open_cohort(session, name)
    return name


def invite(database, cohort, email):
    with database.session() as session:
        return cohorts.invite(session, cohort, email, "olga")[1]


@pytest.fixture
def join(own, database, cohort):
    """Somebody's browser, signed in after an invitation; their id."""
    with ExitStack() as browsers:
        def run(name):
            http = browsers.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{own.port}", timeout=120))
            path = f"/programme/invitations/{invite(database, cohort, f'{name}@example.org')}"
            digest = http.get(path).json()["offer"]["sha256"]
            accepted = http.post(f"{path}/accept", json={"sha256": digest, "name": name, "password": PASSWORD})
            assert accepted.status_code == 200, accepted.text
            assert http.post("/programme/session", json={"email": f"{name}@example.org", "password": PASSWORD}).status_code == 200
            return http, accepted.json()["person_id"]

        yield run


def refused(answer, status, code, said):
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert said in answer.json()["error"]["message"]


def test_from_the_invitation_to_a_key(own, database, cohort):
    secret = invite(database, cohort, "ana@example.org")
    path = f"/programme/invitations/{secret}"
    with own.http(None) as http:
        seen = http.get(path).json()
        assert "Hours: 35.00 EUR" in seen["offer"]["text"] and seen["offer"]["document"]["quotas"]["videos"] == 3
        body = {"sha256": seen["offer"]["sha256"], "name": "Ana", "password": PASSWORD}
        refused(http.post(f"{path}/accept", json=body | {"sha256": "0" * 64}), 400, "refused", "version 1")
        refused(http.post(f"{path}/accept", json=body | {"password": "short"}), 400, "invalid_value", "password=")
        refused(http.post(f"{path}/accept", data=body), 415, "unsupported_media_type", "application/json")
        accepted = http.post(f"{path}/accept", json=body).json()
        audit.check_receipt(audit.Receipt.read(accepted["receipt"]), audit.Signer().verifier)
        refused(http.post(f"{path}/accept", json=body), 400, "refused", "accepted before")
        refused(http.get(path), 400, "refused", "accepted before")
        refused(http.get("/programme/me"), 401, "no_session", "not signed in")
        refused(http.post("/programme/session", json={"email": "ana@example.org", "password": "wrong"}), 401, "wrong_password", "wrong")
        signed = http.post("/programme/session", json={"email": "Ana@example.org", "password": PASSWORD})
        assert "httponly" in signed.headers["set-cookie"].lower() and "samesite=strict" in signed.headers["set-cookie"].lower()
        made = http.post("/programme/keys", json={"cohort": cohort, "name": "laptop"}).json()
        me = http.get("/programme/me").json()
        assert me["person_id"] == accepted["person_id"] and me["cohorts"][0]["next"] is None
        assert [(key["id"], key["state"], key["used"]) for key in me["keys"]] == [
            (made["id"], "in use", "0 of 3 videos and 0 of 20 seconds in 30 days")
        ]
        refused(http.post("/programme/keys", json={"cohort": "autumn", "name": "x"}), 404, "not_found", "no cohort")
        refused(http.post("/programme/keys", json={"cohort": cohort, "name": "x", "scopes": ["metrics"]}), 400, "invalid_value", "metrics")
        with own.http(made["key"]) as program:
            assert program.get("/v1/models").status_code == 200
            refused(program.get("/programme/me"), 401, "no_session", "not signed in")  # a key is no session
        with database.session() as session:
            newer = cohorts.publish_terms(session, cohort, "More.", "artists", Quotas(9, 90), now() + 86400, "olga")
        assert http.get("/programme/me").json()["cohorts"][0]["next"]["version"] == 2
        http.post(f"/programme/cohorts/{cohort}/accept", json={"sha256": newer.sha256})
        assert http.get("/programme/me").json()["keys"][0]["used"].startswith("0 of 9 videos")
        http.delete("/programme/session")
        refused(http.get("/programme/me"), 401, "no_session", "signed out")


def test_ones_own_keys_and_nobody_elses(own, database, cohort, join):
    (ana, _), (ben, _) = join("anna"), join("benn")
    made = ana.post("/programme/keys", json={"cohort": cohort, "name": "laptop", "networks": ["127.0.0.0/8"]}).json()
    path = f"/programme/keys/{made['id']}"
    refused(ben.post(f"{path}/rotate", json={}), 404, "not_found", "among yours")
    refused(ben.delete(path), 404, "not_found", "among yours")
    assert made["id"] not in ben.get("/programme/me").text
    refused(ana.delete(path, headers={"origin": "https://elsewhere.example"}), 403, "foreign_page", "elsewhere.example")
    successor = ana.post(f"{path}/rotate", json={"hours": 1}).json()
    assert ana.delete(path).json()["state"] == "revoked"
    refused(ana.delete(path), 404, "not_found", "no key")
    with own.http(made["key"]) as old, own.http(successor["key"]) as new:
        until(lambda: old.get("/v1/models").status_code == 401)
        assert new.get("/v1/models").status_code == 200


def test_an_alarm_is_seen_and_contested_by_whose_key_it_is_about(own, database, cohort, join):
    (ana, ana_id), (ben, _) = join("annie"), join("benny")
    with database.session() as session:
        alarm = leaks.assess(session, "key_x", ana_id, leaks.Seen(networks=tuple("abcdefghijk")))
    path = f"/programme/alarms/{alarm.id}/contest"
    assert ben.get("/programme/alarms").json() == {"data": []}
    [seen] = ana.get("/programme/alarms").json()["data"]
    assert seen["step"] == "freeze" and "11 networks" in seen["signals"][0]["words"] and seen["signals"][0]["evidence"]
    refused(ben.post(path, json={"statement": "no"}), 404, "not_found", "about a key of yours")
    assert ana.post(path, json={"statement": "I was on a train."}).json()["contested_at"]
    refused(ana.post(path, json={"statement": "Again."}), 400, "refused", "before")
    with database.session() as session:
        leaks.decide(session, alarm.id, False, "olga", "She was.")
    assert ana.get("/programme/alarms").json()["data"][0]["verdict"]["reasons"] == "She was."


def test_a_published_key_is_revoked_by_whoever_shows_it(own, database, cohort, join):
    ana, _ = join("anne")
    with own.http(None) as scanner:
        made = ana.post("/programme/keys", json={"cohort": cohort, "name": "laptop"}).json()
        report = [{"token": made["key"], "type": "lanterne_key", "url": "https://example.org/a", "source": "content"}, {"token": "junk"}]
        answer = scanner.post("/programme/leaked-keys", json=report)
        assert [one["label"] for one in answer.json()] == ["true_positive", "false_positive"] and made["key"] not in answer.text
        with own.http(made["key"]) as http:
            until(lambda: http.get("/v1/models").status_code == 401)
        assert ana.get("/programme/me").json()["keys"][0]["state"] == "revoked"
        refused(scanner.post("/programme/leaked-keys", json={}), 400, "invalid_json", "no list")
        refused(scanner.post("/programme/leaked-keys", content=b"[", headers={"content-type": "application/json"}), 400, "invalid_json", "")
        refused(scanner.post("/programme/leaked-keys", json=[{"type": "x"}]), 400, "missing_field", "token")


def test_a_closed_account_opens_no_route(own, database, cohort, join):
    ana, person_id = join("annette")
    with database.session() as session:
        revocation.revoke_person(session, person_id, "olga", "She left.")
    for method, path, endpoint, _ in ROUTES:
        if endpoint.__name__ not in OPEN:
            answer = ana.request(method, re.sub(r"{\w+}", "1", path), **({"json": {}} if method == "POST" else {}))
            refused(answer, 401, "no_session", "not signed in")
    said = ana.post("/programme/session", json={"email": "annette@example.org", "password": PASSWORD})
    refused(said, 401, "wrong_password", "wrong")
