"""A scene: what the world is asked to show, as a few independent axes and one seed.

The axes are drawn independently, so that combinations kept out of training test whether the model composes what it learnt
or only remembers it. What the axes leave open (the shape of this mountain, the place of that cloud) is the seed's.
"""
from dataclasses import dataclass, fields, replace

import numpy as np

FAMILIES = (
    "mountains", "dunes", "forest", "lake", "coast", "ocean", "canyon", "city", "islands", "volcano", "planet", "street", "table",
)
TIMES = ("dawn", "morning", "noon", "sunset", "dusk", "night")
WEATHERS = ("clear", "cloudy", "overcast", "fog", "rain", "snow", "storm")
SEASONS = ("spring", "summer", "autumn", "winter")
CAMERAS = ("static", "pan_left", "pan_right", "tilt_up", "tilt_down", "push_in", "pull_back", "rise", "descend", "orbit")
SPEEDS = ("slow", "steady", "fast")

SEASONAL = ("mountains", "forest", "lake")  # families whose ground and leaves show the season; the others have none
AIRLESS = ("planet", "table")  # families without weather and time of day
FEATURES = {
    "mountains": ("lake", "pines"),
    "dunes": ("rocks",),
    "forest": ("river", "clearing"),
    "lake": ("islands", "mountains_behind"),
    "coast": ("cliffs", "sandy_beach"),
    "ocean": ("swell", "whitecaps"),
    "canyon": ("river", "mesas"),
    "city": ("towers", "bay"),
    "islands": ("reefs", "one_large"),
    "volcano": ("lava", "smoke"),
    "street": ("neon", "awnings"),
    "planet": ("ring", "moon", "city_lights"),
    "table": ("rolling", "cloth"),
}
SUBJECTS = {  # what moves in a scene, and where it may
    "boat": ("lake", "coast", "ocean", "islands"),
    "car": ("dunes", "canyon", "street"),
    "train": ("mountains", "forest", "canyon"),
    "balloon": ("mountains", "dunes", "forest", "lake", "canyon"),
    "plane": ("mountains", "ocean", "city", "islands", "volcano"),
    "birds": ("forest", "lake", "coast", "ocean", "islands"),
    "lighthouse": ("coast", "islands"),
    "windmill": ("dunes", "forest", "lake", "coast"),
    "campfire": ("mountains", "dunes", "forest", "lake", "coast", "canyon"),
    "waterfall": ("mountains", "forest", "canyon", "volcano"),
}
EVENTS = ("sunrise", "nightfall", "storm_coming", "lights_on", "timelapse")
# What a scene is when its event begins.
_BEGINS = {
    "sunrise": ("time_of_day", "dawn"), "nightfall": ("time_of_day", "sunset"), "storm_coming": ("weather", "cloudy"),
    "lights_on": ("time_of_day", "dusk"), "timelapse": ("weather", "cloudy"),
}
INHABITED = ("city", "street")  # where lights can go on
_OPEN_SKIES = ("clear", "cloudy")  # weathers that let the sun be seen rising
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
SHAPES = ("cube", "ball", "cone", "cylinder", "pyramid", "ring")
RELATIONS = ("row", "on_top", "behind")  # of solids: side by side, the second on the first, the second behind the first
FLAT_SHAPES = ("cube", "cylinder")  # that something can stand on
ROLLING_SHAPE = "ball"  # with the feature "rolling", the first of them rolls

# Where training never shows a subject that it shows elsewhere: (family, subject).
HELD_OUT_PAIRS = frozenset({
    ("islands", "boat"), ("canyon", "train"), ("lake", "balloon"), ("ocean", "plane"), ("forest", "birds"), ("coast", "windmill"),
    ("canyon", "campfire"), ("volcano", "waterfall"),
})

_SPLITS = ("train", "held_out", "any")
_MIRRORED = {"pan_left": "pan_right", "pan_right": "pan_left"}
_STREAM = 0x5CE7E  # keeps this use of a seed apart from the renderer's own draws from the same seed


