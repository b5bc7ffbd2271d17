"""A week of a hundred artists, judged by the watch itself on a clock that is simulated; then leaks in the same traffic.

`python -m bench.week [seed …]`. Nobody of these artists leaks a key, whatever comes together in their days: homes and phones, trains and
hotels, a VPN, an office of twenty behind one address, scripts, nights before a deadline, keys that are rotated. Each alarm about them is a
false one. The leaks are of six kinds, each of several artists' keys on top of what these artists do; recall is how many were noticed.
What happens is drawn; what is made of it is what runs in the server: leaks.record, watch.judge, in a database of their own.
"""

import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from iptocc import country_code
from sqlalchemy import event

from lanterne.programme import audit, leaks, people
from lanterne.programme.leaks import STEPS, Glimpse
from lanterne.service import keys, revocation, watch
from lanterne.service.database import Database, Key, Video

ARTISTS, OFFICE, DAYS, OF_EACH_KIND = 100, 20, 7, 5
TICK = 600  # seconds of the week between two judgements; the server judges twice a second, of what comes to the same hour
MONDAY = 1_792_972_800  # 2026-10-26, 00:00 UTC
COUNTRIES = ("DE", "FR", "NL", "IT", "ES", "PL", "GB", "US", "JP", "BR")
BROWSERS = ("Mozilla/5.0 (Macintosh) Safari/605", "Mozilla/5.0 (Windows) Firefox/140", "Mozilla/5.0 (X11) Chrome/141")
PHONES = ("Mozilla/5.0 (iPhone) Mobile/15E", "Mozilla/5.0 (Linux; Android 16) Mobile")
PROGRAMS = ("OpenAI/Python 3.57.0", "OpenAI/JS 7.57.0", "curl/8.16", "python-httpx/0.28", "Lavf/62.3")
THINGS = (
    "lighthouse glacier market tram orchard cathedral dancer violin fox harbour desert library carousel volcano kite whale bakery "
    "greenhouse robot river moth train opera bicycle mountain ballroom satellite garden subway owl waterfall circus typewriter reef"
).split()
MANNERS = "storm fog neon candlelight autumn snow dusk noon dust rain smoke moonlight silence crowd slow-motion close-up aerial".split()
STYLES = "watercolour film-noir pastel documentary stop-motion charcoal glass paper chrome silk".split()
MOVES = ("slow pan left", "tilt up", "push in", "orbit", "static", "pull out", "crane", "drift right")


@dataclass
class Clock:
    at: int = MONDAY

    def __call__(self) -> int:
        return self.at


@dataclass
class Moment:
    """What somebody does with a key within a tick."""

    who: int
    places: list[tuple[str, str]]  # network, program
    prompts: list[str] = field(default_factory=list)
    peak: int = 1
    site: str = ""
    rotates: bool = False  # the artist's key has a successor from now on
    scripted: bool = False  # with the artist's second key


# Where people are -------------------------------------------------------------------------------------------------------------------


class Networks:
    """Networks that registries gave out in a country, drawn by chance."""

    def __init__(self, chance: random.Random):
        self._chance = chance

    def of(self, country: str, sixth: bool = False) -> str:
        while True:
            if sixth:
                address = f"2a{self._chance.randrange(256):02x}:{self._chance.randrange(65536):x}:{self._chance.randrange(65536):x}::1"
            else:
                address = f"{self._chance.randrange(1, 224)}.{self._chance.randrange(256)}.{self._chance.randrange(256)}.1"
            if country_code(address) == country:
                return leaks.network_of(address)

    def near(self, network: str) -> str:
        """Another one of the same provider's range: what a phone has a little later."""
        first, second, *_ = network.split(".")
        return leaks.network_of(f"{first}.{second}.{self._chance.randrange(256)}.1")


