"""The recipe for a rented GPU, dry: on this processor, from the pack to a clip of the weights that came back."""

import json

import pytest
from typer.testing import CliRunner

from lanterne.cli import app as lanterne_app
from lanterne.errors import LanterneError
from lanterne.models import checkpoint
from lanterne.models.text_encoder import TextEncoder
from lanterne.models.transformer import nano
from lanterne.train import accelerator
from lanterne.train.commands import app
from lanterne.world.captions import captions
from lanterne.world.scene import draw_scene


def recipe(*arguments):
    done = CliRunner().invoke(app, ["accelerator", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_weights):
    folder = tmp_path_factory.mktemp("runs")
    assert "of 64 MiB travel" in recipe("pack", "--weights", tiny_weights, "--runs", folder)
    return folder


def test_the_dry_run_leaves_weights_that_make_a_clip(runs, tmp_path, tiny_weights, monkeypatch):
    monkeypatch.setattr(accelerator, "PIECE", 100_000)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    output, weights = tmp_path / "back", tmp_path / "joined.safetensors"
    steps = []
    for _ in range(2):
        recipe("stage", "--dry-run", "--minutes", 2, "--output", output, "--runs", runs)
        pieces = sorted(output.glob("lanterne.safetensors.*"))
        assert len(pieces) > 1 and all(piece.stat().st_size <= 100_000 for piece in pieces)
        weights.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        rows = [json.loads(line) for line in (output / "transformer.jsonl").read_text().splitlines()]
        steps.append(rows[-1]["step"])
        assert rows[-1]["held_out"] > 0 and rows[-1]["tokens_per_second"] > 0
    assert steps[1] > steps[0] > 0  # the second stage goes on
    before, after = checkpoint.load(tiny_weights), checkpoint.load(weights)
    assert after.configs == before.configs
    assert {"transformer trained", "decoder trained"} <= set(after.metadata["training"])
    for part, layer in (("transformer", "blocks.1.ffn.net.0.proj.weight"), ("autoencoder", "decoder.conv_out.weight")):
        assert not after.state_dicts[part][layer].equal(before.state_dicts[part][layer])
    order = ["generate", "a lake at dawn", "--seconds", "0.3", "--steps", "2", "--weights", weights, "--output", tmp_path / "clip.mp4"]
    made = CliRunner().invoke(lanterne_app, list(map(str, order)), catch_exceptions=False)
    assert made.exit_code == 0 and (tmp_path / "clip.mp4").stat().st_size > 1000


def test_another_size_starts_anew_and_keeps_the_autoencoder(tmp_path, tiny_weights):
    before = checkpoint.load(tiny_weights)
    modules = {part: before.build(part) for part in before.configs}
    training = {"transformer trained": "for years", "decoder trained": "too"}
    checkpoint.save(tmp_path / "pack" / "start.safetensors", modules, {"training": training}, dtype="float32")
    assert accelerator._go_on(tmp_path, "nano") == nano()
    assert not (tmp_path / "dit" / "transformer.pt").exists()
    kept = checkpoint.load(tmp_path / "autoencoder.safetensors")
    assert kept.metadata["training"] == {"decoder trained": "too"}
    for name, value in before.state_dicts["autoencoder"].items():
        assert value.equal(kept.state_dicts["autoencoder"][name])


def test_the_pack_has_every_word_of_captions(runs):
    encoder = TextEncoder.load(runs / "pack" / "text-encoder")
    words = encoder._model.embeddings["word_embeddings"].weight
    for seed in range(1000, 1300):
        for text in captions(draw_scene(seed, "any"), seed).values():
            assert not words[encoder._tokenizer.encode(text).ids].isnan().any(), text


def test_without_a_gpu_the_processors_render_alone(tmp_path, capsys):
    from numba import cuda

    if cuda.is_available():
        pytest.skip("there is a GPU")
    accelerator.feed_from_gpu(tmp_path, 1000, minutes=1)
    assert "The GPU renders nothing" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_pack_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerator, "PACK_LIMIT", 2**20)
    with pytest.raises(LanterneError, match="over the 1 MiB that travel"):
        accelerator.pack(tmp_path)


def test_a_feeder_that_fails_is_told_with_its_reason(tmp_path, tiny_weights):
    (tmp_path / "pack" / "text-encoder").mkdir(parents=True)
    (tmp_path / "pack" / "start.safetensors").write_bytes(tiny_weights.read_bytes())
    with pytest.raises(LanterneError, match="No clips could be rendered"):
        accelerator.stage(tmp_path, tmp_path / "back", 0.1, accelerator.dry_run(), None, 1000)