@dataclass(frozen=True)
class Scene:
    """season is None where the family shows none, time_of_day and weather where it has none; speed is "steady" where the camera is
    static; features are in FEATURES' order. time_of_day and weather are what the scene begins with, before its event. A table has 1 to 4
    solids, (colour, shape) from left to right, and with two of them a relation; nothing else has any.

    Raises ValueError for a value its axis does not have.
    """

    seed: int
    family: str
    time_of_day: str | None
    weather: str | None
    season: str | None
    camera: str
    speed: str
    features: tuple[str, ...]
    subject: str | None = None
    event: str | None = None
    solids: tuple[tuple[str, str], ...] = ()
    relation: str | None = None

    def __post_init__(self):
        _require("family", self.family, FAMILIES)
        airless = self.family in AIRLESS
        _require("time_of_day", self.time_of_day, (None,) if airless else TIMES)
        _require("weather", self.weather, (None,) if airless else WEATHERS)
        _require(f"subject in {self.family}", self.subject, (None, *subjects_of(self.family)))
        _require("event", self.event, (None, *events_of(self.family, self.time_of_day, self.weather)))
        _require("number of solids", len(self.solids), (1, 2, 3, 4) if self.family == "table" else (0,))
        for colour, shape in self.solids:
            _require("colour", colour, COLOURS)
            _require("shape", shape, SHAPES)
        _require("relation", self.relation, {0: (None,), 1: (None,), 2: RELATIONS}.get(len(self.solids), ("row",)))
        _require("season", self.season, SEASONS if self.family in SEASONAL else (None,))
        _require("camera", self.camera, CAMERAS)
        _require("speed", self.speed, SPEEDS if self.camera != "static" else ("steady",))
        for feature in self.features:
            _require(f"feature of {self.family}", feature, FEATURES[self.family])


def _require(axis, value, allowed):
    if value not in allowed:
        named = ", ".join(str(one) for one in allowed if one is not None)
        remedy = " or ".join([f"use one of {named}"] * bool(named) + ["leave it out"] * (None in allowed))
        raise ValueError(f"{axis}={value!r} is not in this world; {remedy}.")


def draw_scene(seed: int, split: str = "train") -> Scene:
    """The scene of a seed: the same seed and split always give the same scene.

    split: "train" never gives a held-out combination, "held_out" gives nothing else, "any" gives both in proportion.
    """
    if split not in _SPLITS:
        raise ValueError(f"split={split!r} is unknown; use one of {', '.join(_SPLITS)}.")
    random = np.random.Generator(np.random.Philox(key=[seed, _STREAM]))
    while True:  # rejection keeps every axis about as likely as it was; held-out needs about eight draws
        scene = _draw(random, seed)
        if is_sensible(scene) and (split == "any" or is_held_out(scene) == (split == "held_out")):
            return scene


def subjects_of(family: str) -> tuple[str, ...]:
    return tuple(subject for subject, families in SUBJECTS.items() if family in families)


def events_of(family: str, time_of_day: str | None, weather: str | None) -> tuple[str, ...]:
    """The events that can begin in such a scene."""
    begins = {"time_of_day": time_of_day, "weather": weather}
    fitting = (event for event in _events_in(family) if begins[_BEGINS[event][0]] == _BEGINS[event][1])
    return tuple(event for event in fitting if event != "sunrise" or weather in _OPEN_SKIES)


def _events_in(family):
    if family in AIRLESS:
        return ()
    return tuple(event for event in EVENTS if event != "lights_on" or family in INHABITED)


def beginning(event: str) -> dict[str, str]:
    """What the scene is when the event begins: {"time_of_day": ...} or {"weather": ...}. Raises ValueError for no event."""
    _require("event", event, EVENTS)
    axis, value = _BEGINS[event]
    return {axis: value}


