"""Consent and what comes of it: none until it is given, to the words that were shown; data sets hold what may be used at that moment."""

import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from test_feedback import ANA, BEN, OLGA, seen

from lanterne.errors import LanterneError
from lanterne.programme import audit, consent, datasets, feedback, people
from lanterne.programme.consent import ConsentError
from lanterne.programme.datasets import DatasetError
from lanterne.programme.pay import NotYours


@pytest.fixture
def opened(database):
    """Ana, Ben and Olga, and words for training."""
    with database.session() as session:
        begin(session)
    return database


def begin(session):
    people.open_account(session, "Olga", "olga@example.org", ["operator"], "olga", "olga")
    for name in ("ana", "ben"):
        people.add(session, name.title(), f"{name}@example.org", ["artist"], "olga", name)
    consent.publish(session, OLGA, "training", "Train on what I make and say.")


@pytest.fixture
def session(opened):
    with opened.session() as session:
        yield session


def agree(session, *names, purpose="training"):
    for name in names:
        consent.give(session, name, purpose, consent.in_force(session, purpose).sha256)


def test_no_consent_until_it_is_given_to_the_words_in_force(session):
    assert [(one.purpose, one.given) for one in consent.choices(session, "ana")] == [(name, None) for name in consent.PURPOSES]
    with pytest.raises(ConsentError, match="version 1 of training, whose SHA-256"):
        consent.give(session, "ana", "training", "0" * 64)
    with pytest.raises(ConsentError, match="Nobody has asked for consent to publicity"):
        consent.give(session, "ana", "publicity", "0" * 64)
    with pytest.raises(ConsentError, match="'fame' is unknown; give one of training"):
        consent.give(session, "ana", "fame", "0" * 64)
    with pytest.raises(people.PeopleError, match="no person"):
        agree(session, "nobody")
    with pytest.raises(NotYours):
        consent.publish(session, ANA, "training", "Everything.")
    agree(session, "ana", "ana")
    assert consent.live(session, "training").keys() == {"ana"} and consent.live(session, "evaluation") == {}
    consent.publish(session, OLGA, "training", "And more.")
    assert consent.given(session, "ana", "training").version == 1  # not taken to agree to more
    agree(session, "ana")
    assert consent.given(session, "ana", "training").version == 2
    consent.withdraw(session, "ana", "training")
    assert consent.live(session, "training") == {}
    with pytest.raises(ConsentError, match="nothing to withdraw"):
        consent.withdraw(session, "ana", "training")
    agree(session, "ana")
    assert consent.live(session, "training").keys() == {"ana"}
    audit.verify(session, audit.Signer().verifier)


@pytest.mark.parametrize("statement", [
    "UPDATE consents SET person_id = 'ben'", "DELETE FROM consents", "UPDATE consent_texts SET words = 'All.'",
    "INSERT INTO consents (person_id, purpose, version, sha256, given, at) SELECT 'ben', purpose, version, sha256, given, at FROM consents",
])
def test_the_database_keeps_consents_as_they_were(either, statement):
    with either.session() as session:
        begin(session)
        agree(session, "ana")
        consent.publish(session, OLGA, "training", "More.")  # what was given before cannot be given any more
    with pytest.raises(DBAPIError), either.session() as session:
        session.execute(text(statement))


def _preference(session, by=ANA, name="1", maker="ana", choice="left"):
    pair = (seen(f"{name}a", maker), seen(f"{name}b", maker, seed=8))
    asked = feedback.ask(session, OLGA if maker == "olga" else by, by.person_id, *pair)
    return feedback.prefer(session, by, asked.id, choice, f"reason of {by.person_id}"), asked


def test_a_data_set_holds_only_what_everybody_in_it_consents_to(session):
    said, asked = _preference(session, choice="right")
    of_olga, _ = _preference(session, ANA, "2", maker="olga")
    _preference(session, BEN, "3", maker="ben")
    with pytest.raises(DatasetError, match="Nothing was said that may be used for training"):
        datasets.export(session, OLGA, "preferences")
    agree(session, "ana")
    files = datasets.export(session, OLGA, "preferences")
    [record] = map(json.loads, files.data.splitlines())
    assert record["record"] == said.remark.id and record["chosen_sha256"].endswith(asked.right_id[-2:].encode().hex())
    assert list(record) == list(datasets.COLUMNS["preferences"]) and record["tie"] is False
    assert {record["chosen_seed"], record["rejected_seed"]} == {7, 8}
    assert record["person"].startswith("artist-") and "ana" not in json.dumps(record).replace("reason of ana", "")
    assert record["consent_sha256"] == consent.in_force(session, "training").sha256
    agree(session, "olga")
    files = datasets.export(session, OLGA, "preferences")
    assert {json.loads(line)["record"] for line in files.data.splitlines()} == {said.remark.id, of_olga.remark.id}
    consent.withdraw(session, "ana", "training")
    with pytest.raises(DatasetError):
        datasets.export(session, OLGA, "preferences")
    for by, kind, purpose, error in ((ANA, "preferences", "training", NotYours), (OLGA, "all", "training", DatasetError),
                                     (OLGA, "preferences", "profit", ConsentError)):
        with pytest.raises(error):
            datasets.export(session, by, kind, purpose)


