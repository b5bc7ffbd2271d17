"""The stages on tiny models and a tiny world: what is learnt, what is kept when a run stops, what is refused."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lanterne.errors import LanterneError
from lanterne.flow import CHUNK, FIRST_CHUNK
from lanterne.models import checkpoint
from lanterne.models.autoencoder import StreamingAutoencoder, autoencoder_tiny
from lanterne.models.transformer import SpacetimeTransformer, grid, tiny
from lanterne.models.upscaler import Upscaler, upscaler_tiny
from lanterne.train import autoencoder as autoencoder_stage
from lanterne.train import batches
from lanterne.train import data as data_module
from lanterne.train import latents as latent_cache
from lanterne.train import transformer as stage
from lanterne.train.autoencoder import decoder_loss, keep_alive, reconstruction_loss, revive, train_autoencoder
from lanterne.train.data import Shard, random_crops, read_shards, render_shard, scenes_of, things_of, to_video
from lanterne.train.latents import PHRASINGS, cache_latents, read_latents
from lanterne.train.optim import Clock, Muon, MuonAdamW, WeightAverage, load_state, orthogonalised, save_state, warm_constant_cool
from lanterne.world.captions import captions
from lanterne.world.render import render
from lanterne.world.scene import SUBJECTS, draw_scene, is_held_out
from lanterne.world.surface import THING


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with two small shards to train on and one to validate on."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "plan_of", lambda number, validation=False: (2, (48, 32), 33 if number else 17))
        for number in (0, 1):
            render_shard(folder / "data", number)
        patch.setattr(data_module, "plan_of", lambda number, validation=False: (2, (48, 32), 17))
        render_shard(folder / "data-val", 10_000)
    return folder


def test_a_shard_is_rendered_once_and_is_the_same_again(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(data_module, "plan_of", lambda number, validation=False: (2, (48, 32), 17))
    path = render_shard(tmp_path, 0)
    before = path.stat().st_mtime_ns
    assert render_shard(tmp_path, 0).stat().st_mtime_ns == before
    ours, theirs = read_shards(tmp_path)[0], read_shards(runs / "data")[0]
    assert np.array_equal(ours.frames_NFHWC, theirs.frames_NFHWC)
    assert not any(is_held_out(scene) for scene in theirs.scenes)


def test_an_unfinished_shard_is_not_read(runs, tmp_path):
    np.save(tmp_path / "clips-00000-17.npy", np.zeros((1, 17, 32, 48, 3), np.uint8))
    assert read_shards(tmp_path) == []


def test_crops_have_the_shape_and_range_asked_for(runs):
    crops = random_crops(read_shards(runs / "data"), np.random.default_rng(0), batch=3, num_frames=9, size=32)
    assert crops.shape == (3, 3, 9, 32, 32)
    assert crops.min() >= -1 and crops.max() <= 1


def test_the_learning_rate_warms_up_holds_and_cools():
    assert warm_constant_cool(0.0, step=0, warm_steps=10) == pytest.approx(0.1)
    assert warm_constant_cool(0.5, step=500) == 1
    assert warm_constant_cool(1.0, step=500) == pytest.approx(0.02)


def test_the_clock_goes_on_from_earlier_runs():
    assert Clock(minutes=1, spent=45).part == pytest.approx(0.75, abs=0.01)
    assert Clock(minutes=1, spent=90).part == 1


def _two_layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(32, 4)).to(memory_format=torch.channels_last)


def _step(model, optimizer, seed):
    x = torch.randn(4, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    loss = (model(x) - 1).square().mean()
    loss.backward()
    optimizer.step(1.0)
    return loss.item()


def test_the_optimizer_learns_and_resumes_exactly(tmp_path):
    model = _two_layers()
    optimizer = MuonAdamW(model, lr=1e-2)
    losses = [_step(model, optimizer, seed=0) for _ in range(30)]
    assert losses[-1] < 0.2 * losses[0]
    save_state(tmp_path / "s.pt", {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    expected = [_step(model, optimizer, seed=1) for _ in range(3)]
    resumed = _two_layers()
    state = load_state(tmp_path / "s.pt")
    resumed.load_state_dict(state["model"])
    other = MuonAdamW(resumed, lr=1e-2)
    other.load_state_dict(state["optimizer"])
    assert [_step(resumed, other, seed=1) for _ in range(3)] == expected


def test_muon_steps_as_torchs_own():
    torch.manual_seed(0)
    shapes = [(6, 10), (10, 6), (6, 10), (8, 8)]
    ours, theirs = ([nn.Parameter(torch.full(shape, 0.5)) for shape in shapes] for _ in range(2))
    muon = Muon(ours, weight_decay=0.1)
    reference = torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape)
            b.grad = a.grad.clone()
        muon.step(0.02)
        reference.step()
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() < 2e-3  # bfloat16 inside; an update is about 0.004 and there were three


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((3, 12, 30), (3, 30, 12)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)).float())
        assert values.min() > 0.6 and values.max() < 1.3


def test_a_gradient_that_is_not_finite_leaves_the_weights():
    model = _two_layers()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = MuonAdamW(model, lr=1e-2)
    (model(torch.full((1, 3, 4, 4), float("nan"))).sum()).backward()
    optimizer.step(1.0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())


def test_every_second_shard_of_stills_shows_all_subjects_alike():
    counts = Counter(scene.subject for scene in scenes_of(638, 64))
    assert set(counts) == set(SUBJECTS) and max(counts.values()) == 7
    assert scenes_of(630, 3) == [draw_scene(seed, "train") for seed in (630_000, 630_001, 630_002)]


def test_swapping_the_average_twice_changes_nothing():
    model = _two_layers()
    average = WeightAverage(model, decay=0.9)
    _step(model, MuonAdamW(model, lr=1e-2), seed=0)
    average.update(model)
    before = [p.detach().clone() for p in model.parameters()]
    average.swap(model)
    assert not torch.equal(before[0], next(model.parameters()))
    average.swap(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_the_autoencoder_learns_a_clip(runs):
    torch.manual_seed(0)
    model = StreamingAutoencoder(autoencoder_tiny())
    optimizer = MuonAdamW(model, lr=3e-3, by_adam=("conv_in", "conv_out"))
    video = to_video(read_shards(runs / "data")[0].frames_NFHWC[:1, :5])
    first = reconstruction_loss(model, video).item()
    for _ in range(60):
        loss = reconstruction_loss(model, video)
        loss.backward()
        optimizer.step(1.0, max_norm=2.0)
    assert loss.item() < 0.5 * first


class _Painter:
    """A decoder that paints all a little too bright, or every second frame too bright and the others too dark; of grey clips."""

    def __init__(self, flickers: bool):
        self.flickers = flickers

    def raw_latents(self, video_BCTHW):
        return video_BCTHW

    def decode_raw(self, latents_BCTHW):
        frames = torch.arange(latents_BCTHW.shape[2])[:, None, None]
        off_T11 = torch.where(frames % 2 == 1, -0.1, 0.1) if self.flickers else torch.full(frames.shape, 0.1)
        return torch.zeros_like(latents_BCTHW) + off_T11


class _NoOpponent:
    def loss(self, made_BCTHW, rendered_BCTHW, plain_BCTHW, step):
        return made_BCTHW.new_zeros(())


def test_of_two_equal_errors_the_one_that_flickers_costs_more_and_most_in_the_decoders_own_stage():
    video, stage = torch.zeros(1, 3, 9, 32, 32), autoencoder_stage
    # By how much neighbouring frames differ, 0.2, and by how much that changes, 0.4.
    own = stage._STEADY_WEIGHT * (0.2 + 0.4) + stage._FLICKER_WEIGHT * 0.2
    for loss, more in ((reconstruction_loss, 0.15 * 0.2), (lambda *given: decoder_loss(*given, _NoOpponent(), 0), own)):
        steady, flickering = (loss(_Painter(flickers), video).item() for flickers in (False, True))
        assert flickering - steady == pytest.approx(more, rel=0.02)


def test_dead_channels_are_drawn_anew_and_the_picture_stays():
    torch.manual_seed(0)
    model, video = StreamingAutoencoder(autoencoder_tiny()), torch.rand(2, 3, 9, 32, 32) * 2 - 1
    block = model.decoder.middle[1]
    with torch.no_grad():
        block.conv1.bias[:3] = -100.0
        encoder, painted = model.encoder.conv_in.weight.clone(), model.decode_raw(model.raw_latents(video))
        drawn = revive(model, video)
        torch.testing.assert_close(model.decode_raw(model.raw_latents(video)), painted, atol=1e-4, rtol=1e-4)
    assert drawn["middle.1"] == 3 and not revive(model, video)
    assert torch.equal(model.encoder.conv_in.weight, encoder)


def test_blocks_do_not_learn_along_the_mean_of_what_they_see():
    torch.manual_seed(0)
    model, video = StreamingAutoencoder(autoencoder_tiny()), torch.rand(2, 3, 9, 32, 32) * 2 - 1
    layer, seen = model.decoder.coarse[0].conv1, []
    along = []
    for _ in range(2):  # before and after
        handle = layer.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].mean(dim=(0, 2, 3))))
        reconstruction_loss(model, video).backward()
        handle.remove()
        along.append((layer.weight.grad * seen[0][:, None, None]).sum(dim=(1, 2, 3)).abs().max() / layer.weight.grad.norm())
        layer.weight.grad = None
        keep_alive(model, video)
    assert along[1] < 0.05 * along[0]


def _small_crops(shards, random):
    return random_crops(shards, random, batch=1, num_frames=5, size=32)


def _small_crops_or_stills(shards, random):
    return random_crops(shards, random, batch=1, num_frames=int(random.choice([1, 5])), size=32)


def test_the_autoencoder_stage_resumes_and_the_decoder_stage_keeps_the_encoder(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("lanterne.train.autoencoder._draw_batch", _small_crops)
    monkeypatch.setattr("lanterne.train.autoencoder._draw_for_decoder", _small_crops_or_stills)
    quiet = {"on_log": lambda row: None}
    train_autoencoder(runs / "data", tmp_path, autoencoder_tiny(), minutes=0.01, **quiet)
    first = load_state(tmp_path / "autoencoder.pt")
    more = first["seconds"] / 60 + 0.02  # however slow the machine is just now
    model = train_autoencoder(runs / "data", tmp_path, autoencoder_tiny(), minutes=more, **quiet)
    assert load_state(tmp_path / "autoencoder.pt")["step"] > first["step"] > 0
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model = train_autoencoder(runs / "data", tmp_path, autoencoder_tiny(), minutes=0.02, frozen=model, **quiet)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}
    assert changed and all(name.startswith("decoder.") for name in changed)  # nor the latents' normalisation
    files = [(tmp_path / f"{stage}.jsonl").read_text().splitlines() for stage in ("autoencoder", "decoder")]
    assert [len(lines) for lines in files] == [2, 1]
    rows = [json.loads(line) for lines in files for line in lines]
    assert all(row["psnr"] > 0 and row["sharpness"] > 0 for row in rows)


@pytest.fixture(scope="module")
def latents(runs):
    torch.manual_seed(0)
    model = StreamingAutoencoder(autoencoder_tiny()).eval()
    assert cache_latents(runs / "data", runs / "latents", model) == 2
    assert cache_latents(runs / "data", runs / "latents", model) == 0
    cache_latents(runs / "data-val", runs / "latents-val", model)
    return model


def test_cached_latents_are_those_of_the_clips_and_their_mirror_images(runs, latents):
    clips, shard = read_shards(runs / "data")[0], read_latents(runs / "latents")[0]
    assert shard.latents_NTCHW.shape == (4, 5, 4, 2, 3)
    with torch.no_grad():
        expected = latents.encode(to_video(clips.frames_NFHWC[1:, :, :, ::-1]))[0].transpose(0, 1)
    assert np.abs(shard.latents_NTCHW[3] - expected.numpy()).max() < 0.05


def test_a_shard_knows_where_its_subjects_are(runs, latents):
    scene = replace(draw_scene(3), family="dunes", time_of_day="noon", weather="clear", season=None, features=(), subject="balloon")
    scene = replace(scene, event=None, solids=(), relation=None)
    classes_THW = render(scene, 64, 48, 5).classes_THW
    things_THW = things_of(classes_THW)
    assert things_THW.shape == (5, 3, 4) and 0 < things_THW.max() <= 255
    assert things_THW[2, 1, 3] == round(255 * (classes_THW[2, 16:32, 48:] == THING).mean())
    clips = Shard(np.zeros((1, 5, 48, 64, 3), np.uint8), things_THW[None], (scene,), "clips")
    cached_NTHW = latent_cache._things_of(clips)
    assert cached_NTHW.shape == (2, 2, 3, 4) and (cached_NTHW[1] == cached_NTHW[0, :, :, ::-1]).all()
    assert (cached_NTHW[0, 0] == things_THW[0]).all() and np.abs(cached_NTHW[0, 1] - things_THW[1:].mean(0)).max() <= 0.5
    shard = read_latents(runs / "latents")[0]
    assert shard.things_NTHW.shape == (4, 5, 2, 3)


@pytest.mark.parametrize("sigma, share", [(0.3, 1.0), (stage.SETTLED, 1.0), ((1 + stage.SETTLED) / 2, 0.5), (1.0, 0.0)])
def test_an_error_counts_more_where_the_subject_is_but_not_where_it_may_be_anywhere(sigma, share):
    things_BTHW = torch.zeros(3, 1, 6, 6)
    things_BTHW[:, :, :3, :3] = 1
    sigma_BT, weight_BT = torch.full((3, 1), sigma), torch.ones(3, 1)
    losses = {}
    for name, rows in (("subject", slice(0, 3)), ("elsewhere", slice(3, 6))):
        def model(noisy, *_, rows=rows, **__):  # right but for an error of 1 at nine places
            error = torch.zeros_like(noisy)
            error[:, :, :, rows, :3] = 1
            torch.manual_seed(0)
            return torch.randn_like(noisy) + error

        batch = stage.Batch(torch.zeros(3, 4, 1, 6, 6), things_BTHW, torch.zeros(3, 2, 8), sigma_BT, weight_BT, None, (1,))
        torch.manual_seed(0)
        losses[name] = stage.flow_matching_loss(model, batch).item()
    assert losses["subject"] == pytest.approx((1 + share * stage.THINGS_WEIGHT) * losses["elsewhere"], rel=0.02)


def test_cached_texts_are_those_of_the_captions(runs, latents):
    from lanterne.models.text_encoder import TextEncoder

    clips, shard = read_shards(runs / "data")[0], read_latents(runs / "latents")[0]
    first = captions(clips.scenes[0], clips.scenes[0].seed * 2 * PHRASINGS)
    expected = TextEncoder.load().encode([first["short"]])[0].numpy()
    start, stop = shard.spans_NK2[0, 0]
    assert np.abs(shard.text_MD[start:stop] - expected[: stop - start]).max() < 0.05 and not expected[stop - start :].any()


def test_latents_of_two_encoders_are_not_mixed(runs, latents):
    torch.manual_seed(1)
    with pytest.raises(LanterneError, match="another autoencoder"):
        cache_latents(runs / "data", runs / "latents", StreamingAutoencoder(autoencoder_tiny()))


@pytest.mark.parametrize("chunks", [(1,), (5,), (5, 4), (5, 4, 4, 4)])
def test_noise_levels_are_one_per_chunk_and_given_frames_weigh_nothing(chunks):
    sigma_BT, weight_BT = batches.draw_sigmas(np.random.default_rng(0), 200, chunks)
    assert sigma_BT.shape == weight_BT.shape == (200, sum(chunks))
    assert sigma_BT.min() >= 0 and sigma_BT.max() <= 1
    assert (weight_BT[:, -1] == 1).all() or chunks == (1,)
    assert (sigma_BT[weight_BT == 0] <= batches.HISTORY_SIGMA).all()
    for row, weights in zip(sigma_BT, weight_BT, strict=True):
        assert len(np.unique(row[weights == 1])) <= len(chunks)
    if len(chunks) > 1:
        assert 0.1 < (weight_BT == 0).mean() < 0.7


def test_a_window_keeps_the_first_chunk_and_may_leave_out_what_follows():
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(100):
        frames, spans = batches.window(17, 9, random)
        assert spans == (FIRST_CHUNK, CHUNK)
        assert frames[:FIRST_CHUNK].tolist() == [0, 1, 2, 3, 4] and np.diff(frames[FIRST_CHUNK:]).tolist() == [1, 1, 1]
        seen.add(int(frames[FIRST_CHUNK]))
    assert seen == {5, 9, 13}


def test_a_batch_holds_clips_of_the_cache_with_their_own_captions_and_subjects(runs, latents):
    clips, shards = batches.Clips(runs / "latents"), read_latents(runs / "latents")
    assert len(clips) == sum(len(shard.latents_NTCHW) for shard in shards)
    for length in (1, 5, 9):
        batch = clips.draw(np.random.default_rng(length), 40, ((length, 1.0),))
        assert batch.latents_BCTHW.shape[:3:2] == (40 // length, length) and sum(batch.chunk_lengths) == length
        for index, latents_TCHW in enumerate(batch.latents_BCTHW.transpose(1, 2)):
            wanted = [
                (shard, entry)
                for shard in shards
                for entry, clip in enumerate(shard.latents_NTCHW)
                if np.array_equal(clip[0], latents_TCHW[0].half().numpy())
            ]
            assert len(wanted) == 1
            shard, entry = wanted[0]
            assert np.allclose(batch.things_BTHW[index, 0] * 255, shard.things_NTHW[entry][0], atol=0.01)
            said = batch.text_BLD[index]
            texts = [shard.text_MD[start:stop] for start, stop in shard.spans_NK2[entry]]
            spoken = said[said.abs().sum(dim=-1) > 0].half().numpy()
            assert not len(spoken) or any(np.array_equal(spoken, text) for text in texts)


def test_shards_that_were_written_since_are_taken_in(runs, latents, tmp_path):
    for path in (runs / "latents").glob("clips-00000*"):
        (tmp_path / path.name).symlink_to(path)
    clips = batches.Clips(tmp_path)
    before = len(clips)
    for path in (runs / "latents").glob("clips-00001*"):
        (tmp_path / path.name).symlink_to(path)
    clips.refresh()
    clips.refresh()
    assert len(clips) == len(batches.Clips(runs / "latents")) > before > 0
    ours, theirs = (one.draw(np.random.default_rng(0), 9, ((9, 1.0),)) for one in (clips, batches.Clips(runs / "latents")))
    assert torch.equal(ours.text_BLD, theirs.text_BLD) and torch.equal(ours.latents_BCTHW, theirs.latents_BCTHW)


def test_the_transformer_stage_runs_logs_and_resumes(runs, latents, tmp_path):
    config = replace(tiny(), in_channels=4, out_channels=4, text_width=384)
    rows, spent = [], 0.0
    for _ in range(2):  # each a second more, however slow the machine is just now
        model = stage.train_transformer(
            runs / "latents", tmp_path, config, spent / 60 + 0.02, compiled=False, batch_frames=10, on_log=rows.append
        )
        spent = load_state(tmp_path / "transformer.pt")["seconds"]
    assert rows[-1]["step"] > rows[0]["step"] > 0
    assert rows[-1]["held_out"] > 0 and rows[-1]["tokens_per_second"] > 0 and "mfu" not in rows[-1]  # of a processor
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_compiling_ahead_leaves_the_weights_as_they_are():
    config = replace(tiny(), in_channels=4, out_channels=4, text_width=384)
    model = SpacetimeTransformer(config)
    before = [parameter.clone() for parameter in model.parameters()]
    stage.compile_ahead(model, 5, "cpu")
    assert all(torch.equal(now, then) and now.grad is None for now, then in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("routed", [False, True])
def test_a_steps_operations_are_those_that_torch_counts(routed):
    config = replace(tiny(), num_heads=4, head_dim=32, num_layers=4, ffn_width=512, text_width=64)
    random = np.random.default_rng(0)
    sigma_BT, weight_BT = batches.draw_sigmas(random, 2, (5, 4))
    places_BTHW2 = grid(9, 6, 8).expand(2, -1, -1, -1, -1).float()
    drawn = torch.randn(2, 4, 9, 6, 8), torch.zeros(2, 9, 6, 8), torch.randn(2, 64, 64)
    batch = stage.Batch(*drawn, torch.from_numpy(sigma_BT), torch.from_numpy(weight_BT), places_BTHW2, (5, 4))
    model = SpacetimeTransformer(config)
    with FlopCounterMode(display=False) as counter:
        stage.flow_matching_loss(model, batch, batches.draw_route(batch) if routed else None).backward()
    # The formula takes the backward pass as twice the forward one: no less for layers whose input needs no gradient.
    assert counter.get_total_flops() == pytest.approx(stage.training_flops(config, batch, routed), rel=0.02)


def test_training_goes_on_from_finished_weights(runs, latents, tmp_path, tiny_weights):
    from typer.testing import CliRunner

    from lanterne.train.commands import app

    def train(*arguments):
        return CliRunner().invoke(app, [*arguments, "--runs", str(tmp_path)])

    finished = checkpoint.load(tiny_weights)
    assert train("adopt", "--weights", str(tiny_weights)).exit_code == 0
    assert train("adopt", "--weights", str(tiny_weights)).exit_code == 2  # what is there is not overwritten
    adopted = load_state(tmp_path / "dit" / "transformer.pt")["model"]
    for name, value in finished.state_dicts["transformer"].items():
        assert torch.equal(adopted[name], value)
    kept = checkpoint.load(tmp_path / "autoencoder.safetensors")
    assert kept.metadata == finished.metadata
    for name, value in finished.state_dicts["autoencoder"].items():
        assert torch.equal(kept.state_dicts["autoencoder"][name], value)

    assert train("assemble", "--weights", str(tiny_weights)).exit_code == 0
    assembled = checkpoint.load(tmp_path / "lanterne.safetensors")
    for part in ("transformer", "autoencoder"):
        for name, value in finished.state_dicts[part].items():
            assert torch.allclose(assembled.state_dicts[part][name], value, atol=0.02 * value.abs().max().item() + 1e-6)

    (tmp_path / "data").symlink_to(runs / "data")
    cache_latents(runs / "data", tmp_path / "latents", kept.build("autoencoder"))
    rows = []
    config = finished.configs["transformer"]
    stage.train_transformer(tmp_path / "latents", tmp_path / "dit", config, 0.02, compiled=False, batch_frames=5, on_log=rows.append)
    assert rows[-1]["step"] > 0


def test_a_shard_needs_its_scenes():
    scene = draw_scene(1)
    shard = Shard(np.zeros((1, 1, 2, 2, 3), np.uint8), np.zeros((1, 1, 1, 1), np.uint8), (scene,), "clips")
    assert len(shard.scenes) == len(shard.frames_NFHWC)


@pytest.mark.parametrize("model", [Upscaler(upscaler_tiny()), StreamingAutoencoder(autoencoder_tiny()), SpacetimeTransformer(tiny())])
def test_the_optimizer_moves_every_parameter_that_has_a_gradient(model):
    optimizer = MuonAdamW(model, lr=1e-2)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step(1.0)
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []
