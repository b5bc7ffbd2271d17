"""The operators' desk over HTTP: people, cohorts, invitations, cuts and alarms."""

import json
import re

import pytest
from inside import SITE, refused

from lanterne.programme import audit, leaks
from lanterne.service import keys
from lanterne.service.database import now

PASSWORD = "correct horse"


@pytest.fixture
def olga(inside):
    return inside.browser("olga")


@pytest.fixture
def clerk(inside):
    with inside.database.session() as session:
        return inside.program(keys.insert(session, "clerk", "olga", ["admin"], None, keys.Quota(), decoy=False)[1])


def terms(**changed):
    return {"text": "Be kind.", "videos": 3, "seconds": 20, "ends_at": now() + 86400} | changed


def test_an_account_is_opened_in_person_and_its_owner_sets_the_password(inside, name, olga, clerk):
    account = {"name": "Rita", "email": f"{name}@example.org", "roles": ["reviewer"], "id": name}
    refused(clerk.post("/programme/desk/people", json=account), 401, "no_session", "not signed in")
    assert olga.post("/programme/desk/people", json=account).json()["roles"] == ["reviewer"]
    refused(olga.post("/programme/desk/people", json=account), 400, "refused", "already")
    [mail] = inside.mails(name)
    link = re.search(rf"{SITE}(/programme/password-links/\S+)", mail)[1]
    rita = inside.browser()
    assert rita.post(link, json={"password": PASSWORD}).json() == {"person_id": name}
    assert rita.post("/programme/session", json={"email": f"{name}@example.org", "password": PASSWORD}).status_code == 200
    refused(rita.get("/programme/desk/people"), 403, "missing_role", "operator")
    path = f"/programme/desk/people/{name}"
    refused(clerk.post(f"{path}/roles", json={"roles": ["operator"], "reason": "More work."}), 401, "no_session", "not signed in")
    refused(olga.post(f"{path}/roles", json={"roles": ["king"], "reason": "More work."}), 400, "invalid_value", "king")
    refused(olga.post(f"{path}/roles", json={"roles": ["operator"]}), 400, "missing_field", "reason")
    refused(olga.post(f"{path}/roles", json={"roles": ["operator"], "reason": " "}), 400, "refused", "for a reason")
    assert olga.post(f"{path}/roles", json={"roles": ["operator"], "reason": "More work."}).json()["roles"] == ["operator"]
    assert name in [one["id"] for one in rita.get("/programme/desk/people").json()["data"]]
    olga.post(f"{path}/password-link")
    assert len([mail for mail in inside.mails(name) if "password-links" in mail]) == 2
    refused(olga.post(f"{path}x/password-link"), 404, "not_found", "no person")
    refused(clerk.post(f"{path}/forget"), 400, "refused", "is open")
    refused(clerk.post(f"{path}/revoke", json={"reason": " "}), 400, "refused", "reason")
    assert clerk.post(f"{path}/revoke", json={"reason": "She left."}).json() == {"keys": [], "videos": []}
    assert "She left." in inside.mails(name)[-1]
    refused(rita.get("/programme/desk/people"), 401, "no_session", "signed out")
    assert clerk.post(f"{path}/forget").json()["lines"] > 2
    refused(clerk.post(f"{path}x/forget"), 404, "not_found", "no person")


