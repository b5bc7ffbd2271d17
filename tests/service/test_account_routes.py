"""One's own account: passwords, links that set one, passkeys by a device in software, keys that act in a role."""

import re

import pytest
from device import Device
from inside import SITE, refused
from test_access import open_cohort

from lanterne.programme import audit, passkeys, people
from lanterne.programme.passkeys import Site
from lanterne.service import keys, revocation

OLD, NEW = "correct horse", "battery staple"


@pytest.fixture
def ana(inside, name):
    browser = inside.person(name, "artist")
    with inside.database.session() as session:
        people.set_password(session, name, OLD)
    return inside.browser(name) or browser


def sign_in(inside, name, password):
    return inside.browser().post("/programme/session", json={"email": f"{name}@example.org", "password": password})


def links(inside, name):
    found = [re.search(rf"{SITE}/programme/password-links/(\S+)", mail) for mail in inside.mails(name)]
    return [match[1] for match in found if match]


# Passwords and links.


def test_a_password_is_changed_by_who_knows_it_and_other_sessions_end(inside, ana, name):
    other = inside.browser(name)
    refused(ana.post("/programme/password", json={"current": "wrong", "password": NEW}), 403, "wrong_password", "not your password")
    refused(ana.post("/programme/password", json={"current": OLD, "password": "short"}), 400, "invalid_value", "password=")
    assert other.get("/programme/passkeys").status_code == 200
    assert ana.post("/programme/password", json={"current": OLD, "password": NEW}).status_code == 200
    assert ana.get("/programme/passkeys").status_code == 200  # by the session that began with the answer
    refused(other.get("/programme/passkeys"), 401, "no_session", "signed out")
    assert [sign_in(inside, name, password).status_code for password in (OLD, NEW)] == [401, 200]
    assert inside.mails(name)[-1].startswith("Your password was changed")


def test_wrong_passwords_of_a_session_count_as_everywhere(inside, ana, monkeypatch):
    at = people.now()
    monkeypatch.setattr(people, "now", lambda: at)  # the first wait is of one second, which a slow machine takes to answer
    for _ in range(5):
        refused(ana.post("/programme/password", json={"current": "wrong", "password": NEW}), 403, "wrong_password", "")
    refused(ana.post("/programme/password", json={"current": OLD, "password": NEW}), 429, "too_many_attempts", "wrong passwords")


def test_a_forgotten_password_is_set_by_a_link_once_and_every_session_ends(inside, ana, name):
    nobody = inside.browser()
    addresses = (f"{name.upper()}@example.org", "x@y.zz", "x")
    asked = [nobody.post("/programme/password-links", json={"email": address}) for address in addresses]
    assert {(answer.status_code, answer.text) for answer in asked} == {(200, asked[0].text)}
    [link] = links(inside, name)
    path = f"/programme/password-links/{link}"
    assert nobody.get(path).json()["email"] == f"{name}@example.org"
    refused(nobody.post(path, json={"password": "short"}), 400, "invalid_value", "password=")
    assert nobody.post(path, json={"password": NEW}).json() == {"person_id": name}
    refused(nobody.post(path, json={"password": OLD}), 400, "refused", "was used before")
    refused(nobody.get(path), 400, "refused", "was used before")
    refused(nobody.get(path[:-1]), 404, "not_found", "letter of it is wrong")
    refused(ana.get("/programme/passkeys"), 401, "no_session", "signed out")
    assert [sign_in(inside, name, password).status_code for password in (OLD, NEW)] == [401, 200]


def test_links_are_few_expire_and_end_with_each_other_and_the_account(inside, ana, name, monkeypatch):
    inside.person(f"boss{name}", "operator")
    for _ in range(5):
        inside.browser().post("/programme/password-links", json={"email": f"{name}@example.org"})
    first, second, third = links(inside, name)
    with monkeypatch.context() as later:
        later.setattr(people, "now", lambda at=people.now: at() + 3601)
        refused(inside.browser().get(f"/programme/password-links/{first}"), 400, "refused", "has expired")
    assert inside.browser().post(f"/programme/password-links/{first}", json={"password": NEW}).status_code == 200
    refused(inside.browser().post(f"/programme/password-links/{second}", json={"password": OLD}), 400, "refused", "password was changed")
    monkeypatch.setattr(people, "now", lambda at=people.now: at() + 7200)
    inside.browser().post("/programme/password-links", json={"email": f"{name}@example.org"})
    with inside.database.session() as session:
        revocation.revoke_person(session, name, f"boss{name}", "They left.")
    fourth = (set(links(inside, name)) - {first, second, third}).pop()
    refused(inside.browser().post(f"/programme/password-links/{fourth}", json={"password": NEW}), 400, "refused", "is closed")
    inside.browser().post("/programme/password-links", json={"email": f"{name}@example.org"})
    assert len(links(inside, name)) == 4


# Passkeys.


