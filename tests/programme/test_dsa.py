"""Statements of reasons: what the EU's database would refuse is not written."""

import pytest

from lanterne.programme import dsa
from lanterne.programme.review import Policy, ReviewError


def _statement(**given):
    policy = Policy(version=1, grounds={"1": "x" * 2000})
    return dsa.statement("rev_1-refusal", dsa.DISABLED, policy, "1", "y" * 3000, "facts", "2026-11-01", "2026-11-02", **given)


def test_what_is_too_long_is_cut():
    made = _statement(end_date="2026-12-01")
    assert len(made["incompatible_content_ground"]) == 500 and made["incompatible_content_ground"].endswith("(policy, version 1)")
    assert len(made["incompatible_content_explanation"]) == 2000 and made["end_date_visibility_restriction"] == "2026-12-01"


@pytest.mark.parametrize("field, value, said", [
    ("puid", "a b", "letters, digits"), ("category", "STATEMENT_CATEGORY_SCOPE_OF_PLATFORM_SERVICE", "not in the DSA"),
    ("decision_facts", "x" * 5001, "1 to 5000"), ("decision_facts", "", "1 to 5000"), ("content_date", "26-1-1", "has to be a day"),
    ("extra", "x", "extra is missing, or"),
])
def test_what_the_database_would_refuse_is_a_sentence(field, value, said):
    with pytest.raises(ReviewError, match=said):
        dsa.check(_statement() | {field: value})
    with pytest.raises(ReviewError, match="puid is missing"):
        dsa.check({name: value for name, value in _statement().items() if name != "puid"})