def test_from_a_cohort_to_its_end(inside, name, clerk):
    offer = clerk.post("/programme/desk/cohorts", json={"name": name} | terms()).json()
    assert offer["document"]["quotas"]["videos"] == 3 and "Hours: 35.00 EUR" in offer["text"]
    refused(clerk.post("/programme/desk/cohorts", json={"name": name} | terms()), 400, "refused", "already")
    for wrong, code in (
        ({"ends_at": 1}, "refused"), ({"videos": 0}, "invalid_value"), ({"card": "none"}, "not_found"), ({"text": " "}, "refused"),
        ({"ends_at": 2**40}, "invalid_value"),
    ):
        refused(clerk.post(f"/programme/desk/cohorts/{name}/terms", json=terms(**wrong)), 404 if code == "not_found" else 400, code, "")
    assert clerk.post(f"/programme/desk/cohorts/{name}/terms", json=terms(seconds=30)).json()["version"] == 2
    sent = clerk.post("/programme/desk/invitations", json={"cohort": name, "email": f"{name}@example.org"}).json()
    assert sent["link"] in inside.mails(name)[0]
    artist, path = inside.browser(), sent["link"].removeprefix(SITE)
    digest = artist.get(path).json()["offer"]["sha256"]
    artist.post(f"{path}/accept", json={"sha256": digest, "name": "Ana", "password": PASSWORD})
    artist.post("/programme/session", json={"email": f"{name}@example.org", "password": PASSWORD})
    made = artist.post("/programme/keys", json={"cohort": name, "name": "laptop"}).json()
    other = clerk.post("/programme/desk/invitations", json={"cohort": name, "email": "x@example.org"}).json()
    assert clerk.delete(f"/programme/desk/invitations/{other['id']}").json()["state"] == "withdrawn"
    refused(clerk.delete(f"/programme/desk/invitations/{other['id']}"), 404, "not_found", "no open invitation")
    states = {one["id"]: one["state"] for one in clerk.get("/programme/desk/invitations").json()["data"]}
    assert (states[sent["id"]], states[other["id"]]) == ("accepted", "withdrawn")
    [found] = [one for one in clerk.get("/programme/desk/cohorts").json()["data"] if one["name"] == name]
    assert (found["members"], found["offer"]["version"], found["closed_at"]) == (1, 2, None)
    [key] = [one for one in clerk.get("/programme/desk/keys").json()["data"] if one["id"] == made["id"]]
    assert (key["cohort"], key["state"], key["owner"]) == (name, "in use", artist.get("/programme/me").json()["person_id"])
    second = artist.post("/programme/keys", json={"cohort": name, "name": "desk"}).json()
    path = f"/programme/desk/keys/{second['id']}/revoke"
    assert clerk.post(path, json={"reason": "Found."}).json()["keys"] == [second["id"]]
    refused(clerk.post(path, json={"reason": "Found."}), 404, "not_found", "no key")
    assert clerk.post(f"/programme/desk/cohorts/{name}/revoke", json={"reason": "It is over."}).json()["keys"] == [made["id"]]
    assert [said in mail for said, mail in zip(("Found.", "It is over."), inside.mails(name)[-2:], strict=True)] == [True, True]
    refused(clerk.post(f"/programme/desk/cohorts/{name}/revoke", json={"reason": "Again."}), 400, "refused", "is closed")


def test_alarms_are_decided_and_decoys_made(inside, name, clerk):
    ana = inside.person(name, "artist")
    with inside.database.session() as session:
        found = [leaks.assess(session, f"key_{name}{n}", name, leaks.Seen(networks=tuple("abcdefghijk"))) for n in (1, 2)]
    ana.post(f"/programme/alarms/{found[0].id}/contest", json={"statement": "I was on a train."})
    path = f"/programme/desk/alarms/{found[0].id}/decide"
    [seen] = [one for one in clerk.get("/programme/desk/alarms").json()["data"] if one["id"] == found[0].id]
    assert seen["statement"] == "I was on a train." and seen["person_id"] == name and seen["verdict"] is None
    refused(clerk.post(path, json={"upheld": "no", "reasons": "x"}), 400, "invalid_value", "upheld")
    assert clerk.post(path, json={"upheld": False, "reasons": "She was."}).json()["decided_by"] == "olga"
    refused(clerk.post(path, json={"upheld": True, "reasons": "No."}), 400, "refused", "decided before")
    assert "She was." in inside.mails(name)[-1]
    assert clerk.post(f"/programme/desk/alarms/{found[1].id}/decide", json={"upheld": True, "reasons": "x"}).json()["verdict"]["upheld"]
    decoy = clerk.post("/programme/desk/decoys", json={"name": "press kit", "owner": name}).json()
    refused(clerk.post("/programme/desk/decoys", json={"name": "a\nb", "owner": name}), 400, "refused", "can be printed")
    with inside.database.session() as session:
        assert [json.loads(data) for _, _, kind, data in audit.told(session, name) if kind == "key.decoy"] == [
            {"by": "olga", "key": decoy["id"], "owner": name}
        ]
        session.get(keys.Key, decoy["id"]).name = "made\nbefore"  # when such names were taken
    label = inside.browser().post("/programme/leaked-keys", json=[{"token": decoy["key"], "type": "x", "url": ""}])
    assert label.json()[0]["label"] == "true_positive" and "Your key made before was revoked" in inside.mails(name)[-1].replace("\n", " ")
    refused(inside.program(decoy["key"]).get("/programme/desk/alarms"), 401, "invalid_api_key", "unknown")