def _draw(random, seed):
    def pick(values):
        return values[int(random.integers(len(values)))]

    family, time_of_day, weather = pick(FAMILIES), pick(TIMES), pick(WEATHERS)
    season, camera, speed = pick(SEASONS), pick(CAMERAS), pick(SPEEDS)
    has_subject, has_event = random.random(2) < (0.5, 0.25)
    events, event = _events_in(family), None
    if has_event and events:  # drawn first: few times and weathers would happen to be its own
        event = "lights_on" if family in INHABITED and random.random() < 0.5 else pick(events)
        begins = beginning(event)
        time_of_day, weather = begins.get("time_of_day", time_of_day), begins.get("weather", weather)
        if event == "sunrise":
            weather = pick(_OPEN_SKIES)
    subjects = subjects_of(family)
    solids, relation = _draw_solids(random, pick) if family == "table" else ((), None)
    options = tuple(option for option in FEATURES[family] if option != "rolling" or _rolls(solids, relation))
    return Scene(
        seed=seed,
        family=family,
        time_of_day=None if family in AIRLESS else time_of_day,
        weather=None if family in AIRLESS else weather,
        season=season if family in SEASONAL else None,
        camera=camera,
        speed=speed if camera != "static" else "steady",
        features=tuple(option for option, u in zip(options, random.random(len(options)), strict=True) if u < 0.4),
        subject=pick(subjects) if subjects and has_subject and event != "timelapse" else None,
        event=event,
        solids=solids,
        relation=relation,
    )


def _draw_solids(random, pick):
    """Solids and their relation. In a row half of them repeat the one before, so that there is something to count."""
    count = pick((1, 2, 2, 2, 3, 4))
    relation = pick(RELATIONS) if count == 2 else "row" if count > 2 else None
    solids = [(pick(COLOURS), pick(FLAT_SHAPES if relation == "on_top" else SHAPES))]
    while len(solids) < count:
        solids.append(solids[-1] if relation == "row" and random.random() < 0.5 else (pick(COLOURS), pick(SHAPES)))
    return tuple(solids), relation


def _rolls(solids, relation):
    return relation in (None, "row") and any(shape == ROLLING_SHAPE for _, shape in solids)


def is_sensible(scene: Scene) -> bool:
    """False for the combinations that the world leaves out."""
    if scene.weather == "snow" and (scene.family in ("dunes", "islands") or scene.season == "summer"):
        return False
    if scene.subject == "campfire" and (scene.weather in ("rain", "storm") or scene.event == "storm_coming"):
        return False
    if scene.subject == "balloon" and scene.weather == "storm":
        return False
    if scene.event == "timelapse" and scene.subject:  # what moves would rush
        return False
    if scene.relation == "on_top" and scene.solids[0][1] not in FLAT_SHAPES:
        return False
    if scene.relation in ("on_top", "behind") and scene.solids[0] == scene.solids[1]:
        return False
    return "rolling" not in scene.features or _rolls(scene.solids, scene.relation)


def is_held_out(scene: Scene) -> bool:
    """True for one in twelve combinations of family, time and weather, and for HELD_OUT_PAIRS: training never sees either.

    A lattice: its coefficients are coprime with 12 and no axis has more than 12 values, so that every *pair* of values loses
    at most one partner. The model has seen each pair often; only the triple is new to it. A table or a planet has no such triple.
    """
    if scene.family in AIRLESS:
        return False
    index = FAMILIES.index(scene.family) + 7 * TIMES.index(scene.time_of_day) + 5 * WEATHERS.index(scene.weather)
    return index % 12 == 5 or (scene.family, scene.subject) in HELD_OUT_PAIRS


def mirror(scene: Scene) -> Scene:
    """The scene that a clip shows once it is flipped left to right: pans and solids change sides. Rendering it is not that clip."""
    solids = scene.solids[::-1] if scene.relation == "row" else scene.solids
    return replace(scene, camera=_MIRRORED.get(scene.camera, scene.camera), solids=solids)


def to_dict(scene: Scene) -> dict:
    """As JSON takes it; `from_dict` reads it back."""
    values = {field.name: getattr(scene, field.name) for field in fields(Scene)}
    return values | {"features": list(scene.features), "solids": [list(solid) for solid in scene.solids]}


def from_dict(values: dict) -> Scene:
    """Raises ValueError where a field is missing, unknown or has a value the world does not."""
    names = {field.name for field in fields(Scene)}
    if set(values) != names:
        odd = ", ".join(sorted(set(values) ^ names))
        raise ValueError(f"A scene has exactly the fields {', '.join(sorted(names))}; missing or unknown here: {odd}.")
    return Scene(**(values | {"features": tuple(values["features"]), "solids": tuple(tuple(solid) for solid in values["solids"])}))
