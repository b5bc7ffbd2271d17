"""The transformer against the published class it follows, and its cache against computing everything at once."""

from dataclasses import replace

import pytest
import torch
from diffusers import WanTransformer3DModel

from lanterne.models.transformer import SpacetimeTransformer, grid, nano, rotary_table, rotate, small, tiny

HEIGHT, WIDTH = 6, 4


def _pair(config):
    """Ours and diffusers' with the same random weights."""
    torch.manual_seed(0)
    theirs = WanTransformer3DModel(
        patch_size=config.patch_size,
        num_attention_heads=config.num_heads,
        attention_head_dim=config.head_dim,
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        text_dim=config.text_width,
        freq_dim=config.freq_width,
        ffn_dim=config.ffn_width,
        num_layers=config.num_layers,
        cross_attn_norm=config.cross_attn_norm,
    ).eval()
    ours = SpacetimeTransformer(config).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def _inputs(config, frames=5, batch=2):
    torch.manual_seed(1)
    return torch.randn(batch, config.in_channels, frames, HEIGHT, WIDTH), torch.randn(batch, 9, config.text_width)


CONFIGS = [tiny(), replace(nano(), num_layers=2), replace(tiny(), patch_size=(1, 2, 2), cross_attn_norm=False)]


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "nano width", "patches"])
@torch.no_grad()
def test_equals_the_published_class(config):
    ours, theirs = _pair(config)
    x, text = _inputs(config)
    timestep = torch.tensor([300.0, 812.5])
    assert (ours(x, timestep, text) - theirs(x, timestep, text).sample).abs().max() <= 1e-4


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "nano width", "patches"])
@torch.no_grad()
def test_equals_the_published_class_where_all_share_a_timestep(config):
    """The shape of the road's calls, and of its fastest path."""
    ours, theirs = _pair(config)
    x, text = _inputs(config)
    expected = theirs(x, torch.tensor([812.5, 812.5]), text).sample
    assert (ours(x, torch.tensor([812.5]), text) - expected).abs().max() <= 1e-4


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "nano width", "patches"])
@torch.no_grad()
def test_equals_the_published_class_with_a_timestep_per_token(config):
    ours, theirs = _pair(config)
    x, text = _inputs(config)
    timestep_BT = 1000 * torch.rand(2, 5)
    tokens = HEIGHT * WIDTH // (config.patch_size[1] * config.patch_size[2])
    expected = theirs(x, timestep_BT.repeat_interleave(tokens, dim=1), text).sample
    assert (ours(x, timestep_BT, text) - expected).abs().max() <= 1e-4