class Artist:
    def __init__(self, number: int, chance: random.Random, networks: Networks, office: str):
        self.number, self.chance, self._networks = number, chance, networks
        self.country = chance.choice(COUNTRIES[:7])
        self.home, self.mobile = networks.of(self.country, sixth=chance.random() < 0.2), networks.of(self.country)
        self.office = office if number < OFFICE else None
        self.vpn = [networks.of(chance.choice(("US", "NL", "GB"))) for _ in range(2)] if chance.random() < 0.25 else []
        self.agents = [chance.choice(BROWSERS), *chance.sample(PROGRAMS, chance.choice((0, 1, 1, 2)))]
        self.phone = chance.choice(PHONES)
        self.scripts = chance.random() < 0.3
        self.explores = chance.random() < 0.25  # wants something else each time
        self.trip = chance.sample(range(1, DAYS), 2) if chance.random() < 0.2 else []
        self.rotation = chance.randrange(2, DAYS) if chance.random() < 0.2 else None
        self.subject = self._subject()

    def _subject(self) -> str:
        return f"a {self.chance.choice(THINGS)} in {self.chance.choice(MANNERS)}, {self.chance.choice(STYLES)}"

    def prompt(self) -> str:
        if self.explores or self.chance.random() < 0.1:
            self.subject = self._subject()
        return f"{self.subject}, {self.chance.choice(MOVES)}"

    def day(self, day: int, deadline: bool) -> Iterator[tuple[int, Moment]]:
        """(tick of the week, what happens)."""
        away = day in self.trip
        hotel, train = self._networks.of(self.chance.choice(COUNTRIES[:7])), self._networks.of(self.country)
        starts = self.chance.sample((8, 10, 13, 16, 20), self.chance.choice((1, 1, 2, 2, 3) if day % 7 < 5 else (0, 0, 1, 2)))
        spans = [(hour * 6 + self.chance.randrange(6), self.chance.randrange(3, 16)) for hour in starts]
        if deadline:
            spans.append((21 * 6, self.chance.randrange(12, 24)))
        for start, length in spans:
            night = deadline and start >= 21 * 6
            vpn = self.vpn and self.chance.random() < 0.5
            batch = self.scripts and self.chance.random() < (0.5 if night else 0.15)
            for tick in range(start, start + length):
                riding = away and tick < 12 * 6
                network = (
                    train if riding else hotel if away
                    else self.office if self.office and day % 7 < 5 and 9 * 6 <= tick < 18 * 6 else self.home
                )
                places = [(network, agent) for agent in self.agents if self.chance.random() < 0.7]
                if vpn and self.chance.random() < 0.6:
                    places.append((self.chance.choice(self.vpn), self.agents[0]))
                if riding or self.chance.random() < 0.25:
                    if self.chance.random() < (0.6 if riding else 0.15):
                        self.mobile = self._networks.near(self.mobile)
                    places.append((self.mobile, self.phone if self.chance.random() < 0.7 else self.agents[0]))
                if riding and self.chance.random() < 0.2:
                    train = self._networks.near(train)  # the train's own connection is a phone's, too
                prompts = [self.prompt() for _ in range(self.chance.choice((0, 0, 0, 1, 1, 2) if not night else (0, 1, 1, 2, 3)))]
                peak = self.chance.choice((1, 2, 2, 3, 4, 6))
                at = day * 144 + tick
                rotates = self.rotation == day and tick == spans[0][0]
                yield at, Moment(self.number, places or [(network, self.agents[0])], prompts, peak, rotates=rotates)
                if batch:
                    asked = [self._in_a_script(batch) for _ in range(self.chance.randrange(3, 9))]
                    yield at, Moment(self.number, [(network, self.agents[-1])], asked, self.chance.randrange(2, 9), scripted=True)

    def _in_a_script(self, batch) -> str:
        """One of a grid of variations, or of a list of everything."""
        return self._subject() if self.number % 2 else f"{self.subject}, take {self.chance.randrange(100)}"


