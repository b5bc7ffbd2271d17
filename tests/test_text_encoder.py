"""The text encoder against transformers' BERT on the same published weights."""

import pytest
import torch
from transformers import BertModel, BertTokenizerFast

from lanterne.models import text_encoder as module
from lanterne.models.text_encoder import MAX_TOKENS, TextEncoder, TextEncoderError

PROMPTS = ["A lake at dawn.", "waves breaking on a rocky coast at sunset, slow aerial orbit", "Forêt en automne — brume!"]


@pytest.fixture(scope="module")
def encoder():
    return TextEncoder.load()


def test_equals_transformers(encoder):
    folder = module._model_folder()
    theirs, tokenizer = BertModel.from_pretrained(folder).eval(), BertTokenizerFast.from_pretrained(folder)
    states = encoder.encode(PROMPTS)
    assert states.shape == (3, MAX_TOKENS, 384)
    for prompt, state in zip(PROMPTS, states, strict=True):
        with torch.no_grad():
            expected = theirs(**tokenizer(prompt, return_tensors="pt")).last_hidden_state[0]
        assert (state[: len(expected)] - expected).abs().max() < 1e-4
        assert not state[len(expected) :].any()
        assert encoder.count_tokens(prompt) == len(expected)


def test_an_empty_prompt_is_all_padding(encoder):
    assert not encoder.encode(["", "  "]).any()


def test_a_prompt_does_not_depend_on_its_neighbours(encoder):
    alone = encoder.encode(PROMPTS[:1])
    assert (encoder.encode(PROMPTS)[:1] - alone).abs().max() < 1e-4


def test_long_prompts_are_cut(encoder):
    assert encoder.count_tokens("wave " * 500) == MAX_TOKENS
    assert encoder.encode(["wave " * 500]).shape == (1, MAX_TOKENS, 384)


def test_a_cut_one_reads_its_words_as_before_and_no_others(encoder, tmp_path):
    encoder.save_cut(tmp_path, PROMPTS)
    assert (tmp_path / "model.safetensors").stat().st_size < 25e6
    cut, said = TextEncoder.load(tmp_path), [PROMPTS[2], "Waves at dawn, slow coast"]
    assert (cut.encode(said) - encoder.encode(said)).abs().max() < 0.02  # float16; states are about 0.4
    with pytest.raises(TextEncoderError, match="cannot read 'A castle"):
        cut.encode(["A lake.", "A castle."])


def test_other_weights_are_refused(monkeypatch, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"other")
    monkeypatch.setattr(module, "_model_folder", lambda: tmp_path)
    with pytest.raises(TextEncoderError, match="not those Lanterne was trained with"):
        TextEncoder.load()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(module, "_PACKAGE", "no-such-package-at-all")
    with pytest.raises(TextEncoderError, match="not installed"):
        TextEncoder.load()
