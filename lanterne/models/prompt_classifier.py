"""Which values of the world's axes a prompt speaks of, in whatever words: a small classifier over the text encoder's token states.

The phrase lists of `lanterne/world` know what they list. Who writes "heads back until the bay opens wide" says none of it, and means
a camera that pulls back; the text encoder has read enough to tell.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lanterne.errors import LanterneError
from lanterne.models.text_encoder import WIDTH, TextEncoder
from lanterne.paths import EMBEDDED

WEIGHTS = EMBEDDED.with_name("prompt-classifier.safetensors")
_HIDDEN, _HEADS, _BETWEEN = 192, 4, 128


class PromptClassifier(nn.Module):
    """0.8 M parameters: for each axis, a few weighted means of the token states, and a layer on top. axes: the values to tell apart."""

    def __init__(self, axes: dict[str, tuple[str, ...]], dropout: float = 0.3):
        super().__init__()
        self.axes = axes
        self.project = nn.Sequential(nn.LayerNorm(WIDTH), nn.Dropout(dropout), nn.Linear(WIDTH, _HIDDEN), nn.GELU())
        self.attend = nn.ModuleDict({axis: nn.Linear(_HIDDEN, _HEADS) for axis in axes})
        self.tell = nn.ModuleDict({
            axis: nn.Sequential(nn.Dropout(dropout), nn.Linear(_HEADS * _HIDDEN, _BETWEEN), nn.GELU(), nn.Linear(_BETWEEN, len(values) + 1))
            for axis, values in axes.items()
        })

    def forward(self, states_BLD: Tensor) -> dict[str, Tensor]:
        """Token states (B, L, 384) with zeros at padding -> logits (B, values + 1) by axis; the last is for what is not said."""
        said_BL1 = states_BLD.abs().sum(dim=2, keepdim=True) > 0
        x_BLD, logits = self.project(states_BLD), {}
        for axis in self.axes:
            weights_BLN = self.attend[axis](x_BLD).masked_fill(~said_BL1, -1e4).softmax(dim=1)
            logits[axis] = self.tell[axis](torch.einsum("bln,bld->bnd", weights_BLN, x_BLD).flatten(1))
        return logits

    @torch.inference_mode()
    def guess(self, prompt: str, text_encoder: TextEncoder) -> dict[str, tuple[str, float]]:
        """The likeliest value of each axis, said or not, and its probability."""
        result = {}
        for axis, logits in self(text_encoder.encode([prompt])).items():
            probability, index = logits[0].softmax(dim=0)[:-1].max(dim=0)
            result[axis] = self.axes[axis][int(index)], float(probability)
        return result


def load_classifier(path: Path = WEIGHTS) -> PromptClassifier:
    """From a file that `save_classifier` wrote, float32, to be asked and not trained. Raises LanterneError where there is none."""
    if not path.exists():
        raise LanterneError(f"There is no prompt classifier at {path}; train one with `lanterne train prompts`.")
    with safe_open(path, "pt") as file:
        classifier = PromptClassifier({axis: tuple(values) for axis, values in json.loads(file.metadata()["axes"]).items()})
    classifier.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return classifier.requires_grad_(False).eval()


def save_classifier(classifier: PromptClassifier, path: Path = WEIGHTS) -> None:
    """float16, with the axes in the file's metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.half().contiguous() for name, value in classifier.state_dict().items()}
    save_file(tensors, path, {"axes": json.dumps(classifier.axes)})
    path.chmod(0o644)  # safetensors makes it the owner's alone
