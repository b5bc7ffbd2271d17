"""Contact sheets: many small pictures with captions, for the eye, which decides."""

from dataclasses import replace
from itertools import count, islice
from textwrap import wrap
from unicodedata import combining, normalize

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lanterne.video import FPS
from lanterne.world.scene import (
    AIRLESS,
    CAMERAS,
    EVENTS,
    FAMILIES,
    INHABITED,
    SEASONAL,
    SEASONS,
    SUBJECTS,
    TIMES,
    WEATHERS,
    Scene,
    beginning,
    draw_scene,
)

_COLUMNS = {"time": TIMES, "weather": WEATHERS, "season": SEASONS, "subject": tuple(SUBJECTS)}
_OVER_TIME = {"camera": CAMERAS, "event": EVENTS}
BY = (*_COLUMNS, *_OVER_TIME, "family")
_SECONDS, _DRAWS = 4, 6
_MARGIN, _LABEL = 4, 18
_PAPER, _INK = (16, 17, 20), (206, 208, 214)


def grid(pictures: list[list[np.ndarray]], rows: list[str], columns: list[str]) -> np.ndarray:
    """Pictures (H, W, 3) of one size in labelled rows and columns -> one picture. A label may be empty."""
    height, width = pictures[0][0].shape[:2]
    font = ImageFont.load_default(size=13)
    left = max((int(font.getlength(row)) for row in rows), default=0) + (3 * _MARGIN if any(rows) else _MARGIN)
    top = _LABEL + _MARGIN if any(columns) else _MARGIN
    across = max(map(len, pictures))
    sheet = Image.new("RGB", (left + across * (width + _MARGIN), top + len(pictures) * (height + _MARGIN)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, column in enumerate(columns):
        draw.text((left + index * (width + _MARGIN), _MARGIN), column, _INK, font)
    for number, row in enumerate(pictures):
        y = top + number * (height + _MARGIN)
        draw.text((_MARGIN, y + height // 2 - 8), rows[number], _INK, font)
        for index, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (left + index * (width + _MARGIN), y))
    return np.asarray(sheet)


def captioned(pictures: list[np.ndarray], captions: list[str], across: int) -> np.ndarray:
    """Pictures (H, W, 3) of one size, `across` in a row, each over its caption in at most two lines -> one picture."""
    height, width = pictures[0].shape[:2]
    font = ImageFont.load_default(size=11)
    down = height + 2 * _LABEL
    rows = -(-len(pictures) // across)
    sheet = Image.new("RGB", (across * (width + _MARGIN) + _MARGIN, rows * down + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = _MARGIN + index % across * (width + _MARGIN), _MARGIN + index // across * down
        sheet.paste(Image.fromarray(picture), (x, y))
        caption = "".join(letter for letter in normalize("NFKD", caption) if not combining(letter))  # the font has no accents
        # Letters a line, by this caption's mean width, and some to spare: a line of wide ones must not reach the next picture.
        lines = wrap(caption, int(0.92 * width * len(caption) / font.getlength(caption)), max_lines=2, placeholder=" …")
        draw.multiline_text((x + 1, y + height + 1), "\n".join(lines), _INK, font, spacing=1)
    return np.asarray(sheet)


def contact_sheet(by: str, seed: int, width: int = 192, height: int = 108) -> np.ndarray:
    """What one axis does to the picture. by: one of BY; seed: which world.

    time, weather, season, subject: a row for each family, a column for each value. camera, event: a row for each value, a column for each
    second of its clip, in a family that follows from the seed. family: a row for each, a column for each of several drawn scenes.
    """
    from lanterne.world.render import render

    if by in _OVER_TIME:
        rows = list(_OVER_TIME[by])
        clips = [render(_told_over_time(by, value, seed), width, height, 1 + _SECONDS * FPS).frames_THWC for value in rows]
        return grid([list(clip[::FPS]) for clip in clips], rows, [f"{second} s" for second in range(_SECONDS + 1)])
    if by == "family":
        families, columns = list(FAMILIES), [""] * _DRAWS
        scenes = [_drawn(family, seed) for family in families]
    else:
        columns = list(_COLUMNS[by])
        families = [family for family in FAMILIES if any(_with(by, value, family, seed) for value in columns)]
        scenes = [[_with(by, value, family, seed) for value in columns] for family in families]
    blank = np.full((height, width, 3), _PAPER, np.uint8)
    pictures = [[render(scene, width, height, 1).frames_THWC[0] if scene else blank for scene in row] for row in scenes]
    return grid(pictures, families, columns)


def _plain(family, seed):
    """A family's scene with nothing in it."""
    airless = family in AIRLESS
    solids = {"solids": (("red", "cube"), ("yellow", "ball"), ("blue", "cone")), "relation": "row"} if family == "table" else {}
    return Scene(
        seed=seed * 100 + FAMILIES.index(family), family=family, time_of_day=None if airless else "morning",
        weather=None if airless else "clear", season="summer" if family in SEASONAL else None, camera="static", speed="steady",
        features=(), **solids,
    )


def _with(by, value, family, seed):
    """The family's plain scene with this value, or None where it cannot have it."""
    try:
        return replace(_plain(family, seed), **{"time_of_day" if by == "time" else by: value})
    except ValueError:
        return None


def _told_over_time(by, value, seed):
    if by == "camera":
        return replace(_plain(FAMILIES[seed % len(FAMILIES)], seed), camera=value)
    families = [family for family in FAMILIES if family not in AIRLESS and (value != "lights_on" or family in INHABITED)]
    return replace(_plain(families[seed % len(families)], seed), **beginning(value), event=value)


def _drawn(family, seed):
    drawn = (draw_scene(number, "any") for number in count(seed * 10_000))
    return list(islice((scene for scene in drawn if scene.family == family), _DRAWS))
