"""Captions: a scene in words, in three lengths and many phrasings, so that the model learns the world and not one wording.

    short    mountains at dusk, fog
    medium   A mountain range at dusk, wrapped in mist, while the camera slowly pans left.
    long     every axis named, in full sentences: the form that `prompts.expand` rewrites a person's prompt to.

One in eight is French.
"""
import re

import numpy as np

from lanterne.world import french, solids, words
from lanterne.world.scene import Scene

_STREAM = 0xCA9710
_TRIES = 40
_FRENCH_SHARE = 1 / 8
MAX_WORDS = 54  # of a text, signs included: the text encoder reads 64 word pieces and no more
_MAX_FRENCH_WORDS = 36  # its vocabulary is English: a French word takes 1.6 pieces
_SMALL_WORDS = frozenset(
    "a an the and or of on in at to with under beneath from by as is are it its this there has that those while during over "
    "for up down after through before into above out one to left right two three four where "
    "un une des de du la le les l d s au aux en et sur sous dans vers par qui avec deux trois quatre gauche droite".split()
)
_OPENERS = ("the view shows", "the scene shows", "this is a view of", "we look at", "the video shows", "here we see", "we see")
_HARD_LIGHT = ("clear", "cloudy")  # weathers that let sun and moon through


def captions(scene: Scene, seed: int, french_share: float = _FRENCH_SHARE) -> dict[str, str]:
    """{"short", "medium", "long"}: the same scene and seed always give the same three. Another seed gives other phrasings.

    "long" names every axis of the scene; the shorter ones leave some out, and never say what the scene is not.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, _STREAM]))
    writers = {"short": (_short, _short_french), "medium": (_medium, _medium_french), "long": (_long, _long_french)}
    return {
        length: _best(in_french, scene, random, _MAX_FRENCH_WORDS) if random.random() < french_share
        else _best(in_english, scene, random, MAX_WORDS)
        for length, (in_english, in_french) in writers.items()
    }


def _best(write, scene, random, most):
    """Write again until it is not too long and no word of content stands twice ("a clear sky ... the sky"), or take the best of many."""
    best, least = "", None
    for _ in range(_TRIES):
        text = write(scene, random)
        said = [_root(w) for w in re.findall(r"\w+", text.lower()) if w not in _SMALL_WORDS]
        lacks = (max(0, len(pieces(text)) - most), len(said) - len(set(said)))
        if least is None or lacks < least:
            best, least = text, lacks
        if not any(lacks):
            break
    return best


def pieces(text: str) -> list[str]:
    """Words and signs, about as many as the text encoder's word pieces in English."""
    return re.findall(r"\w+|[^\w\s]", text)


def _root(word):
    """Enough of a word to see that "storm" and "stormy", "sun" and "sunrise" are one."""
    for root in ("snow", "storm", "mist", "fog", "cloud", "sun", "rain", "wood", "forest", "mountain", "sand", "rock", "light"):
        if word.startswith(root) or word.endswith(root):
            return root
    return word[:-1] if word.endswith("s") else word


# ---- the three lengths


def _short(scene, random):
    noun, time = _noun(words, scene, random), _phrase(words.TIME_PHRASES, scene.time_of_day, random)
    says_weather = scene.weather and (scene.weather != "clear" or random.random() < 0.3)
    if scene.event and random.random() < 0.4:
        return f"{noun}, {_pick(random, words.EVENT_NAMES[scene.event])}"
    if scene.subject and random.random() < 0.7:
        who = _pick(random, words.SUBJECT_NOUNS[scene.subject])
        weather = _weather_phrase(words, scene, random) if says_weather and random.random() < 0.4 else ""
        form = random.integers(3)
        if form == 0:
            return _joined(who, _pick(random, words.PLACES[scene.family]), time, weather)
        if form == 1:
            return _joined(noun, "with", who, weather or f", {time}")
        return f"{_bare(who)}, {_bare(noun)}, {scene.time_of_day}"
    form = random.integers(6)
    if form == 0:  # key words
        parts = [_bare(noun), scene.time_of_day]
        parts += [_pick(random, _fitting(words.WEATHER_NAMES[scene.weather], scene))] if says_weather else []
        parts += [_pick(random, words.CAMERA_SHOTS[scene.camera])] if random.random() < 0.25 else []
        return ", ".join(part for part in parts if part)
    if form == 1:
        return _joined(noun, time)
    if form == 2 and says_weather:
        return f"{noun} {_weather_phrase(words, scene, random)}"
    if form == 3 and scene.season:
        return f"{_described(noun, _pick(random, words.SEASON_ADJECTIVES[scene.season]))} {time}"
    if form == 4 and scene.features:
        kept = _pick(random, words.FEATURE_PHRASES[_pick(random, scene.features)])
        return ", ".join(part for part in (f"{noun} with {kept}", scene.time_of_day) if part)
    adjective = _weather_adjective(scene, random) if says_weather else None
    return _joined(_described(noun, adjective) if adjective else noun, time)