def add(browser, device, name="laptop", credential=None):
    options = browser.post("/programme/passkeys/challenge").json()["options"]
    return browser.post("/programme/passkeys", json={"credential": credential or device.make(options), "name": name})


def challenge(inside):
    return inside.browser().post("/programme/session/challenge").json()["options"]


def enter(inside, credential):
    browser = inside.browser()
    return browser, browser.post("/programme/session/passkey", json={"credential": credential})


def test_a_passkey_signs_in_until_it_is_removed(inside, ana, name):
    device = Device(SITE)
    options = ana.post("/programme/passkeys/challenge").json()["options"]
    assert options["rp"]["id"] == "videos.example.org" and options["authenticatorSelection"]["userVerification"] == "required"
    added = ana.post("/programme/passkeys", json={"credential": device.make(options), "name": "laptop"}).json()
    again = ana.post("/programme/passkeys/challenge").json()["options"]
    assert [one["id"] for one in again["excludeCredentials"]] == [added["id"]]
    options = challenge(inside)
    assert not options.get("allowCredentials")  # names nobody
    browser, answer = enter(inside, device.get(options))
    assert answer.json() == {"person_id": name} and "httponly" in answer.headers["set-cookie"].lower()
    assert browser.get("/programme/passkeys").json()["data"][0]["used_at"]
    ben = inside.person(f"b{name}", "artist")
    refused(ben.delete(f"/programme/passkeys/{added['id']}"), 404, "not_found", "among yours")
    assert ben.get("/programme/passkeys").json() == {"data": []}
    assert browser.delete(f"/programme/passkeys/{added['id']}").status_code == 200
    assert browser.get("/programme/passkeys").json() == {"data": []}
    refused(ana.get("/programme/passkeys"), 401, "no_session", "signed out")  # all others end
    refused(enter(inside, device.get(challenge(inside)))[1], 401, "passkey_refused", "opens no account")
    with inside.database.session() as session:
        kinds = [kind for _, _, kind, _ in audit.told(session, name)]
        assert kinds[-2:] == ["passkey.added", "passkey.removed"]
        audit.verify(session, audit.Signer().verifier)
    assert inside.mails(name)[-1].startswith("A passkey was added")


def test_an_answer_is_taken_once_in_its_time_and_from_this_site_alone(inside, ana, name, monkeypatch):
    device = Device(SITE)
    options = ana.post("/programme/passkeys/challenge").json()["options"]
    made = {"credential": device.make(options), "name": "laptop"}
    ben = inside.person(f"b{name}", "artist")
    refused(ben.post("/programme/passkeys", json=made), 400, "refused", "no answer to a challenge that is open")  # it was Ana's
    assert ana.post("/programme/passkeys", json=made).status_code == 200
    refused(ana.post("/programme/passkeys", json=made), 400, "refused", "answered before")
    refused(add(ana, device), 400, "refused", "added before")
    seen = device.get(challenge(inside))
    assert enter(inside, seen)[1].status_code == 200
    refused(enter(inside, seen)[1], 401, "passkey_refused", "answered before")
    of_another = challenge(inside) | {"challenge": "AAAA"}
    refused(enter(inside, device.get(of_another))[1], 401, "passkey_refused", "no answer to a challenge")
    # A challenge that was given to sign in adds nothing, and the other way round.
    refused(ana.post("/programme/passkeys", json={"credential": device.make(challenge(inside)), "name": "x"}), 400, "refused", "no answer")
    refused(enter(inside, device.get(ana.post("/programme/passkeys/challenge").json()["options"]))[1], 401, "passkey_refused", "no answer")
    for device_, why in (
        (_like(device, origin="https://videos.example.org.evil.example"), "origin"), (_like(device, host="evil.example"), "RP ID"),
        (_like(device, key=Device(SITE).key), "signature"),
    ):
        wrong = device_.get(spent := challenge(inside))
        refused(enter(inside, wrong)[1], 401, "passkey_refused", why)
        refused(enter(inside, device.get(spent))[1], 401, "passkey_refused", "answered before")  # a wrong answer spends it, too
    refused(enter(inside, device.get(challenge(inside), flags=0))[1], 401, "passkey_refused", "not verified")
    cloned = _like(device, uses=0)
    refused(enter(inside, cloned.get(challenge(inside)))[1], 401, "passkey_refused", "sign count")
    options = challenge(inside)
    monkeypatch.setattr(passkeys, "now", lambda at=passkeys.now: at() + 301)
    refused(enter(inside, device.get(options))[1], 401, "passkey_refused", "too late")


def _like(device, **changed):
    other = Device(device.origin)
    other.__dict__ |= device.__dict__ | changed
    return other


@pytest.mark.parametrize("change", [
    {"id": "x y"}, {"type": "password"}, {"response": {}}, {"response": {"clientDataJSON": "!"}}, {"response": {"clientDataJSON": "e30"}},
    {"response": {"clientDataJSON": 5}}, {"rawId": "AAAA"}, {"id": 5}, {"response": None},
])
def test_junk_from_a_device_is_a_clear_no(inside, ana, change):
    device = Device(SITE)
    add(ana, device)
    answer = enter(inside, device.get(challenge(inside)) | change)[1]
    assert answer.status_code in (400, 401) and answer.json()["error"]["message"].endswith(".")
    answer = ana.post("/programme/passkeys", json={"credential": device.make(challenge(inside)) | change, "name": "x"})
    assert answer.status_code == 400


