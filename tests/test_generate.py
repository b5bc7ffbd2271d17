"""The road's properties, on a tiny model: exact lengths, exact repetition, exact resumption, bounded memory."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lanterne import generate as generation
from lanterne.camera import CameraMotion
from lanterne.errors import Cancelled
from lanterne.evaluate.sample import sample
from lanterne.flow import frames_for
from lanterne.generate import Conditions, Engine, Run, generate, joined, spans_of
from lanterne.request import GUIDANCE, Request, RequestError


@pytest.fixture(scope="module")
def engine(tiny_weights):
    return Engine.load(tiny_weights, dtype=torch.float32)


def _request(**changes):
    return Request(**({"prompt": "a lake at dawn", "seed": 3, "seconds": 1, "steps": 2} | changes))


def _frames(engine, request, *args, **options):
    return np.concatenate(list(generate(engine, request, *args, **options)))


@pytest.mark.parametrize("seconds", [0, 0.25, 0.3, 1, 1.5, 2.9])
def test_as_many_frames_as_asked_for(engine, seconds):
    request = _request(seconds=seconds)
    assert _frames(engine, request).shape == (request.num_frames, 144, 256, 3)
    assert request.num_frames == max(1, round(16 * seconds))


@pytest.mark.parametrize(
    ("size", "native"), [((256, 144), (256, 144)), ((1920, 1080), (256, 144)), ((720, 1280), (144, 256)), ((500, 480), (192, 192))]
)
def test_the_trained_size_nearest_in_aspect(size, native):
    assert _request(width=size[0], height=size[1]).native_size == native


def test_the_seed_decides(engine):
    first = _frames(engine, _request())
    assert np.array_equal(first, _frames(engine, _request()))
    assert not np.array_equal(first, _frames(engine, _request(seed=4)))


def test_prompt_guidance_and_negative_prompt_matter(engine):
    first = _frames(engine, _request())
    for changes in ({"prompt": "a city at night"}, {"guidance": 6.0}, {"negative_prompt": "fog"}, {"guidance": 1.0}):
        assert not np.array_equal(first, _frames(engine, _request(**changes)))


@pytest.mark.parametrize("stop_in_chunk", [0, 1, 2])
def test_interrupted_and_resumed_equals_uninterrupted(engine, tmp_path, stop_in_chunk):
    request = _request(seconds=3)
    expected = _frames(engine, request)
    at = {"chunk": -1}
    run = Run(tmp_path, engine, request, Conditions())
    with pytest.raises(Cancelled):
        for _ in generate(
            engine, request, run=run, on_step=lambda progress: at.update(chunk=progress.chunk),
            should_stop=lambda: at["chunk"] == stop_in_chunk,
        ):
            pass
    assert run.finished == stop_in_chunk
    steps = []
    resumed = _frames(engine, request, run=Run(tmp_path, engine, request, Conditions()), on_step=steps.append)
    assert np.array_equal(resumed, expected)
    assert min(progress.chunk for progress in steps) == stop_in_chunk


def test_a_damaged_chunk_is_made_again(engine, tmp_path):
    request = _request(seconds=2)
    run = Run(tmp_path, engine, request, Conditions())
    expected = _frames(engine, request, run=run)
    (run.folder / "chunk-0001.npy").write_bytes(b"\x93NUMPY")
    assert np.array_equal(_frames(engine, request, run=run), expected)


def test_a_chunk_is_joined_to_the_frame_before_it():
    """A chunk that is brighter than what came before is brought nearer to it, its first frame most; fine detail is left alone."""
    last, sigma, x = torch.full((8, 9, 16), 0.3), 0.5, torch.zeros(8, 4, 9, 16)
    brighter = -(last[:, None] + 1).expand_as(x) / sigma  # x - sigma v is what the network estimates: 1 above the last frame
    jumps = (x - sigma * joined(brighter, x, sigma, last) - last[:, None])[0, :, 4, 8]
    assert torch.allclose(jumps, torch.tensor([0.5, 0.75, 0.875, 0.9375]))
    torch.manual_seed(0)
    detail = torch.randn(8, 9, 16)
    detail = detail - F.avg_pool2d(detail[None], 3, 1, 1, count_include_pad=False)[0]
    v = -(last + detail)[:, None].expand_as(x) / sigma
    assert (joined(v, x, sigma, last) - v).std() < 0.25 * v.std()
    assert torch.equal(joined(torch.stack([v, v]), torch.stack([x, x]), sigma, last)[1], joined(v, x, sigma, last))


def test_runs_of_different_requests_are_kept_apart(engine, tmp_path):
    names = {Run(tmp_path, engine, request, Conditions()).name for request in (_request(), _request(seed=9), _request(guidance=4.0))}
    assert len(names) == 3


def test_a_start_image_is_the_first_frame(engine):
    image = np.zeros((144, 256, 3), np.uint8)
    image[:, 128:] = 255
    dark_left = _frames(engine, _request(), Conditions(image_HWC=image))
    latent = engine.autoencoder.encode_step(torch.from_numpy(image).permute(2, 0, 1)[None, :, None] / 127.5 - 1)[0]
    expected = engine.autoencoder.decode_step(latent)[0][0, :, 0].permute(1, 2, 0)
    assert np.abs(dark_left[0] - ((expected + 1) * 127.5).round().numpy()).max() <= 1
    other = _frames(engine, _request(), Conditions(image_HWC=255 - image))
    assert not np.array_equal(dark_left[-1], other[-1])


@pytest.mark.parametrize("history", [1, 5, 7, 17])
def test_continuing_repeats_the_history_and_goes_on(engine, history):
    torch.manual_seed(0)
    latents = torch.randn(history, 8, 9, 16)
    given = Conditions(history_TCHW=latents, history_frames=frames_for(history))
    frames = _frames(engine, _request(), given)
    assert len(frames) == frames_for(history) + 16
    with torch.no_grad():
        expected = engine.autoencoder.decode(latents.transpose(0, 1)[None])[0]
    expected = ((expected + 1) * 127.5).round().permute(1, 2, 3, 0).numpy()
    assert np.abs(frames[: len(expected)] - expected).max() <= 1


def test_continuing_our_own_latents_in_whole_chunks_is_making_the_longer_video(engine, tmp_path):
    """Nine latent frames are two whole chunks: cut there, the rest comes out as if never cut."""
    request = _request(seconds=4)
    run = Run(tmp_path, engine, request, Conditions())
    whole = _frames(engine, request, run=run)
    history = torch.cat([run.chunk(0), run.chunk(1)], dim=1).transpose(0, 1)
    given = Conditions(history_TCHW=history, history_frames=33)
    continued = _frames(engine, _request(seconds=(64 - 33) / 16), given)
    assert np.array_equal(continued, whole)


@pytest.mark.parametrize(("seconds", "pan"), [(2, 0.2), (8, 0.1)])
def test_the_camera_of_a_long_video_is_slow(engine, seconds, pan, monkeypatch):
    seen, places_of = [], generation.places_of

    def looked_at(motion, *given):
        seen.append(motion)
        return places_of(motion, *given)

    monkeypatch.setattr(generation, "places_of", looked_at)
    next(generate(engine, _request(seconds=seconds), read=lambda prompt: (prompt, CameraMotion(pan=0.2))))
    assert seen[0] == CameraMotion(pan=pytest.approx(pan))


def test_an_edit_keeps_the_length_and_weak_ones_keep_the_video(engine):
    clip = [np.full((144, 256, 3), 40 + 5 * index, np.uint8) for index in range(20)]
    source, count = engine.encode_video(iter(clip))
    assert count == 20 and len(source) == 6
    with torch.no_grad():
        kept = ((engine.autoencoder.decode(source.transpose(0, 1)[None])[0] + 1) * 127.5).permute(1, 2, 3, 0).numpy()
    given = Conditions(source_TCHW=source)
    weak = _frames(engine, _request(seconds=20 / 16, strength=0.02), given)
    strong = _frames(engine, _request(seconds=20 / 16, strength=1.0), given)
    assert len(weak) == len(strong) == 20
    assert np.abs(weak - kept[:20]).mean() < np.abs(strong - kept[:20]).mean()


def test_callbacks_tell_the_truth(engine):
    steps, chunks, previews = [], [], []
    request = _request(seconds=2)
    list(
        generate(
            engine, request, on_step=steps.append, on_chunk=lambda done, of: chunks.append((done, of)), on_preview=previews.append
        )
    )
    count = len(spans_of(0, 9))
    assert [(progress.chunk, progress.step) for progress in steps] == [(c, s) for c in range(count) for s in range(2)]
    assert chunks == [(index + 1, count) for index in range(count)]
    assert len(previews) == len(steps) and previews[0].shape[1:] == (144, 256, 3)


def test_frames_come_before_the_end_and_are_let_go(engine):
    """Frames of the first chunk are there before the second has begun."""
    begun = []
    frames = generate(engine, _request(seconds=3), on_step=lambda progress: begun.append(progress.chunk))
    next(frames)
    assert set(begun) == {0}


def test_the_batch_that_evaluates_makes_what_the_road_makes(engine):
    from lanterne.world.prompts import read

    prompts, seeds = ["a lake at dawn", "a city at night, rain"], [3, 4]
    clips = list(sample(engine, prompts, seeds, 33, steps=2, guidance=GUIDANCE))
    for prompt, seed, clip in zip(prompts, seeds, clips, strict=True):
        alone = _frames(engine, _request(prompt=prompt, seed=seed, seconds=33 / 16), read=read)
        assert np.abs(alone.astype(int) - clip).max() <= 2


@pytest.mark.parametrize(("history", "total"), [(0, 1), (0, 5), (0, 6), (0, 17), (1, 6), (5, 9), (7, 20), (17, 18), (9, 9)])
def test_chunks_cover_everything_once_and_respect_the_history(history, total):
    spans = spans_of(history, total)
    assert [frame for start, stop in spans for frame in range(start, stop)] == list(range(total))
    assert history == 0 or history in {stop for _, stop in spans}
    assert all(stop - start <= (5 if start == 0 else 4) for start, stop in spans)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": "x" * 40_000}, "40,000 characters"),
        ({"negative_prompt": "x" * 2001}, "negative prompt has 2,001"),
        ({"seconds": 0.01}, "0.01 seconds"),
        ({"seconds": 10_000}, "10000 seconds"),
        ({"seconds": -1}, "-1 seconds"),
        ({"seconds": float("nan")}, "nan seconds"),
        ({"width": 255}, "width of 255"),
        ({"height": 8}, "height of 8"),
        ({"width": 100_000}, "width of 100000"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**63}, "out of range"),
        ({"steps": 0}, "0 steps"),
        ({"guidance": 0.5}, "guidance of 0.5"),
        ({"guidance": float("nan")}, "guidance of nan"),
        ({"strength": 0}, "strength of 0"),
        ({"strength": 1.1}, "strength of 1.1"),
    ],
)
def test_what_cannot_be_made_is_refused(changes, message):
    with pytest.raises(RequestError, match=message) as error:
        _request(**changes)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)
