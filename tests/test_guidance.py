"""Guidance for less than a second pass a step, against whole passes with the prompt and without."""

import numpy as np
import pytest
import torch

from lanterne.flow import TIMESTEPS
from lanterne.generate import Engine, places_of
from lanterne.guidance import CONTEXT_SIGMA, FALL, HIGH, LATER_CONTEXT_SIGMAS, GuidedNetwork, guidance_at
from lanterne.request import GUIDANCE
from lanterne.world.prompts import read


class _Counted:
    """Says what its network says, and how many tokens it was asked for."""

    def __init__(self, model):
        self.model, self.tokens = model, 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def forward_chunk(self, x, *given):
        self.tokens += x[:, 0].numel()
        return self.model.forward_chunk(x, *given)


@pytest.fixture(scope="module")
def engine(tiny_weights):
    return Engine.load(tiny_weights, dtype=torch.float32)


@pytest.fixture
def sides(engine):
    """Of two videos: with guidance, and the prompt's side and the other alone."""
    torch.manual_seed(1)
    model, text_BLD = engine.transformer, engine.text_encoder.encode(["a lake at dawn", "a city at night"])
    nothing = torch.zeros_like(text_BLD)
    return GuidedNetwork(model, text_BLD, nothing, GUIDANCE), *(GuidedNetwork(model, text, text, 1.0) for text in (text_BLD, nothing))


@pytest.fixture
def later(sides):
    """The same after a first chunk. Only the prompt's side remembers it; the other remembers noise."""
    made, standing, noise = _latents(5), _standing(sides[0], 0, 5), _latents(5)
    both, prompt, nothing = sides
    with torch.inference_mode():
        for side in (both, prompt):
            side.remember(made, noise, standing)
        nothing.model.remember(noise, torch.tensor([[float(TIMESTEPS)]]), nothing.text, nothing.cache, standing)
        nothing.prompt_cache = nothing.cache.part(slice(2))
    return sides


def _latents(frames):
    return torch.randn(2, 8, frames, 9, 16)


def _standing(network, start, stop):
    motions = [read(prompt)[1] for prompt in ("slow pan left", "static camera")]
    return torch.cat([places_of(motion, network.cache, start, stop, 9, 16) for motion in motions])


@torch.inference_mode()
def test_a_first_chunk_and_a_single_latent_frame_are_asked_for_twice_at_every_step(sides):
    both, prompt, nothing = sides
    for frames in (5, 1):
        standing = _standing(both, 0, frames)
        for sigma in (1.0, 0.9, 0.7, 0.6, 0.2):
            x, level = _latents(frames), torch.tensor([[sigma]])
            with_prompt, without = (side.velocity(x, level, 0, standing) for side in (prompt, nothing))
            assert torch.allclose(both.velocity(x, level, 0, standing), without + GUIDANCE * (with_prompt - without), atol=1e-4)


@torch.inference_mode()
def test_later_and_at_high_noise_the_side_without_the_prompt_sees_the_mean(later):
    both, prompt, nothing = later
    x, sigma, level = _latents(4), 0.9, torch.tensor([[0.9]])
    standing = _standing(both, 5, 9)
    v = prompt.velocity(x, level, 5, standing)
    # A mean of four has noise of sigma / 2 beside 1 - sigma of the picture.
    scale = 1 - sigma + sigma / 2
    mean = x.mean(dim=2, keepdim=True)
    nothing.prompt_cache = nothing.model.new_cache()
    other = nothing.velocity(mean / scale, torch.tensor([[sigma / 2 / scale]]), 5, standing[:, 7:8])
    change = (mean / scale - sigma / 2 / scale * other - (mean - sigma * v.mean(dim=2, keepdim=True))) / sigma
    expected = v + (guidance_at(5, GUIDANCE) - 1) * sigma**FALL * change
    assert torch.allclose(both.velocity(x, level, 5, standing), expected, atol=1e-4)
    assert sigma > HIGH and change.abs().mean() > 0


