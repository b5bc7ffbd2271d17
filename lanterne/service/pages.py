"""What a browser is shown of the links in mails: an invitation, and a link that sets a password. A page each, with one form and no script.

Who names text/html in Accept is a browser and gets the page; all others get the API's JSON, as before. A form is taken from these pages
alone. Their addresses are secrets, so no page is kept, framed, or told of to another site.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from lanterne.service import wire
from lanterne.service.errors import APIError
from lanterne.service.signed_in import LARGEST

_TEMPLATE = Path(__file__).parents[1] / "programme" / "link.html"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",  # with none at all, browsers would not say either that a form is from this site
}


def wanted(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _posted(request: Request) -> dict[str, Any]:
    """What a page's form or a program posts. Raises APIError: 403 for another site's page, 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if wanted(request):
        check_origin(request)
    elif kind in _FORMS:
        raise APIError(415, "unsupported_media_type", f"A body of type {kind[:80]!r} is not read here; send application/json.")
    return await wire.read_body(request, LARGEST)


Posted = Annotated[dict, Depends(_posted)]


def check_origin(request: Request) -> None:
    """As for sessions. Raises APIError 403."""
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise APIError(403, "foreign_page", f"A page of {origin[:80]!r} may not act in your name; do it on this server's own.")


def texts(fields: dict[str, Any], names: Sequence[str]) -> list[str]:
    """What was typed into these fields of a form, or nothing."""
    return [str(fields[name]) if isinstance(fields.get(name), str) else "" for name in names]


def page(title: str, error: APIError | None = None, **told) -> HTMLResponse:
    """error: why what was asked for was refused, said on the page. told: what else link.html tells; without any, the error alone."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    content = environment.from_string(_TEMPLATE.read_text()).render(title=title, error=error and str(error), told=told)
    headers = _HEADERS | {name: value for name, value in (error.headers if error else {}).items() if name == "retry-after"}
    return HTMLResponse(content, error.status if error else 200, headers)
