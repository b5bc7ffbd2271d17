"""A refusal or a takedown as a statement of reasons, in the fields of the EU's DSA transparency database (its API as of July 2025).

What that database takes is checked here: names, values, lengths. It wants no personal data, so reviewers write none into explanations.
"""

import re

from lanterne.programme.review import Policy, ReviewError

AT_ONCE = 100  # statements that one call of that API takes
DISABLED, REMOVED = "DECISION_VISIBILITY_CONTENT_DISABLED", "DECISION_VISIBILITY_CONTENT_REMOVED"
_LONGEST = {"puid": 500, "incompatible_content_ground": 500, "incompatible_content_explanation": 2000, "decision_facts": 5000}
_VALUES = {
    "decision_visibility": ([DISABLED], [REMOVED]),
    "decision_ground": ("DECISION_GROUND_INCOMPATIBLE_CONTENT",),
    "incompatible_content_illegal": ("No",),
    "content_type": (["CONTENT_TYPE_SYNTHETIC_MEDIA", "CONTENT_TYPE_VIDEO"],),
    "category": ("STATEMENT_CATEGORY_OTHER_VIOLATION_TC",),
    "source_type": ("SOURCE_VOLUNTARY",),
    "automated_detection": ("No",),
    "automated_decision": ("AUTOMATED_DECISION_NOT_AUTOMATED",),
}
_DATES = ("content_date", "application_date", "end_date_visibility_restriction")
_OPTIONAL = ("end_date_visibility_restriction",)


def statement(
    puid: str, visibility: str, policy: Policy, ground: str, explanation: str, facts: str, content_date: str, application_date: str,
    end_date: str | None = None,
) -> dict:
    """Days are such as 2026-11-25. end_date: on which the decision was overturned. Raises ReviewError for what the database refuses."""
    version = f" (policy, version {policy.version})"
    made = {
        "puid": puid,
        "decision_visibility": [visibility],
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": _cut("incompatible_content_ground", f"{ground}: {policy.grounds[ground]}", version),
        "incompatible_content_explanation": _cut("incompatible_content_explanation", explanation),
        "incompatible_content_illegal": "No",
        "content_type": ["CONTENT_TYPE_SYNTHETIC_MEDIA", "CONTENT_TYPE_VIDEO"],
        "category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "content_date": content_date,
        "application_date": application_date,
        "decision_facts": _cut("decision_facts", facts),
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "No",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
    }
    if end_date:
        made["end_date_visibility_restriction"] = end_date
    check(made)
    return made


def check(made: dict) -> None:
    """Raises ReviewError, naming the field, for a statement that the database would refuse."""
    known = {*_LONGEST, *_VALUES, *_DATES}
    for name in sorted(known - set(made) - set(_OPTIONAL)) + sorted(set(made) - known):
        raise ReviewError(f"A statement of reasons has the fields {', '.join(sorted(known))}; {name} is missing, or is not one of them.")
    for name, longest in _LONGEST.items():
        if not isinstance(made[name], str) or not 0 < len(made[name]) <= longest:
            raise ReviewError(f"{name} has to be a text of 1 to {longest} letters in a statement of reasons.")
    for name, values in _VALUES.items():
        if made[name] not in values:
            raise ReviewError(f"{name}={made[name]!r} is not in the DSA transparency database's list; give one of {values}.")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", made["puid"]):
        raise ReviewError(f"puid={made['puid'][:80]!r} has to be of letters, digits, - and _.")
    for name in _DATES:
        if name in made and not ("2020-01-01" <= made[name] <= "2038-01-01" and re.fullmatch(r"\d{4}-\d\d-\d\d", made[name])):
            raise ReviewError(f"{name}={made[name]!r} has to be a day from 2020-01-01 to 2038-01-01, such as 2026-11-25.")


def _cut(name: str, text: str, end: str = "") -> str:
    longest = _LONGEST[name] - len(end)
    return (text if len(text) <= longest else f"{text[: longest - 1]}…") + end