def _medium(scene, random):
    noun, time = _noun(words, scene, random), _phrase(words.TIME_PHRASES, scene.time_of_day, random)
    season = _phrase(words.SEASON_PHRASES, scene.season, random) if random.random() < 0.6 else ""
    weather = _weather_phrase(words, scene, random) if scene.weather != "clear" or random.random() < 0.5 else ""
    rest = _features(words, scene, random, keep=0.7) + _happening(scene, random)
    says_camera = random.random() < (0.35 if scene.camera == "static" else 0.75)
    form = random.integers(4) if says_camera else 4 + random.integers(2)
    if form == 0:
        shot, shows = _shot(scene, random), _pick(random, ("showing", "with a view of"))
        text = _joined(shot, shows, noun, season, time, _after_comma(weather), rest)
    elif form == 1:
        text = _joined(noun, season, time, weather, rest) + f", while the camera {_moves(words, scene, random)}"
    elif form == 2:
        text = _joined(noun, season, time, weather, rest) + f", {_shot(scene, random)}"
    elif form == 3:
        opening = f"{time}, the camera" if time else "the camera"
        text = _joined(opening, _moves(words, scene, random), "as we see", noun, season, rest, _after_comma(weather))
    elif form == 4 and time:
        text = _joined(f"{time},", noun, season, weather, rest)
    else:
        text = _joined(noun, weather, season, time, rest)
    return _sentence(text)


def _long(scene, random):
    """One sentence for the place, with one or two of season, time and weather in it; one each for what is left."""
    inline, rest = {"season": "", "time": "", "weather": ""}, []
    chosen = [["time"], ["weather"], ["season", "time"], ["time", "weather"], ["season"]][random.integers(5)]
    if scene.time_of_day is None:
        rest.append(_pick(random, words.AROUND[scene.family]))
    else:
        light = _pick(random, (words.LIGHT_CLEAR if scene.weather in _HARD_LIGHT else words.LIGHT_DULL)[scene.time_of_day])
        changes = scene.event or (scene.subject and random.random() < 0.5)  # the light then goes unsaid
        if "time" in chosen:
            inline["time"] = _pick(random, words.TIME_PHRASES[scene.time_of_day])
            rest += [] if changes else [light]
        else:
            told = _pick(random, words.TIME_SENTENCES[scene.time_of_day])
            rest.append(told if changes else f"{told}{_pick(random, (' and', ', and'))} {light}")
        if "weather" in chosen:
            inline["weather"] = _weather_phrase(words, scene, random)
        else:
            rest.append(_pick(random, _fitting(words.WEATHER_SENTENCES[scene.weather], scene)))
    if scene.season and "season" in chosen:
        inline["season"] = _pick(random, words.SEASON_PHRASES[scene.season])
    elif scene.season:
        rest.append(_pick(random, words.SEASON_SENTENCES[scene.season]))

    noun, features = _noun(words, scene, random), _features(words, scene, random, keep=1.0)
    body = _joined(noun, inline["season"], inline["time"], inline["weather"], features)
    camera = f"the camera {_moves(words, scene, random)}"
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
    happens = [_pick(random, table[value]) for table, value in _happenings(words, scene)]
    return " ".join(_sentence(part) for part in (first, *happens, *rest))


# ---- the three lengths in French


def _short_french(scene, random):
    noun, time = _noun(french, scene, random), _phrase(french.TIME_PHRASES, scene.time_of_day, random)
    if scene.subject and random.random() < 0.7:
        return _joined(noun, "avec", _pick(random, french.SUBJECT_NOUNS[scene.subject]), _after_comma(time))
    if scene.event and random.random() < 0.4:
        return f"{noun}, {_pick(random, french.EVENT_CLAUSES[scene.event])}"
    form = random.integers(4)
    if form == 0 and scene.weather:
        return _joined(noun, _weather_phrase(french, scene, random))
    if form == 1 and scene.features:
        return _joined(noun, _features(french, scene, random, keep=1.0), _after_comma(time))
    if form == 2:
        return f"{_joined(noun, time)}, {_pick(random, french.CAMERA_SHOTS[scene.camera])}"
    return _joined(noun, time)


