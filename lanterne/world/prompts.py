"""What a person's prompt says of the model's world, and the same said in the model's own words.

`understand` looks for the world's words (words.py, french.py, solids.py) and for what people say instead of them (heard.py), and where
none is found takes a classifier's guess, if it is given one and the guess is sure enough; `expand` writes out, in the long form of the
training captions, what was found and a calm default for what was left unsaid.
"""
import difflib
import re
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise

from lanterne.camera import CameraMotion
from lanterne.world import french, heard, solids, words
from lanterne.world.camera import motion_of
from lanterne.world.captions import MAX_WORDS, captions, pieces
from lanterne.world.knowledge import THE_WORLD, Knowledge, knowledge_of
from lanterne.world.scene import AIRLESS, COLOURS, FEATURES, SEASONAL, SHAPES, SUBJECTS, WEATHERS, Scene, beginning, events_of

# Left out before phrases are compared, so that "pans to the left" and "pan left" are one.
_DROPPED = frozenset(
    "a an the of to with and or at on by as is are was were be been it its this that there these those has have over across for "
    "from toward towards onto into while then so very i you he she they our my your his her their some any which who where "
    "when like just all each every slightly l d s t n le la les un une des de du au aux en sur sous dans avec et ou par pour qui "
    "que est sont se ce cette il elle the".split()
) - {"into", "toward", "towards"}
# Compared, but never reported when they stand alone.
_SILENT = frozenset(
    "we into toward towards inside outside onto once where keep keeps keeping kept stay stays staying cross crosses crossing "
    "completely perfectly barely hardly always together reach reaches "
    "in out up down left right back front forward behind below above under beneath between among around through along near far "
    "off away before after during until upon within beside against past not no without never sans nor but if than too also only "
    "more most much many few lot other another own same such both still yet even ever one two three first last next can could "
    "will would should may might must do does did doing make makes made making show shows showing shown see sees seen seeing seem "
    "look looks looking get gets let go goes going come comes coming become becomes set take takes taken taking give video film "
    "footage clip movie image picture photo scene scenery landscape view views vista panorama shot camera drone lens cinematic "
    "realistic photorealistic beautiful stunning gorgeous lovely nice pretty amazing breathtaking epic majestic dramatic vast "
    "wide big huge great large small little tiny tall high low deep long short immense endless full empty whole very really "
    "quite almost nearly about second seconds minute 4k 8k hd uhd detailed detail quality high resolution aerial establishing "
    "time light lights lit bright dark darker warm cold cool hot soft pale calm quiet peaceful serene silent still lonely remote "
    "wild distant horizon sky skies air water ground land earth nature world place side top bottom edge middle center centre "
    "color colors colour colours glow glowing shine shining shadow shadows golden gold red orange pink purple violet blue green "
    "white black grey silver across everywhere something nothing everything someone what how here today slowly create generate "
    "please want wanted need hour season weather day moment again over while stretching stretch lying lies lie rest hang hanging "
    "drift drifting move moves moving movement motion pace speed fly flying fall falling falls rise rising turn turning fill "
    "filled crash crashing crashes cover covered covering towering rolling steep sheer smooth gentle steady shallow thick thin heavy fresh "
    "grand film fps 24fps 30fps 60fps 35mm 50mm imax anamorphic bokeh hdr hyper ultra octane unreal render rendered engine depth field "
    "grading arri alexa gopro dslr masterpiece award winning stock professional aesthetic "
    "ciel lumiere vue camera plan haut bas grand grande petit petite beau belle autour devant derriere".split()
)
_CAMERA_WORDS = frozenset({"camera", "drone", "shot", "view", "lens", "cam", "plan", "video"})
_STOPS = frozenset(".,;:!?")  # kept between the words, so that no phrase reaches over the end of a clause
_NEGATIONS = frozenset({"no", "not", "without", "never", "sans", "pas"})
_KEPT_WHOLE = frozenset({"morning", "evening", "spring", "clearing", "nothing", "during", "red", "towering", "crossing"})