@pytest.mark.parametrize("form", ["tpm", "android-key", "packed", "fido-u2f", "apple", "android-safetynet", "x"])
def test_attestations_that_are_junk_add_nothing(inside, ana, form):
    import cbor2
    from device import encode

    options, device = ana.post("/programme/passkeys/challenge").json()["options"], Device(SITE)
    made = device.make(options)
    whole = cbor2.loads(passkeys_bytes(made["response"]["attestationObject"]))
    statement = {"alg": -7, "sig": b"x", "x5c": [b"junk"], "ver": "2.0", "certInfo": b"x", "pubArea": b"x", "response": b"a.b.c"}
    made["response"]["attestationObject"] = encode(cbor2.dumps(whole | {"fmt": form, "attStmt": statement}))
    refused(ana.post("/programme/passkeys", json={"credential": made, "name": "x"}), 400, "refused", "does not hold")


def passkeys_bytes(text):
    from webauthn.helpers import base64url_to_bytes

    return base64url_to_bytes(text)


def test_a_closed_account_has_no_way_in_by_a_passkey(inside, ana, name):
    device = Device(SITE)
    add(ana, device)
    inside.person(f"boss{name}", "operator")
    with inside.database.session() as session:
        revocation.revoke_person(session, name, f"boss{name}", "They left.")
    refused(enter(inside, device.get(challenge(inside)))[1], 401, "passkey_refused", "opens no account")


@pytest.mark.parametrize("url, host, origin", [
    ("https://a.example/x/", "a.example", "https://a.example"), ("https://A.example:443", "a.example", "https://a.example"),
    ("http://localhost:8000", "localhost", "http://localhost:8000"), ("https://a.example:8443/x", "a.example", "https://a.example:8443"),
])
def test_where_passkeys_are_for(url, host, origin):
    assert Site.at(url) == Site(host, origin)


# Keys that act in a role.


def test_a_key_of_a_role_is_worth_what_its_owner_is(inside, name):
    olga, rita = inside.person(name, "operator"), inside.person(f"r{name}", "reviewer")
    refused(rita.post("/programme/role-keys", json={"name": "x", "scopes": ["admin"]}), 400, "refused", "does not have the role operator")
    refused(olga.post("/programme/role-keys", json={"name": "x", "scopes": ["videos:read"]}), 400, "invalid_value", "scopes")
    refused(olga.post("/programme/role-keys", json={"name": "x", "scopes": ["admin"], "days": 367}), 400, "invalid_value", "days=367")
    made = olga.post("/programme/role-keys", json={"name": "script", "scopes": ["admin"]}).json()
    program = inside.program(made["key"])
    refused(program.post("/programme/role-keys", json={"name": "y", "scopes": ["admin"]}), 401, "no_session", "not signed in")
    refused(program.post("/programme/password", json={"password": NEW}), 401, "no_session", "not signed in")
    refused(program.post("/programme/passkeys/challenge"), 401, "no_session", "not signed in")
    refused(program.get("/v1/models"), 403, "missing_scope", "videos:read")
    successor = olga.post(f"/programme/keys/{made['id']}/rotate", json={"hours": 1}).json()
    assert {key["id"] for key in olga.get("/programme/me").json()["keys"]} == {made["id"], successor["id"]}
    refused(rita.delete(f"/programme/keys/{made['id']}"), 404, "not_found", "among yours")
    assert olga.delete(f"/programme/keys/{made['id']}").json()["state"] == "revoked"


def test_a_key_of_a_role_ends_when_the_password_is_set_anew(inside, name):
    rita = inside.person(name, "reviewer")
    made = rita.post("/programme/role-keys", json={"name": "script", "scopes": ["review"]}).json()
    with inside.database.session() as session:
        artists = keys.insert(session, "own", name, ["videos:read"], None, keys.Quota(), decoy=False)[1]
    assert inside.program(made["key"]).get("/programme/review/queue").status_code == 200
    inside.browser().post("/programme/password-links", json={"email": f"{name}@example.org"})
    assert inside.browser().post(f"/programme/password-links/{links(inside, name)[-1]}", json={"password": NEW}).status_code == 200
    with inside.database.session() as session:
        assert session.get(keys.Key, made["id"]).revoked_at is not None and keys.by_text(session, artists).revoked_at is None


def test_keys_of_artists_have_no_role(inside, name):
    ana = inside.person(name, "artist")
    with inside.database.session() as session:
        open_cohort(session, name)
    refused(ana.post("/programme/keys", json={"cohort": name, "name": "x", "scopes": ["admin"]}), 400, "invalid_value", "admin")
