"""Who is asking, by the session in their cookie or by a key, and what the programme's routes are given: a person, a role, a body's fields.

A session is a cookie that no page of another site can use. A key opens what belongs to a role, if it has the role's scope and its owner
still has the role; what is a person's own, and accounts, take a session. Bodies are JSON. What the rules refuse is a 400 with their own
sentence, and what is not there a 404, from which what is somebody else's is not told.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError, NotFound, WriteError
from lanterne.programme import cohorts, people
from lanterne.programme.pay import Actor, NotByYou, NotYours
from lanterne.service import access_wire, keys, wire
from lanterne.service.deployment import Deployment
from lanterne.service.errors import APIError

COOKIE = "lanterne_session"
LARGEST = 2**20  # bytes of a body


async def _house(request: Request) -> Deployment:
    return request.app.state.deployment


House = Annotated[Deployment, Depends(_house)]


async def caller_of(request: Request) -> keys.Caller:
    """Who shows a key; one that is watched was seen. Raises APIError: 401, 403, 429."""
    address = request.client.host if request.client else None
    caller = await request.app.state.keyring.caller(request.headers.get("authorization"), address)
    if caller.watched:
        request.scope["lanterne.watched"] = caller.key_id
        request.app.state.watch.begin(caller, request)
    if caller.decoy:
        raise keys.unknown()
    request.app.state.keyring.pace(caller)  # after it was seen: who is slowed down does not get away unwatched
    return caller


async def _key_if_shown(request: Request) -> keys.Caller | None:
    return await caller_of(request) if "authorization" in request.headers else None


Shown = Annotated[keys.Caller | None, Depends(_key_if_shown)]


def _actor(request: Request, house: House) -> Actor:
    """Whose session this is. Raises APIError 401, and 403 for another site's page that would act in somebody's name."""
    with house.database.session() as session:
        found = people.who(session, request.cookies.get(COOKIE))
    if found is None:
        raise APIError(401, "no_session", "You are not signed in, or were signed out; sign in at POST /programme/session.")
    origin = request.headers.get("origin")
    if request.method != "GET" and origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise APIError(403, "foreign_page", f"A page of {origin[:80]!r} may not act in your name; do it on this server's own.")
    return Actor(found.id, operator="operator" in found.roles, reviewer="reviewer" in found.roles)


def _person(actor: Annotated[Actor, Depends(_actor)]) -> str:
    return actor.person_id


def _operator(request: Request, house: House, shown: Shown) -> Actor:
    return _in_role(request, house, shown, "admin")


def _reviewer(request: Request, house: House, shown: Shown) -> Actor:
    return _in_role(request, house, shown, "review")


def _operator_in_person(actor: Annotated[Actor, Depends(_actor)]) -> Actor:
    return _with_role(actor, "operator")


def _in_role(request: Request, house: Deployment, shown: keys.Caller | None, scope: str) -> Actor:
    """By the key where one is shown, else by the session. Raises APIError: 401, 403."""
    if shown is None:
        return _with_role(_actor(request, house), keys.ROLES[scope])
    shown.require(scope)
    with house.database.session() as session:
        person = session.get(people.Person, shown.owner)
    has = [role for scope, role in keys.ROLES.items() if scope in shown.scopes and person and not person.closed_at and role in person.roles]
    return _with_role(Actor(shown.owner, operator="operator" in has, reviewer="reviewer" in has), keys.ROLES[scope])


def _with_role(actor: Actor, role: str) -> Actor:
    if not getattr(actor, role):
        raise APIError(403, "missing_role", f"You do not have the role {role}, which this needs; ask an operator for it.")
    return actor


Anyone = Annotated[Actor, Depends(_actor)]  # who is signed in
Who = Annotated[str, Depends(_person)]
Operator = Annotated[Actor, Depends(_operator)]
OperatorInPerson = Annotated[Actor, Depends(_operator_in_person)]  # by a session: no key makes accounts, or opens them to others
Reviewer = Annotated[Actor, Depends(_reviewer)]


async def _open_fields(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", ""):
        raise APIError(415, "unsupported_media_type", f"A body of type {kind[:80]!r} is not read here; send application/json.")
    return await wire.read_body(request, LARGEST)


async def _own_fields(request: Request, actor: Anyone) -> dict[str, Any]:
    return await _open_fields(request)


async def _operators_fields(request: Request, actor: Operator) -> dict[str, Any]:
    return await _open_fields(request)


async def _operators_own_fields(request: Request, actor: OperatorInPerson) -> dict[str, Any]:
    return await _open_fields(request)


async def _reviewers_fields(request: Request, actor: Reviewer) -> dict[str, Any]:
    return await _open_fields(request)


OpenFields = Annotated[dict, Depends(_open_fields)]
OwnFields = Annotated[dict, Depends(_own_fields)]
OperatorsFields = Annotated[dict, Depends(_operators_fields)]
OperatorsOwnFields = Annotated[dict, Depends(_operators_own_fields)]
ReviewersFields = Annotated[dict, Depends(_reviewers_fields)]


def opened_by_keys(endpoint: Callable) -> bool:
    """Whether a key with a role's scope opens this route, beside the session."""
    return any(kind in (Operator, Reviewer, OperatorsFields, ReviewersFields) for kind in endpoint.__annotations__.values())


_NO_NULL = r"^[^\x00]*$"
Token = Annotated[str, Path(max_length=200, pattern=_NO_NULL)]
Name = Annotated[str, Path(max_length=200, pattern=_NO_NULL)]
Id = Annotated[str, Path(alias="id", max_length=200, pattern=_NO_NULL)]


def signed(house: Deployment, person_id: str, text: str) -> JSONResponse:
    """The answer that begins a session in a browser."""
    answer = JSONResponse(access_wire.Signed(person_id=person_id).model_dump())
    answer.set_cookie(
        COOKIE, text, max_age=people.SESSION_DAYS * 86400, httponly=True, samesite="strict",
        secure=(house.settings.public_url or "").startswith("https:"),
    )
    return answer


@contextmanager
def ruled(house: Deployment) -> Iterator[Session]:
    """A transaction in which the programme's refusals are answers."""
    try:
        with house.database.session() as session:
            yield session
    except APIError:
        raise
    except WriteError:
        raise  # the server's own trouble
    except people.TooSoon as error:
        raise APIError(429, "too_many_attempts", str(error), headers={"retry-after": str(error.seconds)}) from None
    except (cohorts.UnknownInvitation, people.UnknownLink) as error:
        raise APIError(404, "not_found", str(error), "token") from None
    except NotFound as error:
        raise APIError(404, "not_found", error.elsewhere) from None
    except NotByYou as error:
        raise APIError(403, "another_person", str(error)) from None
    except NotYours as error:
        raise APIError(404, "not_found", str(error)) from None
    except LanterneError as error:
        raise APIError(400, "refused", str(error)) from None
