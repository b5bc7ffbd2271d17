"""Work, pay and the audit log over HTTP: an artist's part and the operators' desk, by session and by key."""

import json

import pytest
from inside import refused

from lanterne.programme import audit, pay, people
from lanterne.service import keys

IBAN = "DE89370400440532013000"


@pytest.fixture
def ana(inside, name):
    return inside.person(name, "artist")


@pytest.fixture
def olga(inside):
    return inside.browser("olga")


@pytest.fixture
def clerk(inside):
    """A program with an operator's key."""
    with inside.database.session() as session:
        return inside.program(keys.insert(session, "clerk", "olga", ["admin"], None, keys.Quota(), decoy=False)[1])


def claim(browser, **body):
    answer = browser.post("/programme/work", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_from_the_claim_to_the_bank_and_the_statement(inside, name, ana, olga, clerk):
    work = claim(ana, kind="hours", hours="1:30", note="loops", key="k")
    assert (work["claimed"], work["minutes"], work["state"]) == (5250, 90, "waiting for a decision")
    assert claim(ana, kind="hours", hours="1:30", note="loops", key="k")["id"] == work["id"]
    [due] = ana.get("/programme/owed").json()["next"]
    assert (due["what"], due["subject"], due["due_at"]) == ("decision", work["id"], work["due_at"])
    assert work["id"] in [one["id"] for one in clerk.get("/programme/desk/work").json()["data"]]
    path = f"/programme/desk/work/{work['id']}/decide"
    refused(clerk.post(path, json={"accepted": 4000}), 400, "refused", "reason is empty")
    refused(clerk.post(path, json={"accepted": 5251}), 400, "refused", "as claimed")
    decided = clerk.post(path, json={"accepted": 4000, "reason": "Half an hour was a break."}).json()
    assert decided["decisions"][0] | {"decided_at": 0, "pay_by": 0} == {
        "number": 1, "accepted": 4000, "reason": "Half an hour was a break.", "decided_by": "olga", "decided_at": 0, "pay_by": 0,
        "disputed": None,
    }
    assert ana.get("/programme/work").json()["data"] == [decided]
    disputed = ana.post(f"/programme/work/{work['id']}/dispute", json={"statement": "It was no break."}).json()
    assert disputed["state"] == "disputed" and disputed["decisions"][0]["disputed"] == "It was no break."
    refused(olga.post(path, json={}), 403, "another_person", "goes to somebody else")
    otto = inside.person(f"o{name}", "operator")
    assert otto.post(path, json={}).json()["accepted"] == 5250
    assert ana.get("/programme/owed").json()["owed"] == {"EUR": 5250}

    refused(ana.post("/programme/payee", json={"name": "Ana", "iban": "DE89370400440532013001"}), 400, "refused", "IBAN")
    refused(ana.get("/programme/payee"), 404, "not_found", "POST /programme/payee")
    assert ana.post("/programme/payee", json={"name": "Ana", "iban": IBAN}).json()["iban"] == IBAN
    payout = clerk.post("/programme/desk/payouts", json={"key": name}).json()
    assert {"person_id": name, "amount": 5250, "state": "on its way"} in payout["lines"]
    assert clerk.post("/programme/desk/payouts", json={"key": name}).json()["id"] == payout["id"]
    path = f"/programme/desk/payouts/{payout['id']}"
    refused(clerk.post(f"{path}/settle"), 400, "refused", "not exported yet")
    refused(clerk.post(f"{path}/export", json={"copy": True}), 400, "refused", "not exported yet")
    file = clerk.post(f"{path}/export", json={})
    assert file.headers["content-type"].startswith("application/xml") and "<InstdAmt" in file.text
    assert file.headers["content-disposition"] == f'attachment; filename="{payout["id"]}.xml"'
    refused(clerk.post(f"{path}/export", json={}), 400, "refused", "was exported on")
    assert "<!-- Copy 1." in clerk.post(f"{path}/export", json={"copy": True}).text
    assert clerk.post(f"{path}/settle").json()["lines"][0]["state"] == "paid"
    bounced = clerk.post(f"{path}/bounce", json={"person_id": name, "reason": "account closed"}).json()
    assert {"person_id": name, "amount": 5250, "state": "came back"} in bounced["lines"]

    [told] = ana.get("/programme/statements").json()["data"]
    assert [line["amount"] for line in told["lines"]] == [4000, 1250, -5250, 5250] and told["closing"] == 5250
    assert told["lines"][0]["reason"] == "Half an hour was a break."
    for form, begins in (("html", "<!doctype html>"), ("pdf", "%PDF-"), ("csv", "Date,")):
        mine, theirs = (
            browser.get(f"{path}/{form}") for browser, path in (
                (ana, "/programme/statements"), (clerk, f"/programme/desk/people/{name}/statements"),
            )
        )
        assert mine.text.lower().startswith(begins.lower()) and (form == "pdf" or mine.text == theirs.text)
    assert clerk.get(f"/programme/desk/people/{name}/statements?month=2020-01").json()["data"][0]["lines"] == []
    assert clerk.get("/programme/desk/ledger/beancount").text.startswith('option "title"')
    assert sum(one["amount"] for one in clerk.get("/programme/desk/ledger").json()["data"]) == 0
    transactions = clerk.get("/programme/desk/ledger/journal").json()["data"]
    assert all(sum(leg["amount"] for leg in one["legs"]) == 0 for one in transactions)

    def about(browser, posted):
        return browser.post(f"/programme/desk/ledger/{posted['id']}/reverse", json={"reason": "typed twice"})

    mine = [one for one in transactions if f"liability:payable:{name}" in [leg["account"] for leg in one["legs"]]]
    refused(about(clerk, mine[0]), 400, "refused", "which stands")
    credit = {"person_id": name, "subject": f"late {name}", "amount": 500, "because": "It was late.", "due_at": 1000, "missed_at": 2000}
    assert clerk.post("/programme/desk/credits", json=credit).status_code == 200
    given = clerk.get("/programme/desk/ledger/journal").json()["data"][-1]
    undone = about(clerk, given).json()
    assert undone["reverses"] == given["id"]
    refused(about(clerk, undone), 400, "refused", "itself a reversal")


@pytest.mark.parametrize("body, code, why", [
    ({"kind": "hours", "hours": -1}, "invalid_value", "hours"), ({"kind": "hours", "hours": 25}, "invalid_value", "hours"),
    ({"kind": "hours", "hours": "1e999999"}, "invalid_value", "hours"), ({"kind": "hours", "hours": "24:30"}, "refused", "worked in a day"),
    ({"kind": "hours", "hours": 0}, "invalid_value", "hours"), ({"kind": "hours", "hours": True}, "invalid_value", "hours"),
    ({"kind": "hours", "hours": 1.2345}, "refused", "finer than a minute"), ({"kind": "hours"}, "refused", "number of hours"),
    ({"kind": "bug", "hours": 1}, "refused", "what it is about"), ({"kind": "sleep", "hours": 1}, "invalid_value", "kind"),
    ({"kind": "hours", "hours": 1, "day": "2020-01-01"}, "refused", "past 366 days"),
    ({"kind": "hours", "hours": 1, "day": "2999-01-01"}, "refused", "none to come"),
    ({"kind": "hours", "hours": 1, "day": "2026-13-01"}, "refused", "cannot be read"),
    ({"kind": "hours", "hours": 1, "card": "none"}, "not_found", "no rate card"),
    ({"kind": "use", "about": "x"}, "refused", "pays nothing"),
    ({"kind": "hours", "hours": 1, "person_id": "ben"}, "unknown_field", "person_id"),
])
def test_work_that_cannot_be_is_not_claimed(ana, body, code, why):
    refused(ana.post("/programme/work", json=body), 404 if code == "not_found" else 400, code, why)
    assert ana.get("/programme/work").json() == {"data": []}


def test_a_day_has_24_hours_and_a_bug_is_claimed_once(ana):
    claim(ana, kind="hours", hours=20)
    refused(ana.post("/programme/work", json={"kind": "hours", "hours": 5}), 400, "refused", "over the 24")
    claim(ana, kind="bug", about="17")
    refused(ana.post("/programme/work", json={"kind": "bug", "about": "17"}), 400, "refused", "claimed before")


def test_nobody_sees_or_touches_what_is_anothers_or_decides_on_their_own(inside, name, ana, olga, clerk):
    work = claim(ana, kind="bug", about=name)
    clerk.post(f"/programme/desk/work/{work['id']}/decide", json={"accepted": 0, "reason": "It was known."})
    ana.post("/programme/payee", json={"name": "Ana", "iban": IBAN})
    ben = inside.person(f"b{name}", "artist")
    theirs, unknown = (ben.post(f"/programme/work/{one}/dispute", json={"statement": "no"}) for one in (work["id"], "work_0"))
    refused(theirs, 404, "not_found", "among yours")
    refused(unknown, 404, "not_found", "among yours")
    for path in ("work", "owed", "statements", "audit/lines"):
        assert work["id"] not in ben.get(f"/programme/{path}").text and IBAN not in ben.get(f"/programme/{path}").text
    refused(ben.get("/programme/payee"), 404, "not_found", "not known")
    for path in ("work", "arrears", "payouts", "ledger", f"people/{name}/statements", "audit/lines", "keys", "people", "alarms"):
        refused(ben.get(f"/programme/desk/{path}"), 403, "missing_role", "operator")
    own = claim(olga, kind="bug", about=name)
    refused(olga.post(f"/programme/desk/work/{own['id']}/decide", json={}), 403, "another_person", "your own")
    credit = {"person_id": "olga", "subject": name, "amount": 1, "because": "late", "due_at": 1}
    refused(olga.post("/programme/desk/credits", json=credit), 403, "another_person", "to themselves")


def test_details_that_an_operator_sets_are_told_and_paid_by_another(inside, name, ana, olga, clerk):
    path, details = f"/programme/desk/people/{name}/payee", {"name": "Ana Müller", "iban": IBAN}
    clerk.post("/programme/desk/credits", json={"person_id": name, "subject": name, "amount": 500, "because": "late", "due_at": 1})
    refused(ana.post(path, json=details), 403, "missing_role", "operator")
    refused(clerk.post(path, json=details | {"iban": "DE89370400440532013001"}), 400, "refused", "IBAN")
    assert ana.post("/programme/payee", json=details).json()["set_by"] == name
    assert inside.mails(name) == []
    assert clerk.post(path, json=details).json()["set_by"] == "olga" == ana.get("/programme/payee").json()["set_by"]
    [told] = inside.mails(name)
    assert "olga, an operator, set where your money goes: to the account of Ana Müller whose IBAN ends in 3000." in told
    assert "answer this mail: somebody else than olga" in " ".join(told.split()) and IBAN[:-4] not in told
    lines = ana.get("/programme/audit/lines").text
    assert "iban_ends" in lines and IBAN not in lines
    answer = olga.post("/programme/desk/payouts", json={}).json()
    assert name not in [line["person_id"] for line in answer.get("lines", [])] and ana.get("/programme/owed").json()["owed"] == {"EUR": 500}
    lines = inside.person(f"o{name}", "operator").post("/programme/desk/payouts", json={}).json()["lines"]
    assert {"person_id": name, "amount": 500, "state": "on its way"} in lines


def test_credits_rate_cards_and_arrears(inside, name, ana, clerk, monkeypatch):
    credit = {"person_id": name, "subject": f"late:{name}", "amount": 500, "because": "It was late.", "due_at": 1000, "missed_at": 2000}
    assert clerk.post("/programme/desk/credits", json=credit).json()["amount"] == 500
    clerk.post("/programme/desk/credits", json=credit)
    assert ana.get("/programme/owed").json()["owed"] == {"EUR": 500}
    refused(clerk.post("/programme/desk/credits", json=credit | {"missed_at": 1}), 400, "refused", "was kept")
    refused(clerk.post("/programme/desk/credits", json=credit | {"person_id": "nobody"}), 404, "not_found", "no person")
    refused(clerk.post("/programme/desk/credits", json=credit | {"amount": -1}), 400, "invalid_value", "amount=-1")
    card = clerk.post("/programme/desk/rate-cards", json={"name": name, "rates": {"hours": 100}}).json()
    assert (card["version"], card["rates"], card["decide_days"]) == (1, {"hours": 100}, 14)
    assert ana.get(f"/programme/rate-card?name={name}").json() == card
    for body in ({"rates": {}}, {"rates": {"hours": 0}}, {"rates": {"sleep": 5}}, {"rates": {"hours": 1}, "currency": "EURO"}):
        refused(clerk.post("/programme/desk/rate-cards", json={"name": name} | body), 400, "invalid_value", "")
    refused(clerk.post("/programme/desk/rate-cards", json={"name": name, "rates": {"hours": 1}, "currency": "XQQ"}), 400, "refused", "XQQ")
    work = claim(ana, kind="hours", hours=1)
    assert not ana.get("/programme/owed").json()["late"]
    monkeypatch.setattr(pay, "now", lambda at=pay.now: at() + 15 * 86400)
    assert [one["subject"] for one in ana.get("/programme/owed").json()["late"]] == [work["id"]]
    assert work["id"] in [one["subject"] for one in clerk.get("/programme/desk/arrears").json()["data"]]


def test_the_log_is_open_to_proof_and_lines_to_whom_they_are_about(inside, name, ana, clerk):
    nobody = inside.browser()
    before, key = nobody.get("/programme/audit/checkpoint").text, nobody.get("/programme/audit/key").text
    claim(ana, kind="hours", hours=1)
    [added, line] = ana.get("/programme/audit/lines").json()["data"]
    assert (added["kind"], line["kind"]) == ("person.added", "pay.claimed") and json.loads(line["data"])["claimed"] == 3500
    receipt = ana.get(f"/programme/audit/lines/{line['number']}").json()["receipt"]
    audit.check_receipt(audit.Receipt.read(receipt), key)
    assert nobody.post("/programme/audit/check", json={"receipt": receipt}).json()["number"] == line["number"]
    changed = receipt.replace('claimed\\":3500', 'claimed\\":9500')  # and not digits of a hash
    refused(nobody.post("/programme/audit/check", json={"receipt": changed}), 400, "refused", "data was changed")
    refused(nobody.post("/programme/audit/check", json={"receipt": "{}"}), 400, "refused", "not a receipt")
    refused(nobody.post("/programme/audit/check", json={"receipt": '{"leaf": "\\ud800"}'}), 400, "refused", "not a receipt")
    proof = nobody.post("/programme/audit/consistency", json={"checkpoint": before}).json()
    audit.check_consistency(audit.Consistency(proof["first"], proof["second"], tuple(proof["proof"])), key)
    refused(nobody.post("/programme/audit/consistency", json={"checkpoint": before.replace("lanterne", "x")}), 400, "refused", "checkpoint")
    refused(ana.get("/programme/audit/lines/0"), 404, "not_found", "no line 0 about you")
    refused(ana.get("/programme/audit/lines/99999999999"), 400, "invalid_value", "number")
    assert clerk.post("/programme/desk/audit/verify", json={"receipts": [receipt]}).json()["lines"] > line["number"]
    refused(clerk.post("/programme/desk/audit/verify", json={"receipts": [changed]}), 400, "refused", "data was changed")
    assert clerk.get(f"/programme/desk/audit/lines?person={name}").json()["data"][1] == line
    assert "olga" in clerk.get("/programme/desk/audit/lines/0").json()["receipt"]


def test_who_looked_is_withheld_from_the_artist(inside, name, ana, clerk):
    with inside.database.session() as session:
        audit.append(session, "review.looked", {"reviewer": "rita"}, name)
    line = ana.get("/programme/audit/lines").json()["data"][-1]
    assert (line["kind"], line["data"]) == ("review.looked", None)
    receipt = audit.Receipt.read(ana.get(f"/programme/audit/lines/{line['number']}").json()["receipt"])
    assert receipt.data is None and audit.check_receipt(receipt, audit.Signer().verifier)
    assert "rita" in clerk.get(f"/programme/desk/audit/lines/{line['number']}").json()["receipt"]


def test_a_key_of_who_lost_the_role_opens_nothing(inside, name):
    inside.person(name, "operator", "reviewer")
    with inside.database.session() as session:
        text = keys.insert(session, "x", name, ["admin", "review"], None, keys.Quota(), decoy=False)[1]
    program = inside.program(text)
    assert program.get("/programme/desk/payouts").status_code == 200
    with inside.database.session() as session:
        people.set_roles(session, name, ["reviewer"], "olga", "a test")
    refused(program.get("/programme/desk/payouts"), 403, "missing_role", "operator")
    with inside.database.session() as session:
        people.set_roles(session, name, [], "olga", "a test")
        review = keys.insert(session, "y", "olga", [], None, keys.Quota(), decoy=False)[1]
    refused(inside.program(review).get("/programme/desk/payouts"), 403, "missing_scope", "admin")
    refused(inside.program("ltn_junk").get("/programme/desk/payouts"), 401, "invalid_api_key", "letter of it is wrong")
