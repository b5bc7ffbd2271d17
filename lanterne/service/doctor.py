"""`lanterne doctor`: looks at everything that serving needs, and says what to mend."""

import os
import socket
from collections.abc import Iterator

import av
from sqlalchemy import func, select, text

from lanterne.errors import LanterneError
from lanterne.generate import EMBEDDED
from lanterne.models import checkpoint
from lanterne.paths import home, make_home
from lanterne.service import keys
from lanterne.service.database import Database, Worker, now
from lanterne.service.deployment import store_of
from lanterne.service.files import Store
from lanterne.service.server import prepare
from lanterne.service.settings import Settings, unknown_variables

_OLDEST = 1763942400  # this code was written later
_SKEW = 60  # seconds that clocks may differ


def examine(settings: Settings) -> Iterator[tuple[str, str | None]]:
    """(what was looked at and found, what to do about it or None where all is well), one after the other."""
    yield from _checked("settings", _settings)
    yield from _checked("home folder", lambda: _home(settings))
    yield from _checked("files", lambda: _files(settings))
    yield from _checked("encoder", _encoder)
    yield from _checked("model", lambda: _model(settings))
    found = []
    yield from _checked("databases", lambda: _databases(settings, found))
    yield from _checked("clock", lambda: _clock(found))
    yield from _checked("port", lambda: _port(settings))
    yield from _checked("links", lambda: _links(settings))
    if found:
        yield from _checked("worker", lambda: _worker(found[0]))
        yield from _checked("keys", lambda: _keys(found[0]))


def _checked(name: str, look) -> Iterator[tuple[str, str | None]]:
    try:
        yield f"{name}: {look()}", None
    except LanterneError as error:
        yield name, str(error)
    except Exception as error:
        yield name, f"{type(error).__name__}: {error}"


def _settings() -> str:
    if unknown := unknown_variables():
        raise LanterneError(f"The environment has {', '.join(unknown)}, which no setting reads; mend the name, or leave it out.")
    return "known"


def _home(settings: Settings) -> str:
    folder = home()
    make_home()
    if not os.access(folder, os.W_OK):
        raise LanterneError(f"{folder} cannot be written; set LANTERNE_HOME to another folder.")
    free = Store(folder).free()
    if free < settings.reserve_bytes:
        raise LanterneError(
            f"{free / 1e9:.1f} GB are left at {folder}, under the reserve of {settings.reserve_bytes / 1e9:.1f} GB; free some space."
        )
    return f"{folder}, {free / 1e9:.1f} GB left"


def _files(settings: Settings) -> str:
    store_of(settings).check()
    return settings.bucket or "in the home folder"


def _encoder() -> str:
    try:
        av.Codec("libx264", "w")
    except av.codec.codec.UnknownCodecError:
        raise LanterneError("This PyAV has no H.264 encoder; install PyAV's own wheels: pip install --force-reinstall av.") from None
    return f"H.264 of PyAV {av.__version__}"


def _model(settings: Settings) -> str:
    path = settings.weights or EMBEDDED
    return f"{path.name} with {' and '.join(checkpoint.load(path).configs)}"


def _databases(settings: Settings, found: list) -> str:
    database = prepare(settings)
    database.check()
    found.append(database)
    return database.engine.dialect.name


def _clock(found: list) -> str:
    if now() < _OLDEST:
        raise LanterneError("The clock is years behind; set it, or keys and webhooks will be refused.")
    if found and found[0].engine.dialect.name == "postgresql":
        with found[0].session() as session:
            skew = abs(session.scalar(text("SELECT extract(epoch FROM now())::bigint")) - now())
        if skew > _SKEW:
            raise LanterneError(f"The clock differs by {skew} s from the database's; let both follow a time server.")
    return "plausible"


def _port(settings: Settings) -> str:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            return f"{settings.port} is in use; by this server, if it runs, else give another with LANTERNE_PORT"
    return f"{settings.port} is free"


def _links(settings: Settings) -> str:
    if settings.unreachable:
        raise LanterneError(settings.unreachable)
    return f"in mails begin with {settings.base}" + ("" if settings.public_url else ", on this machine alone; else set LANTERNE_PUBLIC_URL")


def _worker(database: Database) -> str:
    with database.session() as session:
        alive = session.scalar(select(func.count()).select_from(Worker).where(Worker.alive_until >= now()))
    return f"{alive} alive" if alive else "none alive; `lanterne serve` starts one"


def _keys(database: Database) -> str:
    usable = [key for key in keys.listed(database) if not key.revoked_at]
    if not usable:
        raise LanterneError("There is no key; make one with: lanterne keys create --name me")
    return f"{len(usable)} in use"
