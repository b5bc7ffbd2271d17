"""What of the world a set of weights was taught. A prompt is read by it, so that nobody is promised what the weights never saw."""

import math
from dataclasses import asdict, dataclass

from lanterne.camera import CameraMotion
from lanterne.world.camera import RATES
from lanterne.world.scene import EVENTS, FAMILIES, SUBJECTS


@dataclass(frozen=True)
class Knowledge:
    """Values of the scene's axes of the same names, and how fast a steady camera moved."""

    families: tuple[str, ...]
    subjects: tuple[str, ...]
    events: tuple[str, ...]
    camera_rates: CameraMotion

    def to_metadata(self) -> dict[str, list]:
        """For a checkpoint's metadata; `knowledge_of` reads it back."""
        return {name: list(values) for name, values in asdict(self).items()}


THE_WORLD = Knowledge(FAMILIES, tuple(SUBJECTS), EVENTS, RATES)  # all there is to teach
_FIRST_LESSONS = Knowledge(FAMILIES[:8], (), (), CameraMotion(math.radians(7.0), 0.085, 0.055, 0.034, math.radians(6.5)))


def knowledge_of(metadata: dict) -> Knowledge:
    """What a checkpoint's metadata says that its weights were taught; one that says nothing is from when the world had eight families."""
    if "families" not in metadata:
        return _FIRST_LESSONS
    return Knowledge(*(tuple(metadata[name]) for name in ("families", "subjects", "events")), CameraMotion(*metadata["camera_rates"]))
