"""The autoencoder is causal, and streaming it changes nothing."""

import pytest
import torch

from lanterne.models.autoencoder import AutoencoderConfig, StreamingAutoencoder, autoencoder_small, autoencoder_tiny


@pytest.fixture(scope="module")
def model() -> StreamingAutoencoder:
    """Every weight moved from its start, so that no branch is empty; uneven normalisation."""
    torch.manual_seed(0)
    model = StreamingAutoencoder(autoencoder_tiny()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.set_normalisation(torch.randn(2, 4, 5, 8, 8) * torch.tensor([0.2, 1.0, 3.0, 0.5])[:, None, None, None] + 0.3)
    return model


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    return torch.rand(2, 3, 13, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_shapes_follow_the_frame_rule(model, video):
    with torch.no_grad():
        latents = model.encode(video)
        assert latents.shape == (2, 4, 4, 2, 3)
        assert model.decode(latents).shape == video.shape
        still = model.encode(video[:, :, :1])
        assert still.shape == (2, 4, 1, 2, 3)
        assert model.decode(still).shape == (2, 3, 1, 32, 48)


@torch.no_grad()
def test_streamed_encoding_equals_whole(model, video):
    whole = model.encode(video)
    memory, streamed = None, []
    for group in (video[:, :, :1], *video[:, :, 1:].split(4, dim=2)):
        latent, memory = model.encode_step(group, memory)
        streamed.append(latent)
    assert (torch.stack(streamed, dim=2) - whole).abs().max() <= 1e-5


@torch.no_grad()
def test_streamed_decoding_equals_whole_in_constant_memory(model, video):
    latents = model.encode(video)
    whole = model.decode(latents)
    memory, streamed, sizes = None, [], set()
    for latent in latents.unbind(dim=2):
        frames, memory = model.decode_step(latent, memory)
        streamed.append(frames)
        sizes.add(sum(kept.untyped_storage().nbytes() for kept in memory))
    assert [frames.shape[2] for frames in streamed] == [1, 4, 4, 4]
    assert (torch.cat(streamed, dim=2) - whole).abs().max() <= 1e-5
    assert whole.std() > 0.05
    assert len(sizes) == 1


@torch.no_grad()
def test_later_frames_change_no_earlier_output(model, video):
    changed = video.clone()
    changed[:, :, 9:] = 0.5
    latents, latents_changed = model.encode(video), model.encode(changed)
    assert torch.equal(latents[:, :, :3], latents_changed[:, :, :3])
    assert not torch.equal(latents[:, :, 3], latents_changed[:, :, 3])

    frames, frames_changed = model.decode_raw(latents), model.decode_raw(latents_changed)
    assert torch.equal(frames[:, :, :9], frames_changed[:, :, :9])
    assert not torch.equal(frames[:, :, 9:], frames_changed[:, :, 9:])


@torch.no_grad()
def test_earlier_frames_do_reach_later_outputs(model, video):
    changed = video.clone()
    changed[:, :, 0] = 0.5
    assert not torch.equal(model.encode(video)[:, :, 1], model.encode(changed)[:, :, 1])
    latents = model.encode(video)
    latents_changed = latents.clone()
    latents_changed[:, :, 0] = 0
    assert not torch.equal(model.decode_raw(latents)[:, :, 1:5], model.decode_raw(latents_changed)[:, :, 1:5])


@torch.no_grad()
def test_normalisation_brings_latents_to_unit_scale_and_keeps_the_channels_proportions(video):
    torch.manual_seed(0)
    model = StreamingAutoencoder(autoencoder_tiny())
    raw = model.raw_latents(video)
    model.set_normalisation(raw)
    latents = model.encode(video)
    assert latents.mean(dim=(0, 2, 3, 4)).abs().max() < 1e-4
    spread, raw_spread = latents.std(dim=(0, 2, 3, 4)), raw.std(dim=(0, 2, 3, 4))
    assert abs(spread.square().mean() - 1) < 1e-3
    assert (spread / raw_spread - spread[0] / raw_spread[0]).abs().max() < 1e-3
    assert (model.decode(latents) - model.decode_raw(raw).clamp(-1, 1)).abs().max() < 1e-5


def test_every_weight_gets_a_gradient_at_the_start(video):
    torch.manual_seed(0)
    model = StreamingAutoencoder(autoencoder_tiny())
    (model.decode_raw(model.raw_latents(video)) - video).abs().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_clamped_only_outside_training(model):
    latents = torch.full((1, 4, 2, 2, 2), 50.0)
    with torch.no_grad():
        assert model.decode(latents).abs().max() <= 1
        assert model.decode_raw(latents).abs().max() > 1


def test_impossible_input_is_refused_with_the_rule(model):
    with pytest.raises(ValueError, match=r"12 frames .* 1 \+ 4 n"):
        model.raw_latents(torch.zeros(1, 3, 12, 32, 32))
    with pytest.raises(ValueError, match=r"40x32 .* multiples of 16"):
        model.raw_latents(torch.zeros(1, 3, 5, 32, 40))
    with pytest.raises(ValueError, match="takes 1 frame"):
        model.encode_step(torch.zeros(1, 3, 4, 32, 32))


def test_the_small_size_is_what_it_says():
    with torch.device("meta"):
        model = StreamingAutoencoder(autoencoder_small())
    assert isinstance(model.config, AutoencoderConfig)
    assert 2.5e6 < sum(p.numel() for p in model.encoder.parameters()) < 4e6
    assert 4.5e6 < sum(p.numel() for p in model.decoder.parameters()) < 6e6
