"""`lanterne drill leak`: a relay spreads one key over many addresses against a running server on this machine; how long until that is
noticed and cut, and what it cost anybody else.

The relay really comes from other addresses: all of 127.0.0.0/8 is this machine, and each request leaves from a network of its own. Beside
it, keys of innocent others, and another of the same artist, ask all the time; none of their requests may fail.

The watch judges a drill's keys as any, and freezes them. They belong to nobody, which tells whoever reads an alarm, its mail or its line in
the audit log that it was a drill; at the end the alarms are closed and the keys are gone.
"""

import http.client
import itertools
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sqlalchemy import delete, select

from lanterne.errors import LanterneError
from lanterne.programme import leaks
from lanterne.programme.leaks import Alarm
from lanterne.service import keys, watch
from lanterne.service.database import Database, Key

INNOCENT = 4  # keys that ask while the relay does
_FIRST = 240  # of the networks in which they are, 127.240.0.0/24 and on
MOST_ADDRESSES = _FIRST - 1
_PATIENCE = 60  # seconds for an answer


class DrillError(LanterneError):
    """A drill that cannot be held here."""


@dataclass
class Asker:
    """Somebody who asks again and again: when each answer came, in seconds since the drill began, and what it was."""

    address: str
    key: str = field(repr=False)
    agent: str
    answers: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """Times in seconds since the relay's first request; None for what did not happen. after: let in after the cut. innocent, collateral:
    requests of the others, and how many of these were refused or failed."""

    addresses: int
    detected: float | None
    networks: int | None  # that had used the key by then
    cut: float | None
    let_in: int
    after: int
    innocent: int
    collateral: int

    def table(self) -> str:
        def seconds(value):
            return "never" if value is None else f"{value:.2f} s"

        rows = [
            ("addresses of the relay", str(self.addresses)),
            ("noticed after", seconds(self.detected) + (f", at {self.networks} networks" if self.networks else "")),
            ("cut after", seconds(self.cut)),
            ("from notice to cut", seconds(self.cut - self.detected if self.cut is not None and self.detected is not None else None)),
            ("requests of the relay let in", f"{self.let_in}, of these {self.after} after the first refusal"),
            ("requests of innocent others", f"{self.innocent}, of these {self.collateral} refused"),
        ]
        return "\n".join(f"{name:<30}{value}" for name, value in rows)


def leak(database: Database, url: str, addresses: int = 30, seconds: float = 20, pause: float = 0.05) -> Outcome:
    """Hold the drill; it ends ten refusals after the cut, or after so many seconds. Raises DrillError where it cannot be held."""
    place = urlsplit(url)
    if place.scheme != "http" or not (place.hostname or "").startswith("127."):
        raise DrillError(f"{url[:80]!r} is not on this machine, as http://127.0.0.1:8000 is; the relay has this machine's addresses.")
    if not 1 <= addresses <= MOST_ADDRESSES:
        raise DrillError(f"addresses={addresses} cannot be used; give 1 to {MOST_ADDRESSES}.")
    if not _answers(place):  # before anything is made
        raise DrillError(f"No server answers at {url}; start it, or give its --url.")
    (leaked_id, leaked), *others = made = _keys(database, leaks.drill_owner(secrets.token_hex(3)))
    relay = [Asker(f"127.{number}.0.1", leaked, f"relayed-{number % 7}/1.0") for number in range(1, addresses + 1)]
    innocent = [Asker(f"127.{_FIRST + number}.0.1", text, "studio/1.0") for number, (_, text) in enumerate(others)]
    stop, began = threading.Event(), time.monotonic()
    try:
        _ask(place, innocent[0], began)
        if innocent[0].answers[-1][1] != 200:
            raise DrillError(f"The server at {url} does not know the keys of this home folder; start it here, or give its --url.")
        threads = [threading.Thread(target=_go_on, args=(place, asker, began, stop, pause)) for asker in innocent]
        for thread in threads:
            thread.start()
        started = time.monotonic() - began
        detected = _spread(place, relay, began, seconds, pause, lambda: _noticed(database, leaked_id))
        stop.wait(2 * pause)
        stop.set()
        for thread in threads:
            thread.join()
        time.sleep(2 * watch.PAUSE)  # what was seen last is judged by then, and closed below with the rest
    finally:
        with database.session() as session:
            leaks.end_drill(session, [key_id for key_id, _ in made])
            session.execute(delete(Key).where(Key.id.in_([key_id for key_id, _ in made])))
    return _outcome(relay, innocent, started, detected)


def _keys(database: Database, cohort: str) -> list[tuple[str, str]]:
    """(id, text) of the leaked key, and of innocent ones: one of the same artist's, the others of other artists of the same cohort."""
    owners = ["leaked", "leaked", *(f"other{number}" for number in range(1, INNOCENT))]
    with database.session() as session:
        ends, more = keys.now() + 3600, {"cohort_id": cohort, "decoy": False}
        return [keys.insert(session, "drill", f"{cohort}-{owner}", ["videos:read"], ends, keys.Quota(), **more) for owner in owners]


def _answers(place) -> bool:
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=_PATIENCE)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _spread(place, relay: list[Asker], began: float, seconds: float, pause: float, noticed: Callable[[], bool]) -> float | None:
    """One request from each address in turn, and again, as a front end's visitors would. When it was noticed, if it was."""
    detected, refused, until = None, 0, time.monotonic() + seconds
    for asker in itertools.cycle(relay):
        if time.monotonic() > until or refused >= 10:
            return detected
        _ask(place, asker, began)
        refused += asker.answers[-1][1] in (401, 403)
        if detected is None and noticed():
            detected = time.monotonic() - began
        time.sleep(pause)


def _noticed(database: Database, key_id: str) -> bool:
    with database.session() as session:
        return session.scalar(select(Alarm.id).where(Alarm.key_id == key_id).limit(1)) is not None


def _go_on(place, asker: Asker, began: float, stop: threading.Event, pause: float) -> None:
    while not stop.wait(pause):
        _ask(place, asker, began)


def _ask(place, asker: Asker, began: float) -> None:
    """A request of this asker's; an answer that does not come counts as status 0."""
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=_PATIENCE, source_address=(asker.address, 0))
    try:
        connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {asker.key}", "user-agent": asker.agent})
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    except (OSError, http.client.HTTPException):
        status = 0
    finally:
        connection.close()
    asker.answers.append((time.monotonic() - began, status))


def _outcome(relay: list[Asker], innocent: list[Asker], started: float, detected: float | None) -> Outcome:
    answers = sorted((at, status, asker.address) for asker in relay for at, status in asker.answers)
    cut = next((at for at, status, _ in answers if status in (401, 403)), None)
    all_innocent = [status for asker in innocent for _, status in asker.answers]
    networks = len({address for at, _, address in answers if at <= detected}) if detected is not None else None
    return Outcome(
        addresses=len(relay), detected=None if detected is None else detected - started, networks=networks,
        cut=None if cut is None else cut - started, let_in=sum(status == 200 for _, status, _ in answers),
        after=sum(status == 200 and cut is not None and at > cut for at, status, _ in answers), innocent=len(all_innocent),
        collateral=sum(status != 200 for status in all_innocent),
    )
