"""What every stage trains with: Muon for matrices, AdamW for the rest, an average of the weights, a clock."""

import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn


class MuonAdamW:
    """Muon (Jordan et al. 2024) for hidden matrices and convolutions, AdamW for everything else.

    Muon's updates are scaled to the root mean square of AdamW's (Liu et al. 2025, Moonlight), so one learning rate fits
    both. A convolution is orthogonalised as the matrix that maps a whole patch to the output channels. Names that contain
    one of `by_adam` go to AdamW although they are matrices: the layers that face the data, and the tables.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float = 0.0, by_adam: tuple[str, ...] = ()):
        self.lr = lr
        self._hidden, others = [], []
        for name, parameter in model.named_parameters():
            is_matrix = parameter.ndim in (2, 4) and not any(part in name for part in by_adam)
            (self._hidden if is_matrix else others).append(parameter)
        # Two-dimensional views of the same storage, since torch's Muon takes nothing else.
        self._matrices = [nn.Parameter(_as_matrix(parameter.data)) for parameter in self._hidden]
        self.muon = torch.optim.Muon(
            self._matrices, lr=lr, momentum=0.95, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        self.adamw = torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.99), weight_decay=0.0)
        self._all = [*self._hidden, *others]

    def step(self, lr_factor: float, max_norm: float = 1.0) -> float:
        """Clip, step with lr * lr_factor, forget the gradients. Returns the gradient's norm before clipping.

        A step whose gradient is not finite is skipped, so that one bad batch cannot spoil the weights.
        """
        norm = float(nn.utils.clip_grad_norm_(self._all, max_norm))
        if math.isfinite(norm):
            for matrix, parameter in zip(self._matrices, self._hidden, strict=True):
                matrix.grad = None if parameter.grad is None else _as_matrix(parameter.grad)
            for optimizer in (self.muon, self.adamw):
                for group in optimizer.param_groups:
                    group["lr"] = self.lr * lr_factor
                optimizer.step()
        for parameter in (*self._all, *self._matrices):
            parameter.grad = None
        return norm

    def state_dict(self) -> dict:
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])


class WeightAverage:
    """Exponential moving average of a model's parameters, with a short memory at the start."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.updates = 0
        self.values = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 10))
        torch._foreach_lerp_(list(self.values.values()), [p.detach() for p in model.parameters()], 1 - decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the average with the model's weights; a second call undoes it."""
        for name, parameter in model.named_parameters():
            kept = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name] = kept

    def state_dict(self) -> dict:
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: dict) -> None:
        self.updates = state["updates"]
        for name, value in self.values.items():
            value.copy_(state["values"][name])


class Clock:
    """Wall-clock time of a stage over all of its runs; `part` runs from 0 to 1 and steers the learning rate."""

    def __init__(self, minutes: float, spent: float = 0.0):
        self.budget = 60 * minutes
        self._before = spent
        self._start = time.monotonic()

    @property
    def spent(self) -> float:
        return self._before + time.monotonic() - self._start

    @property
    def part(self) -> float:
        return min(1.0, self.spent / self.budget)


def warm_constant_cool(part: float, step: int, warm_steps: int = 100, cool_from: float = 0.75) -> float:
    """Factor of the learning rate: linear warm-up by steps, constant, then linear cool-down by the clock to 2 %."""
    cool = 1.0 if part < cool_from else max(0.02, (1 - part) / (1 - cool_from))
    return min(1.0, (step + 1) / warm_steps) * cool


def save_state(path: Path, state: dict) -> None:
    """Write beside, then rename: a run killed while saving leaves the last good state."""
    temporary = path.with_suffix(".partial")
    torch.save(state, temporary)
    temporary.replace(path)


def load_state(path: Path) -> dict | None:
    """The last state saved at `path`, or None at the start of a stage."""
    return torch.load(path, weights_only=True) if path.exists() else None


def _as_matrix(weight: Tensor) -> Tensor:
    """A view (O, H W I) of channels-last convolution weights; matrices as they are."""
    return weight if weight.ndim == 2 else weight.permute(0, 2, 3, 1).flatten(1)