def ordinary(seed: int, artists: int = ARTISTS, days: int = DAYS) -> dict[int, list[Moment]]:
    """What happens at each tick of the week."""
    chance = random.Random(seed)
    networks = Networks(chance)
    office, week = networks.of("DE"), defaultdict(list)
    for number in range(artists):
        artist = Artist(number, random.Random(f"{seed}/{number}"), networks, office)
        deadlines = {3} | ({chance.randrange(days)} if chance.random() < 0.2 else set())
        for day in range(days):
            for tick, moment in artist.day(day, day in deadlines and artist.chance.random() < 0.7):
                week[tick].append(moment)
    return week


# Leaks ------------------------------------------------------------------------------------------------------------------------------


def _wish(chance: random.Random) -> str:
    """What anybody might want."""
    both = " and a ".join(chance.sample(THINGS, 2))
    return f"{chance.choice(STYLES)} {both}, {chance.choice(MANNERS)}, {chance.choice(MOVES)}"


def relay(chance, networks, who, tick):
    """A program that asks for others, through thirty addresses."""
    return Moment(who, [(networks.of(chance.choice(COUNTRIES)), "relay/1.0") for _ in range(30)], [_wish(chance) for _ in range(6)], 8)


def front_end(chance, networks, who, tick):
    """A page whose own server asks for all of its visitors, from one address."""
    return Moment(who, [(chance.place, "node")], [_wish(chance) for _ in range(chance.randrange(8, 15))], chance.randrange(20, 40))


def web_page(chance, networks, who, tick):
    """The key in a page, so that each visitor's browser shows it."""
    visitors = [(networks.of(chance.choice(COUNTRIES)), chance.choice(BROWSERS + PHONES)) for _ in range(5)]
    return Moment(who, visitors, [_wish(chance) for _ in range(3)], 4, site="free-videos.example")


def friends(chance, networks, who, tick):
    """The key in a chat group: eight friends in four countries."""
    return Moment(who, chance.sample(chance.group, 4), [_wish(chance) for _ in range(2)], 3)


def busy_thief(chance, networks, who, tick):
    """One thief elsewhere, with a script."""
    return Moment(who, [(chance.place, "python-requests/2.32")], [_wish(chance) for _ in range(8)], chance.randrange(6, 14))


def quiet_thief(chance, networks, who, tick):
    """One thief elsewhere, who asks for little."""
    return Moment(who, [(chance.place, "python-requests/2.32")], [_wish(chance)] if chance.random() < 0.5 else [], 1)


KINDS = (relay, front_end, web_page, friends, busy_thief, quiet_thief)


def leaked(seed: int, days: int = DAYS, of_each: int = OF_EACH_KIND) -> Iterator[tuple[str, int, int, dict[int, list[Moment]]]]:
    """(kind, whose key, tick from which on it leaks, what then happens) for artists one after the other; each lasts two hours."""
    for number, kind in enumerate(kind for kind in KINDS for _ in range(of_each)):
        chance = random.Random(f"{seed}/leak/{number}")
        networks = Networks(chance)
        chance.place = networks.of(chance.choice(COUNTRIES[7:]))
        chance.group = [(networks.of(country), chance.choice(BROWSERS)) for country in chance.sample(COUNTRIES, 4) * 2]
        start = chance.randrange(2 * 144, days * 144 - 13)
        yield kind.__name__, number, start, {tick: [kind(chance, networks, number, tick)] for tick in range(start, start + 12)}


# Playing --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raised:
    who: int
    tick: int
    step: str
    signals: dict[str, int]


def play(week: dict[int, list[Moment]], only: set[int] | None = None) -> tuple[list[Raised], int]:
    """The alarms that a week gives, and how many judgements it took. only: these artists' part of it."""
    raised, judged, number = [], 0, 0
    with _world() as (database, clock):
        mine: dict[int, list[str]] = {}
        for tick in sorted(week):
            clock.at = MONDAY + tick * TICK
            with database.session() as session:
                touched = {}
                for moment in week[tick]:
                    if only is not None and moment.who not in only:
                        continue
                    if moment.who not in mine:
                        mine[moment.who] = [_new_key(session, moment.who) for _ in range(2)]
                    if moment.rotates and session.get(Key, mine[moment.who][0]).frozen_at is None:
                        mine[moment.who][0] = keys.rotate(session, mine[moment.who][0], 24)[0]
                    key_id = mine[moment.who][moment.scripted]
                    touched[key_id] = moment.who
                    leaks.record(session, [Glimpse(key_id, *place, moment.site, 3, moment.peak) for place in dict.fromkeys(moment.places)])
                    for prompt in moment.prompts:
                        number += 1
                        session.add(_video(number, f"artist{moment.who}", key_id, prompt, clock.at))
                session.flush()
                for key_id, who in touched.items():
                    judged += 1
                    if (alarm := watch.judge(session, session.get(Key, key_id))) is not None:
                        raised.append(Raised(who, tick, alarm.step, {one["name"]: one["score"] for one in alarm.signals}))
    return raised, judged


