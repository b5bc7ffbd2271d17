"""Coloured solids on a table, in words: how many, which colours and shapes, how they stand. Said here, and found here in a prompt."""

from dataclasses import dataclass
from itertools import groupby

_COUNTS = ("", "a", "two", "three", "four")
_SHAPES = {  # (singular, plural)
    "cube": (("cube", "cubes"),), "ball": (("ball", "balls"), ("sphere", "spheres")), "cone": (("cone", "cones"),),
    "cylinder": (("cylinder", "cylinders"),), "pyramid": (("pyramid", "pyramids"),), "ring": (("ring", "rings"),),
}
_ON_TOP = ("on top of", "standing on", "placed on", "on")
_BEHIND = ("behind", "standing behind", "placed behind")

_COUNTS_FR = ("", "un", "deux", "trois", "quatre")
_SHAPES_FR = {  # singular, plural, whether feminine
    "cube": ("cube", "cubes", False), "ball": ("boule", "boules", True), "cone": ("cône", "cônes", False),
    "cylinder": ("cylindre", "cylindres", False), "pyramid": ("pyramide", "pyramides", True), "ring": ("anneau", "anneaux", False),
}
_COLOURS_FR = {  # masculine, feminine
    "red": ("rouge", "rouge"), "orange": ("orange", "orange"), "yellow": ("jaune", "jaune"), "green": ("vert", "verte"),
    "blue": ("bleu", "bleue"), "purple": ("violet", "violette"), "white": ("blanc", "blanche"), "black": ("noir", "noire"),
}

# What people say, without accents.
_HEARD_SHAPES = {
    "cube": "cube cubes block blocks", "ball": "ball balls sphere spheres orb orbs marbles boule boules balle balles bille billes",
    "cone": "cone cones", "cylinder": "cylinder cylinders tube tubes cylindre cylindres",
    "pyramid": "pyramid pyramids pyramide pyramides", "ring": "ring rings torus hoop hoops donut doughnut anneau anneaux",
}
_HEARD_COLOURS = {
    "red": "red scarlet crimson rouge rouges", "orange": "orange", "yellow": "yellow golden jaune jaunes",
    "green": "green emerald vert verte verts vertes", "blue": "blue navy azure bleu bleue bleus bleues",
    "purple": "purple violet magenta violette violets violettes", "white": "white ivory blanc blanche blancs blanches",
    "black": "black noir noire noirs noires",
}
_HEARD_COUNTS = {1: "a an one single another un une", 2: "two pair couple both deux 2", 3: "three trio trois 3", 4: "four quatre 4"}
_MANY = 3  # of a plural without a number
_ADJECTIVES = frozenset("small big large little tiny shiny glossy wooden plastic glass bright dark pale light solid coloured of".split())
_ROLLS = frozenset("roll rolls rolling roule roulent rouler".split())
_LEFT_OUT = frozenset("the a an its le la l les un une d du de des".split())
_TABLES = frozenset("table tabletop desk surface".split())
# What the first named is to the second: the relation, and whether the first named comes first in the scene. Longest first.
_RELATIONS = {
    "left of": ("row", True), "right of": ("row", False), "gauche": ("row", True), "droite": ("row", False),
    "in front of": ("behind", True), "devant": ("behind", True), "behind": ("behind", False), "derriere": ("behind", False),
    "underneath": ("on_top", True), "beneath": ("on_top", True), "below": ("on_top", True), "under": ("on_top", True),
    "sous": ("on_top", True), "atop": ("on_top", False), "above": ("on_top", False), "on": ("on_top", False), "sur": ("on_top", False),
}
_AFTERWARDS = {"on top": ("on_top", True), "behind": ("behind", True), "in front": ("behind", False)}  # a cube with a ball "on top"
_ORDERS = ("from left to right", "de gauche a droite", "left to right")
_MOST = 4


def in_english(solids, relation, random) -> str:
    """Solids as a noun phrase, without their table. random: a NumPy generator, which chooses among the phrasings."""
    if relation in ("on_top", "behind"):
        first, second = _english(solids[0], random), _english(solids[1], random)
        if random.random() < 0.3:
            return f"{first} with {second} on top" if relation == "on_top" else f"{first} in front of {second}"
        return f"{second} {_pick(random, _ON_TOP if relation == 'on_top' else _BEHIND)} {first}"
    names = [_english(solid, random, len(list(same))) for solid, same in groupby(solids)]
    if len(names) == len(solids) == 2 and random.random() < 0.8:
        left, right = names
        told = (f"{left} to the left of {right}", f"{right} to the right of {left}", f"{left} beside {right}", f"{left} next to {right}")
        return _pick(random, told)
    order = " from left to right" if len(names) > 1 and random.random() < 0.4 else ""
    return _listed(names, "and") + order


