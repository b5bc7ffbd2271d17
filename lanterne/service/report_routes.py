"""The transparency report, for anybody: a page and JSON, counted from the log once an hour."""

from threading import Lock

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import select

from lanterne.programme import audit
from lanterne.programme import report as reports
from lanterne.service.database import now
from lanterne.service.deployment import Deployment
from lanterne.service.errors import APIError
from lanterne.service.signed_in import House

_HOLDS = 3600  # seconds
_one_at_a_time = Lock()


def report(request: Request, house: House):
    """The transparency report as a page: decisions, deadlines, appeals, accesses cut, pay."""
    return _answer(_latest(request, house).html(), "text/html; charset=utf-8")


def report_json(request: Request, house: House):
    """The transparency report for programs; names the log that it was counted from."""
    return _answer(_latest(request, house).json(), "application/json")


def _latest(request: Request, house: Deployment) -> reports.Report:
    with _one_at_a_time:
        held = getattr(request.app.state, "report", None)
        if held is None or held.told["until"] + _HOLDS < now():
            with house.database.session() as session:
                if session.scalar(select(audit.Line.number).limit(1)) is None:
                    raise APIError(404, "not_found", "There is no report yet: nothing has happened that it would tell of.")
                held = request.app.state.report = reports.make(session)
    return held


def _answer(content: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"cache-control": f"public, max-age={_HOLDS}"})


ROUTES = [
    ("GET", "/programme/report", report, None),
    ("GET", "/programme/report.json", report_json, None),
]
OPEN = ("report", "report_json")
BODIES = {}
