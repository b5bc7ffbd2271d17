"""The judge: a small classifier of clips that says which family, time of day, weather and camera move it sees.

It is trained on renders of all combinations and on their reconstructions, so that the autoencoder's blur is no handicap, and never
serves as a loss. It looks at 17 frames: the middle one in colour, and nine in grey as neighbouring channels, from which its first
convolutions read motion.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.errors import LanterneError
from lanterne.world.scene import CAMERAS, FAMILIES, TIMES, WEATHERS, Scene, mirror

AXES = {"family": FAMILIES, "time_of_day": TIMES, "weather": WEATHERS, "camera": CAMERAS}
NUM_FRAMES = 17
WEIGHTS = Path(__file__).parent.parent / "embedded" / "judge.safetensors"
_WIDTH, _HEIGHT = 128, 72
_CHANNELS = (32, 64, 128, 192)


class Judge(nn.Module):
    """1.2 M parameters."""

    def __init__(self):
        super().__init__()
        fine, *wider = _CHANNELS
        layers = [nn.Conv2d(3 + NUM_FRAMES // 2 + 1, fine, 5, stride=2, padding=2), nn.BatchNorm2d(fine), nn.ReLU()]
        before = fine
        for channels in wider:
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            before = channels
        self.trunk = nn.Sequential(*layers)
        # Motion tells by where it is (a push-in parts left from right), so a coarse grid is kept.
        self.neck = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(before * 8, 128), nn.ReLU())
        self.heads = nn.ModuleDict({axis: nn.Linear(128, len(values)) for axis, values in AXES.items()})

    def features(self, looks_BCHW: Tensor) -> Tensor:
        """(B, 128)."""
        return self.neck(F.adaptive_avg_pool2d(self.trunk(looks_BCHW), (2, 4)))

    def forward(self, looks_BCHW: Tensor) -> dict[str, Tensor]:
        """Logits (B, values) by axis."""
        features = self.features(looks_BCHW)
        return {axis: head(features) for axis, head in self.heads.items()}

    @torch.inference_mode()
    def verdicts(self, frames_NTHWC: np.ndarray) -> dict[str, list[str]]:
        """What it sees in the first 17 frames of each clip, by axis."""
        logits = [self(look(frames_NTHWC[start : start + 32])) for start in range(0, len(frames_NTHWC), 32)]
        return {
            axis: [values[index] for part in logits for index in part[axis].argmax(dim=1).tolist()] for axis, values in AXES.items()
        }


def look(frames_NTHWC: np.ndarray) -> Tensor:
    """uint8 clips of at least 17 frames, any size -> (N, 12, 72, 128), about [-1, 1]."""
    if frames_NTHWC.shape[1] < NUM_FRAMES:
        raise ValueError(f"The judge looks at {NUM_FRAMES} frames and was given {frames_NTHWC.shape[1]}; give longer clips.")
    chosen = torch.from_numpy(np.ascontiguousarray(frames_NTHWC[:, :NUM_FRAMES:2]))
    count, times = chosen.shape[:2]
    small = F.interpolate(
        chosen.flatten(0, 1).permute(0, 3, 1, 2).float(), (_HEIGHT, _WIDTH), mode="bilinear", antialias=True, align_corners=False
    )
    small = small.div(127.5).sub(1).unflatten(0, (count, times))
    return torch.cat([small[:, times // 2], small.mean(dim=2)], dim=1)


def load_judge(path: Path = WEIGHTS) -> Judge:
    if not path.exists():
        raise LanterneError(f"There is no judge at {path}; train one with `lanterne train judge`.")
    judge = Judge()
    judge.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()})
    return judge.eval()


def save_judge(judge: Judge, path: Path = WEIGHTS) -> None:
    tensors = {name: value.half() if value.is_floating_point() else value for name, value in judge.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


def train_judge(looks_NCHW: Tensor, scenes: list[Scene], epochs: int = 40, on_epoch=None) -> Judge:
    """Train on looks of clips and what they show. Flipped clips come with their mirrored scenes.

    A little blur and noise at random keep it from relying on pixels finer than the content.
    """
    torch.manual_seed(0)
    judge = Judge().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.02)
    batch = 48
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * (len(scenes) // batch))
    labels = {axis: torch.tensor([values.index(getattr(scene, axis)) for scene in scenes]) for axis, values in AXES.items()}
    mirrored = {
        axis: torch.tensor([values.index(getattr(mirror(scene), axis)) for scene in scenes]) for axis, values in AXES.items()
    }
    for epoch in range(epochs):
        order, total = torch.randperm(len(scenes)), 0.0
        for start in range(0, len(scenes) - batch + 1, batch):
            chosen = order[start : start + batch]
            looks, flip = _augmented(looks_NCHW[chosen].float()), torch.rand(batch) < 0.5
            looks = torch.where(flip[:, None, None, None], looks.flip(-1), looks).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = judge(looks)
            loss = sum(
                F.cross_entropy(logits[axis].float(), torch.where(flip, mirrored[axis][chosen], labels[axis][chosen]), label_smoothing=0.05)
                for axis in AXES
            )
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            total += loss.item()
        if on_epoch:
            on_epoch(epoch, total / max(1, len(scenes) // batch))
    return judge.eval()


def _augmented(looks: Tensor) -> Tensor:
    if torch.rand(()) < 0.4:
        looks = F.avg_pool2d(F.pad(looks, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    looks = looks * (1 + 0.08 * torch.randn(len(looks), 1, 1, 1)) + 0.04 * torch.randn(len(looks), 1, 1, 1)
    return looks + 0.02 * torch.rand(()) * torch.randn_like(looks)
