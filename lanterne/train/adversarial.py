"""A discriminator to learn against (Goodfellow et al. 2014), for what paints frames.

What is sharp in a render cannot be known from what is left of it, and the mean of all that it may be is a blur. So the decoder and the
upscaler learn to pass for renders, too. The discriminator is shown two frames, what changed between them, and what is known of them: a
sharp picture that flickers does not pass for a render either. The difference of its features stands in for a perceptual network (Wang et
al. 2018, pix2pixHD): those on offer learnt from scraped pictures.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.precision import mixed

_RATE = 5e-4
_VERDICT_WEIGHT, _FEATURES_WEIGHT = 0.04, 0.3
_PENALTY_WEIGHT, _PENALTY_EVERY = 40.0, 16


class Discriminator(nn.Module):
    """Whether frames are rendered, patch by patch (Isola et al. 2017): one logit for each 8 x 8 pixels of every frame but the first."""

    def __init__(self, width: int = 32):
        super().__init__()
        self.convs = nn.ModuleList([
            nn.Conv2d(9, width, 4, stride=2, padding=1),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.Conv2d(2 * width, 2 * width, 4, stride=2, padding=1),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
        ])
        self.conv_out = nn.Conv2d(2 * width, 1, 3, padding=1)

    def forward(self, video_BCTHW: Tensor, plain_BCTHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Frames and what is known of them, both B 3 T H W in [-1, 1] -> logits (B (T - 1), 1, H / 8, W / 8), and each layer's output."""
        later_BCTHW = video_BCTHW[:, :, 1:]
        change_BCTHW = 2 * (later_BCTHW - video_BCTHW[:, :, :-1])
        x_FCHW = torch.cat([later_BCTHW, change_BCTHW, plain_BCTHW[:, :, 1:]], dim=1).transpose(1, 2).flatten(0, 1)
        x_FCHW, seen = x_FCHW.contiguous(memory_format=torch.channels_last), []
        for conv in self.convs:
            x_FCHW = F.leaky_relu(conv(x_FCHW), 0.2)
            seen.append(x_FCHW)
        return self.conv_out(x_FCHW), seen


class Opponent:
    """A discriminator and what it learns with."""

    def __init__(self, device: str = "cpu", width: int = 32, rate: float = _RATE):
        self.discriminator = Discriminator(width).to(device)
        self._optimizer = torch.optim.AdamW(self.discriminator.parameters(), rate, betas=(0.5, 0.99))

    def loss(self, made_BCTHW: Tensor, rendered_BCTHW: Tensor, plain_BCTHW: Tensor, step: int) -> Tensor:
        """Learn a step from what was made and what was rendered; then, for who made it: to pass for a render, and to be as the render in
        what the discriminator's layers see. All B 3 T H W in [-1, 1], T two or more."""
        _discriminator_loss(
            self.discriminator, made_BCTHW.detach(), rendered_BCTHW, plain_BCTHW, penalised=step % _PENALTY_EVERY == 0
        ).backward()
        if torch.isfinite(nn.utils.clip_grad_norm_(self.discriminator.parameters(), 1.0)):  # one bad batch must not spoil it
            self._optimizer.step()
        self._optimizer.zero_grad()
        self.discriminator.requires_grad_(False)
        with mixed(made_BCTHW.device.type):
            logits, seen = self.discriminator(made_BCTHW, plain_BCTHW)
            with torch.no_grad():
                _, seen_in_renders = self.discriminator(rendered_BCTHW, plain_BCTHW)
        self.discriminator.requires_grad_(True)
        features = sum((ours.float() - theirs.float()).abs().mean() for ours, theirs in zip(seen, seen_in_renders, strict=True))
        return _VERDICT_WEIGHT * F.softplus(-logits.float()).mean() + _FEATURES_WEIGHT * features

    def state_dict(self) -> dict:
        return {"discriminator": self.discriminator.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self._optimizer.load_state_dict(state["optimizer"])


def _discriminator_loss(
    discriminator: Discriminator, made_BCTHW: Tensor, rendered_BCTHW: Tensor, plain_BCTHW: Tensor, penalised: bool
) -> Tensor:
    """Logistic; where penalised, with the square of its gradient at renders (Mescheder et al. 2018), else it wins before there is anything
    to learn from it."""
    with mixed(made_BCTHW.device.type):
        (real, _), (made, _) = discriminator(rendered_BCTHW, plain_BCTHW), discriminator(made_BCTHW, plain_BCTHW)
    loss = F.softplus(-real.float()).mean() + F.softplus(made.float()).mean()
    if penalised:
        at_BCTHW = rendered_BCTHW.clone().requires_grad_()
        logits, _ = discriminator(at_BCTHW, plain_BCTHW)
        (gradient_BCTHW,) = torch.autograd.grad(logits.sum(), at_BCTHW, create_graph=True)
        loss = loss + _PENALTY_WEIGHT * gradient_BCTHW.square().mean()
    return loss


def steadily(error_BCTHW: Tensor) -> Tensor:
    """How the error changes in time, and how that does, of B 3 T H W, T three or more. What is sharp must not flicker."""
    return error_BCTHW.diff(dim=2).abs().mean() + error_BCTHW.diff(n=2, dim=2).abs().mean()
