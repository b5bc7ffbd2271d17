"""The gate's commands, as an artist, reviewers and an operator run them at the server's machine."""

import hashlib
import json
from pathlib import Path

import pytest
from gate import ANA, RITA, add_video, path_of

from lanterne.programme import people
from lanterne.programme.release import Wishes
from lanterne.service import releasing

EXAMPLE = Path(__file__).parents[2] / "docs" / "review-policy.toml"
REASONS = ("--ground", "1", "--explanation", "A person can be recognised.", "--at", "1-2.5", "--at", "4-5")


def test_from_the_policy_over_an_appeal_to_the_public_and_the_report_to_the_eu(house, lanterne, tmp_path):
    digest = add_video(house, "video_1")
    assert lanterne("policy", "publish", str(EXAMPLE), "--by", "olga") == "version 2"
    shown = lanterne("policy", "show")
    assert "6  It flashes" in shown and "else: 10.00 EUR" in shown and "Version 1," in lanterne("policy", "show", "1")
    request_id = lanterne("release", "ask", "video_1", "--by", "ana").split()[0]
    assert request_id in lanterne("review", "queue", "--by", "rita")
    copy = tmp_path / "look.mp4"
    assert "6  It flashes" in lanterne("review", "claim", request_id, "--by", "rita", "-o", str(copy))
    assert copy.read_bytes() == path_of(house, digest).read_bytes()
    assert "being looked at" in lanterne("review", "claim", request_id, "--by", "ron", code=2)
    assert lanterne("review", "refuse", request_id, "--by", "rita", *REASONS) == f"{request_id}  first look, now waiting"
    lanterne("review", "claim", request_id, "--by", "ron")
    lanterne("review", "refuse", request_id, "--by", "ron", *REASONS)
    told = lanterne("release", "show", request_id, "--by", "ana")
    assert "refused" in told and "seconds 1 to 2.5, 4 to 5" in told and "rita" not in told
    assert "answered by" in lanterne("release", "appeal", request_id, "It is a statue.", "--by", "ana")
    assert "it is appealed, and is answered by 20" in lanterne("release", "appeal", request_id, "It is.", "--by", "ana", code=2)
    assert "is appealed and not approved; wait for the decision" in lanterne("release", "publish", request_id, "--by", "ana", code=2)
    assert "An appeal; the artist says: It is a statue." in lanterne("review", "claim", request_id, "--by", "ruth")
    assert "not for you" in lanterne("review", "claim", request_id, "--by", "rita", code=2)
    lanterne("review", "approve", request_id, "--by", "ruth", "--explanation", "It is a statue.")
    sha256 = lanterne("release", "publish", request_id, "--by", "ana", "--title", "Dawn", "--credit", "A.")
    assert lanterne("release", "public").endswith("A.  Dawn") and sha256 in lanterne("release", "show", request_id, "--by", "ana")
    assert "public" in lanterne("review", "list", "--by", "olga")
    lanterne("release", "takedown", request_id, "--by", "olga", "--ground", "1", "--explanation", "Somebody asked us to.")
    assert lanterne("release", "public") == "" and "taken down" in lanterne("release", "list", "--by", "ana")
    told = lanterne("release", "show", request_id, "--by", "ana")
    assert "Somebody asked us to." in told and "taken down on" in told and "olga" not in told
    lanterne("review", "dsa", "--since", "2026-01-01", "--by", "olga", "-o", str(tmp_path / "dsa.json"))
    found = json.loads((tmp_path / "dsa.json").read_text())["statements"]
    assert {said["puid"] for said in found} == {f"{request_id}-refusal", f"{request_id}-takedown"}
    assert "can be appealed against until" in told
    lanterne("release", "appeal", request_id, "They meant another.", "--by", "ana")
    assert "takedown appealed, due" in lanterne("release", "show", request_id, "--by", "ana")
    assert "not for you" in lanterne("review", "claim", request_id, "--by", "ruth", code=2)
    assert lanterne("review", "list", "--waiting", "--by", "olga").endswith("ana  no reviewer is left")
    lanterne("people", "add", "Otto", "otto@example.org", "--role", "operator", "--id", "otto", "--by", "olga")
    both = ("--role", "operator", "--role", "reviewer")
    lanterne("people", "roles", "otto", *both, "--by", "olga", "--reason", "All others have looked.")
    assert "an appeal against a takedown" in lanterne("review", "queue", "--by", "otto")
    assert lanterne("review", "list", "--waiting", "--by", "olga").endswith("  ana")
    told = lanterne("review", "claim", request_id, "--by", "otto", "-o", str(copy))
    assert "was taken down: 1: Somebody asked us to." in told and "the artist says: They meant another." in told
    assert f"SHA-256 {sha256}" in told and hashlib.sha256(copy.read_bytes()).hexdigest() == sha256
    approved = lanterne("review", "approve", request_id, "--by", "otto", "--explanation", "They did.")
    assert approved == f"{request_id}  takedown 1 look, now public"
    assert "overturned on" in lanterne("release", "show", request_id, "--by", "ana") and lanterne("release", "public").endswith("A.  Dawn")
    assert lanterne("review", "escalate", "--by", "olga") == ""
    assert "transactions are as they were logged" in lanterne("audit", "verify")


