"""Bodies: what different clients send for the same thing becomes the same."""

import re

import pytest

from lanterne.request import MAX_SIZE, MIN_SIZE
from lanterne.service import openapi, wire
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
    form = [("prompt", "a"), ("seconds", "8"), ("seed", "5"), ("guidance_scale", "7.5"), ("num_inference_steps", "3")]
    asked = wire.read(wire.Create, wire.nested(form))
    assert (asked.seconds, asked.seed, asked.guidance_scale, asked.num_inference_steps) == ("8", 5, 7.5, 3)
    assert [wire.read(wire.Create, {"prompt": "a", "seconds": seconds}).seconds for seconds in (8, 8.0)] == ["8", "8"]
    assert wire.read(wire.Cancel, wire.nested([("keep", "true")])).keep is True
    assert wire.read(wire.Create, {"prompt": "a"}).size == "720x1280"


@pytest.mark.parametrize(
    ("schema", "fields"),
    [
        (wire.Create, {"seed": "5"}), (wire.Create, {"seed": True}), (wire.Create, {"guidance_scale": "7.5"}),
        (wire.Create, {"seconds": "08"}), (wire.Create, {"size": "0256x144"}), (wire.Create, {"fps": "16"}),
        (wire.Remix, {"strength": False}), (wire.Cancel, {"keep": 1}),
    ],
)
def test_json_has_types_and_they_count(schema, fields):
    with pytest.raises(APIError):
        wire.read(schema, fields | ({} if schema is wire.Cancel else {"prompt": "a"}))


def test_a_part_of_a_form_is_a_file_or_an_object_by_what_it_holds():
    data = bytes(range(256))
    asked = wire.read(wire.Edit, wire.nested([("prompt", "a"), ("video", data.decode("latin-1"))]))
    assert asked.video.file.read() == data
    assert wire.read(wire.Edit, wire.nested([("prompt", "a"), ("video", '{"id": "video_1"}')])).video.id == "video_1"


def test_the_document_names_exactly_the_sizes_that_can_be_made():
    pattern = re.compile(openapi.EVEN)
    assert [n for n in range(10_000) if pattern.fullmatch(str(n))] == list(range(MIN_SIZE, MAX_SIZE + 1, 2))


def test_the_document_calls_blank_what_the_road_calls_blank():
    """Every character, for a prompt of it alone."""
    pattern = re.compile(openapi._SAYS_SOMETHING)
    for code in (*range(1, 0xD800), *range(0xE000, 0x110000)):
        assert bool(pattern.match(chr(code))) == bool(chr(code).strip()), hex(code)
