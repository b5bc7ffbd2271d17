"""What every stage trains with: Muon for matrices, AdamW for the rest, an average of the weights, a clock."""

import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from lanterne.precision import best_dtype


class Muon:
    """Muon (Jordan et al. 2024) with Nesterov's momentum, for matrices; as torch.optim.Muon, to which a test holds it.

    Matrices of one shape are orthogonalised together, in one batched product: on a processor that takes half of the time, which was
    three tenths of a step. A convolution is taken as the matrix that maps a whole patch to the output channels. Updates are
    scaled to the root mean square of AdamW's (Liu et al. 2025, Moonlight), so that both can share a learning rate.
    """

    MOMENTUM, WEIGHT_RMS = 0.95, 0.2

    def __init__(self, parameters: list[nn.Parameter], weight_decay: float):
        self.weight_decay = weight_decay
        for parameter in parameters:
            if parameter.ndim > 2:  # or it cannot be seen as a matrix
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        groups: dict[tuple[int, int], list[nn.Parameter]] = {}
        for parameter in parameters:
            groups.setdefault(tuple(_as_matrix(parameter).shape), []).append(parameter)
        self._groups = list(groups.values())
        self.momenta = [torch.stack([_as_matrix(p.data) for p in group]).zero_() for group in self._groups]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        for group, momentum_NOI in zip(self._groups, self.momenta, strict=True):
            gradient_NOI = torch.stack([_as_matrix(torch.zeros_like(p) if p.grad is None else p.grad) for p in group])
            momentum_NOI.lerp_(gradient_NOI, 1 - self.MOMENTUM)
            update_NOI = orthogonalised(gradient_NOI.lerp_(momentum_NOI, self.MOMENTUM)).to(momentum_NOI.dtype)
            scale = lr * self.WEIGHT_RMS * max(update_NOI.shape[1:]) ** 0.5
            matrices = [_seen_as_matrix(parameter.data) for parameter in group]
            torch._foreach_mul_(matrices, 1 - lr * self.weight_decay)
            torch._foreach_add_(matrices, list(update_NOI.unbind()), alpha=-scale)


def orthogonalised(matrices_NOI: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrices with singular values about 1: Newton-Schulz with Jordan's coefficients, for which bfloat16 will do."""
    tall = matrices_NOI.shape[1] > matrices_NOI.shape[2]
    x = (matrices_NOI.mT if tall else matrices_NOI).to(best_dtype(matrices_NOI.device.type))
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, polynomial, x, beta=3.4445)
    return x.mT if tall else x


class MuonAdamW:
    """Muon for hidden matrices and convolutions, AdamW for everything else, at one learning rate.

    Names that contain one of `by_adam` go to AdamW although they are matrices: the layers that face the data, and the tables.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float = 0.0, by_adam: tuple[str, ...] = ()):
        self.lr = lr
        hidden, others = [], []
        for name, parameter in model.named_parameters():
            is_matrix = parameter.ndim in (2, 4) and not any(part in name for part in by_adam)
            (hidden if is_matrix else others).append(parameter)
        self.muon = Muon(hidden, weight_decay)
        self.adamw = torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.99), weight_decay=0.0)
        self._all = [*hidden, *others]

    def step(self, lr_factor: float, max_norm: float = 1.0) -> float:
        """Clip, step with lr * lr_factor, forget the gradients. Returns the gradient's norm before clipping.

        A step whose gradient is not finite is skipped, so that one bad batch cannot spoil the weights.
        """
        norm = float(nn.utils.clip_grad_norm_(self._all, max_norm))
        if math.isfinite(norm):
            self.muon.step(self.lr * lr_factor)
            for group in self.adamw.param_groups:
                group["lr"] = self.lr * lr_factor
            self.adamw.step()
        for parameter in self._all:
            parameter.grad = None
        return norm

    def state_dict(self) -> dict:
        return {"muon": self.muon.momenta, "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        for momentum, saved in zip(self.muon.momenta, state["muon"], strict=True):
            momentum.copy_(saved)
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
    """The last state saved at `path`, whatever device it was on, or None at the start of a stage."""
    return torch.load(path, weights_only=True, map_location="cpu") if path.exists() else None


def _as_matrix(weight: Tensor) -> Tensor:
    """(O, H W I) of convolution weights; matrices as they are."""
    return weight if weight.ndim == 2 else weight.permute(0, 2, 3, 1).flatten(1)


def _seen_as_matrix(weight: Tensor) -> Tensor:
    """A view of channels-last weights, for changing them; of others there is none, and it raises."""
    return weight if weight.ndim == 2 else weight.permute(0, 2, 3, 1).view(weight.shape[0], -1)
