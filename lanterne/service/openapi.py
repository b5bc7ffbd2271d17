"""The OpenAPI document: what FastAPI sees of the routes, and what it does not: bodies, files, streams, and the limits of this server.

The document says what is really taken. What it cannot say (that a file holds a picture of the right size, that a video is finished) is
refused with a code of its own; docs/api.md lists these.
"""

import re
from collections.abc import Callable
from copy import deepcopy

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from lanterne.request import MAX_PROMPT
from lanterne.service import access_wire, programme_routes, wire
from lanterne.service.settings import Settings
from lanterne.service.signed_in import COOKIE
from lanterne.video import FPS

WELCOME = """A text becomes a video. Programs for OpenAI's Videos API work here when their base URL and key are changed.

Press *Authorize* and give a key (`ltn_…`, made by `lanterne keys create`); every request under `/v1` can then be tried out. Those under
`/programme` ask for a person who is signed in: sign in here with `POST /programme/session`, and the browser keeps the session. Where a
person's role is what counts, a key with the role's scope opens them, too."""
BODIES = {
    "create": wire.Create, "edit": wire.Edit, "extend": wire.Extend, "remix": wire.Remix, "create_character": wire.CreateCharacter,
    "cancel": wire.Cancel, "link": wire.MakeLink, "verify_file": wire.Verify,
}
FILES_ALONE = ("create_character", "verify_file")  # bodies that JSON cannot hold
_OF_A_VIDEO = ("video/mp4", "image/webp", "image/jpeg")
_STATEMENTS = ("text/html", "application/pdf", "text/csv")
FILES = {
    "content": _OF_A_VIDEO, "linked": _OF_A_VIDEO, "playlist": ("application/vnd.apple.mpegurl",), "segment": ("video/mp2t",),
    "get_metrics": ("text/plain",), "report": ("text/html",), "report_json": ("application/json",), "claimed_video": ("video/mp4",),
    "public_video": ("video/mp4",), "audit_log": ("application/jsonl",),
    "compared_video": ("video/mp4",), "export_me": ("application/zip",), "audit_key": ("text/plain",), "checkpoint": ("text/plain",),
    "statement_file": _STATEMENTS, "statement_file_of": _STATEMENTS, "export_payout": ("application/xml",), "beancount": ("text/plain",),
}
# 16 to 4096, even: see MIN_SIZE and MAX_SIZE.
EVEN = "(1[68]|[2-9][02468]|[1-9][0-9][02468]|[1-3][0-9][0-9][02468]|40[0-8][02468]|409[0246])"
_SCHEMAS = "#/components/schemas"
_NO_NULL = r"^[^\x00]*$"
# What Python's strip takes for blank, one by one: \s is not the same set of characters in every language that reads the document.
_BLANK = r"\x09-\x0d\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SAYS_SOMETHING = rf"^[^\x00]*[^\x00{_BLANK}][^\x00]*$"


def summary(endpoint: Callable) -> str:
    """The first half of a route's first sentence."""
    return re.split(r"[.;:,] ?", endpoint.__doc__, maxsplit=1)[0]


def tag(path: str) -> str:
    """Under which heading a route is shown."""
    headings = {"/v1/videos/characters": "Characters", "/v1/videos/{id}/events": "Watching", "/v1/videos/{id}/stream": "Watching",
                "/v1/videos": "Videos", "/media": "Videos", "/programme/desk": "The operators' desk", "/programme": "Programme",
                "/verify": "Programme"}
    return next((heading for start, heading in headings.items() if path.startswith(start)), "Server")


def responses(path: str) -> dict:
    """What a route may answer besides its own."""
    no_answer = {"503": {"model": wire.Error, "description": "The server cannot do it now: a full disk, a database that does not answer."}}
    refusals = {"4XX": {"model": wire.Error, "description": "What was wrong, in a sentence."}}
    return no_answer if path == "/healthz" else refusals | no_answer


