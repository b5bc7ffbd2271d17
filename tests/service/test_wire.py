"""Bodies: what different clients send for the same thing becomes the same."""

import pytest

from lanterne.service import wire
from lanterne.service.errors import APIError


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([("a", "1")], {"a": "1"}),
        ([("o[a][b]", "1"), ("o[a][c]", "2"), ("o[d]", "3")], {"o": {"a": {"b": "1", "c": "2"}, "d": "3"}}),
        ([("lst[]", "1"), ("lst[]", "2")], {"lst": ["1", "2"]}),
        ([("c[][id]", "1"), ("c[][id]", "2")], {"c": [{"id": "1"}, {"id": "2"}]}),
        ([("c[][id]", "1"), ("c[][n]", "x"), ("c[][id]", "2")], {"c": [{"id": "1", "n": "x"}, {"id": "2"}]}),
        ([("c[1][id]", "2"), ("c[0][id]", "1")], {"c": [{"id": "1"}, {"id": "2"}]}),
    ],
)
def test_form_fields_nest(items, fields):
    assert wire.nested(items) == fields


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a[b]"), ("a[b]", "a"), ("[a]",), ("a[b",), ("",), ("a[b][c][d][e]",)])
def test_forms_that_contradict_themselves_are_refused(names):
    with pytest.raises(APIError):
        wire.nested([(name, "1") for name in names])


def test_strings_of_a_form_are_read_as_what_they_mean():
    asked = wire.read(wire.Create, {"prompt": "a", "seconds": "8", "seed": "5", "guidance_scale": "7.5", "num_inference_steps": "3"})
    assert (asked.seconds, asked.seed, asked.guidance_scale, asked.num_inference_steps) == ("8", 5, 7.5, 3)
    assert wire.read(wire.Create, {"prompt": "a", "seconds": 8}).seconds == "8"
    assert wire.read(wire.Cancel, {"keep": "true"}).keep is True
    assert wire.read(wire.Create, {"prompt": "a"}).size == "720x1280"
