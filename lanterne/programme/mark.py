"""The visible mark: "made with AI", small, in the lower right corner. Removable where terms allow; signature and watermark stay."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lanterne.video import resize_and_crop

TEXT = "made with AI"
_SHARE = 1 / 26  # of the shorter side: the letters' height
_SMALLEST = 8  # pixels; below, letters cannot be read
_LIGHT, _SHADE = 0.72, 0.45  # opacity of the letters, and of the soft shadow that keeps them readable on snow


def draw(frames_THWC: np.ndarray, width: int, height: int) -> np.ndarray:
    """Frames of width x height with the mark, cropped to the aspect and scaled first, so that the letters are sharp at every size."""
    light, shade = _stamp(width, height)
    marked = np.empty((len(frames_THWC), height, width, 3), np.uint8)
    for index, picture in enumerate(frames_THWC):
        whole = picture if picture.shape[:2] == (height, width) else resize_and_crop(picture, width, height)
        marked[index] = np.rint(whole * (1 - shade) * (1 - light) + 255 * light)
    return marked


@cache
def _stamp(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Opacity (height, width, 1) of white letters and of the black shadow under them."""
    size = max(_SMALLEST, round(min(width, height) * _SHARE))
    letters = Image.new("L", (width, height))
    margin = max(3, size // 2)
    ImageDraw.Draw(letters).text((width - margin, height - margin), TEXT, 255, ImageFont.load_default(size), anchor="rs")
    shadow = letters.filter(ImageFilter.GaussianBlur(max(1.0, size / 8)))
    light, shade = (np.asarray(plane, np.float32)[..., None] / 255 for plane in (letters, shadow))
    return light * _LIGHT, np.minimum(shade * 2, 1) * _SHADE
