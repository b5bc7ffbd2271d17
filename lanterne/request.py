"""A request for a video, checked. Without torch: a server answers with nothing but this, and its workers have the models."""

import math
import re
from dataclasses import dataclass
from functools import cached_property

from lanterne.errors import LanterneError
from lanterne.video import FPS

STEPS, GUIDANCE = 8, 3.0
STRENGTH = 0.6
MAX_PROMPT = 2000
MAX_SECONDS = 600.0
MIN_SECONDS = 0.25
MIN_SIZE, MAX_SIZE = 16, 4096
NATIVE_SIZES = ((256, 144), (192, 192), (144, 256))  # equally many tokens


class RequestError(LanterneError):
    """A request that cannot be met, in one sentence."""


def read_size(text: str) -> tuple[int, int] | None:
    """Width and height in pixels, of text such as 1280x720; None for any other."""
    numbers = re.fullmatch("([0-9]{1,9})x([0-9]{1,9})", text.lower())
    return (int(numbers[1]), int(numbers[2])) if numbers else None


@dataclass(frozen=True)
class Request:
    """What to make. Raises RequestError, with the value, the rule and the remedy, for what cannot be made.

    seconds: of new video; 0 is a still. width, height: of the output, in pixels. seed: None is refused here: choose one first.
    strength: with a video to edit, from 0 (keep it) to 1 (only its place in time is kept).
    """

    prompt: str
    seed: int
    negative_prompt: str = ""
    seconds: float = 4.0
    width: int = 256
    height: int = 144
    steps: int = STEPS
    guidance: float = GUIDANCE
    strength: float = STRENGTH

    def __post_init__(self):
        for name, text in (("prompt", self.prompt), ("negative prompt", self.negative_prompt)):
            if len(text) > MAX_PROMPT:
                raise RequestError(f"The {name} has {len(text):,} characters and may have {MAX_PROMPT:,}; shorten it.")
            if any("\ud800" <= letter <= "\udfff" for letter in text):  # what Python makes of bytes that it cannot decode
                raise RequestError(f"The {name} {text[:80]!r} is not text in this system's encoding; write it in UTF-8.")
        if not self.prompt.strip():
            raise RequestError('The prompt is empty; say what the video should show, such as "a lake at dawn".')
        if not (self.seconds == 0 or MIN_SECONDS <= self.seconds <= MAX_SECONDS):
            raise RequestError(
                f"{self.seconds:g} seconds cannot be made; ask for {MIN_SECONDS:g} to {MAX_SECONDS:g}, or 0 for a still picture."
            )
        for name, size in (("width", self.width), ("height", self.height)):
            if size % 2 or not MIN_SIZE <= size <= MAX_SIZE:
                raise RequestError(
                    f"The {name} of {size} cannot be encoded; give an even number from {MIN_SIZE} to {MAX_SIZE}."
                )
        if not 0 <= self.seed < 2**63:
            raise RequestError(f"The seed {self.seed} is out of range; give a whole number from 0 to {2**63 - 1}.")
        if not 1 <= self.steps <= 200:
            raise RequestError(f"{self.steps} steps cannot be taken; give 1 to 200 (the default is {STEPS}).")
        if not 1 <= self.guidance <= 20:
            raise RequestError(f"A guidance of {self.guidance:g} cannot be used; give 1 to 20 (the default is {GUIDANCE:g}).")
        if not 0 < self.strength <= 1:
            raise RequestError(f"A strength of {self.strength:g} cannot be used; give more than 0 and at most 1.")

    @property
    def num_frames(self) -> int:
        """Frames of new video; a still has 1."""
        return max(1, round(self.seconds * FPS))

    @cached_property
    def native_size(self) -> tuple[int, int]:
        """(width, height) at which it is made: the trained size whose aspect is nearest; the rest is cropping and scaling."""
        aspect = math.log(self.width / self.height)
        return min(NATIVE_SIZES, key=lambda size: abs(math.log(size[0] / size[1]) - aspect))