def _model(config=None):
    """Random weights as training leaves them, not as it finds them: nothing is zero."""
    torch.manual_seed(0)
    model = SpacetimeTransformer(config or tiny()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_training_and_inference_attend_alike():
    model = _model()
    x, text = _inputs(model.config)
    timestep = torch.full((2,), 500.0)
    with torch.no_grad():
        expected = model(x, timestep, text, chunk_lengths=(3, 2))
    assert (model(x, timestep, text, chunk_lengths=(3, 2)) - expected).abs().max() <= 1e-5


@torch.no_grad()
@pytest.mark.parametrize("moving", [False, True])
def test_a_cached_rollout_equals_one_block_causal_forward(moving):
    model = _model(replace(nano(), num_layers=3))
    x, text = _inputs(model.config, frames=17)
    places = grid(17, HEIGHT, WIDTH) + 3 * torch.randn(2, 17, HEIGHT, WIDTH, 2) if moving else None
    chunks = (5, 4, 4, 4)
    timestep_BT = torch.cat([1000 * torch.rand(2, 1).expand(2, length) for length in chunks], dim=1)
    expected = model(x, timestep_BT, text, chunk_lengths=chunks, places=places)
    cache, prepared, start = model.new_cache(), model.prepare_text(text), 0
    for length in chunks:
        here = slice(start, start + length)
        so_far = places[:, [*cache.frames, *range(start, start + length)]] if moving else None
        velocity = model.forward_chunk(x[:, :, here], timestep_BT[:, here], prepared, cache, so_far)
        assert (velocity - expected[:, :, here]).abs().max() <= 1e-4
        model.remember(x[:, :, here], timestep_BT[:, here], prepared, cache, so_far)
        start += length


@torch.no_grad()
def test_asking_twice_does_not_change_the_cache():
    model = _model()
    x, text = _inputs(model.config, frames=4)
    timestep, cache = torch.full((2,), 100.0), model.new_cache()
    model.remember(x, timestep, text, cache)
    first = model.forward_chunk(x, timestep, text, cache)
    model.forward_chunk(2 * x, 5 * timestep, text, cache)
    assert torch.equal(model.forward_chunk(x, timestep, text, cache), first)


@torch.no_grad()
def test_later_chunks_do_not_reach_earlier_ones():
    model = _model()
    x, text = _inputs(model.config, frames=9)
    timestep = torch.full((2,), 400.0)
    changed = x.clone()
    changed[:, :, 5:] += 1
    before, after = (model(v, timestep, text, chunk_lengths=(5, 4)) for v in (x, changed))
    assert torch.equal(before[:, :, :5], after[:, :, :5])
    assert not torch.allclose(before[:, :, 5:], after[:, :, 5:])


@torch.no_grad()
def test_the_cache_stays_bounded_and_keeps_the_first_chunk():
    model = _model()
    x, text = _inputs(model.config, frames=4, batch=1)
    timestep, cache, first = torch.full((1,), 20.0), model.new_cache(window=2), None
    for number in range(12):
        model.forward_chunk(x + number, timestep, text, cache)
        model.remember(x + number, timestep, text, cache)
        first = first if first is not None else cache.layers[0][0][0].clone()
    assert cache.frames == (0, 1, 2, 3, *range(40, 48))
    assert all(len(layer) == 3 for layer in cache.layers)
    assert torch.equal(cache.layers[0][0][0], first)


@torch.no_grad()
def test_places_matter_only_by_their_distances():
    model = _model()
    x, text = _inputs(model.config)
    timestep, own = torch.full((2,), 400.0), grid(5, HEIGHT, WIDTH).float()
    still = model(x, timestep, text)
    assert torch.allclose(model(x, timestep, text, places=own), still, atol=1e-6)
    assert torch.allclose(model(x, timestep, text, places=own + 7.5), still, atol=1e-4)
    panned = own + torch.arange(5)[None, :, None, None, None]
    assert not torch.allclose(model(x, timestep, text, places=panned), still, atol=1e-3)


@torch.no_grad()
def test_the_prompt_matters():
    model = _model()
    x, text = _inputs(model.config)
    timestep = torch.full((2,), 400.0)
    assert not torch.allclose(model(x, timestep, text), model(x, timestep, text.flip(0)), atol=1e-3)


def test_routed_training_touches_every_weight_and_keeps_the_shape():
    model = _model(replace(tiny(), num_layers=4)).train()
    x, text = _inputs(model.config, frames=9)
    routed_TR = torch.stack([torch.randperm(HEIGHT * WIDTH)[:12].sort().values for _ in range(9)])
    out = model(x, torch.full((2,), 300.0), text, chunk_lengths=(5, 4), routed_TR=routed_TR)
    assert out.shape == x.shape
    out.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_routing_all_tokens_is_no_routing():
    model = _model(replace(tiny(), num_layers=4))
    x, text = _inputs(model.config)
    everything = torch.arange(HEIGHT * WIDTH).expand(5, -1)
    with torch.no_grad():
        assert torch.allclose(
            model(x, torch.full((2,), 300.0), text, routed_TR=everything), model(x, torch.full((2,), 300.0), text), atol=1e-6
        )


def test_rotary_scores_depend_on_distance_only():
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 16)

    def score(a, b):
        table_a, table_b = (rotary_table(16, torch.tensor([position]), grid(1, 1, 1)) for position in (a, b))
        return (rotate(query, table_a) * rotate(key, table_b)).sum()

    assert torch.allclose(score(3, 1), score(9, 7), atol=1e-5)
    assert not torch.allclose(score(3, 1), score(3, 2), atol=1e-3)


def test_sizes_are_what_their_names_say():
    count = {size: sum(p.numel() for p in SpacetimeTransformer(size()).parameters()) for size in (nano, small)}
    assert 8e6 < count[nano] < 10e6 and 27e6 < count[small] < 31e6