def extra(name: str) -> dict | None:
    """What FastAPI does not see of the route of this name."""
    files = {}
    if kinds := FILES.get(name):
        binary = {"schema": {"type": "string", "format": "binary"}}
        files = {"responses": {"200": {"description": "The file.", "content": {kind: binary for kind in kinds}}}}
    if name == "events":
        event = {"type": "object", "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}}}
        stream = {"text/event-stream": {"schema": {"type": "string"}, "itemSchema": event}}
        return {"responses": {"200": {"description": "Events, until the video ends.", "content": stream}}}
    if name == "report_keys":
        return _json({"type": "array", "items": {"$ref": f"{_SCHEMAS}/LeakedKey"}, "maxItems": 1000})
    if name in programme_routes.BODIES:
        body = programme_routes.BODIES[name]
        needed = any(field.is_required() for field in body.model_fields.values())
        return files | _json({"$ref": f"{_SCHEMAS}/{body.__name__}"}, needed)
    if name not in BODIES:
        return files or None
    found = {}
    if name == "create_character":
        fetch = {"operationId": "get_character", "parameters": {"id": "$response.body#/id"}}
        found = {"responses": {"200": {"description": "The character.", "links": {"get_character": fetch}}}}
    schema = f"#/components/schemas/{BODIES[name].__name__}"
    content = {"multipart/form-data": {"schema": {"$ref": f"{schema}Form"}}}
    if name not in FILES_ALONE:
        content["application/json"] = {"schema": {"$ref": schema}}
    return found | {"requestBody": {"required": name not in ("cancel", "link"), "content": content}}


def _json(schema: dict, required: bool = True) -> dict:
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def document(app: FastAPI, settings: Settings) -> dict:
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = found.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape of errors, which is not ours
            schemas.pop(name, None)
        schemas |= _bodies(settings)
        components["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "A key: ltn_…"},
            "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of a person who is signed in."},
        }
        found["security"] = [{"key": []}]
        for path, methods in found["paths"].items():
            for operation in methods.values():
                operation["responses"].pop("422", None)
                if path in ("/healthz", "/media/{id}") or operation["operationId"] in programme_routes.OPEN:
                    operation["security"] = []
                elif path.startswith("/programme/"):
                    keyed = [{"key": []}] if operation["operationId"] in programme_routes.KEYED else []
                    operation["security"] = [{"session": []}, *keyed]
        app.openapi_schema = found
    return app.openapi_schema


def _bodies(settings: Settings) -> dict:
    """The schemas of bodies, each for JSON and, under its name with Form, for forms: they have files and no null."""
    models = [*BODIES.values(), *programme_routes.BODIES.values(), access_wire.LeakedKey]
    _, found = models_json_schema([(model, "validation") for model in models], ref_template="#/components/schemas/{model}")
    schemas = found["$defs"]
    of_programme = {body.__name__ for body in programme_routes.BODIES.values()}
    for schema in (schema for title, schema in schemas.items() if title not in of_programme):
        for name, limits in _limits(settings).items():
            if name in schema.get("properties", {}):
                schema["properties"][name] |= limits
    reference = schemas["ImageReference"]
    reference["properties"] = {"image_url": reference["properties"]["image_url"]["anyOf"][0] | {"pattern": "^(https://|data:)"}}
    reference |= {"required": ["image_url"], "description": "No file is kept for a file_id to name."}
    for model in BODIES.values():
        name = model.__name__
        schemas[f"{name}Form"] = form = deepcopy(schemas[name])
        form["title"] = f"{name}Form"
        for field in form["properties"].values():
            _without(field, lambda kind: kind.get("type") == "null")
        for field in schemas[name]["properties"].values():
            _without(field, lambda kind: kind.get("format") == "binary")
    for name in FILES_ALONE:
        del schemas[BODIES[name].__name__]
    return schemas


def _limits(settings: Settings) -> dict:
    """What this server takes, which the schemas in wire leave open so that a refusal can be a sentence."""
    seconds = {"type": "string", "enum": [str(count) for count in range(1, settings.max_seconds + 1)]}
    models = list(dict.fromkeys([settings.model, *(name for name, model in settings.model_names.items() if model == settings.model)]))
    return {
        "prompt": {"maxLength": MAX_PROMPT, "pattern": _SAYS_SOMETHING},
        "negative_prompt": {"maxLength": MAX_PROMPT, "pattern": _NO_NULL},
        "name": {"pattern": _NO_NULL},
        "seconds": {"anyOf": [seconds, {"type": "integer", "minimum": 1, "maximum": settings.max_seconds}]},
        "size": {"pattern": f"^{EVEN}x{EVEN}$"},
        "model": {"anyOf": [{"type": "string", "enum": models}, {"type": "null"}]},
        "fps": {"anyOf": [{"type": "integer", "enum": [FPS]}, {"type": "null"}]},
        "characters": {"maxItems": 0, "description": "The model that ships cannot keep a character's identity: none can be asked for."},
    }


def _without(field: dict, unwanted) -> None:
    """Take alternatives out of a field's schema."""
    kinds = [kind for kind in field.get("anyOf", ()) if not unwanted(kind)]
    if len(kinds) == 1:
        del field["anyOf"]
        field |= kinds[0] | ({"description": field["description"]} if "description" in field else {})
    elif kinds:
        field["anyOf"] = kinds
    if field.get("default", "") is None:
        del field["default"]
