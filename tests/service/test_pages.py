"""The pages that the links in mails lead to: what a browser is shown, and what its forms do. Programs get the JSON that they got."""

import re
from html import unescape

import pytest
from inside import SITE, refused
from test_access import open_cohort

from lanterne.programme import cohorts, people
from lanterne.programme.cohorts import Quotas
from lanterne.service.database import now

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PASSWORD = "correct horse"


@pytest.fixture
def invitation(inside, name):
    """The path of an invitation to somebody new."""
    with inside.database.session() as session:
        open_cohort(session, name)
        return f"/programme/invitations/{cohorts.invite(session, name, f'{name}@example.org', 'olga')[1]}"


def shown(answer, status=200):
    """A page's text."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text
    assert answer.headers["cache-control"] == "no-store" and "default-src 'none'" in answer.headers["content-security-policy"]
    return unescape(answer.text)


def error(page):
    return re.search(r'role="alert">(.*?)</p>', page)[1]


def send(http, path, page, **typed):
    """Fill the page's form in and send it, as a browser does: to where its action leads, with what is hidden in it."""
    action = re.search(r'<form method="post"(?: action="(.*?)")?>', page)[1]
    hidden = dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)">', page))
    to = f"{path.rpartition('/')[0]}/{action}" if action else path
    return http.post(to, data=hidden | typed, headers=BROWSER | {"origin": SITE, "host": SITE.partition("//")[2]})


def test_an_invitation_is_read_and_accepted_in_a_browser(inside, name, invitation):
    http = inside.browser()
    page = shown(http.get(invitation, headers=BROWSER))
    assert "Hours: 35.00 EUR" in page and "SHA-256 of these terms" in page and page.index("35.00") < page.index("<form")
    again = shown(send(http, invitation, page, name='Ana "A" <x>', password="short"), 400)
    assert error(again) == "The password has 5 characters; give 10 to 200." and 'value="Ana "A" <x>"' in again
    with inside.database.session() as session:
        cohorts.publish_terms(session, name, "Other terms.", "artists", Quotas(3, 20), now() + 86400, "olga")
    changed = shown(send(http, f"{invitation}/accept", again, name="Ana", password=PASSWORD), 400)
    assert "not what is in force" in error(changed) and "Other terms." in changed  # and accepting these works
    assert '"proof"' in shown(send(http, f"{invitation}/accept", changed, name="Ana", password=PASSWORD))
    assert http.post("/programme/session", json={"email": f"{name}@example.org", "password": PASSWORD}).status_code == 200
    used = shown(http.get(invitation, headers=BROWSER), 400)
    assert "accepted before" in error(used) and "<form" not in used
    assert "leads to no invitation" in error(shown(http.get(f"{invitation}0", headers=BROWSER), 404))
    refused(http.get(invitation), 400, "refused", "accepted before")


def test_a_password_is_set_in_a_browser(inside, name):
    http = inside.person(name, "artist")
    with inside.database.session() as session:
        path = f"/programme/password-links/{people.make_link(session, name, 1)}"
    page = shown(http.get(path, headers=BROWSER))
    assert f"{name}@example.org" in page
    assert http.get(path).json()["email"] == f"{name}@example.org"
    again = shown(send(http, path, page, password="short"), 400)
    assert error(again) == "The password has 5 characters; give 10 to 200."
    assert "is set" in shown(send(http, path, again, password=PASSWORD))
    assert inside.mails(name)[-1].startswith("Your password was changed")
    assert http.post("/programme/session", json={"email": f"{name}@example.org", "password": PASSWORD}).status_code == 200
    assert "was used before" in error(shown(http.get(path, headers=BROWSER), 400))


def test_forms_come_from_these_pages_alone(inside, invitation):
    http, form = inside.browser(), {"name": "Ana", "password": PASSWORD}
    for path in (f"{invitation}/accept", "/programme/password-links/x"):
        refused(http.post(path, data=form), 415, "unsupported_media_type", "application/json")
        elsewhere = BROWSER | {"origin": "https://elsewhere.example"}
        refused(http.post(path, data=form, headers=elsewhere), 403, "foreign_page", "elsewhere.example")
