"""The transparency report over HTTP: a page and JSON for anybody, both of the same log, counted once an hour."""

import pytest
from fastapi.testclient import TestClient

from lanterne.programme import ledger, report
from lanterne.service import report_routes, server
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
