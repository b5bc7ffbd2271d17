"""All routes of the programme: each module of them has ROUTES, as in app.py; OPEN, those that ask for no session; BODIES, their schemas."""

from lanterne.service import access_routes

_MODULES = (access_routes,)

ROUTES = [route for module in _MODULES for route in module.ROUTES]
OPEN = {name for module in _MODULES for name in module.OPEN}
BODIES = {name: body for module in _MODULES for name, body in module.BODIES.items()}