@contextmanager
def _world() -> Iterator[tuple[Database, Clock]]:
    """An empty database, and the clock that the watch goes by."""
    clock, modules = Clock(), (leaks, watch, revocation, audit, people, keys)
    before = [module.now for module in modules]
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'service.db'}")
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        database.migrate()
        try:
            for module in modules:
                module.now = clock
            yield database, clock
        finally:
            for module, now in zip(modules, before, strict=True):
                module.now = now
            database.engine.dispose()


def _new_key(session, who: int) -> str:
    pool = f"season/artist{who}"
    return keys.insert(
        session, "laptop", f"artist{who}", ["videos:read", "videos:write"], None, keys.Quota(), cohort_id="season", pool=pool, decoy=False
    )[0]


def _video(number: int, owner: str, key_id: str, prompt: str, at: int) -> Video:
    return Video(
        id=f"video_{number}", owner=owner, key_id=key_id, kind="create", status="completed", progress=100, prompt=prompt, model="lanterne",
        width=256, height=144, seconds=4, plan={"seconds": 4, "steps": 10}, stopping=False, created_at=at, completed_at=at,
    )


def find_leaks(
    seed: int, artists: int = ARTISTS, days: int = DAYS, of_each: int = OF_EACH_KIND
) -> dict[str, list[tuple[str, int] | None]]:
    """For each kind, of each leak the furthest step that was taken within its two hours, and minutes until the first; None for none."""
    week, victims = ordinary(seed, artists, days), {}
    for kind, who, start, moments in leaked(seed, days, of_each):
        victims[who % artists] = kind, start
        for tick, found in moments.items():
            week[tick] += found
    raised, _ = play(week, set(victims))
    outcome = defaultdict(list)
    for who, (kind, start) in victims.items():
        mine = [one for one in raised if one.who == who and start <= one.tick < start + 13]
        furthest = max((one.step for one in mine), key=list(STEPS).index, default=None)
        outcome[kind].append((furthest, (mine[0].tick - start) * TICK // 60) if mine else None)
    return outcome


def table(seeds: list[int]) -> str:
    lines, found = [], defaultdict(list)
    for seed in seeds:
        week = ordinary(seed)
        raised, judged = play(week)
        videos = sum(len(moment.prompts) for moments in week.values() for moment in moments)
        lines.append(f"seed {seed}: {ARTISTS} artists, {videos} videos, {judged} judgements, {len(raised)} false alarms")
        lines += [f"  artist {one.who}, day {one.tick // 144}, {one.step}: {one.signals}" for one in raised]
        for kind, outcomes in find_leaks(seed).items():
            found[kind] += outcomes
    lines += ["", "| leak | noticed | throttled or frozen | frozen | minutes until it was noticed, median |", "|---|---|---|---|---|"]
    for kind, outcomes in found.items():
        noticed = [one for one in outcomes if one]
        stepped = [sum(one[0] in steps for one in noticed) for steps in (("throttle", "freeze"), ("freeze",))]
        median = sorted(minutes for _, minutes in noticed)[len(noticed) // 2] if noticed else "never"
        lines.append(f"| {kind.replace('_', ' ')} | {len(noticed)} of {len(outcomes)} | {stepped[0]} | {stepped[1]} | {median} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table([int(seed) for seed in sys.argv[1:]] or [1]))
