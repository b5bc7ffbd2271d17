"""A scene: what the world is asked to show, as a few independent axes and one seed.

The axes are drawn independently, so that combinations kept out of training test whether the model composes what it learnt
or only remembers it. What the axes leave open (the shape of this mountain, the place of that cloud) is the seed's.
"""
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

FAMILIES = ("mountains", "dunes", "forest", "lake", "coast", "ocean", "canyon", "city")
TIMES = ("dawn", "morning", "noon", "sunset", "dusk", "night")
WEATHERS = ("clear", "cloudy", "overcast", "fog", "rain", "snow", "storm")
SEASONS = ("spring", "summer", "autumn", "winter")
CAMERAS = ("static", "pan_left", "pan_right", "tilt_up", "tilt_down", "push_in", "pull_back", "rise", "descend", "orbit")
SPEEDS = ("slow", "steady", "fast")

SEASONAL = ("mountains", "forest", "lake")  # families whose ground and leaves show the season; the others have none
FEATURES = {
    "mountains": ("lake", "pines"),
    "dunes": ("rocks",),
    "forest": ("river", "clearing"),
    "lake": ("islands", "mountains_behind"),
    "coast": ("cliffs", "sandy_beach"),
    "ocean": ("swell", "whitecaps"),
    "canyon": ("river", "mesas"),
    "city": ("towers", "bay"),
}

_SPLITS = ("train", "held_out", "any")
_MIRRORED = {"pan_left": "pan_right", "pan_right": "pan_left"}
_STREAM = 0x5CE7E  # keeps this use of a seed apart from the renderer's own draws from the same seed


@dataclass(frozen=True)
class Scene:
    """season is None where the family shows none; speed is "steady" where the camera is static; features are in FEATURES' order.

    Raises ValueError for a value its axis does not have.
    """

    seed: int
    family: str
    time_of_day: str
    weather: str
    season: str | None
    camera: str
    speed: str
    features: tuple[str, ...]

    def __post_init__(self):
        _require("family", self.family, FAMILIES)
        _require("time_of_day", self.time_of_day, TIMES)
        _require("weather", self.weather, WEATHERS)
        _require("season", self.season, SEASONS if self.family in SEASONAL else (None,))
        _require("camera", self.camera, CAMERAS)
        _require("speed", self.speed, SPEEDS if self.camera != "static" else ("steady",))
        for feature in self.features:
            _require(f"feature of {self.family}", feature, FEATURES[self.family])


def _require(axis, value, allowed):
    if value not in allowed:
        raise ValueError(f"{axis}={value!r} is not in this world; use one of {', '.join(map(str, allowed))}.")


def draw_scene(seed: int, split: str = "train") -> Scene:
    """The scene of a seed: the same seed and split always give the same scene.

    split: "train" never gives a held-out combination, "held_out" gives nothing else, "any" gives both in proportion.
    """
    if split not in _SPLITS:
        raise ValueError(f"split={split!r} is unknown; use one of {', '.join(_SPLITS)}.")
    random = np.random.Generator(np.random.Philox(key=[seed, _STREAM]))
    while True:  # rejection keeps every axis as likely as it was; held-out needs about twelve draws
        scene = _draw(random, seed)
        if is_sensible(scene) and (split == "any" or is_held_out(scene) == (split == "held_out")):
            return scene


def _draw(random, seed):
    def pick(values):
        return values[int(random.integers(len(values)))]

    family, time_of_day, weather = pick(FAMILIES), pick(TIMES), pick(WEATHERS)
    season, camera, speed = pick(SEASONS), pick(CAMERAS), pick(SPEEDS)
    options = FEATURES[family]
    chosen = [option for option, u in zip(options, random.random(len(options)), strict=True) if u < 0.4]
    return Scene(
        seed=seed,
        family=family,
        time_of_day=time_of_day,
        weather=weather,
        season=season if family in SEASONAL else None,
        camera=camera,
        speed=speed if camera != "static" else "steady",
        features=tuple(chosen),
    )


def is_sensible(scene: Scene) -> bool:
    """False for the few combinations the world leaves out: snow falling on dunes, or in summer."""
    return not (scene.weather == "snow" and (scene.family == "dunes" or scene.season == "summer"))


def is_held_out(scene: Scene) -> bool:
    """True for one in twelve combinations of family, time and weather, which training never sees.

    A lattice: its coefficients are coprime with 12 and no axis has more than 12 values, so that every *pair* of values loses
    at most one partner. The model has seen each pair often; only the triple is new to it.
    """
    index = FAMILIES.index(scene.family) + 7 * TIMES.index(scene.time_of_day) + 5 * WEATHERS.index(scene.weather)
    return index % 12 == 5


def mirror(scene: Scene) -> Scene:
    """The scene that a clip shows once it is flipped left to right: pans change sides. Rendering it is not that clip."""
    return replace(scene, camera=_MIRRORED.get(scene.camera, scene.camera))


def to_dict(scene: Scene) -> dict:
    """As JSON takes it; `from_dict` reads it back."""
    return asdict(scene) | {"features": list(scene.features)}


def from_dict(values: dict) -> Scene:
    """Raises ValueError where a field is missing, unknown or has a value the world does not."""
    names = {field.name for field in fields(Scene)}
    if set(values) != names:
        odd = ", ".join(sorted(set(values) ^ names))
        raise ValueError(f"A scene has exactly the fields {', '.join(sorted(names))}; missing or unknown here: {odd}.")
    return Scene(**(values | {"features": tuple(values["features"])}))
