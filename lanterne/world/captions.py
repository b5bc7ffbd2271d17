"""Captions: a scene in words, in three lengths and many phrasings, so that the model learns the world and not one wording.

    short    mountains at dusk, fog
    medium   A mountain range at dusk, wrapped in mist, while the camera slowly pans left.
    long     every axis named, in full sentences: the form that `prompts.expand` rewrites a person's prompt to.
"""
import re

import numpy as np

from lanterne.world import words
from lanterne.world.scene import Scene

_STREAM = 0xCA9710
_TRIES = 40
_SMALL_WORDS = frozenset(
    "a an the and or of on in at to with under beneath from by as is are it its this there has that those while during over "
    "for up down after through before into above out one".split()
)
_OPENERS = ("the view shows", "the scene shows", "this is a view of", "we look at", "the video shows", "here we see", "we see")
_HARD_LIGHT = ("clear", "cloudy")  # weathers that let sun and moon through


def captions(scene: Scene, seed: int) -> dict[str, str]:
    """{"short", "medium", "long"}: the same scene and seed always give the same three. Another seed gives other phrasings.

    "long" names every axis of the scene; the shorter ones leave some out, and never say what the scene is not.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, _STREAM]))
    return {
        "short": _without_repeats(_short, scene, random),
        "medium": _without_repeats(_medium, scene, random),
        "long": _without_repeats(_long, scene, random),
    }


def _without_repeats(write, scene, random):
    """Write again until no word of content stands twice ("a clear sky ... the sky"); after many tries, the best there was."""
    best, fewest = "", None
    for _ in range(_TRIES):
        text = write(scene, random)
        said = [_root(w) for w in re.findall(r"[a-z]+", text.lower()) if w not in _SMALL_WORDS]
        repeats = len(said) - len(set(said))
        if fewest is None or repeats < fewest:
            best, fewest = text, repeats
        if not repeats:
            break
    return best


def _root(word):
    """Enough of a word to see that "storm" and "stormy", "sun" and "sunrise" are one."""
    for root in ("snow", "storm", "mist", "fog", "cloud", "sun", "rain", "wood", "forest", "mountain", "sand", "rock", "light"):
        if word.startswith(root) or word.endswith(root):
            return root
    return word[:-1] if word.endswith("s") else word


# ---- the three lengths


def _short(scene, random):
    noun = _pick(random, words.NOUNS[scene.family])
    time = _pick(random, words.TIME_PHRASES[scene.time_of_day])
    says_weather = scene.weather != "clear" or random.random() < 0.3
    form = random.integers(6)
    if form == 0:  # key words
        parts = [_bare(noun), scene.time_of_day]
        parts += [_pick(random, _fitting(words.WEATHER_NAMES[scene.weather], scene))] if says_weather else []
        parts += [_pick(random, words.CAMERA_SHOTS[scene.camera])] if random.random() < 0.25 else []
        return ", ".join(parts)
    if form == 1:
        return f"{noun} {time}"
    if form == 2 and says_weather:
        return f"{noun} {_weather_phrase(scene, random)}"
    if form == 3 and scene.season:
        return f"{_described(noun, _pick(random, words.SEASON_ADJECTIVES[scene.season]))} {time}"
    if form == 4 and scene.features:
        return f"{noun} with {_pick(random, words.FEATURE_PHRASES[_pick(random, scene.features)])}, {scene.time_of_day}"
    adjective = _weather_adjective(scene, random) if says_weather else None
    return f"{_described(noun, adjective) if adjective else noun} {time}"


def _medium(scene, random):
    noun = _pick(random, words.NOUNS[scene.family])
    time = _pick(random, words.TIME_PHRASES[scene.time_of_day])
    season = _pick(random, words.SEASON_PHRASES[scene.season]) if scene.season and random.random() < 0.6 else ""
    weather = _weather_phrase(scene, random) if scene.weather != "clear" or random.random() < 0.5 else ""
    features = _features(scene, random, keep=0.7)
    says_camera = random.random() < (0.35 if scene.camera == "static" else 0.75)
    form = random.integers(4) if says_camera else 4 + random.integers(2)
    if form == 0:
        shot, shows = _shot(scene, random), _pick(random, ("showing", "with a view of"))
        text = _joined(shot, shows, noun, season, time, _after_comma(weather), features)
    elif form == 1:
        text = _joined(noun, season, time, weather, features) + f", while the camera {_moves(scene, random)}"
    elif form == 2:
        text = _joined(noun, season, time, weather, features) + f", {_shot(scene, random)}"
    elif form == 3:
        text = _joined(f"{time}, the camera", _moves(scene, random), "as we see", noun, season, features, _after_comma(weather))
    elif form == 4:
        text = _joined(f"{time},", noun, season, weather, features)
    else:
        text = _joined(noun, weather, season, time, features)
    return _sentence(text)


def _long(scene, random):
    """One sentence for the subject, with one or two of season, time and weather in it; one each for what is left."""
    inline = {"season": "", "time": "", "weather": ""}
    rest = []
    chosen = [["time"], ["weather"], ["season", "time"], ["time", "weather"], ["season"]][random.integers(5)]
    light = _pick(random, (words.LIGHT_CLEAR if scene.weather in _HARD_LIGHT else words.LIGHT_DULL)[scene.time_of_day])
    if "time" in chosen:
        inline["time"] = _pick(random, words.TIME_PHRASES[scene.time_of_day])
        rest.append(light)
    else:
        rest.append(f"{_pick(random, words.TIME_SENTENCES[scene.time_of_day])}{_pick(random, (' and', ', and'))} {light}")
    if "weather" in chosen:
        inline["weather"] = _weather_phrase(scene, random)
    else:
        rest.append(_pick(random, _fitting(words.WEATHER_SENTENCES[scene.weather], scene)))
    if scene.season and "season" in chosen:
        inline["season"] = _pick(random, words.SEASON_PHRASES[scene.season])
    elif scene.season:
        rest.append(_pick(random, words.SEASON_SENTENCES[scene.season]))

    noun, features = _pick(random, words.NOUNS[scene.family]), _features(scene, random, keep=1.0)
    body = _joined(noun, inline["season"], inline["time"], inline["weather"], features)
    camera = f"the camera {_moves(scene, random)}"
    form = random.integers(5)
    if form == 0:
        first, camera = f"{_shot(scene, random)} shows {body}", None
    elif form == 1 and inline["time"]:
        first = _joined(f"{inline['time']},", _pick(random, _OPENERS), noun, inline["season"], inline["weather"], features)
    elif form == 2:
        first = body
    else:
        first = f"{_pick(random, _OPENERS)} {body}"
    rest = [rest[i] for i in random.permutation(len(rest))]
    if camera:
        rest.insert(0 if random.random() < 0.2 else len(rest), camera)
    return " ".join(_sentence(part) for part in (first, *rest))


# ---- their parts


def _pick(random, options):
    return options[int(random.integers(len(options)))]


def _fitting(phrases, scene):
    """Without the phrases that the time of day belies: sunshine and blue sky need the day, grey and white need some light."""
    if scene.time_of_day in ("morning", "noon"):
        return phrases
    unfit = re.compile("sun|blue|grey|white" if scene.time_of_day == "night" else "sun|blue")
    return tuple(phrase for phrase in phrases if not unfit.search(phrase))


def _weather_phrase(scene, random):
    return _pick(random, _fitting(words.WEATHER_PHRASES[scene.weather], scene))


def _weather_adjective(scene, random):
    options = _fitting(words.WEATHER_ADJECTIVES[scene.weather], scene)
    return _pick(random, options) if options else None


def _features(scene, random, keep):
    """"with X and Y", after a comma; each of the scene's features is kept with the given probability."""
    kept = [f for f in scene.features if random.random() < keep]
    phrases = [_pick(random, words.FEATURE_PHRASES[f]) for f in kept]
    return f", with {' and '.join(phrases)}" if phrases else ""


