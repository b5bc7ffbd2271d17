"""The judge: a small classifier of clips that says what it sees: which family, light, weather, camera move, subject, event.

It is trained on renders of all combinations and on their reconstructions, so that the autoencoder's blur is no handicap, and never
serves as a loss. It looks at 17 frames: the first, the middle and the last one in colour, and nine in grey as neighbouring channels; for
what happens over a clip, at 17 frames of four seconds, since a sunrise is no matter of one.
How the picture moves is measured, not learnt (dense inverse search, Kroeger et al. 2016): with a few thousand clips a network does not
find that by itself, and matching whole pixels does not tell a slow camera from a still one. The camera is named by that alone.
What a render shows where (sky, water, rock, a thing) is learnt beside the rest: a scene has one family and hundreds of places.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.errors import LanterneError
from lanterne.precision import mixed
from lanterne.world.scene import CAMERAS, COLOURS, EVENTS, FAMILIES, RELATIONS, SEASONS, SUBJECTS, TIMES, WEATHERS, Scene, mirror
from lanterne.world.surface import CLASSES

NOTHING = "nothing"  # no subject, no event
AXES = {  # of prompts
    "family": FAMILIES, "time_of_day": TIMES, "weather": WEATHERS, "camera": CAMERAS, "subject": (*SUBJECTS, NOTHING),
    "event": (*EVENTS, NOTHING),
}
# Of the world beside those: how visible they are is worth knowing. Colour: of a table's first solid, where the eye has a first one.
FURTHER = {"season": SEASONS, "solids": ("1", "2", "3", "4"), "relation": RELATIONS, "colour": COLOURS}
_ALL = AXES | FURTHER
NUM_FRAMES = 17
WEIGHTS = Path(__file__).parent.parent / "embedded" / "judge.safetensors"
WIDTH, HEIGHT = 128, 72
_COLOURED = 9  # channels: three frames
_CHANNELS = (48, 64, 128, 192)
_GRID = (9, 16)  # places in which motion is given
_SPANS = ((0, 8), (0, 4), (4, 8), (0, 2), (3, 5), (6, 8))  # of the nine greys: from which to which it is measured
_UNKNOWN = -1  # a label that is not asked for
STRIDE = 8  # pixels across a place that has classes
_BATCH = 24
_CHANGES = 35  # channels that `_changes` gives
_PASSES, _PASS_BATCH = 40, 64  # of the parts that name camera and event, which are given little
_IN_COLOUR = ("time_of_day", "weather", "season", "colour")  # axes that other colours would make another of
STILL, SECOND, FOUR_SECONDS = 0, 1, 4  # a look's pace: frames from one that it looks at to the next
# Axes that a look of this pace does not tell. After four seconds the camera is far away, and an event, which a second does not show, has
# changed light or weather.
_UNTOLD = {STILL: ("camera", "event"), SECOND: ("event",), FOUR_SECONDS: ("camera", "time_of_day", "weather")}
_CLASSES_WEIGHT = 2.0
_BACKWARDS = {"sunrise": "nightfall", "nightfall": "sunrise", "timelapse": "timelapse"}  # what a clip shows then; of others, nothing


@dataclass(frozen=True)
class Lessons:
    """What a judge learns from. looks_NCHW uint8 as `look` gives them; their scenes; pace_N, each STILL, SECOND or FOUR_SECONDS;
    classes_NKHW uint8 (N, 9, 9, 16), the share (of 255) that each of surface.CLASSES has of a place in the middle frame, 0 throughout
    where it is not known.
    """

    looks_NCHW: Tensor
    scenes: list[Scene]
    pace_N: Tensor
    classes_NKHW: Tensor

    @classmethod
    def of(cls, looks_NCHW: Tensor, scenes: list[Scene], pace: int = SECOND, classes_NKHW: Tensor | None = None) -> "Lessons":
        count = len(scenes)
        if classes_NKHW is None:
            classes_NKHW = torch.zeros((count, len(CLASSES), HEIGHT // STRIDE, WIDTH // STRIDE), dtype=torch.uint8)
        return cls(looks_NCHW, scenes, torch.full((count,), pace), classes_NKHW)

    @classmethod
    def together(cls, parts: list["Lessons"]) -> "Lessons":
        tensors = ([getattr(part, name) for part in parts] for name in ("looks_NCHW", "pace_N", "classes_NKHW"))
        looks_NCHW, pace_N, classes_NKHW = map(torch.cat, tensors)
        return cls(looks_NCHW, [scene for part in parts for scene in part.scenes], pace_N, classes_NKHW)


class _Residual(nn.Module):
    """Two convolutions that add to what they are given."""

    def __init__(self, channels: int):
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.change = nn.Sequential(first, nn.BatchNorm2d(channels), nn.ReLU(), second, nn.BatchNorm2d(channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.relu(x_BCHW + self.change(x_BCHW))


def _motion(more: int = 0) -> nn.Sequential:
    """Of a `flow`, and of so many channels more, 128. Motion tells by where it is (a push-in parts left from right): places are kept."""
    rows, columns = (-(-size // 2) for size in _GRID)
    return nn.Sequential(
        nn.Conv2d(more + 2 * len(_SPANS), 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * rows * columns, 128), nn.ReLU(), nn.Dropout(0.3),
    )


class Judge(nn.Module):
    """3 M parameters. name: the first digits of its weights file's SHA-256; figures of two judges do not compare."""

    name = "untrained"

    def __init__(self):
        super().__init__()
        fine, *wider = _CHANNELS
        seen = _COLOURED + NUM_FRAMES // 2 + 1
        layers: list[nn.Module] = [nn.Conv2d(seen, fine, 5, stride=2, padding=2), nn.BatchNorm2d(fine), nn.ReLU()]
        before = fine
        for channels in wider:
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), _Residual(channels)]
            before = channels
        self.near, self.far = nn.Sequential(*layers[:-4]), nn.Sequential(*layers[-4:])
        self.classes = nn.Conv2d(wider[-2], len(CLASSES), 1)
        self.neck = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(before * 15, 192), nn.ReLU())
        self.motion = _motion()
        apart = ("camera", "event")
        self.heads = nn.ModuleDict({axis: nn.Linear(192 + 128, len(values)) for axis, values in _ALL.items() if axis not in apart})
        self.camera = nn.Sequential(_motion(), nn.Linear(128, len(CAMERAS)))
        self.event = nn.Sequential(_motion(_CHANGES), nn.Linear(128, len(AXES["event"])))

    def pictured(self, looks_BCHW: Tensor, flow_BCHW: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Of looks as `look` gives them, and of their `flow`: logits (B, values) by every axis but camera and event, and what is seen
        at each place, (B, 128, 9, 16)."""
        looks_BCHW = looks_BCHW.float().div(127.5).sub(1)
        # The greys by their own mean and deviation, so that motion at night is as visible as at noon; colour keeps the level.
        greys = looks_BCHW[:, _COLOURED:]
        spread = greys.std(dim=(1, 2, 3), keepdim=True) + 0.02
        looks_BCHW = torch.cat([looks_BCHW[:, :_COLOURED], (greys - greys.mean(dim=(1, 2, 3), keepdim=True)) / spread], dim=1)
        near_BCHW = self.near(looks_BCHW.contiguous(memory_format=torch.channels_last))
        seen = self.neck(F.adaptive_avg_pool2d(self.far(near_BCHW), (3, 5)))
        features = torch.cat([seen, self.motion(flow_BCHW)], dim=1)
        return {axis: head(features) for axis, head in self.heads.items()}, near_BCHW

    def forward(self, looks_BCHW: Tensor) -> dict[str, Tensor]:
        """Logits (B, values) by axis."""
        flow_BCHW = flow(looks_BCHW)
        logits, _ = self.pictured(looks_BCHW, flow_BCHW)
        return logits | {"camera": self.camera(flow_BCHW), "event": self.event(torch.cat([_changes(looks_BCHW), flow_BCHW], dim=1))}

    @torch.inference_mode()
    def verdicts(self, frames_NTHWC: np.ndarray) -> dict[str, list[str]]:
        """What it sees in the first 17 frames of each clip, by axis of prompts. Given every fourth frame, it tells what happens."""
        logits = [self(look(frames_NTHWC[start : start + 32])) for start in range(0, len(frames_NTHWC), 32)]
        return {
            axis: [values[index] for part in logits for index in part[axis].argmax(dim=1).tolist()] for axis, values in AXES.items()
        }


def look(frames_NTHWC: np.ndarray) -> Tensor:
    """uint8 clips of at least 17 frames, any size -> (N, 18, 72, 128) uint8: three frames in colour, nine in grey."""
    if frames_NTHWC.shape[1] < NUM_FRAMES:
        raise ValueError(f"The judge looks at {NUM_FRAMES} frames and was given {frames_NTHWC.shape[1]}; give longer clips.")
    chosen = torch.from_numpy(np.ascontiguousarray(frames_NTHWC[:, :NUM_FRAMES:2]))
    count, times = chosen.shape[:2]
    small = F.interpolate(
        chosen.flatten(0, 1).permute(0, 3, 1, 2).float(), (HEIGHT, WIDTH), mode="bilinear", antialias=True, align_corners=False
    )
    small = small.unflatten(0, (count, times))
    coloured = small[:, [0, times // 2, times - 1]].flatten(1, 2)
    return torch.cat([coloured, small.mean(dim=2)], dim=1).round().clamp(0, 255).byte()


def flow(looks_BCHW: Tensor) -> Tensor:
    """How the picture of each look moves, (B, 12, 9, 16): right and down over each of _SPANS, means of 8 x 8 pixels.

    In pixels of the look, large ones pressed together: sign(d) log(1 + 4 |d|), since a slow camera is told by tenths of one.
    """
    import cv2

    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    search.setPatchStride(3)
    greys = looks_BCHW[:, _COLOURED:].float()
    # By each clip's own mean and deviation, so that motion at night is as visible as at noon.
    greys = (greys - greys.mean(dim=(1, 2, 3), keepdim=True)) / (greys.std(dim=(1, 2, 3), keepdim=True) + 3)
    greys = (128 + 48 * greys).round().clamp(0, 255).byte().numpy()
    moved = np.stack([[search.calc(clip[before], clip[after], None) for before, after in _SPANS] for clip in greys])
    moved_BCHW = F.adaptive_avg_pool2d(torch.from_numpy(moved).permute(0, 1, 4, 2, 3).flatten(1, 2), _GRID)
    return moved_BCHW.sign() * (4 * moved_BCHW.abs()).log1p()


def load_judge(path: Path = WEIGHTS) -> Judge:
    if not path.exists():
        raise LanterneError(f"There is no judge at {path}; train one with `lanterne train judge`.")
    judge = Judge()
    judge.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()})
    judge.name = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return judge.eval()


def save_judge(judge: Judge, path: Path = WEIGHTS) -> None:
    state = judge.state_dict()
    tensors = {name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    path.chmod(0o644)


def train_judge(lessons: Lessons, epochs: int = 20, on_epoch=None, judge: Judge | None = None) -> Judge:
    """Train on looks and what they show, a new judge or one that goes on; flipped clips come with their mirrored scenes."""
    torch.manual_seed(0)
    peak = 1e-3 if judge else 2e-3
    judge = (judge or Judge()).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=peak, weight_decay=0.05)
    count = len(lessons.scenes)
    batch = min(_BATCH, count)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=epochs * (count // batch))
    flows = torch.cat([flow(looks) for looks in lessons.looks_NCHW.split(32)])
    labels, mirrored = _labels(lessons.scenes, lessons.pace_N), _labels([mirror(scene) for scene in lessons.scenes], lessons.pace_N)
    for epoch in range(epochs):
        order, total = torch.randperm(count), 0.0
        for start in range(0, count - batch + 1, batch):
            chosen = order[start : start + batch]
            flip, tinted = torch.rand(batch) < 0.5, torch.rand(batch) < 0.3
            truth = {axis: torch.where(flip, mirrored[axis][chosen], labels[axis][chosen]) for axis in _ALL}
            for axis in _IN_COLOUR:
                truth[axis][tinted] = _UNKNOWN
            looks, moved, classes = lessons.looks_NCHW[chosen], flows[chosen], lessons.classes_NKHW[chosen]
            looks[flip], moved[flip], classes[flip] = looks[flip].flip(-1), moved[flip].flip(-1) * _across(), classes[flip].flip(-1)
            looks, classes = _cut_out(looks, classes)
            with mixed():
                logits, near_BCHW = judge.pictured(_augmented(looks.float(), tinted), moved)
                shares = judge.classes(near_BCHW)
            loss = sum(_cross_entropy(logit.float(), truth[axis]) for axis, logit in logits.items())
            loss = loss + _CLASSES_WEIGHT * _cross_entropy_of_shares(shares.float(), classes)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            total += loss.item()
        if on_epoch:
            on_epoch(epoch, total / (count // batch))
    train_camera(judge, flows, labels["camera"], mirrored["camera"])
    train_event(judge, lessons.looks_NCHW, flows, labels["event"])
    return judge.eval()


def train_camera(judge: Judge, flows_NCHW: Tensor, labels_N: Tensor, mirrored_N: Tensor) -> None:
    """Teach the part that names the camera. It sees motion alone: where something stands tells nothing about who films it.

    flows_NCHW: (N, 12, 9, 16), as `flow` gives them. labels_N, mirrored_N: (N,) indices of cameras, of flipped looks too; -1 unknown.
    """

    def lesson(chosen: Tensor) -> tuple[Tensor, Tensor]:
        flip, moved = torch.rand(len(chosen)) < 0.5, flows_NCHW[chosen]
        moved[flip] = moved[flip].flip(-1) * _across()
        return moved + 0.05 * torch.randn_like(moved), torch.where(flip, mirrored_N[chosen], labels_N[chosen])

    _teach(judge.camera, labels_N, lesson)


def train_event(judge: Judge, looks_NCHW: Tensor, flows_NCHW: Tensor, labels_N: Tensor) -> None:
    """Teach the part that names the event. Clips held still, in which nothing happens, and clips played backwards are among its lessons:
    otherwise it would learn with what light and weather each event begins, and call a still of them the event.

    looks_NCHW: (N, 18, 72, 128) uint8, as `look` gives them. flows_NCHW: (N, 12, 9, 16). labels_N: (N,) indices of events; -1 unknown.
    """
    values = AXES["event"]
    backwards = torch.tensor([values.index(_BACKWARDS.get(value, NOTHING)) for value in values])
    turned = [_SPANS.index((8 - after, 8 - before)) for before, after in _SPANS]

    def lesson(chosen: Tensor) -> tuple[Tensor, Tensor]:
        looks, moved, truth = looks_NCHW[chosen], flows_NCHW[chosen], labels_N[chosen]
        flip, kind = torch.rand(len(chosen)) < 0.5, torch.rand(len(chosen))
        still, reverse = kind < 0.25, (kind >= 0.25) & (kind < 0.5)
        looks[flip], moved[flip] = looks[flip].flip(-1), moved[flip].flip(-1) * _across()
        looks[still], moved[still] = _held(looks[still], int(torch.randint(3, ()))), 0.0
        looks[reverse] = _reversed(looks[reverse])
        moved[reverse] = -moved[reverse].unflatten(1, (-1, 2))[:, turned].flatten(1, 2)
        truth = torch.where(still, values.index(NOTHING), torch.where(reverse, backwards[truth], truth))
        looks = _blurred(looks.float()) if torch.rand(()) < 0.5 else looks
        seen = torch.cat([_changes(looks), moved + 0.05 * torch.randn_like(moved)], dim=1)
        return seen + 0.02 * torch.randn_like(seen), truth

    _teach(judge.event, labels_N, lesson)


def _teach(part: nn.Module, labels_N: Tensor, lesson: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    """Teach a small part of a judge what `lesson` gives, (B, C, 9, 16) and what each shows, of lessons with a label."""
    known = (labels_N != _UNKNOWN).nonzero().flatten()
    if not len(known):
        return
    batch = min(_PASS_BATCH, len(known))
    optimizer = torch.optim.AdamW(part.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=_PASSES * (len(known) // batch))
    part.train()
    for _ in range(_PASSES):
        for chosen in known[torch.randperm(len(known))][: len(known) // batch * batch].split(batch):
            seen, truth = lesson(chosen)
            F.cross_entropy(part(seen), truth, label_smoothing=0.05).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()


def _changes(looks_BCHW: Tensor) -> Tensor:
    """(B, 35, 9, 16), in means of 8 x 8 pixels, levels from -1 to 1: the three coloured frames of looks; of the nine greys, levels and
    deviation within a place, in which lights stand out; and how much changes there from one to the next."""
    looks_BCHW = looks_BCHW.float().div(127.5).sub(1)
    greys = looks_BCHW[:, _COLOURED:]
    means = F.avg_pool2d(looks_BCHW, STRIDE)
    spread = (F.avg_pool2d(greys.square(), STRIDE) - means[:, _COLOURED:].square()).clamp(min=0).sqrt()
    return torch.cat([means, 3 * spread, 3 * F.avg_pool2d(greys.diff(dim=1).abs(), STRIDE)], dim=1)


def _blurred(looks_BCHW: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(looks_BCHW, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def _held(looks_BCHW: Tensor, which: int) -> Tensor:
    """Looks at the first, the middle or the last frame held still."""
    colour, grey = looks_BCHW[:, 3 * which : 3 * which + 3], looks_BCHW[:, _COLOURED + 4 * which :][:, :1]
    return torch.cat([colour.repeat(1, 3, 1, 1), grey.expand(-1, NUM_FRAMES // 2 + 1, -1, -1)], dim=1)


def _reversed(looks_BCHW: Tensor) -> Tensor:
    first, middle, last = looks_BCHW[:, :_COLOURED].split(3, dim=1)
    return torch.cat([last, middle, first, looks_BCHW[:, _COLOURED:].flip(1)], dim=1)


def _across() -> Tensor:
    """(12, 1, 1): what a mirror does to a `flow` beside flipping it."""
    return torch.tensor([-1.0, 1.0] * len(_SPANS))[:, None, None]


def accuracies(judge: Judge, lessons: Lessons) -> dict[str, tuple[float, int]]:
    """Share of looks named rightly, and how many there are, by axis that any of them tells."""
    truth = _labels(lessons.scenes, lessons.pace_N)
    with torch.inference_mode():
        logits = [judge(looks) for looks in lessons.looks_NCHW.split(32)]
    result = {}
    for axis in _ALL:
        asked = truth[axis] != _UNKNOWN
        if asked.any():
            right = torch.cat([part[axis].argmax(1) for part in logits])[asked] == truth[axis][asked]
            result[axis] = (float(right.float().mean()), int(asked.sum()))
    return result


def shown(scene: Scene) -> dict[str, str | None]:
    """What a scene shows, by axis; None where it has no such thing."""
    lined_up = len(scene.solids) == 1 or scene.relation == "row"
    return {
        "family": scene.family, "time_of_day": scene.time_of_day, "weather": scene.weather, "camera": scene.camera,
        "subject": scene.subject or NOTHING, "event": scene.event or NOTHING, "season": scene.season,
        "solids": str(len(scene.solids)) if scene.solids else None, "relation": scene.relation if len(scene.solids) == 2 else None,
        "colour": scene.solids[0][0] if scene.solids and lined_up else None,
    }


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Over the clips that have the axis; 0 where none has."""
    asked = (truth != _UNKNOWN).sum().clamp(min=1)
    return F.cross_entropy(logits, truth, ignore_index=_UNKNOWN, label_smoothing=0.05, reduction="sum") / asked


def _cross_entropy_of_shares(logits_BKHW: Tensor, shares_BKHW: Tensor) -> Tensor:
    """Over the places whose classes are known; 0 where none are."""
    shares_BKHW = shares_BKHW.float() / 255
    known = shares_BKHW.sum(dim=1).sum().clamp(min=1)
    return -(shares_BKHW * logits_BKHW.log_softmax(dim=1)).sum() / known


def _labels(scenes: list[Scene], pace_N: Tensor) -> dict[str, Tensor]:
    rows = [shown(scene) | dict.fromkeys(_UNTOLD[pace]) for scene, pace in zip(scenes, pace_N.tolist(), strict=True)]
    return {
        axis: torch.tensor([_UNKNOWN if row[axis] is None else values.index(row[axis]) for row in rows]) for axis, values in _ALL.items()
    }


def _cut_out(looks: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Without a row or a column of places at some of the edges."""
    top, bottom, left, right = torch.randint(2, (4,)).tolist()
    rows, columns = HEIGHT // STRIDE - bottom, WIDTH // STRIDE - right
    looks = looks[:, :, STRIDE * top : STRIDE * rows, STRIDE * left : STRIDE * columns]
    return looks, classes[:, :, top:rows, left:columns]


def _augmented(looks: Tensor, tinted: Tensor) -> Tensor:
    """Blurred, brighter or darker, noised, all a little and at random, and some in other colours: content tells, not pixels."""
    if torch.rand(()) < 0.4:
        looks = _blurred(looks)
    count = len(looks)
    looks = 127.5 + (looks - 127.5) * (1 + 0.05 * torch.randn(count, 1, 1, 1)) + 2.5 * torch.randn(count, 1, 1, 1)
    tints = torch.where(tinted[:, None], (0.3 * torch.randn(count, 3)).exp(), 1.0).repeat(1, _COLOURED // 3)
    looks[:, :_COLOURED] *= tints[:, :, None, None]
    return looks + 2.5 * torch.rand(()) * torch.randn(looks.shape[1:])
