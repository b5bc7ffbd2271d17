"""The judge: a small classifier of clips that says what it sees: which family, light, weather, camera move, subject, event.

It is trained on renders of all combinations and on their reconstructions, so that the autoencoder's blur is no handicap, and never
serves as a loss. It looks at 17 frames: the first, the middle and the last one in colour, and nine in grey as neighbouring channels.
How the picture moves is measured, not learnt, by matching blocks: with a few thousand clips a network does not find that by itself.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.errors import LanterneError
from lanterne.world.scene import CAMERAS, COLOURS, EVENTS, FAMILIES, RELATIONS, SEASONS, SUBJECTS, TIMES, WEATHERS, Scene, mirror

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
_GRID = (6, 10)  # places in which motion is given
_REACH = (4, 6)  # down and across: of the motion that is looked for, in half-sized pixels in four frames
_UNKNOWN = -1  # a label that is not asked for
# What a clip played backwards shows. Waves and rain then run backwards too, which is no harm: no axis but the event is told by it.
_BACKWARDS = {
    "pan_left": "pan_right", "pan_right": "pan_left", "tilt_up": "tilt_down", "tilt_down": "tilt_up", "push_in": "pull_back",
    "pull_back": "push_in", "rise": "descend", "descend": "rise",
}


class Judge(nn.Module):
    """1.5 M parameters. name: the first digits of its weights file's SHA-256; figures of two judges do not compare."""

    name = "untrained"

    def __init__(self):
        super().__init__()
        fine, *wider = _CHANNELS
        layers = [nn.Conv2d(_COLOURED + NUM_FRAMES // 2 + 1, fine, 5, stride=2, padding=2), nn.BatchNorm2d(fine), nn.ReLU()]
        before = fine
        for channels in wider:
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            before = channels
        self.trunk = nn.Sequential(*layers)
        # Motion tells by where it is (a push-in parts left from right), so a coarse grid is kept.
        self.neck = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(before * 15, 192), nn.ReLU())
        self.motion = nn.Sequential(nn.Flatten(), nn.Linear(2 * _GRID[0] * _GRID[1], 128), nn.ReLU(), nn.Dropout(0.2))
        self.heads = nn.ModuleDict({axis: nn.Linear(192 + 128, len(values)) for axis, values in _ALL.items()})

    def features(self, looks_BCHW: Tensor, flow_B2HW: Tensor | None = None) -> Tensor:
        """(B, 320) of looks as `look` gives them, and of their flow where it is at hand."""
        flow_B2HW = flow(looks_BCHW) if flow_B2HW is None else flow_B2HW
        looks_BCHW = looks_BCHW.float().div(127.5).sub(1)
        # The greys by their own mean and deviation, so that motion at night is as visible as at noon; colour keeps the level.
        greys = looks_BCHW[:, _COLOURED:]
        spread = greys.std(dim=(1, 2, 3), keepdim=True) + 0.02
        looks_BCHW = torch.cat([looks_BCHW[:, :_COLOURED], (greys - greys.mean(dim=(1, 2, 3), keepdim=True)) / spread], dim=1)
        seen = self.neck(F.adaptive_avg_pool2d(self.trunk(looks_BCHW.contiguous(memory_format=torch.channels_last)), (3, 5)))
        return torch.cat([seen, self.motion(flow_B2HW)], dim=1)

    def forward(self, looks_BCHW: Tensor, flow_B2HW: Tensor | None = None) -> dict[str, Tensor]:
        """Logits (B, values) by axis."""
        features = self.features(looks_BCHW, flow_B2HW)
        return {axis: head(features) for axis, head in self.heads.items()}

    @torch.inference_mode()
    def verdicts(self, frames_NTHWC: np.ndarray) -> dict[str, list[str]]:
        """What it sees in the first 17 frames of each clip, by axis of prompts."""
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


@torch.no_grad()
def flow(looks_BCHW: Tensor) -> Tensor:
    """How the picture of each look moves, (B, 2, 6, 10): right and down, in half-sized pixels in four frames.

    Of all displacements the mean of the best, by the difference of blocks of 7 x 7 half-sized pixels, summed over the four pairs of greys,
    since a camera keeps its way for a second.
    """
    greys = F.avg_pool2d(looks_BCHW[:, _COLOURED::2].float(), 2)
    greys = (greys - greys.mean(dim=(1, 2, 3), keepdim=True)) / (greys.std(dim=(1, 2, 3), keepdim=True) + 2.5)
    before, after = greys[:, :-1], greys[:, 1:]
    (height, width), (down, across) = before.shape[-2:], _REACH
    padded = F.pad(after, (across, across, down, down), mode="replicate")
    steps = [(x, y) for y in range(-down, down + 1) for x in range(-across, across + 1)]
    costs = [(before - padded[:, :, down + y : down + y + height, across + x : across + x + width]).abs().mean(dim=1) for x, y in steps]
    costs_BDHW = F.avg_pool2d(torch.stack(costs, dim=1), 7, stride=1, padding=3, count_include_pad=False)
    above_BDHW = costs_BDHW - costs_BDHW.amin(dim=1, keepdim=True)
    # Where all displacements are alike, as in an even sky, none is the best and the mean is 0.
    likely_BDHW = torch.softmax(-above_BDHW / (0.05 * above_BDHW.mean(dim=1, keepdim=True) + 0.01), dim=1)
    flow_B2HW = torch.einsum("bdhw,dc->bchw", likely_BDHW, torch.tensor(steps, dtype=torch.float32))
    return F.adaptive_avg_pool2d(flow_B2HW, _GRID)


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


def train_judge(looks_NCHW: Tensor, scenes: list[Scene], epochs: int = 40, on_epoch=None) -> Judge:
    """Train on looks of clips and what they show; flipped clips come with their mirrored scenes, reversed ones with their camera's."""
    torch.manual_seed(0)
    judge = Judge().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05)
    batch = min(48, len(scenes))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * (len(scenes) // batch))
    labels, flows = _labels(scenes), torch.cat([flow(looks) for looks in looks_NCHW.split(32)])
    across = torch.tensor([-1.0, 1.0])[:, None, None]
    mirrored = _labels([mirror(scene) for scene in scenes])
    backwards = torch.tensor([CAMERAS.index(_BACKWARDS.get(camera, camera)) for camera in CAMERAS])
    for epoch in range(epochs):
        order, total = torch.randperm(len(scenes)), 0.0
        for start in range(0, len(scenes) - batch + 1, batch):
            chosen = order[start : start + batch]
            looks, flip, reverse = looks_NCHW[chosen].float(), torch.rand(batch) < 0.5, torch.rand(batch) < 0.4
            truth = {axis: torch.where(flip, mirrored[axis][chosen], labels[axis][chosen]) for axis in _ALL}
            truth["camera"] = torch.where(reverse, backwards[truth["camera"]], truth["camera"])
            truth["event"] = torch.where(reverse & (truth["event"] < len(EVENTS)), _UNKNOWN, truth["event"])
            flip, reverse = flip[:, None, None, None], reverse[:, None, None, None]
            looks = torch.where(flip, looks.flip(-1), looks)
            looks = torch.where(reverse, _reversed(looks), looks)
            moved = torch.where(flip, flows[chosen].flip(-1) * across, flows[chosen])
            with torch.autocast("cpu", torch.bfloat16):
                logits = judge(_augmented(looks), torch.where(reverse, -moved, moved))
            loss = sum(_cross_entropy(logits[axis].float(), truth[axis]) for axis in _ALL)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            total += loss.item()
        if on_epoch:
            on_epoch(epoch, total / (len(scenes) // batch))
    return judge.eval()


def accuracies(judge: Judge, looks_NCHW: Tensor, scenes: list[Scene]) -> dict[str, tuple[float, int]]:
    """Share of clips named rightly, and how many there are, by axis that any of them has."""
    truth = _labels(scenes)
    with torch.inference_mode():
        logits = [judge(looks) for looks in looks_NCHW.split(32)]
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


def _labels(scenes: list[Scene]) -> dict[str, Tensor]:
    rows = [shown(scene) for scene in scenes]
    return {
        axis: torch.tensor([_UNKNOWN if row[axis] is None else values.index(row[axis]) for row in rows]) for axis, values in _ALL.items()
    }


def _reversed(looks: Tensor) -> Tensor:
    first, middle, last = looks[:, :_COLOURED].split(3, dim=1)
    return torch.cat([last, middle, first, looks[:, _COLOURED:].flip(1)], dim=1)


def _augmented(looks: Tensor) -> Tensor:
    """Cut out, blurred, brighter or darker, noised, all a little and at random: content tells, not pixels."""
    top, left = int(torch.randint(9, ())), int(torch.randint(13, ()))
    looks = looks[:, :, top : HEIGHT - int(torch.randint(9, ())), left : WIDTH - int(torch.randint(13, ()))]
    if torch.rand(()) < 0.4:
        looks = F.avg_pool2d(F.pad(looks, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    looks = 127.5 + (looks - 127.5) * (1 + 0.05 * torch.randn(len(looks), 1, 1, 1)) + 2.5 * torch.randn(len(looks), 1, 1, 1)
    return looks + 2.5 * torch.rand(()) * torch.randn_like(looks)
