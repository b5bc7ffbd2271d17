"""Prompts in words of their own: the classifier, its training, and what the reading of prompts makes of its guesses."""

import random
from pathlib import Path

import pytest
import torch

from lanterne.evaluate.evaluate import read_prompts
from lanterne.evaluate.judge import AXES as PROMPT_AXES
from lanterne.models.prompt_classifier import load_classifier, save_classifier
from lanterne.models.text_encoder import TextEncoder
from lanterne.train.prompts import AXES, draw_prompt, read_phrases, train_classifier
from lanterne.world.prompts import expand, reader, scene_of, understand
from lanterne.world.reading import report

_DEVELOPMENT = Path(__file__).with_name("development_prompts.txt")


@pytest.fixture(scope="module")
def guess():
    classifier, text_encoder = load_classifier(), TextEncoder.load()
    return lambda prompt: classifier.guess(prompt, text_encoder)


def test_it_reads_what_no_list_knows(guess):
    """Development prompts, by which it was chosen; held-out ones are `lanterne evaluate`'s."""
    rows, by_lists, with_guess = read_prompts(path=_DEVELOPMENT), {}, {}
    for shares, told in ((by_lists, {}), (with_guess, {"guess": guess})):
        said = [understand(row["prompt"], **told) for row in rows]
        for axis in PROMPT_AXES:
            right = [getattr(one, axis) == row[axis] for row, one in zip(rows, said, strict=True) if row[axis]]
            shares[axis] = sum(right) / len(right)
    assert all(with_guess[axis] > by_lists[axis] for axis in PROMPT_AXES), (by_lists, with_guess)
    assert by_lists["camera"] < 0.4 and with_guess["camera"] > 0.75
    assert min(with_guess[axis] for axis in ("family", "time_of_day", "weather", "subject")) > 0.75


def test_plain_prompts_are_read_as_without_it(guess):
    rows = [row for row in read_prompts() if row["part"] == "plain"]
    said = [understand(row["prompt"], guess=guess) for row in rows]
    for axis in PROMPT_AXES:
        wrong = [row["prompt"] for row, one in zip(rows, said, strict=True) if row[axis] and getattr(one, axis) != row[axis]]
        assert len(wrong) <= 0.02 * len(rows), wrong


def test_the_same_prompt_is_always_told_the_same(guess):
    prompt = "the lens inches closer to cold summits while the last stars go out"
    assert expand(prompt, guess=guess) == expand(prompt, guess=guess)
    assert load_classifier().guess(prompt, TextEncoder.load()) == guess(prompt)


def _guesses(share: float):
    values = ("ocean", "night", "rain", "orbit", "car", "lights_on", "winter")
    return lambda _: {axis: (value, share) for axis, value in zip(AXES, values, strict=True)}


def test_a_guess_fills_what_is_not_said():
    said = understand("a canyon at noon", guess=_guesses(0.5))
    assert (said.family, said.time_of_day, said.weather, said.camera, said.subject) == ("canyon", "noon", "rain", "orbit", "car")
    assert said.event is None and said.season is None and said.left_out == ()
    assert understand("a canyon at noon", guess=_guesses(0.1)) == understand("a canyon at noon")


def test_a_very_sure_guess_goes_before_a_word():
    said = understand("a canyon at noon", guess=_guesses(0.95))
    assert (said.family, said.time_of_day, said.subject, said.left_out) == ("ocean", "night", None, ())


def test_a_guess_asks_for_nothing_that_its_place_has_not():
    at_sea = understand("open sea", guess=_guesses(0.5))
    assert (at_sea.family, at_sea.subject, at_sea.left_out) == ("ocean", None, ())
    from_space = understand("a planet", guess=_guesses(0.5))
    assert (from_space.time_of_day, from_space.weather, from_space.subject, from_space.left_out) == (None, None, None, ())
    street = understand("a street at noon", guess=_guesses(0.7))
    assert (street.time_of_day, street.event) == ("noon", None)  # lights that come on would make it dusk


def test_what_is_denied_is_not_guessed():
    assert understand("a beach at noon, no boats and no rain", guess=_guesses(0.8)).weather is None
    assert understand("une rivière dans la forêt, pas de neige", guess=lambda _: {"weather": ("snow", 0.8)}).weather is None


def test_who_is_not_understood_by_the_lists_is_told_in_the_models_words_alone():
    prompt = "heads back until it opens wide"
    assert expand(prompt).startswith(prompt) and prompt not in expand(prompt, guess=_guesses(0.5))
    assert expand("a canyon at noon", guess=_guesses(0.1)).startswith("a canyon at noon")


def test_what_was_read_is_told_and_what_was_chosen_besides():
    prompt = "a river in the forest, the camera rises, a dragon"
    line, lacking = report(prompt, understand(prompt))
    assert line == "Understood: forest, camera rise, river; left open, so chosen: noon, clear"
    assert lacking == ['The embedded model does not know "dragon".']
    prompt = "Earth from space, a boat"
    assert report(prompt, understand(prompt))[1] == ['Left out, since it cannot be shown together with the rest: "boat".']


def test_whatever_is_guessed_can_be_shown():
    drawn = random.Random(0)
    for index in range(2000):
        guesses = {axis: (drawn.choice(values), drawn.random()) for axis, values in AXES.items()}
        prompt = drawn.choice(("", "a boat", "snow", "at night", "a city", "a red cube", "an island in winter", "the sun comes up"))
        scene_of(understand(prompt, guess=lambda _, guesses=guesses: guesses), index)


def test_weights_are_not_asked_for_what_they_were_not_taught():
    text, _ = reader({}, lambda _: {"family": ("volcano", 0.99), "camera": ("rise", 0.99)})("fire from below")
    assert "volcan" not in text.lower()


def test_phrases_tell_every_value_and_no_held_out_prompt():
    phrases, beside = read_phrases()
    assert {axis: set(values) for axis, values in phrases.items()} == {axis: set(values) for axis, values in AXES.items()}
    assert min(len(options) for values in phrases.values() for options in values.values()) >= 40
    held_out = {row["prompt"].lower() for row in read_prompts()}
    everything = [options for values in phrases.values() for options in values.values()] + list(beside.values())
    assert not held_out & {phrase.lower() for options in everything for phrase in options}


def test_drawn_prompts_say_what_their_labels_say():
    drawn, (phrases, beside) = random.Random(1), read_phrases()
    for _ in range(300):
        text, said = draw_prompt(drawn, phrases, beside)
        assert text.strip() and set(said) <= set(AXES)
        for axis, value in said.items():
            assert value is None or value in AXES[axis]


def test_training_learns_and_its_weights_come_back(tmp_path):
    losses = []
    trained = train_classifier(192, 6, TextEncoder.load(), lambda _, loss: losses.append(loss))
    assert losses[-1] < 0.8 * losses[0]
    save_classifier(trained, tmp_path / "classifier.safetensors")
    states = TextEncoder.load().encode(["we climb above the dunes", ""])
    ours, theirs = trained(states), load_classifier(tmp_path / "classifier.safetensors")(states)
    for axis, values in AXES.items():
        assert ours[axis].shape == (2, len(values) + 1)
        torch.testing.assert_close(ours[axis], theirs[axis], atol=0.02, rtol=0.02)
