"""Contact sheets: many small pictures with captions, for the eye, which decides."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lanterne.world.scene import FAMILIES, SEASONAL, SEASONS, TIMES, WEATHERS, Scene

COLUMNS = {"time": TIMES, "weather": WEATHERS, "season": SEASONS}
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


def contact_sheet(by: str, seed: int, width: int = 192, height: int = 108) -> np.ndarray:
    """Every family (a row) at every value of one axis (a column); by: a key of COLUMNS. One seed's world throughout."""
    from lanterne.world.render import render

    families = FAMILIES if by != "season" else SEASONAL
    pictures = []
    for index, family in enumerate(families):
        scene = Scene(
            seed=seed * 100 + index, family=family, time_of_day="morning", weather="clear",
            season="summer" if family in SEASONAL else None, camera="static", speed="steady", features=(),
        )
        row = []
        for value in COLUMNS[by]:
            axis = {"time": "time_of_day"}.get(by, by)
            row.append(render(replace(scene, **{axis: value}), width, height, 1).frames_THWC[0])
        pictures.append(row)
    return grid(pictures, list(families), list(COLUMNS[by]))