# Two families in one prompt: what the world can show of both. Otherwise the first named is shown and the other left out.
_MEETINGS = {
    ("mountains", "lake"): ("mountains", "lake"), ("lake", "mountains"): ("lake", "mountains_behind"),
    ("mountains", "forest"): ("mountains", "pines"), ("forest", "mountains"): ("forest", None),
    ("ocean", "coast"): ("coast", None), ("coast", "ocean"): ("coast", None),
    ("coast", "lake"): ("lake", None), ("lake", "coast"): ("lake", None),
    ("dunes", "canyon"): ("canyon", None), ("canyon", "dunes"): ("canyon", None),
    ("coast", "canyon"): ("canyon", None), ("canyon", "coast"): ("canyon", None),
    ("dunes", "coast"): ("coast", "sandy_beach"), ("coast", "dunes"): ("coast", "sandy_beach"),
    ("city", "ocean"): ("city", "bay"), ("city", "coast"): ("city", "bay"), ("city", "lake"): ("city", "bay"),
    ("ocean", "city"): ("city", "bay"), ("coast", "city"): ("city", "bay"), ("lake", "city"): ("city", "bay"),
    ("islands", "ocean"): ("islands", None), ("ocean", "islands"): ("islands", None), ("islands", "coast"): ("islands", None),
    ("islands", "lake"): ("lake", "islands"), ("lake", "islands"): ("lake", "islands"), ("coast", "islands"): ("coast", None),
    ("street", "city"): ("street", None), ("city", "street"): ("city", None),
    ("volcano", "mountains"): ("volcano", None), ("mountains", "volcano"): ("volcano", None),
    ("islands", "volcano"): ("volcano", None), ("volcano", "islands"): ("volcano", None), ("volcano", "coast"): ("volcano", None),
    ("volcano", "ocean"): ("volcano", None), ("ocean", "volcano"): ("volcano", None),
    ("planet", "city"): ("planet", None), ("planet", "ocean"): ("planet", None), ("planet", "islands"): ("planet", None),
    ("planet", "forest"): ("planet", None), ("table", "forest"): ("table", None),
}
# A subject where its family has none: the place near by that has both.
_SUBJECT_MEETINGS = {
    ("ocean", "lighthouse"): ("coast", None), ("ocean", "campfire"): ("coast", "sandy_beach"),
    ("mountains", "boat"): ("lake", "mountains_behind"),
    ("lake", "waterfall"): ("mountains", "lake"), ("lake", "lighthouse"): ("coast", None), ("lake", "train"): ("mountains", "lake"),
    ("city", "car"): ("street", None), ("city", "boat"): ("coast", None), ("lake", "plane"): ("mountains", "lake"),
    ("forest", "boat"): ("lake", None), ("forest", "plane"): ("mountains", "pines"), ("mountains", "birds"): ("lake", "mountains_behind"),
    ("islands", "campfire"): ("coast", "sandy_beach"),
}
_IMPLIED_BY_SUBJECT = {
    "boat": "ocean", "car": "street", "train": "mountains", "balloon": "mountains", "plane": "mountains", "birds": "coast",
    "lighthouse": "coast", "windmill": "lake", "campfire": "forest", "waterfall": "forest",
}
# With which times or weathers, if the prompt names any, an event can be meant; it then begins with its own.
_EVENT_FITS = {
    "sunrise": ("dawn", "morning"), "nightfall": ("sunset", "dusk", "night"), "lights_on": ("sunset", "dusk", "night"),
    "storm_coming": ("clear", "cloudy", "overcast", "storm"), "timelapse": ("clear", "cloudy", "overcast"),
}
_FEATURE_MEETINGS = {("city", "river"): "bay", ("mountains", "river"): "lake", ("coast", "bay"): None}
_IMPLIED_FAMILY = {"pines": "forest", "river": "forest", "clearing": "forest", "islands": "lake", "mountains_behind": "mountains",
                   "cliffs": "coast", "sandy_beach": "coast", "swell": "ocean", "whitecaps": "ocean", "mesas": "canyon",
                   "towers": "city", "bay": "coast", "rocks": "canyon", "lake": "lake", "reefs": "islands", "one_large": "islands",
                   "lava": "volcano", "smoke": "volcano", "neon": "street", "awnings": "street", "ring": "planet", "moon": None,
                   "city_lights": "city", "rolling": "table", "cloth": "table"}