def test_ones_own_rights_outlast_the_account(house, lanterne):
    for video in ("video_1", "video_2"):
        add_video(house, video)
    waiting, shown = (releasing.ask(house, ANA, video).id for video in ("video_1", "video_2"))
    releasing.claim(house, RITA, shown)
    releasing.look(house, RITA, shown, True)
    releasing.publish(house, ANA, shown, Wishes())
    with house.database.session() as session:
        people.close(session, "ana", "olga", "She left.")
    assert "closed" in lanterne("release", "ask", "video_1", "--by", "ana", code=2)
    assert "waiting" in lanterne("release", "show", waiting, "--by", "ana")
    lanterne("release", "withdraw", waiting, "--by", "ana")
    lanterne("release", "takedown", shown, "--by", "ana")
    assert lanterne("release", "public") == "" and "withdrawn" in lanterne("release", "show", waiting, "--by", "ana")
    assert "is closed" not in lanterne("release", "appeal", waiting, "x", "--by", "ana", code=2)  # refused for what it is


@pytest.mark.parametrize("arguments, said", [
    (("policy", "publish", "none.toml", "--by", "olga"), "none.toml cannot be read"),
    (("policy", "show", "9"), "no version 9"), (("release", "ask", "video_1", "--by", "nobody"), "no person 'nobody'"),
    (("release", "list", "--by", "nobody"), "no person 'nobody'"), (("data", "affected", "nobody"), "no person 'nobody'"),
    (("consent", "list", "nobody"), "no person 'nobody'"), (("consent", "withdraw", "training", "--by", "nobody"), "no person 'nobody'"),
    (("feedback", "list", "--person", "nobody"), "no person 'nobody'"),
    (("feedback", "bug", "It flickers", "At dawn.", "--by", "nobody"), "no person 'nobody'"),
    (("release", "ask", "bens", "--by", "ana"), "among yours"), (("review", "queue", "--by", "ana"), "not a reviewer"),
    (("review", "list", "--by", "ana"), "not an operator"), (("review", "dsa", "--since", "yesterday", "--by", "olga"), "cannot be read"),
    (("review", "refuse", "x", "--by", "rita", "--ground", "1", "--explanation", "x", "--at", "soon"), "'soon' cannot be read"),
    (("review", "claim", "x", "--by", "rita"), "no request 'x'"), (("release", "takedown", "x", "--by", "olga"), "no request 'x'"),
    (("release", "publish", "x", "--by", "ana"), "no request 'x'"), (("release", "withdraw", "x", "--by", "ana"), "no request 'x'"),
])
def test_what_cannot_be_is_one_sentence(house, lanterne, arguments, said):
    add_video(house, "bens", "ben")
    told = lanterne(*arguments, code=2)
    assert told.startswith("Error: ") and said in told and told.count("\n") == 0


def test_a_policy_that_cannot_be_published_says_why(house, lanterne, tmp_path):
    whole = EXAMPLE.read_text()
    for change, said in (
        (("words", "word"), "words is missing"), (("[grounds]", "[ground]"), "grounds is missing"), (('"10.00"', '"ten"'), "ten"),
        (('remedy = "credit"', 'remedy = "none"'), "'none' is unknown"), (("appeal_days = 183", "appeal_days = 10"), "appeal_days=10"),
        (("decide_days = 5", 'decide_days = "5"'), "decide_days='5'"), (('currency = "EUR"', ""), "None"), (("=", ":"), "cannot be read"),
    ):
        (tmp_path / "policy.toml").write_text(whole.replace(*change))
        assert said in lanterne("policy", "publish", str(tmp_path / "policy.toml"), "--by", "olga", code=2), change
    assert "not an operator" in lanterne("policy", "publish", str(EXAMPLE), "--by", "ana", code=2)
