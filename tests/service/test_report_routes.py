"""The transparency report over HTTP: a page and JSON for anybody, both of the same log, counted once an hour."""

import base64

import pytest
from fastapi.testclient import TestClient

from lanterne.programme import audit, ledger, report
from lanterne.service import report_commands, report_routes, server
from lanterne.service.app import build
from lanterne.service.settings import Settings


@pytest.fixture
def house():
    settings = Settings()
    server.prepare(settings)
    application = build(settings)
    with TestClient(application) as client:
        yield application._app.state.deployment.database, client


def test_anybody_reads_the_report_which_is_counted_once_an_hour(house, monkeypatch):
    database, client = house
    assert client.get("/programme/report").status_code == 404 and "no report yet" in client.get("/programme/report.json").text
    with database.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000}, "olga")
    told = client.get("/programme/report.json")
    assert told.json()["log"]["size"] == 1 and told.headers["cache-control"] == "public, max-age=3600"
    page = client.get("/programme/report")
    assert page.headers["content-type"] == "text/html; charset=utf-8" and told.json()["log"]["root"] in page.text
    with database.session() as session:
        assert report.check(session, told.text) == told.json()
        ledger.publish_rate_card(session, "artists", "EUR", {"bug": 6000}, "olga")
    assert client.get("/programme/report.json").text == told.text
    later = report_routes.now() + 3700
    monkeypatch.setattr(report_routes, "now", lambda: later)
    assert client.get("/programme/report.json").json()["log"]["size"] == 2


def test_anybody_checks_the_report_with_what_they_fetched(house, tmp_path):
    database, client = house
    empty = client.get("/programme/audit/log")
    assert (empty.status_code, empty.text) == (200, "") and "x-lanterne-checkpoint" not in empty.headers
    with database.session() as session:
        for amount in (5000, 6000, 7000):
            ledger.publish_rate_card(session, "artists", "EUR", {"bug": amount}, "olga")
    made, log = tmp_path / "report.json", tmp_path / "log.jsonl"
    made.write_text(client.get("/programme/report.json").text)
    with database.session() as session:  # the log goes on after the report
        ledger.publish_rate_card(session, "artists", "EUR", {"bug": 8000}, "olga")
    key = client.get("/programme/audit/key").text.strip()
    log.write_text(client.get("/programme/audit/log", params={"limit": 3}).text)
    report_commands._check(made, log, key)
    pages = [client.get("/programme/audit/log", params={"from": first, "limit": 2}) for first in (0, 2, 4)]
    whole = client.get("/programme/audit/log")
    assert "".join(page.text for page in pages) == whole.text and not pages[2].text and "olga" not in whole.text
    signed = [audit.read_checkpoint(base64.b64decode(page.headers["x-lanterne-checkpoint"]).decode(), key) for page in pages[:2]]
    assert [one.size for one in signed] == [2, 4] and signed[1].root.hex() == report._root(whole.text.splitlines())
    log.write_text(whole.text)
    with pytest.raises(report.ReportError, match="4 lines are not the log of 3"):
        report_commands._check(made, log, key)
    log.write_text("".join(whole.text.splitlines(keepends=True)[:3]).replace('"number":1', '"number":2'))
    with pytest.raises(report.ReportError, match="not the log"):
        report_commands._check(made, log, key)
    assert client.get("/programme/audit/log", params={"limit": 0}).status_code == 400