# A single word that names a time only loosely gives way to one that names it outright.
_LOOSE_TIMES = frozenset({"morning", "evening", "afternoon", "day", "daylight", "matin", "soir", "jour", "stars", "moon", "darkness",
                          "lune"})
_SKYLESS = _LOOSE_TIMES | {"night", "starry", "milky way", "starlight", "etoile", "clear", "sun", "sunlight", "clouds", "soleil"}
# A clause that begins with such a word ("Rising over a lake", "we retreat") speaks of the camera too, if its path or nothing follows.
# After a comma, some paths are as likely those of what was named before: cliffs, rising from the sea.
_PATHS = frozenset(
    "over above out from up upward upwards into toward towards through inside across past along around round down off away between "
    "onto in to the a an at with under below beneath behind beyond by as while".split())
_OTHERS_PATHS = frozenset({"from", "in", "out", "with", "by", "at", "to"})
_NO_WORDS = ("",)  # the roots of a guess: no phrase's
# Probabilities from which a guess is taken where nothing is found, and before what is found. A camera moves anyhow; what else there is in a
# place, and happens there, is rarely meant and always seen.
_SURE, _SURE_OF, _VERY_SURE = 0.4, {"camera": 0.3, "subject": 0.5, "event": 0.6}, 0.9
_CALM_MOVES = ("push_in", "pan_left", "pan_right")


Guess = Callable[[str], dict[str, tuple[str, float]]]  # a prompt's likeliest value of each axis, and how likely it is


@dataclass(frozen=True)
class Understanding:
    """What a prompt says of the world; None and () where it says nothing.

    solids: (colour or None, shape), with their relation as in a Scene. time_of_day and weather are what an event, if there is one,
    begins with. unknown_words: the words of content that the world does not have or that the weights were not taught, each with the
    nearest word they have, or None. left_out: words known but not shown beside the others, as a second family or time of day. guessed: the
    axes whose values no list found.
    """

    family: str | None
    time_of_day: str | None
    weather: str | None
    season: str | None
    camera: str | None
    speed: str | None
    features: tuple[str, ...]
    subject: str | None
    event: str | None
    solids: tuple[tuple[str | None, str], ...]
    relation: str | None
    unknown_words: tuple[tuple[str, str | None], ...]
    left_out: tuple[str, ...]
    guessed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """One phrase of the prompt that the world knows: its place among the prompt's words, its roots and what they mean."""

    start: int
    words: str
    roots: tuple[str, ...]
    meanings: tuple[tuple[str, str], ...]
    after_camera: bool


def read(prompt: str, knowledge: Knowledge = THE_WORLD, guess: Guess | None = None) -> tuple[str, CameraMotion]:
    """What the network is told: the expanded prompt, and how the camera moves in the scene that it asks for."""
    said = understand(prompt, knowledge, guess)
    return _expanded(prompt, said, knowledge), motion_of(scene_of(said, draw_of(prompt), knowledge), knowledge.camera_rates)


def reader(metadata: dict, guess: Guess | None = None) -> Callable[[str], tuple[str, CameraMotion]]:
    """`read` as the weights of a checkpoint with this metadata need it."""
    return partial(read, knowledge=knowledge_of(metadata), guess=guess)


def expand(prompt: str, knowledge: Knowledge = THE_WORLD, guess: Guess | None = None) -> str:
    """The prompt, then the long caption of the scene it asks for: in training's words, with what was unsaid filled in.

    The same prompt always gives the same text. A prompt already written like a long caption comes back as it is. Of one that the lists
    alone do not understand the caption stands by itself: the model was taught few of its words, and takes the rest for others.
    """
    return _expanded(prompt, understand(prompt, knowledge, guess), knowledge)