def test_a_withdrawal_names_the_models_and_takes_the_record_out_of_what_is_read(session):
    said, _ = _preference(session)
    words = feedback.say(session, BEN, seen("b", "ben"), rating=2, tags=["flicker"], words="It flickers.")
    agree(session, "ana", "ben")
    preferences, remarks = (datasets.export(session, OLGA, kind).release for kind in ("preferences", "feedback"))
    with pytest.raises(DatasetError, match="no release"):
        datasets.register(session, OLGA, "data_x", "a" * 64, "m")
    with pytest.raises(DatasetError, match="64 hexadecimal"):
        datasets.register(session, OLGA, preferences.id, "A" * 64, "m")
    with pytest.raises(NotYours):
        datasets.register(session, BEN, preferences.id, "a" * 64, "m")
    for _ in range(2):
        datasets.register(session, OLGA, preferences.id, "a" * 64, "lanterne-2")
    assert datasets.live_records(session, preferences.id) == {said.remark.id}
    consent.withdraw(session, "ana", "training")
    [affected] = datasets.affected(session, "ana", "training")
    assert (affected.release.id, affected.records, [model.name for model in affected.models]) == (preferences.id, 1, ["lanterne-2"])
    assert datasets.affected(session, "ana", "evaluation") == []
    assert datasets.live_records(session, preferences.id) == set() and datasets.live_records(session, remarks.id) == {words.remark.id}
    feedback.revise(session, BEN, words.remark.id, feedback.feedback(8, 1, [], [], "No."))
    assert datasets.live_records(session, remarks.id) == set()  # these are not their words any more
    again = datasets.export(session, OLGA, "feedback").release
    feedback.withdraw(session, BEN, words.remark.id)
    assert datasets.live_records(session, again.id) == set()


def test_what_was_exported_for_another_purpose_trains_no_model(session):
    feedback.say(session, ANA, seen(), rating=2)
    consent.publish(session, OLGA, "evaluation", "Measure with it.")
    agree(session, "ana", purpose="evaluation")
    with pytest.raises(DatasetError, match="Nothing"):
        datasets.export(session, OLGA, "feedback", "training")
    release = datasets.export(session, OLGA, "feedback", "evaluation").release
    with pytest.raises(DatasetError, match="no model may be trained"):
        datasets.register(session, OLGA, release.id, "a" * 64, "m")


@pytest.mark.parametrize("kind", list(datasets.COLUMNS))
def test_croissant_reads_what_was_exported(session, kind, tmp_path):
    from mlcroissant import Dataset

    _preference(session, choice="equal")
    note = {"from": 0, "to": 1, "words": "Ébène, “so”.", "region": None}
    feedback.say(session, ANA, seen(), tags=["flicker", "surprising"], notes=[note], words="Zürich")
    agree(session, "ana")
    files = datasets.export(session, OLGA, kind)
    (tmp_path / files.data_name).write_text(files.data)
    (tmp_path / datasets.CROISSANT).write_text(files.description)
    found = Dataset(jsonld=tmp_path / datasets.CROISSANT)
    assert found.metadata.name.startswith(f"lanterne-{kind}") and not found.metadata.issues.errors
    [record] = found.records(kind)
    plain = {name.partition("/")[2]: value for name, value in record.items()}
    expected = json.loads(files.data)
    assert set(plain) == set(expected) == set(datasets.COLUMNS[kind])
    assert plain["prompt"] == b"a lake at dawn" and plain["consent_version"] == 1
    if kind == "preferences":
        assert plain["tie"] and plain["chosen_seed"] in (7, 8)
    else:
        assert [tag.decode() for tag in plain["tags"]] == ["flicker", "surprising"] and plain["rating"] == 0
        assert json.loads(plain["notes"]) == [note] and plain["words"].decode() == "Zürich"


def test_nobody_can_tell_that_two_pseudonyms_are_one_person(session):
    ones = {consent.pseudonym(person, use) for person in ("ana", "ben") for use in ("credit", "data")}
    assert len(ones) == 4 and consent.pseudonym("ana", "data") in ones
    with pytest.raises(LanterneError):
        datasets.get(session, "data_none")
