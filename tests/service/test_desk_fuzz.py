"""Schemathesis against the routes of people and of the operators' desk, in this process: as somebody who has every role, and as a program.

test_fuzz.py asks as keys alone, which these routes turn away. LANTERNE_DESK_FUZZ=100 asks each of them so often.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from lanterne.programme import people
from lanterne.service import keys
from lanterne.service.account_routes import ROUTES as ACCOUNT
from lanterne.service.audit_routes import ROUTES as AUDIT
from lanterne.service.desk_routes import ROUTES as DESK
from lanterne.service.pay_routes import ROUTES as PAY
from lanterne.service.programme_routes import KEYED
from lanterne.service.signed_in import COOKIE

EXAMPLES = int(os.environ.get("LANTERNE_DESK_FUZZ", 3))
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
# What no schema says: what there is, who decided before, what a device signed, which password is right.
OF_STATE = {"refused", "not_found", "another_person", "passkey_refused", "wrong_password", "too_many_attempts", "no_payer"}


@pytest.mark.parametrize("route", [*ACCOUNT, *AUDIT, *DESK, *PAY], ids=lambda route: f"{route[0]} {route[1]}")
def test_no_request_finds_a_fault_or_breaks_the_document(inside, document, key, route):
    method, path, endpoint, _ = route
    by_key = st.booleans() if endpoint.__name__ in KEYED else st.just(False)

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=document[path][method].as_strategy(), program=by_key)
    def ask(case, program):
        if program:
            case.cookies, case.headers["authorization"] = {}, f"Bearer {key}"
        else:  # one that begins now, since some of what is asked ends them all
            case.headers.pop("authorization", None)
            with inside.database.session() as session:
                case.cookies = {COOKIE: people.begin_session(session, "olga")}
        answer = case.call()
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert answer.json()["error"]["code"] in OF_STATE, answer.text
        if answer.status_code == 401:
            assert answer.json()["error"]["code"] == "passkey_refused", answer.text

    ask()


@pytest.fixture(scope="module")
def document(_inside):
    return schemathesis.openapi.from_asgi("/openapi.json", _inside.app)


@pytest.fixture
def key(inside):
    with inside.database.session() as session:
        return keys.insert(session, "fuzz", "olga", ["admin"], None, keys.Quota(), decoy=False)[1]