def _moves(scene, random):
    """What the camera does, as said after "the camera"."""
    verb = _pick(random, words.CAMERA_VERBS[scene.camera])
    if scene.camera == "static":
        return verb
    adverb = _pick(random, words.SPEED_ADVERBS[scene.speed])
    return f"{adverb} {verb}" if " " not in adverb and random.random() < 0.5 else f"{verb} {adverb}"


def _shot(scene, random):
    shot = _pick(random, words.CAMERA_SHOTS[scene.camera])
    if scene.camera == "static":
        return f"a {shot}"
    return f"a {_pick(random, words.SPEED_ADJECTIVES[scene.speed])} {shot}"


def _bare(noun):
    return re.sub(r"^(an?|the) ", "", noun)


def _described(noun, adjective):
    """ "a lake", "overcast" -> "an overcast lake"."""
    article = noun.split()[0] if noun.split()[0] in ("a", "an", "the") else ""
    if article in ("a", "an"):
        article = "an" if adjective[0] in "aeiou" else "a"
    return _joined(article, adjective, _bare(noun))


def _after_comma(phrase):
    return f", {phrase}" if phrase else ""


def _joined(*parts):
    return re.sub(r"\s+,", ",", " ".join(part for part in parts if part))


def _sentence(text):
    return f"{text[0].upper()}{text[1:]}."
