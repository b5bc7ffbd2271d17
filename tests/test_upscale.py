"""The upscaler: streaming is exact, it begins near interpolation and learns what interpolation lacks, and files come out large."""

import av
import numpy as np
import pytest
import torch

from lanterne.models.upscaler import FACTOR, Upscaler, interpolated, upscaler_small, upscaler_tiny
from lanterne.train import upscaler as stage
from lanterne.train.adversarial import Opponent
from lanterne.train.data import save_array
from lanterne.train.optim import load_state
from lanterne.upscale import Upscale, resampling, upscale_for
from lanterne.video import VideoWriter


def _perturbed():
    torch.manual_seed(0)
    model = Upscaler(upscaler_tiny()).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def test_frames_one_by_one_are_those_of_the_whole():
    model, frames = _perturbed(), np.random.default_rng(0).integers(0, 256, (6, 16, 32, 3), dtype=np.uint8)
    whole = Upscale(model)(frames)
    upscale = Upscale(model)
    assert whole.shape == (6, 16 * FACTOR, 32 * FACTOR, 3) and whole.dtype == np.uint8
    assert np.array_equal(np.concatenate([upscale(frames[:1]), upscale(frames[1:4]), upscale(frames[4:])]), whole)
    video = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float().div(127.5).sub(1)
    together = model(video)[0][0].clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 3, 0).numpy()
    assert np.abs(together.astype(int) - whole).max() <= 1
    assert not np.array_equal(Upscale(model)(frames[3:4])[0], whole[3])  # what was before is seen


def test_what_it_starts_from_is_bicubic_interpolation():
    model = Upscaler(upscaler_tiny()).requires_grad_(False)
    model.conv_out.weight.zero_()  # it adds nothing
    frame = torch.rand(1, 3, 1, 11, 17) * 2 - 1
    torch.testing.assert_close(model(frame)[0][:, :, 0], interpolated(frame[:, :, 0]), atol=2e-5, rtol=0)


def test_it_is_as_small_as_it_says():
    assert sum(parameter.numel() for parameter in Upscaler(upscaler_small()).parameters()) < 0.5e6


@pytest.mark.parametrize(
    ("size", "said"), [((256, 144), "none"), ((300, 168), "lanczos"), ((1280, 720), "upscaler"), ((512, 288), "upscaler")]
)
def test_it_enlarges_what_is_worth_it(size, said):
    model = _perturbed()
    assert resampling(model, (256, 144), *size) == said
    assert (upscale_for(model, (256, 144), *size) is not None) == (said == "upscaler")
    assert upscale_for(None, (256, 144), *size) is None and resampling(None, (256, 144), *size) in ("none", "lanczos")


def test_a_file_is_of_the_size_that_was_asked_for(tmp_path):
    frames = np.random.default_rng(1).integers(0, 256, (3, 16, 32, 3), dtype=np.uint8)
    with VideoWriter(tmp_path / "large.mp4", 160, 80, {}, enlarge=Upscale(_perturbed())) as writer:
        writer.write(frames[:2])
        writer.write(frames[2:])
    with av.open(str(tmp_path / "large.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(80, 160, 3)] * 3


@pytest.fixture
def pairs(tmp_path):
    """Clips of hard edges, which interpolation blurs."""
    random, folder = np.random.default_rng(0), tmp_path / "pairs"
    folder.mkdir()
    for number in range(stage._VALIDATION + 4):
        steps = random.integers(0, 2, (1, 12, 16, 1)) * 200 + 20
        large = np.broadcast_to(steps, (stage.NUM_FRAMES, 12, 16, 3)).repeat(20, axis=1).repeat(20, axis=2).astype(np.uint8)
        large = np.roll(large, 7, axis=2)
        save_array(folder / f"large-{number:05d}.npy", large)
        save_array(folder / f"small-{number:05d}.npy", stage.shrunk(large))
    return folder


def test_it_learns_what_interpolation_lacks(pairs):
    torch.manual_seed(0)
    model, random = Upscaler(upscaler_tiny()), np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    for _ in range(60):
        small, large = stage._draw_batch(stage.read_pairs(pairs), random)
        stage.upscaling_loss(model, small[..., :24, :24], large[..., :120, :120]).backward()
        optimizer.step()
        optimizer.zero_grad()
    figures = stage.upscaling_figures(model, stage.read_pairs(pairs)[:2])
    assert figures["psnr"] > figures["lanczos_psnr"] + 0.5


def test_what_it_learns_against_tells_renders_from_blur_and_is_learnt_from(pairs, monkeypatch):
    torch.manual_seed(0)
    random, clips = np.random.default_rng(0), stage.read_pairs(pairs)
    model, opponent = Upscaler(upscaler_tiny()), Opponent(width=8, rate=4e-3)
    ours = torch.optim.Adam(model.parameters(), 1e-3)

    def batch():
        small, large = (video[..., :size, :size] for video, size in zip(stage._draw_batch(clips, random), (16, 80), strict=True))
        return small, large, stage._interpolated(small)

    for step in range(60):
        _, large, plain = batch()
        opponent.loss(plain, large, plain, step)
    small, large, plain = batch()
    with torch.no_grad():
        real, made = (opponent.discriminator(video, plain)[0].mean() for video in (large, plain))
    assert real > made + 0.2
    losses, before = [], [parameter.clone() for parameter in opponent.discriminator.parameters()]
    monkeypatch.setattr(opponent, "_optimizer", torch.optim.SGD(opponent.discriminator.parameters(), 0.0))  # it learns no more
    for step in range(1, 31):
        made = model(small)[0]
        loss = (made - large).abs().mean() + opponent.loss(made, large, plain, step)
        loss.backward()
        assert all(parameter.grad is None for parameter in opponent.discriminator.parameters())  # nor from who is judged
        ours.step()
        ours.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert all(torch.equal(a, b) for a, b in zip(before, opponent.discriminator.parameters(), strict=True))


def test_its_stage_goes_on_where_it_stopped(pairs, tmp_path):
    rows, minutes = [], 0.02
    for _ in range(2):
        model = stage.train_upscaler(pairs, tmp_path / "out", upscaler_tiny(), minutes, on_log=rows.append)
        minutes = rows[0]["seconds"] / 60 + 0.05
    assert rows[1]["step"] > rows[0]["step"] > 0 and rows[0]["clips"] == 4
    state = load_state(tmp_path / "out" / "upscaler.pt")
    assert state["opponent"]["optimizer"]["state"] and state["faithful"]  # both halves were run
    assert not model.training and len((tmp_path / "out" / "upscaler.jsonl").read_text().splitlines()) == 2
