"""The application in this process, and people who use it: for tests in which sockets and other processes are not the point."""

from email import message_from_bytes, policy
from pathlib import Path

from starlette.testclient import TestClient

from lanterne.programme import ledger, people
from lanterne.service import server
from lanterne.service.app import build
from lanterne.service.settings import Settings
from lanterne.service.signed_in import COOKIE

SITE = "https://videos.example.org"


class Inside:
    """home: must be LANTERNE_HOME whenever it is used."""

    def __init__(self, home: Path, **settings):
        self.home = home
        self.settings = Settings(public_url=SITE, payer_name="Studio", payer_iban="DE02120300000000202051", **settings)
        self.database = server.prepare(self.settings)
        self.app = build(self.settings)
        with self.database.session() as session:
            people.open_account(session, "Olga", "olga@example.org", ["operator"], "olga", "olga")
            ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500, "bug": 5000}, "olga")

    def person(self, name: str, *roles: str) -> TestClient:
        """A browser in which somebody new is signed in; their id is their name."""
        with self.database.session() as session:
            people.add(session, name.title(), f"{name}@example.org", list(roles), "a test", name)
        return self.browser(name)

    def browser(self, person_id: str | None = None) -> TestClient:
        """Signed in, if somebody is named. A fault of the server's is a failure of the test."""
        client = TestClient(self.app, base_url=SITE)
        if person_id:
            with self.database.session() as session:
                client.cookies.set(COOKIE, people.begin_session(session, person_id))
        return client

    def program(self, key: str) -> TestClient:
        return TestClient(self.app, base_url=SITE, headers={"authorization": f"Bearer {key}"})

    def mails(self, name: str) -> list[str]:
        """What lies in the outbox for somebody, the latest last."""
        paths = sorted((self.home / "outbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
        return [mail.get_content() for mail in found if mail["To"] == f"{name}@example.org"]


def refused(answer, status: int, code: str, said: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert said in answer.json()["error"]["message"]