def in_french(solids, relation, random) -> str:
    """As `in_english`."""
    if relation in ("on_top", "behind"):
        first, second = map(_french, solids)
        over, under = ("sur", "sous") if relation == "on_top" else ("derrière", "devant")
        return f"{second} {over} {first}" if random.random() < 0.7 else f"{first} {under} {second}"
    names = [_french(solid, len(list(same))) for solid, same in groupby(solids)]
    if len(names) == len(solids) == 2 and random.random() < 0.7:
        left, right = names
        return f"{left} à gauche d'{right}" if random.random() < 0.5 else f"{right} à droite d'{left}"
    order = " de gauche à droite" if len(names) > 1 and random.random() < 0.4 else ""
    return _listed(names, "et") + order


def find(tokens: list[str]) -> tuple[tuple[tuple[str | None, str], ...], str | None, bool, list[str]]:
    """(solids, relation, whether something rolls, the tokens left) of a prompt's tokens: plain, in lower case, signs included.

    A colour is None where the prompt names none. Of more than four solids the first are kept.
    """
    items, i = [], 0
    taken = {place for place, token in enumerate(tokens) if token in _ROLLS}
    while i < len(tokens):
        item = _item(tokens, i)
        if item:
            taken |= set(range(item.start, item.stop))
            again = item.rolls and item.solid[0] is None and any(item.solid[1] == other.solid[1] for other in items)
            items += [] if again else [item]  # three balls, "one ball rolling"
        i = item.stop if item else i + 1
    if not items:
        return (), None, False, tokens
    for order in _ORDERS:  # said of the solids, and not of the camera
        places = range(items[-1].stop, items[-1].stop + len(order.split()))
        if tokens[places.start : places.stop] == order.split():
            taken |= set(places)
    solids, relation = [solid for item in items for solid in [item.solid] * item.count], None
    if [item.count for item in items] == [1, 1]:
        relation, in_order, places = _relation(tokens, *items)
        taken |= places
        solids = solids if in_order else solids[::-1]
    left = [token for place, token in enumerate(tokens) if place not in taken]
    relation = (relation or "row") if len(solids) > 1 else None
    return tuple(solids[:_MOST]), relation, any(token in _ROLLS for token in tokens), left


@dataclass(frozen=True)
class _Item:
    """Solids of one kind in a prompt: tokens start .. stop - 1."""

    start: int
    stop: int
    count: int
    solid: tuple[str | None, str]
    rolls: bool


def _item(tokens, i):
    """The _Item that begins at token i, or None: a number, adjectives and a colour, a shape; in French the colour comes after it."""
    start, count, colour = i, _value(_HEARD_COUNTS, tokens[i]), None
    i += count is not None
    while i < len(tokens) and (tokens[i] in _ADJECTIVES | _ROLLS or _value(_HEARD_COLOURS, tokens[i])):
        colour = _value(_HEARD_COLOURS, tokens[i]) or colour
        i += 1
    shape = _value(_HEARD_SHAPES, tokens[i]) if i < len(tokens) else None
    if shape is None:
        return None
    plural = tokens[i].endswith(("s", "x")) and tokens[i] != "torus"
    i += 1
    if colour is None and i < len(tokens) and _value(_HEARD_COLOURS, tokens[i]):
        colour = _value(_HEARD_COLOURS, tokens[i])
        i += 1
    rolls = bool(_ROLLS & {*tokens[start:i], *tokens[i : i + 3]})  # "one ball that is rolling"
    return _Item(start, i, count or (_MANY if plural else 1), (colour, shape), rolls)


def _relation(tokens, one, other):
    """(relation or None, whether the first named is the scene's first, the places of its words) of two solids."""
    between, after = range(one.stop, other.start), range(other.stop, min(other.stop + 2, len(tokens)))
    words = [tokens[place] for place in between]
    said = f" {' '.join(word for word in words if word not in _LEFT_OUT)} "
    if words and words[0] in ("with", "avec"):
        told = " ".join(tokens[place] for place in after)
        for phrase, (relation, in_order) in _AFTERWARDS.items():
            if told.startswith(phrase):
                return relation, in_order, {*between, *after[: len(phrase.split())]}
    for phrase, (relation, in_order) in _RELATIONS.items():
        if f" {phrase} " in said and not _TABLES & set(words):
            return relation, in_order, set(between)
    return None, True, set()


def _value(table, token):
    return next((value for value, heard in table.items() if token in heard.split()), None)


def _pick(random, options):
    return options[int(random.integers(len(options)))]


def _english(solid, random, count=1):
    colour, shape = solid
    article = "an" if count == 1 and colour == "orange" else _COUNTS[count]
    return f"{article} {colour} {_pick(random, _SHAPES[shape])[count > 1]}"


def _french(solid, count=1):
    colour, shape = solid
    singular, plural, feminine = _SHAPES_FR[shape]
    if count == 1:
        return f"{'une' if feminine else 'un'} {singular} {_COLOURS_FR[colour][feminine]}"
    return f"{_COUNTS_FR[count]} {plural} {_COLOURS_FR[colour][feminine]}{'' if colour == 'orange' else 's'}"


def _listed(names, conjunction):
    return f" {conjunction} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