@torch.inference_mode()
def test_further_down_an_answer_is_asked_for_at_every_other_step_and_kept_for_the_next(later):
    both, prompt, nothing = later
    high, *below = (torch.tensor([[sigma]]) for sigma in (0.9, 0.7, 0.6, 0.5, 0.2))
    standing, steps, scale = _standing(both, 5, 9), [(_latents(4), sigma) for sigma in below], guidance_at(5, GUIDANCE)
    assert 1 < scale < GUIDANCE and 0 < CONTEXT_SIGMA < 1
    for _ in range(2):  # another chunk begins anew, wherever the one before was left
        for step, (x, sigma) in enumerate(steps):
            with_prompt = prompt.velocity(x, sigma, 5, standing)
            if step % 2 == 0:
                asked = with_prompt - nothing.velocity(x, sigma, 5, standing)
            assert torch.allclose(both.velocity(x, sigma, 5, standing), with_prompt + (scale - 1) * asked, atol=1e-4)
        both.velocity(*steps[0], 5, standing)
        both.velocity(_latents(4), high, 5, standing)


@torch.inference_mode()
def test_an_answer_is_not_kept_for_another_chunk(later):
    both, prompt, nothing = later
    low, standing = torch.tensor([[0.5]]), _standing(both, 5, 9)
    both.velocity(_latents(4), low, 5, standing)
    made, noise = _latents(4), _latents(4)
    for side in (both, prompt):
        side.remember(made, noise, standing)
    nothing.model.remember(noise, torch.tensor([[float(TIMESTEPS)]]), nothing.text, nothing.cache, standing)
    nothing.prompt_cache = nothing.cache.part(slice(2))
    x, standing = _latents(4), _standing(both, 9, 13)
    with_prompt, without = (side.velocity(x, low, 9, standing) for side in (prompt, nothing))
    expected = with_prompt + (guidance_at(9, GUIDANCE) - 1) * (with_prompt - without)
    assert torch.allclose(both.velocity(x, low, 9, standing), expected, atol=1e-4)


@torch.inference_mode()
def test_later_chunks_are_remembered_through_more_noise_and_the_frame_that_the_next_goes_on_from_through_least(engine):
    heard, text_BLD = [], engine.text_encoder.encode(["a lake at dawn"])

    class Listening(_Counted):
        def remember(self, x, timestep, *given):
            heard.append((x, timestep))
            self.model.remember(x, timestep, *given)

    network = GuidedNetwork(Listening(engine.transformer), text_BLD, torch.zeros_like(text_BLD), GUIDANCE)
    for start, stop in ((0, 5), (5, 9), (9, 13)):
        clean, noise = torch.zeros(1, 8, stop - start, 9, 16), torch.ones(1, 8, stop - start, 9, 16)
        network.remember(clean, noise, places_of(read("static camera")[1], network.cache, start, stop, 9, 16))
    first, *later = ([levels.tolist() for levels in timestep / TIMESTEPS] for _, timestep in heard)
    assert first == [pytest.approx([CONTEXT_SIGMA] * 5), [1.0] * 5]
    most, least = LATER_CONTEXT_SIGMAS
    assert later == [[pytest.approx([most, (2 * most + least) / 3, (most + 2 * least) / 3, least]), [1.0] * 4]] * 2
    assert 1 > most > least > CONTEXT_SIGMA
    for x, timestep in heard:  # of a picture of zeros and noise of ones
        assert torch.allclose(x, (timestep / TIMESTEPS)[:, None, :, None, None].expand_as(x))


@torch.inference_mode()
def test_eight_steps_take_sixteen_passes_and_later_eleven(engine):
    from lanterne.flow import sigmas_for
    from lanterne.generate import SHIFT
    from lanterne.samplers import adams_bashforth

    model, text_BLD = _Counted(engine.transformer), engine.text_encoder.encode(["a lake at dawn"])
    for guidance, expected in ((1.0, [8, 8]), (GUIDANCE, [16, 11])):
        passes, network = [], GuidedNetwork(model, text_BLD, torch.zeros_like(text_BLD), guidance)
        for start, stop in ((0, 5), (5, 9)):
            model.tokens, standing = 0, places_of(read("static camera")[1], network.cache, start, stop, 9, 16)
            x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 8, stop - start, 9, 16), dtype=np.float32))

            def velocity(x, sigma, network=network, start=start, standing=standing):
                return network.velocity(x, torch.tensor([[sigma]]), start, standing)

            adams_bashforth(velocity, x, sigmas_for(8, SHIFT))
            passes.append(model.tokens / x[0, 0].numel())
            network.remember(x, x, standing)
        assert passes == expected