def _medium_french(scene, random):
    season = _phrase(french.SEASON_PHRASES, scene.season, random) if random.random() < 0.6 else ""
    weather = _weather_phrase(french, scene, random) if scene.weather != "clear" or random.random() < 0.5 else ""
    text = _joined(
        _noun(french, scene, random), season, _phrase(french.TIME_PHRASES, scene.time_of_day, random), weather,
        _features(french, scene, random, keep=0.7),
    )
    for table, value in _happenings(french, scene):
        text += f", {_pick(random, table[value])}" if random.random() < 0.8 else ""
    if random.random() < (0.35 if scene.camera == "static" else 0.75):
        as_shot = random.random() < 0.4
        text += f", {_pick(random, french.CAMERA_SHOTS[scene.camera]) if as_shot else _moves_french(scene, random)}"
    return _sentence(text)


def _long_french(scene, random):
    first = _joined(
        _noun(french, scene, random), _phrase(french.SEASON_PHRASES, scene.season, random),
        _phrase(french.TIME_PHRASES, scene.time_of_day, random), _weather_phrase(french, scene, random),
        _features(french, scene, random, keep=1.0),
    )
    happens = [_pick(random, table[value]) for table, value in _happenings(french, scene)]
    around = [] if scene.time_of_day else [_pick(random, french.AROUND[scene.family])]
    return " ".join(_sentence(part) for part in (first, *happens, *around, _moves_french(scene, random)))


def _moves_french(scene, random):
    return f"la caméra {_moves(french, scene, random)}"


# ---- their parts


def _pick(random, options):
    return options[int(random.integers(len(options)))]


def _fitting(phrases, scene):
    """Without the phrases that the time of day belies: sunshine and blue sky need the day, grey and white need some light."""
    if scene.time_of_day in ("morning", "noon"):
        return phrases
    unfit = re.compile("sun|blue|grey|white|gris" if scene.time_of_day == "night" else "sun|blue")
    return tuple(phrase for phrase in phrases if not unfit.search(phrase))


def _noun(language, scene, random):
    """What is seen, by its family; on a table, the solids too."""
    if scene.family != "table":
        return _pick(random, language.NOUNS[scene.family])
    tables = language.NOUNS["table"] + (() if "cloth" in scene.features else language.WOODEN_TABLES)
    in_french = language is french
    told = (solids.in_french if in_french else solids.in_english)(scene.solids, scene.relation, random)
    return f"{told} {'sur' if in_french else 'on'} {_pick(random, tables)}"


def _phrase(table, value, random):
    """A phrase for the value; "" where the scene has none."""
    return _pick(random, table[value]) if value else ""


def _weather_phrase(language, scene, random):
    return _pick(random, _fitting(language.WEATHER_PHRASES[scene.weather], scene)) if scene.weather else ""


def _happenings(language, scene):
    """(table, value) for what moves and what happens."""
    tables = ((language.SUBJECT_CLAUSES, scene.subject), (language.EVENT_CLAUSES, scene.event))
    return [(table, value) for table, value in tables if value]


def _happening(scene, random):
    """", where a boat sails past and darkness falls", each kept more often than not."""
    kept = [_pick(random, table[value]) for table, value in _happenings(words, scene) if random.random() < 0.8]
    return f", {_pick(random, ('where', 'as', 'while'))} {' and '.join(kept)}" if kept else ""


def _weather_adjective(scene, random):
    options = _fitting(words.WEATHER_ADJECTIVES[scene.weather], scene)
    return _pick(random, options) if options else None


def _features(language, scene, random, keep):
    """"with X and Y", after a comma; each of the scene's features is kept with the given probability."""
    kept = [f for f in scene.features if random.random() < keep]
    phrases = [_pick(random, language.FEATURE_PHRASES[f]) for f in kept]
    if language is french:
        return f", avec {' et '.join(phrases)}" if phrases else ""
    return f", with {_listed(phrases)}" if phrases else ""


def _listed(phrases):
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)


def _moves(language, scene, random):
    """What the camera does, as said after "the camera"."""
    verb = _pick(random, language.CAMERA_VERBS[scene.camera])
    if scene.camera == "static":
        return verb
    adverb = _pick(random, language.SPEED_ADVERBS[scene.speed])
    if language is french:  # la caméra pivote doucement vers la gauche
        first, _, rest = verb.partition(" ")
        return _joined(first, adverb, rest)
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