def _expanded(prompt, said, knowledge):
    own = " ".join(prompt.split())
    written_out = _names_everything(said) and own.count(".") > 1 and not said.unknown_words
    if written_out and all(_root(w) in _caption_roots() for w in solids.find(_tokens(own))[3] if w not in _DROPPED | _STOPS):
        return own
    scene = scene_of(said, draw_of(prompt), knowledge)
    long = min((captions(scene, seed, 0.0)["long"] for seed in range(8)), key=lambda text: len(pieces(text)))
    if said.guessed:
        return long
    room = MAX_WORDS - len(pieces(long)) - 1
    kept = own.split()[: max(room, 0)]
    while len(pieces(" ".join(kept))) > max(room, 0):
        kept.pop()
    front = " ".join(kept).rstrip(" .,;:")
    return f"{front}{'' if front[-1:] in ('!', '?') else '.'} {long}" if front else long


def understand(prompt: str, knowledge: Knowledge = THE_WORLD, guess: Guess | None = None) -> Understanding:
    """Finds the world's words in a prompt, English or French, in any order. Never fails: what it cannot place it reports.

    guess: what tells the likeliest value of each axis of a prompt, with its probability (`Engine.guess`), for what no list knows.
    """
    said = _understood(prompt, knowledge, {})
    return _understood(prompt, knowledge, _meant(prompt, guess(prompt), said, knowledge)) if guess else said


def _understood(prompt, knowledge, meant):
    """As understand; meant: values by axis that stand, whatever else is found of these axes."""
    standing, relation, rolls, tokens = solids.find(_tokens(prompt))
    found, loose = _search(tokens)
    if standing and not _speaks_of_solids(standing, found):
        standing, relation, rolls = (), None, False
        found, loose = _search(_tokens(prompt))
    if standing and "table" not in knowledge.families:
        loose += [shape for _, shape in standing]
        standing, relation, rolls = (), None, False
    found, untaught, instead = _taught(found, knowledge)
    unknown, filled = _unknown(loose, _denied_words(prompt), knowledge)
    filled = instead | filled
    found = [replace(entry, meanings=tuple(one for one in entry.meanings if one[0] not in meant)) for entry in found]
    found = [entry for entry in found if entry.meanings] + [_Found(0, "", _NO_WORDS, (one,), False) for one in meant.items()]
    left_out: list[str] = []

    family, gained = ("table", []) if standing else _family(found, left_out)
    features = _of(found, "feature")
    subject = _first(found, "subject", left_out) or filled.get("subject")
    if family is None and features:
        family = next((implied for value, _ in features if (implied := _implied(value, knowledge))), None)
    family = family or filled.get("family")
    if subject and family and family not in SUBJECTS[subject] and "subject" in meant:
        subject = None  # what is read between the lines changes no place that is named
    if subject:
        family, feature, shown = _meet(family, subject, knowledge)
        gained += [feature] if feature else []
        if not shown:
            left_out += [entry.words for value, entry in _of(found, "subject") if value == subject]
            subject = None
    chosen = set(gained) | ({"rolling"} if rolls else set())
    for value, entry in features:
        value = _FEATURE_MEETINGS.get((family, value), value)
        if family and value in FEATURES[family]:
            chosen.add(value)
        elif value and not any(axis in ("family", "time_of_day") for axis, _ in entry.meanings):
            left_out.append(entry.words)

    weathers = [value for value, _ in _of(found, "weather")]
    weather = max(weathers, key=WEATHERS.index) if weathers else filled.get("weather")  # the roughest one named is what is seen
    time_of_day = _time(found, left_out) or filled.get("time_of_day")
    season = _first(found, "season", left_out) or filled.get("season")
    if family in AIRLESS:
        left_out += [e.words for e in found for axis, _ in e.meanings if axis in ("time_of_day", "weather") and e.words not in _SKYLESS]
        time_of_day = weather = None
    event, time_of_day, weather = _event(found, family, time_of_day, weather, left_out)
    if season and family and family not in SEASONAL:
        named = next((entry.words for value, entry in _of(found, "season")), season)
        if re.search("snow|neige", named) and family not in AIRLESS:
            weather = weather or "snow"  # "a snowy city": no season is seen there, but snow is
        else:
            left_out.append(named)
        season = None
    return Understanding(
        family=family,
        time_of_day=time_of_day,
        weather=weather,
        season=season,
        camera=_camera(found, prompt, left_out) or filled.get("camera"),
        speed=_first(found, "speed", left_out),
        features=tuple(f for f in FEATURES[family] if f in chosen) if family else (),
        subject=subject,
        event=event,
        solids=standing if family == "table" else (),
        relation=relation if family == "table" else None,
        unknown_words=untaught + unknown,
        left_out=tuple(dict.fromkeys(filter(None, left_out))),
        guessed=tuple(meant),
    )


