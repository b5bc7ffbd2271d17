"""Guidance by two passes, and by one of a network that learnt what the two give."""

import shutil
from copy import deepcopy

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lanterne.flow import TIMESTEPS
from lanterne.generate import Conditions, Engine, generate, guided_beside, places_of, run_name
from lanterne.guidance import CONTEXT_SIGMA, OnePass, TwoPasses, guidance_at
from lanterne.models import checkpoint
from lanterne.request import GUIDANCE, Request
from lanterne.samplers import guided
from lanterne.train import guidance as stage
from lanterne.train.commands import app
from lanterne.world.prompts import read


@pytest.fixture(scope="module")
def engine(tiny_weights):
    return Engine.load(tiny_weights, dtype=torch.float32)


def _latents(count, frames=4):
    return torch.randn(count, 8, frames, 9, 16)


@torch.inference_mode()
def test_two_passes_are_one_with_and_one_without_the_prompt(engine):
    """What comes first is guided in full; what comes later by less, and towards a history that only the prompt's side has."""
    torch.manual_seed(1)
    model, text_BLD = engine.transformer, engine.text_encoder.encode(["a lake at dawn", "a city at night"])
    motions, nothing, noise = [read(prompt)[1] for prompt in ("slow pan left", "static camera")], torch.zeros_like(text_BLD), _latents(2, 5)
    two, alone = TwoPasses(model, text_BLD, nothing, GUIDANCE), [OnePass(model, text_BLD), OnePass(model, nothing)]
    first, later, sigma = _latents(2, 5), _latents(2), torch.tensor([[0.7]])
    standing = torch.cat([places_of(motion, two.cache, 0, 5, 9, 16) for motion in motions])
    expected = guided(*(one.velocity(first, sigma, 0, standing) for one in alone), GUIDANCE)
    assert torch.allclose(two.velocity(first, sigma, 0, standing), expected, atol=1e-5)

    two.remember(first, noise, standing)
    alone[0].remember(first, noise, standing)
    model.remember(noise, torch.tensor([[float(TIMESTEPS)]]), alone[1].text, alone[1].cache, standing)
    standing = torch.cat([places_of(motion, two.cache, 5, 9, 9, 16) for motion in motions])
    expected = guided(*(one.velocity(later, sigma, 5, standing) for one in alone), guidance_at(5, GUIDANCE))
    assert torch.allclose(two.velocity(later, sigma, 5, standing), expected, atol=1e-5)
    assert 1 < guidance_at(5, GUIDANCE) < GUIDANCE and 0 < CONTEXT_SIGMA < 1


class _Steps:
    """A clock that goes by steps, ten a second: what is learnt is then the same on every machine."""

    def __init__(self, minutes, spent=0.0):
        self.budget, self.spent = 60 * minutes, spent

    @property
    def part(self):
        self.spent += 0.1
        return min(1.0, self.spent / self.budget)


def test_a_network_learns_what_two_passes_give(engine, tmp_path, monkeypatch):
    """On its own way, from many chunks and from given first frames; and goes on where it stopped."""
    monkeypatch.setattr(stage, "Clock", _Steps)
    monkeypatch.setattr(stage, "_EVERY_SECONDS", 1)
    monkeypatch.setattr(stage, "_LENGTHS", ((1, 0.4), (5, 0.4), (9, 0.2)))
    monkeypatch.setattr(stage, "_USUAL_STEPS", 1.0)
    teacher, rows = deepcopy(engine.transformer), []
    for block in teacher.blocks:  # random weights hardly listen
        block.attn2.to_out[0].weight *= 8
    stage.distil_guidance(teacher, engine.text_encoder, tmp_path, 0.1, on_log=rows.append)
    monkeypatch.setattr(stage, "_FROM_A_STILL", 1.0)
    monkeypatch.setattr(stage, "_LENGTHS", ((5, 1.0),))
    student = stage.distil_guidance(teacher, engine.text_encoder, tmp_path, 0.15, on_log=rows.append)
    steps = [row["step"] for row in rows]
    assert steps == sorted(steps) and len(rows) > 2
    assert not any(parameter.requires_grad for parameter in student.parameters())

    texts, x, sigma = engine.text_encoder.encode(["waves on a beach at noon"]), _latents(1, 5), torch.tensor([[1.0]])
    with torch.inference_mode():
        standing = places_of(read("static camera")[1], student.new_cache(), 0, 5, 9, 16)
        target = TwoPasses(teacher, texts, torch.zeros_like(texts), GUIDANCE).velocity(x, sigma, 0, standing)
        before, after = (OnePass(model, texts).velocity(x, sigma, 0, standing) for model in (teacher, student))
    assert (after - target).square().mean() < 0.8 * (before - target).square().mean()


def _video(engine, **changes):
    request = Request(**({"prompt": "a lake at dawn", "seed": 3, "seconds": 1, "steps": 2} | changes))
    return np.concatenate(list(generate(engine, request))), run_name(engine, request, Conditions())


def test_the_distilled_network_is_used_where_it_fits_and_nowhere_else(engine, tiny_weights, tmp_path):
    weights = tmp_path / "mine.safetensors"
    shutil.copy(tiny_weights, weights)
    done = CliRunner().invoke(app, ["guidance", "--minutes", "0.05", "--weights", str(weights), "--runs", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    made = tmp_path / "runs" / guided_beside(weights).name
    assert made.name == "mine-guided.safetensors" and "copy it beside" in done.stderr

    shutil.copy(made, guided_beside(weights))
    quick = Engine.load(weights, dtype=torch.float32)
    assert isinstance(quick.network(["a lake"], GUIDANCE), OnePass)
    plain, name = _video(engine)
    quicker, other_name = _video(quick)
    assert plain.shape == quicker.shape and not np.array_equal(plain, quicker) and name != other_name
    for changes in ({"guidance": 2.0}, {"guidance": 1.0}, {"negative_prompt": "fog"}):  # it knows nothing of these
        (expected, its_name), (same, same_name) = _video(engine, **changes), _video(quick, **changes)
        assert np.array_equal(expected, same) and its_name == same_name

    other = checkpoint.load(weights)  # weights that were trained on since are not what it was made of
    checkpoint.save(weights, {name: other.build(name) for name in other.configs}, {"training": {"data": "more"}}, dtype="float32")
    assert Engine.load(weights, dtype=torch.float32).guided is None
