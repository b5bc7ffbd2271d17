"""Measures with known answers, a judge that learns, and an evaluation from end to end on a tiny model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lanterne.evaluate import evaluate, metrics
from lanterne.evaluate.card import write_card
from lanterne.evaluate.evaluate import Evaluation, read_prompts, scene_for
from lanterne.evaluate.judge import (
    AXES,
    FOUR_SECONDS,
    FURTHER,
    NOTHING,
    NUM_FRAMES,
    SECOND,
    Judge,
    Lessons,
    accuracies,
    flow,
    load_judge,
    look,
    save_judge,
    train_judge,
)
from lanterne.flow import chunk_spans, frames_for, latent_frames_for
from lanterne.generate import Engine
from lanterne.train import judge as judge_stage
from lanterne.world import render as renderer
from lanterne.world.prompts import understand
from lanterne.world.scene import FAMILIES, Scene, draw_scene, is_sensible

_render = renderer.render


def _plain(level, count=17):
    return np.full((count, 36, 64, 3), level, np.uint8)


def _moving(count=17, speed=2, height=36, width=64):
    """Stripes that move sideways, seamlessly."""
    stripes = (128 + 100 * np.sin(np.arange(width) / width * 8 * np.pi)).astype(np.uint8)
    rows = np.stack([np.roll(stripes, frame * speed) for frame in range(count)])
    return np.broadcast_to(rows[:, None, :, None], (count, height, width, 3)).copy()


# ---- metrics


def test_a_still_video_does_not_move_and_a_faster_one_moves_more():
    assert metrics.motion(_plain(90)) == 0
    assert 0 < metrics.motion(_moving(speed=1)) < metrics.motion(_moving(speed=2))


def test_broad_motion_is_of_what_moves_and_not_of_grain():
    brighter = np.stack([np.full((16, 24, 3), level, np.uint8) for level in (50, 60, 75)])
    assert metrics.broad_motion(brighter) == metrics.motion(brighter) == 12.5
    grain = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    assert metrics.broad_motion(grain) < 0.3 * metrics.motion(grain)


def test_brightness_that_jumps_flickers_and_brightness_that_grows_does_not():
    jumping = np.concatenate([_plain(100 + 20 * (frame % 2), 1) for frame in range(17)])
    growing = np.concatenate([_plain(100 + 2 * frame, 1) for frame in range(17)])
    assert metrics.flicker(jumping) == pytest.approx(40)
    assert metrics.flicker(growing) == pytest.approx(0, abs=1e-3)
    assert metrics.flicker(_plain(5)) == 0


def test_blur_costs_sharpness():
    frames = _moving()
    blurred = ((frames.astype(int) + np.roll(frames, 1, 2) + np.roll(frames, -1, 2)) // 3).astype(np.uint8)
    assert metrics.sharpness(_plain(7)) == 0
    assert metrics.sharpness(blurred) < 0.95 * metrics.sharpness(frames)


def test_psnr_of_an_error_of_one_level():
    assert metrics.psnr(_plain(100), _plain(101)) == pytest.approx(48.13, abs=0.01)


def test_saturation_is_the_distance_from_grey():
    red = _plain(0)
    red[..., 0] = 200
    assert metrics.saturation(red) == 200 and metrics.saturation(_plain(90)) == 0


@pytest.mark.parametrize("num_frames", [1, 17, 18, 33, 34, 65, 128, 960])
def test_chunk_starts_are_those_of_the_road(num_frames):
    spans = chunk_spans(latent_frames_for(num_frames))
    assert metrics.chunk_starts(num_frames) == [frames_for(start) for start, _ in spans[1:]]


def test_a_seam_is_a_jump_at_a_chunk_start_and_only_there():
    steady, seamed, elsewhere = _moving(65), _moving(65), _moving(65)
    assert metrics.seam_ratio(steady) == pytest.approx(1, abs=0.05)
    for start in metrics.chunk_starts(65):
        seamed[start:] = np.roll(seamed[start:], 5, axis=2)
    elsewhere[25:] = np.roll(elsewhere[25:], 5, axis=2)
    assert metrics.seam_ratio(seamed) > 2
    assert metrics.seam_ratio(elsewhere) < 1.05
    assert np.isnan(metrics.seam_ratio(steady[:17]))


def test_drift_is_the_largest_change_of_a_window_in_percent_of_the_first():
    brightening = np.concatenate([_plain(level, metrics.WINDOW) for level in (100, 120, 110)])
    assert metrics.drift(brightening)["mean"] == pytest.approx(20)
    assert metrics.drift(np.concatenate([_moving(metrics.WINDOW)] * 3)) == pytest.approx({"mean": 0, "saturation": 0, "sharpness": 0})


def test_the_nearest_row_and_its_distance():
    rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    distances, places = metrics.nearest(np.array([[3.0, 3.0], [0.0, 0.5]]), rows)
    assert places.tolist() == [1, 0]
    assert distances == pytest.approx([np.sqrt(0.5), np.sqrt(0.125)])


def test_equal_pictures_have_no_spread():
    assert metrics.spread(np.ones((4, 6))) == 0
    assert metrics.spread(np.array([[0.0], [2.0]])) == pytest.approx(2)


def test_thumbnails_are_block_means():
    frames = np.zeros((2, 144, 256, 3), np.uint8)
    frames[1, :, 128:] = 255
    small = metrics.thumbnails(frames).reshape(2, 18, 32, 3)
    assert small[0].max() == 0 and small[1, :, :16].max() == 0 and small[1, :, 16:].min() == 255


# ---- the judge


def test_the_judge_has_a_logit_for_every_value_and_three_million_parameters():
    judge = Judge().eval()
    clips = np.random.default_rng(0).integers(0, 256, (3, 33, 144, 256, 3), dtype=np.uint8)
    logits = judge(look(clips))
    values = AXES | FURTHER
    assert {axis: tuple(part.shape) for axis, part in logits.items()} == {axis: (3, len(values[axis])) for axis in values}
    assert sum(p.numel() for p in judge.parameters()) <= 3.1e6
    assert set(judge.verdicts(clips)["camera"]) <= set(AXES["camera"])


def _shifted_noise(down, right, count=17):
    """Soft noise without an edge, (T, 72, 128, 3), that moves by these pixels a frame, tenths of one too."""
    rows, columns = np.fft.fftfreq(72)[:, None], np.fft.rfftfreq(128)[None]
    spectrum = np.fft.rfft2(np.random.default_rng(0).standard_normal((72, 128))) * np.exp(-(rows**2 + columns**2) / (2 * 0.08**2))
    turns = [np.exp(-2j * np.pi * frame * (rows * down + columns * right)) for frame in range(count)]
    noise = np.stack([np.fft.irfft2(spectrum * turn, s=(72, 128)) for turn in turns])
    levels = (128 + 45 * noise / noise.std()).round().clip(0, 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=-1)


@pytest.mark.parametrize("down, right", [(0, 0), (0, 1), (0, -2), (1, 0), (-1, 1), (0, 0.02), (0.25, -0.25)])
def test_flow_is_how_far_the_picture_moved_down_to_tenths_of_a_pixel(down, right):
    pressed = flow(look(_shifted_noise(down, right)[None]))[0].unflatten(0, (-1, 2))
    whole, *halves, start, middle, end = (pressed.sign() * (pressed.abs().exp() - 1) / 4).flatten(2).median(dim=2).values
    for frames, spans in ((4, (start, middle, end)), (8, halves), (16, (whole,))):
        for span in spans:
            if frames * max(abs(down), abs(right)) <= 8:  # what is farther away than the picture's detail is not found again
                assert span.tolist() == pytest.approx([frames * right, frames * down], abs=0.1)


def test_flow_of_an_even_picture_is_none():
    assert flow(look(_plain(90)[None])).abs().max() < 1e-3


def test_the_judge_says_how_many_frames_it_needs():
    with pytest.raises(ValueError, match=f"{NUM_FRAMES} frames and was given 9"):
        look(_plain(3, 9)[None])


def _toy_clips():
    """Clips told apart by one look: bright or dark, stripes going left or right."""
    clips, scenes = [], []
    for index in range(16):
        dark, left = index % 2, index // 2 % 2
        clip = np.roll(_moving(speed=-2 if left else 2, height=72, width=128), 5 * index, axis=2)
        clips.append(clip // (6 if dark else 1))
        scenes.append(
            Scene(index, "ocean", "night" if dark else "noon", "clear", None, "pan_right" if left else "pan_left", "steady", ())
        )
    return Lessons.of(look(np.stack(clips)), scenes)


def test_the_judge_learns_light_and_direction_and_is_the_same_after_saving(tmp_path):
    lessons = _toy_clips()
    judge = train_judge(lessons, epochs=25)
    shares = accuracies(judge, lessons)
    assert shares["time_of_day"][0] > 0.9 and shares["camera"] > (0.9, 0)
    assert "season" not in shares and shares["subject"] == (1, 16)
    save_judge(judge, tmp_path / "judge.safetensors")
    loaded = load_judge(tmp_path / "judge.safetensors")
    assert accuracies(loaded, lessons) == shares
    assert loaded.name != "untrained" and loaded.name == load_judge(tmp_path / "judge.safetensors").name


def test_the_judge_that_ships_sees_no_event_where_nothing_happens():
    """It once named the event of half of these from their first frame alone: by the light in which such events begin."""
    seeds = [seed for seed in range(9_800_000, 9_800_200) if draw_scene(seed, "any").event][:4]
    clips = np.stack([_render(draw_scene(seed, "any"), 128, 72, 2, step=64).frames_THWC for seed in seeds])
    judge = load_judge()
    for frame in (0, 1):
        still = np.repeat(clips[:, frame : frame + 1], NUM_FRAMES, axis=1)
        assert judge.verdicts(still)["event"] == [NOTHING] * len(seeds)


def test_the_judge_learns_from_small_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(judge_stage, "_PER_FILE", 3)
    for _ in range(2):  # rendered, then read
        judge_stage._render_lessons(tmp_path / "clips-00000.npz")
        judge_stage._render_lessons(tmp_path / "eventful-00000.npz")
        lessons = judge_stage.small_lessons(tmp_path, 3, workers=1)
        assert lessons.looks_NCHW.shape == (6, 18, 72, 128)
        assert lessons.pace_N.tolist() == [*[SECOND] * 3, *[FOUR_SECONDS] * 3]
        assert (lessons.classes_NKHW.float().sum(dim=1) / 255 - 1).abs().max() < 0.03  # every place shows something
    whole = _render(draw_scene(9_000_000, "any"), 128, 72, 17).frames_THWC
    assert (look(whole[None])[0] == lessons.looks_NCHW[0]).all()  # every second frame is as it is in the whole clip
    shares = accuracies(Judge().eval(), lessons)
    assert shares["camera"][1] == 3  # four seconds do not tell it
    assert shares["event"][1] == 3 and sum(scene.event is not None for scene in lessons.scenes[3:]) >= 2  # nor one second what happens
    whole = _render(lessons.scenes[4], 128, 72, 65).frames_THWC
    assert (look(whole[None, ::FOUR_SECONDS])[0] == lessons.looks_NCHW[4]).all()


# ---- the evaluation


def test_a_prompts_scene_shows_what_the_prompt_says():
    for index, row in enumerate(read_prompts()):
        scene = scene_for(row, 20_000_000 + index)
        assert is_sensible(scene)
        assert all(row[axis] in (None, getattr(scene, axis)) for axis in AXES)


def _coarse(scene, width, height, num_frames):
    """The real renderer at a quarter of the size, for time's sake."""
    made = _render(scene, width // 4, height // 4, num_frames)
    return replace(made, frames_THWC=made.frames_THWC.repeat(4, axis=1).repeat(4, axis=2))


@pytest.fixture
def evaluation(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "STEPS", 2)
    monkeypatch.setattr(evaluate, "_ROLLOUTS", evaluate._ROLLOUTS[:1])
    monkeypatch.setattr(evaluate, "_SEEDS", 2)
    monkeypatch.setattr(evaluate, "_RANDOM", 6)
    few = tmp_path / "few.txt"
    few.write_text("dunes at noon, a very long way from anything else that could be there, static camera, and clear sky above it\na lake")
    monkeypatch.setattr(evaluate, "CHOSEN", few)
    monkeypatch.setattr(renderer, "render", _coarse)
    torch.manual_seed(0)
    lines = []
    made = Evaluation(Engine.load(tiny_weights, dtype=torch.float32), Judge().eval(), tmp_path / "runs", lines.append, limit=10)
    made.lines = lines
    return made


def test_an_evaluation_writes_a_card_with_every_row_and_its_pictures(evaluation, tmp_path):
    report, pairs = evaluation.all(quick=True)
    assert pairs == [] and report["nearest"] is None  # there is no training data here
    for name in ("renders", "reconstructions", "model", "floor"):
        stated = [axis for axis in AXES if any(row[axis] and row["part"] == "plain" for row in evaluation.rows)]
        assert len(stated) >= 4
        for axis in stated:
            figures = report["attributes"][name][axis]
            assert 0 <= figures["low"] <= figures["accuracy"] <= figures["high"] <= 1
    asked = [row for row in evaluation.rows if row["camera"] and row["part"] != "roundabout"]
    assert sum(one["count"] for one in report["cameras"].values()) == len(asked) >= report["attributes"]["model"]["camera"]["count"] > 0
    clips = evaluation.clips()
    pictures = [[clip[8], clip[9]] for clip in clips["renders"][:2]]
    path = tmp_path / "docs" / "card.md"
    samples = evaluation.samples()
    assert [len(pictures_NHWC) for _, pictures_NHWC in samples.values()] == [2, 6]
    report["rollout_60"] = report["rollout_8"]  # in the place of a minute, which takes minutes
    minute = ["a lake", "dunes"], [[clip[frame] for frame in range(5)] for clip in clips["renders"][:2]]
    about = {"Transformer": "tiny"}
    write_card(report, clips["renders"], evaluation.rows, pictures, path, about, "lanterne evaluate", samples, minute=minute)
    text = path.read_text()
    for expected in ("**the model**", "ceiling", "floor", "8 s", "60 s", "PSNR", "What it was trained on", "What it cannot do", "tiny"):
        assert expected in text
    assert "nan" not in text.lower().replace("lanterne", "")
    for name in ("model-card", "model-card-chosen", "model-card-random", "model-card-minute"):
        with Image.open(tmp_path / "docs" / f"{name}.jpg") as sheet:
            assert sheet.width > 1000
        assert (tmp_path / "docs" / f"{name}.jpg").stat().st_size < 600_000


def test_the_chosen_prompts_are_twenty_of_which_the_world_knows_every_family():
    prompts = evaluate.CHOSEN.read_text().splitlines()
    assert len(prompts) == len(set(prompts)) == 20
    assert {understand(prompt).family for prompt in prompts} == set(FAMILIES)


def test_an_interrupted_evaluation_goes_on_where_it_stopped(evaluation):
    shape = (NUM_FRAMES, 144, 256, 3)

    def make(start, until=99):
        for index in range(start, len(evaluation.rows)):
            if index == until:
                raise KeyboardInterrupt
            yield np.full(shape, index, np.uint8)

    path = evaluation.folder / "x.npy"
    with pytest.raises(KeyboardInterrupt):
        evaluation._kept(path, lambda start: make(start, until=9), "clips", (10, NUM_FRAMES))
    assert not path.exists()
    begun = []
    clips = evaluation._kept(path, lambda start: begun.append(start) or make(start), "clips", (10, NUM_FRAMES))
    assert begun == [8]  # the last whole batch
    assert [int(clip.max()) for clip in clips] == list(range(10))


def test_the_floor_is_what_a_model_deaf_to_its_prompt_would_get(evaluation):
    values = {axis: [row[axis] or AXES[axis][0] for row in evaluation.rows] for axis in AXES}
    table = evaluation.attributes({"renders": values, "reconstructions": values, "model": values})
    assert all(table["model"][axis] is None or table["model"][axis]["accuracy"] == 1 for axis in AXES)
    assert table["floor"]["family"]["accuracy"] < 0.5
