"""All routes of the programme: each module of them has ROUTES, as in app.py; OPEN, those that ask for no session; BODIES, their schemas.
KEYED are those that a key with a role's scope opens, too."""

from lanterne.service import (
    access_routes,
    account_routes,
    audit_routes,
    copy_routes,
    desk_routes,
    pay_routes,
    report_routes,
    review_routes,
    verify_routes,
    voice_routes,
)
from lanterne.service.signed_in import opened_by_keys

_MODULES = (
    access_routes, account_routes, audit_routes, copy_routes, desk_routes, pay_routes, report_routes, review_routes, verify_routes,
    voice_routes,
)

ROUTES = [route for module in _MODULES for route in module.ROUTES]
OPEN = {name for module in _MODULES for name in module.OPEN}
BODIES = {name: body for module in _MODULES for name, body in module.BODIES.items()}
KEYED = {endpoint.__name__ for _, _, endpoint, _ in ROUTES if opened_by_keys(endpoint)}
