"""What of the world a set of weights was taught. A prompt is read by it, so that nobody is promised what the weights never saw."""

from dataclasses import asdict, dataclass

from lanterne.world.scene import EVENTS, FAMILIES, SUBJECTS


@dataclass(frozen=True)
class Knowledge:
    """Values of the scene's axes of the same names."""

    families: tuple[str, ...]
    subjects: tuple[str, ...]
    events: tuple[str, ...]

    def to_metadata(self) -> dict[str, list[str]]:
        """For a checkpoint's metadata; `knowledge_of` reads it back."""
        return {name: list(values) for name, values in asdict(self).items()}


THE_WORLD = Knowledge(FAMILIES, tuple(SUBJECTS), EVENTS)  # all there is to teach
_FIRST_LESSONS = Knowledge(FAMILIES[:8], (), ())


def knowledge_of(metadata: dict) -> Knowledge:
    """What a checkpoint's metadata says that its weights were taught; one that says nothing is from when the world had eight families."""
    if "families" not in metadata:
        return _FIRST_LESSONS
    return Knowledge(*(tuple(metadata[name]) for name in ("families", "subjects", "events")))
