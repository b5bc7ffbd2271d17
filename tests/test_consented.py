"""What training may read: a described, whole data set, and of it no record whose consent was withdrawn."""

import json
from dataclasses import asdict
from hashlib import sha256

import pytest

from lanterne.evaluate.card import sources_text
from lanterne.models import checkpoint
from lanterne.train.commands import _sources
from lanterne.train.consented import DataError, live_in, records, source_of


@pytest.fixture
def folder(tmp_path):
    """As `lanterne data export` writes it; its own tests hold it against mlcroissant."""
    lines = [{"record": f"preference_{number}", "consent_purpose": "training", "reason": "It\u2028moves."} for number in range(3)]
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (tmp_path / "preferences.jsonl").write_text(data)
    described = {
        "@id": "data_1", "license": "Not to be passed on.", "recordSet": [{"name": "preferences"}],
        "distribution": [{"contentUrl": "preferences.jsonl", "sha256": sha256(data.encode()).hexdigest()}],
    }
    (tmp_path / "croissant.json").write_text(json.dumps(described))
    return tmp_path


def _ids(found):
    return [record["record"] for record in found]


def test_a_record_whose_consent_was_withdrawn_is_never_read(folder):
    assert _ids(records(folder, None)) == ["preference_0", "preference_1", "preference_2"]
    assert _ids(records(folder, lambda release: {"preference_0", "preference_2"})) == ["preference_0", "preference_2"]
    assert _ids(records(folder, lambda release: set())) == []


def test_a_data_set_without_its_description_or_changed_is_refused(folder):
    described = json.loads((folder / "croissant.json").read_text())
    for broken in ("{", json.dumps(described | {"distribution": []}), json.dumps({}), json.dumps(
            described | {"distribution": [{"contentUrl": "../x", "sha256": "0"}]})):
        (folder / "croissant.json").write_text(broken)
        with pytest.raises(DataError, match=r"damaged|describes no data set"):
            source_of(folder)
    (folder / "croissant.json").write_text(json.dumps(described))
    data = (folder / "preferences.jsonl").read_text()
    (folder / "preferences.jsonl").write_text(data.replace("moves", "stops"))
    with pytest.raises(DataError, match="not what was exported"):
        list(records(folder, None))
    (folder / "preferences.jsonl").unlink()
    with pytest.raises(DataError, match=r"has no preferences\.jsonl"):
        source_of(folder)
    (folder / "croissant.json").unlink()
    with pytest.raises(DataError, match=r"has no croissant\.json"):
        source_of(folder)


def test_what_was_exported_for_something_else_is_refused(folder):
    data = (folder / "preferences.jsonl").read_text().replace('"training"', '"publicity"')
    (folder / "preferences.jsonl").write_text(data)
    described = json.loads((folder / "croissant.json").read_text())
    described["distribution"][0]["sha256"] = sha256(data.encode()).hexdigest()
    (folder / "croissant.json").write_text(json.dumps(described))
    with pytest.raises(DataError, match="exported for publicity"):
        list(records(folder, None))


def test_a_database_that_does_not_answer_lets_nothing_be_read(folder, tmp_path):
    with pytest.raises(DataError, match="cannot be asked"):
        list(records(folder, live_in(f"sqlite:///{tmp_path / 'empty.db'}")))


def test_the_card_lists_what_a_model_registered(folder, tiny_weights, tmp_path):
    assert "nothing else" in sources_text([])
    model = checkpoint.load(tiny_weights).build("autoencoder")
    parts = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.safetensors"
        checkpoint.save(path, {"autoencoder": model}, {"sources": [asdict(source_of(folder))]}, dtype="float32")
        parts.append(checkpoint.load(path))
    [source] = _sources(*parts)["sources"]  # once, and kept by whoever puts two files together
    text = sources_text([source])
    assert "3 records of preferences (release `data_1`" in text and "Not to be passed on." in text and "nothing else" not in text
    assert _sources(checkpoint.load(tiny_weights)) == {}