def _meant(prompt, guesses, said, knowledge):
    """The guesses that are taken: sure ones of what is not said, very sure ones that say otherwise, none of what the prompt says is not."""
    taken, denied = {}, _denied(prompt)
    for axis, (value, probability) in guesses.items():
        told = getattr(said, axis)
        least = _VERY_SURE if told else _SURE_OF.get(axis, _SURE)
        if value != told and probability >= least and _is_taught(axis, value, knowledge) and (axis, value) not in denied:
            taken[axis] = value
    begins = beginning(taken["event"]) if "event" in taken else {}
    if any(getattr(said, axis) not in (None, value) for axis, value in begins.items()):
        del taken["event"]
    if taken.get("family", said.family) not in SEASONAL or ("weather", "snow") in denied:
        taken.pop("season", None)
    if said.season == "winter" and taken.get("weather") == "snow":
        del taken["weather"]  # snow lies in winter; that it falls would be said
    return taken


def _denied(prompt):
    """What the prompt says that there is not: (axis, value)."""
    tokens = [token for token in _tokens(prompt) if token not in _DROPPED]
    after = [place + 1 for place, token in enumerate(tokens) if token in _NEGATIONS]
    phrases = [tuple(map(_root, tokens[start : start + length])) for start in after for length in (1, 2, 3)]
    return {meaning for phrase in phrases for meaning in _phrases().get(phrase, ())}


# ---- from what was understood to a scene


def scene_of(said: Understanding, draw: int, knowledge: Knowledge = THE_WORLD) -> Scene:
    """The scene asked for. draw: a number from the prompt, which settles what the prompt leaves open.

    Raises ValueError for values that no scene can have together; what `understand` returns never has them.
    """
    open_to = [family for family in knowledge.families if family not in AIRLESS and (family in SEASONAL or not said.season)]
    family = said.family or open_to[draw % len(open_to)]
    airless = family in AIRLESS
    weather = said.weather or "clear"
    camera = said.camera or _CALM_MOVES[draw // 8 % len(_CALM_MOVES)]
    speed = said.speed or ("steady" if said.camera else "slow")
    time_of_day = said.time_of_day or "noon"
    event = said.event if said.event in events_of(family, time_of_day, weather) else None
    return Scene(
        seed=draw,
        family=family,
        time_of_day=None if airless else time_of_day,
        weather=None if airless else weather,
        season=(said.season or ("winter" if weather == "snow" else "summer")) if family in SEASONAL else None,
        camera=camera,
        speed="steady" if camera == "static" else speed,
        features=said.features,
        subject=said.subject,
        event=event,
        solids=solids_asked(said, draw) if family == "table" else (),
        relation=said.relation,
    )


def solids_asked(said: Understanding, draw: int) -> tuple[tuple[str, str], ...]:
    """What is to stand on the table: what was said, in colours that follow from the draw where none was; without a word, one solid."""
    standing = said.solids or ((None, SHAPES[draw // 3 % len(SHAPES)]),)
    return tuple((colour or COLOURS[(draw // 7 + place) % len(COLOURS)], shape) for place, (colour, shape) in enumerate(standing))


def draw_of(prompt: str) -> int:
    """The number that settles what a prompt leaves open: another's is another."""
    return zlib.crc32(" ".join(prompt.split()).lower().encode())


def _names_everything(said):
    season = said.season or said.family not in SEASONAL
    speed = said.speed or said.camera == "static"
    sky = said.family in AIRLESS or (said.time_of_day and said.weather)
    return all((said.family, sky, season, said.camera, speed, said.solids or said.family != "table"))


# ---- choosing between what was found


def _of(found, axis):
    return [(value, entry) for entry in found for a, value in entry.meanings if a == axis]


def _first(found, axis, left_out):
    options = _of(found, axis)
    left_out += [entry.words for value, entry in options if value != options[0][0]]
    return options[0][0] if options else None


def _family(found, left_out):
    family, gained = None, []
    for value, entry in _of(found, "family"):
        if family is None or value == family:
            family = value
        elif (family, value) in _MEETINGS:
            family, feature = _MEETINGS[family, value]
            gained += [feature] if feature else []
        elif not any(axis == "feature" and name in FEATURES[family] for axis, name in entry.meanings):
            left_out.append(entry.words)
    return family, [f for f in gained if f in FEATURES[family]]


def _implied(feature, knowledge):
    """The family that a feature speaks of where none is named."""
    family = _IMPLIED_FAMILY[feature]
    return family if family in knowledge.families else None


def _meet(family, subject, knowledge):
    """(family, feature or None, whether the subject is shown): a subject in its family, or in one near by, or left out."""
    if family is None:
        implied = (_IMPLIED_BY_SUBJECT[subject], *SUBJECTS[subject])
        return next(((one, None, True) for one in implied if one in knowledge.families), (None, None, False))
    if family in SUBJECTS[subject]:
        return family, None, True
    near, feature = _SUBJECT_MEETINGS.get((family, subject), (None, None))
    return (near, feature, True) if near in knowledge.families else (family, None, False)


def _event(found, family, time_of_day, weather, left_out):
    """(event, time of day, weather): the first event that the rest allows, and what it begins with."""
    for value, entry in _of(found, "event"):
        given, begins = {"time_of_day": time_of_day, "weather": weather}, beginning(value)
        fits = all(given[axis] in (None, *_EVENT_FITS[value]) for axis in begins)
        after = given | begins
        # What the prompt leaves open is a clear noon (`_scene_of`).
        if fits and value in events_of(family or "city", after["time_of_day"] or "noon", after["weather"] or "clear"):
            return value, after["time_of_day"], after["weather"]
        if len(entry.meanings) == 1:
            left_out.append(entry.words)
    return None, time_of_day, weather


def _speaks_of_solids(standing, found):
    """Whether shapes are meant as solids: "pyramids in a desert" and "the ring of a planet" are not, "a cube" and "a red ball" are."""
    family, _ = _family(found, [])
    if family not in (None, "table"):
        return False
    coloured = any(colour for colour, _ in standing)
    return family == "table" or coloured or len(set(standing)) > 1 or any(shape in ("cube", "cylinder") for _, shape in standing)


def _taught(found, knowledge):
    """found without what the weights were not taught; that, each with the nearest they were; and what the nearest say, by axis."""
    kept, unknown, filled = [], {}, {}
    for entry in found:
        meanings = tuple(meaning for meaning in entry.meanings if _is_taught(*meaning, knowledge))
        if meanings:
            kept.append(replace(entry, meanings=meanings))
            continue
        near = _nearest_by_hand().get(entry.words) or next((heard.INSTEAD[m] for m in entry.meanings if m in heard.INSTEAD), None)
        unknown[entry.words], says = _nearest_taught(near, knowledge)
        filled = dict(says) | filled
    return kept, tuple(unknown.items()), filled


def _is_taught(axis, value, knowledge):
    if axis == "feature":
        return any(value in FEATURES[family] for family in knowledge.families)
    return value in {"family": knowledge.families, "subject": knowledge.subjects, "event": knowledge.events}.get(axis, (value,))


def _nearest_taught(near, knowledge):
    """(near, or what is shown in its stead, or None; its meanings)."""
    meanings = _phrases().get(_roots(near), ()) if near else ()
    taught = [meaning for meaning in meanings if _is_taught(*meaning, knowledge)]
    if taught:
        return near, taught
    instead = next((heard.INSTEAD[meaning] for meaning in meanings if meaning in heard.INSTEAD), None)
    return (instead, _phrases()[_roots(instead)]) if instead else (None, ())


def _time(found, left_out):
    firm = [entry for entry in found if entry.words not in _LOOSE_TIMES]
    return _first(firm, "time_of_day", left_out) or _first(found, "time_of_day", left_out)


def _camera(found, prompt, left_out):
    """What is said right after "the camera" goes first, then what can only be meant of a camera, then the rest."""
    raw = _tokens(prompt)
    spoken_of = any(token in _CAMERA_WORDS for token in raw)
    loose = {_roots(phrase) for phrase in heard.LOOSE_CAMERA.split("; ")}
    named = [e for e in found if any(a == "camera" for a, _ in e.meanings)]
    entries = [e for e in named if spoken_of or e.roots not in loose or _opens_clause(e, raw)]
    entries = [e for e in entries if e.after_camera or e.roots not in loose] or entries
    entries.sort(key=lambda e: (not e.after_camera, e.start))
    return _first(entries, "camera", left_out)


def _opens_clause(entry, raw):
    """Whether the phrase begins a clause of its own and goes on with a path, as a move of the camera would be told."""
    raw = [token for token in raw if (_root(token),) not in _speeds()]
    first, *_, last = 2 * entry.words.split()
    for place, token in enumerate(raw):
        before = raw[place - 1] if place else "."
        if token != first or before not in _STOPS | {"we"} or last not in raw[place:]:
            continue
        after = (*raw[raw.index(last, place) + 1 :], ".")[0]
        if after in _STOPS or (after in _PATHS and not (before == "," and after in _OTHERS_PATHS)):
            return True
    return False


# ---- finding phrases


def _search(tokens):
    """The phrases found, in order, and the words that belong to none. At each place the longest phrase wins."""
    tokens = [token for token in tokens if token not in _DROPPED]
    found, tokens = _take(tokens, _happenings())  # before speeds: clouds that race are no fast camera
    more, tokens = _take(tokens, _speeds(), only=_is_speed)
    rest, tokens = _take(tokens, _phrases())
    return found + more + rest, [token for token in tokens if token not in _STOPS]


def _take(tokens, phrases, only=lambda roots, following: True):
    """Phrases out of tokens. Returns them and the tokens, without those of the phrases."""
    roots = [_root(token) for token in tokens]
    found, rest, i = [], [], 0
    longest = max(map(len, phrases))
    while i < len(tokens):
        for length in range(min(longest, len(tokens) - i), 0, -1):
            key = tuple(roots[i : i + length])
            if key in phrases and only(key, roots[i + length : i + length + 1]):
                break
        else:
            rest.append(tokens[i])
            i += 1
            continue
        negated = i > 0 and tokens[i - 1] in _NEGATIONS
        if not negated:
            after_camera = (i > 0 and tokens[i - 1] in _CAMERA_WORDS) or key[0] == "camera"
            found.append(_Found(i, " ".join(tokens[i : i + length]), key, phrases[key], after_camera))
        i += length
    return found, rest


def _is_speed(roots, following):
    """ "gentle", "smooth" and their like are the camera's only before one of its moves: a gentle rain is no slow pan."""
    adjectives = {_roots(word) for options in words.SPEED_ADJECTIVES.values() for word in options}
    always = {_roots(word) for word in ("slow", "fast")}
    return roots not in adjectives - always or (bool(following) and following[0] in _shot_roots())


def _denied_words(prompt):
    """Those that directly follow a "no" or a "without"."""
    tokens = [token for token in _tokens(prompt) if token not in _DROPPED]
    return {token for before, token in pairwise(tokens) if before in _NEGATIONS}


def _unknown(loose, denied, knowledge):
    """The words the world does not have, with the nearest it has; and what the nearest say, for axes left unsaid."""
    unknown, filled = {}, {}
    for token in loose:
        if token in _SILENT or token in unknown or token in denied or _root(token) in _caption_roots() or token.isdigit():
            continue
        near = _nearest_by_hand().get(token)
        if near is None and len(token) > 4:  # misspelt: seldom at its first letter, and a knight is no night
            alike = [word for word in _single_words() if word[0] == token[0]]
            near = next(iter(difflib.get_close_matches(token, alike, n=1, cutoff=0.86)), None)
        unknown[token], says = _nearest_taught(near, knowledge)
        filled = dict(says) | filled
    return tuple(unknown.items()), filled


def _tokens(text):
    plain = unicodedata.normalize("NFKD", text.replace("œ", "oe").lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = plain.replace("en train d", " ")  # French for a verb's "-ing", and no train
    return re.findall(r"[^\W_]+|[.,;:!?]", re.sub(r"\bby the (sea|ocean)\b", "seashore", plain))  # "by" is not compared


@cache
def _root(token):
    """One root for the forms of a word: pans, panning, panned. Crude, but the world's own phrases go the same way."""
    if token in _KEPT_WHOLE:
        return token
    for ending, least in (("ing", 6), ("ed", 5)):
        if token.endswith(ending) and len(token) >= least:
            token = token[: -len(ending)]
            if len(token) > 2 and token[-1] == token[-2] and token[-1] not in "sl":
                token = token[:-1]
            break
    if token.endswith("ies") and len(token) > 4:
        token = token[:-3] + "y"
    if token.endswith("s") and not token.endswith("ss") and len(token) > 3:
        token = token[:-1]
    return token[:-1] if token.endswith("e") and len(token) > 3 else token


def _roots(phrase):
    return tuple(_root(token) for token in _tokens(phrase) if token not in _DROPPED)


# ---- the world's words, gathered once from words.py

_SPOKEN = (
    ("family", (words.NOUNS, words.PLACES, words.AROUND, {"table": words.WOODEN_TABLES})),
    ("family", (french.NOUNS, french.AROUND, {"table": french.WOODEN_TABLES})),
    ("feature", (words.FEATURE_PHRASES, french.FEATURE_PHRASES)),
    ("subject", (words.SUBJECT_NOUNS, words.SUBJECT_CLAUSES, french.SUBJECT_NOUNS, french.SUBJECT_CLAUSES)),
    ("event", (words.EVENT_CLAUSES, words.EVENT_NAMES, french.EVENT_CLAUSES)),
    ("time_of_day", (words.TIME_PHRASES, words.TIME_SENTENCES, words.LIGHT_CLEAR, words.LIGHT_DULL, french.TIME_PHRASES)),
    ("weather", (words.WEATHER_PHRASES, words.WEATHER_ADJECTIVES, words.WEATHER_NAMES, words.WEATHER_SENTENCES, french.WEATHER_PHRASES)),
    ("season", (words.SEASON_PHRASES, words.SEASON_ADJECTIVES, words.SEASON_SENTENCES, french.SEASON_PHRASES)),
    ("camera", (words.CAMERA_VERBS, words.CAMERA_SHOTS, french.CAMERA_VERBS, french.CAMERA_SHOTS)),
    ("speed", (words.SPEED_ADVERBS, words.SPEED_ADJECTIVES, french.SPEED_ADVERBS)),
)


def _gather(axes):
    phrases: dict[tuple, dict] = {}
    for axis, tables in _SPOKEN:
        for table in tables if axis in axes else ():
            for value, options in table.items():
                for phrase in options:
                    phrases.setdefault(_roots(phrase), {})[axis, value] = None
    for (axis, value), options in heard.HEARD.items():
        for phrase in options.split("; ") if axis in axes else ():
            phrases.setdefault(_roots(phrase), {})[axis, value] = None
    return {roots: tuple(meanings) for roots, meanings in phrases.items() if roots}


@cache
def _phrases():
    return _gather(("family", "feature", "subject", "event", "time_of_day", "weather", "season", "camera"))


@cache
def _happenings():
    return {roots: meanings for roots, meanings in _phrases().items() if any(axis == "event" for axis, _ in meanings)}


@cache
def _speeds():
    return _gather(("speed",))


@cache
def _shot_roots():
    return {_roots(shot)[0] for table in (words.CAMERA_SHOTS, words.CAMERA_VERBS) for o in table.values() for shot in o} | {
        "camera", "mov", "movement", "motion", "zoom", "drift", "dolly", "flight", "travel"}


@cache
def _caption_roots():
    tables = [table for _, group in _SPOKEN for table in group]
    return {root for table in tables for options in table.values() for phrase in options for root in _roots(phrase)} | {
        _root(w) for w in "view scene show see look video here camera we".split()}


@cache
def _single_words():
    known = {phrase for options in heard.HEARD.values() for phrase in options.split("; ")}
    return sorted(phrase for phrase in known if " " not in phrase and len(phrase) > 3)


@cache
def _nearest_by_hand():
    return {word: near for near, far in heard.NEAREST.items() for word in far.split()}
