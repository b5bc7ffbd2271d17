"""The transparency report: what anybody may know of the programme, counted from the audit log, and repeatable from it.

It names the log that it was counted from, by size and root, with the checkpoint that signs them. Whoever runs the installation repeats all
of it; whoever has the log's lines alone, which hold nothing about anybody, repeats the root, and how often each kind of step was taken.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from lanterne.errors import LanterneError, counted
from lanterne.programme import audit, figures, merkle, money
from lanterne.programme.audit import Signer, Step
from lanterne.programme.figures import DAY, HOUR, LEAST, WITHHELD, Figure, Period
from lanterne.tables import now

_TEMPLATE = Path(__file__).parent / "report.html"
_SHAPE = 1  # of the JSON


class ReportError(LanterneError):
    """A report that is none, or that the log does not give."""


@dataclass(frozen=True)
class Report:
    """told: the report as it is written down. leaves: the log's lines that it was counted from."""

    told: dict
    sections: tuple[figures.Section, ...]
    leaves: tuple[str, ...]

    def json(self) -> str:
        return json.dumps(self.told, indent=1, ensure_ascii=False) + "\n"

    def log(self) -> str:
        """The lines' open parts, as they are hashed."""
        return "".join(f"{leaf}\n" for leaf in self.leaves)

    def html(self) -> str:
        import jinja2

        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        return environment.from_string(_TEMPLATE.read_text()).render(
            told=self.told, sections=self.sections, least=LEAST, head=_head(self.sections), shown=shown, bars=bars, day=_day
        )


def make(session: Session, since: int = 0, until: int | None = None, size: int | None = None) -> Report:
    """Over [since, until) in UTC seconds, by default from the log's first line until now. size: of the log, by default all of it.

    Raises AuditError for a log that does not hold or is empty, ReportError for a time that is none.
    """
    until = now() + 1 if until is None else min(until, now() + 1)
    (steps, leaves, checkpoint), key = audit.read(session, size), Signer().verifier
    signed = audit.read_checkpoint(checkpoint, key)
    since = max(since, steps[0].at)
    if since >= until:
        period = f"From {_day(since)} to {_day(until - 1)}"
        raise ReportError(f"{period} is no time of this log, which begins on {_day(steps[0].at)}; give another.")
    period = Period(since, until)
    sections = tuple(figures.sections(steps, period))
    told = {
        "shape": _SHAPE, "since": since, "until": until, "least_people": LEAST,
        "log": {"size": len(leaves), "root": signed.root.hex(), "checkpoint": checkpoint, "key": key},
        "steps": _kinds(steps, period), "erased": sum(step.data is None for step in steps),
        "figures": {section.name: {figure.name: figure.value for figure in section.figures} for section in sections},
    }
    return Report(told, sections, tuple(leaves))


def check(session: Session, text: str) -> dict:
    """Count a report again, from as much of the log as it was counted from. Returns it. Raises ReportError for the first figures that
    differ, AuditError where the log does not hold."""
    given = read(text)
    again = json.loads(make(session, given["since"], given["until"], given["log"]["size"]).json())
    if again["log"]["root"] != given["log"]["root"]:
        first = counted(given["log"]["size"], "line")
        raise ReportError(f"This report is about another log, whose root is not that of the first {first} of this one.")
    differ = [name for name in again if again[name] != given.get(name) and name not in ("log", "figures", "erased")]
    for section, values in again["figures"].items():
        said = given["figures"].get(section)
        differ += [f"{section}.{name}" for name, value in values.items() if not isinstance(said, dict) or said.get(name) != value]
    since = again["erased"] - given["erased"]
    if differ:
        why = f"the contents of {counted(since, 'line')} were erased since it was made" if since > 0 else "the report was changed"
        raise ReportError(f"The log gives other figures than this report for {', '.join(differ[:8])}: {why}.")
    return given


def check_lines(text: str, log: str, key: str) -> dict:
    """Check a report against the log's lines alone, without the server: their root, its signature, and the steps. Raises ReportError,
    AuditError."""
    given, leaves = read(text), log.splitlines()
    signed = audit.read_checkpoint(given["log"]["checkpoint"], key)
    if (len(leaves), _root(leaves)) != (signed.size, signed.root.hex()) or given["log"]["root"] != signed.root.hex():
        given, are = counted(len(leaves), "line"), "is" if len(leaves) == 1 else "are"
        raise ReportError(f"{given} {are} not the log of {counted(signed.size, 'line')} that the report's checkpoint signs; give that.")
    steps = [Step(number, leaf["at"], leaf["kind"], None, None) for number, leaf in enumerate(map(json.loads, leaves))]
    if _kinds(steps, Period(given["since"], given["until"])) != given.get("steps"):
        raise ReportError("The steps in this report are not those of the log's lines: it was changed.")
    return given


def read(text: str) -> dict:
    """A report's JSON. Raises ReportError for what is none."""
    try:
        found = json.loads(text)
        log = found["log"]
        whole = [found["since"], found["until"], found["erased"], log["size"]]
        if found["shape"] != _SHAPE or not all(type(number) is int and 0 <= number < 2**37 for number in whole):
            raise TypeError
        if not isinstance(found["figures"], dict) or not all(isinstance(log[name], str) for name in ("root", "checkpoint")):
            raise TypeError
        return found
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ReportError("This is not a transparency report; give a report.json that `lanterne report` wrote.") from None


def _root(leaves: Sequence[str]) -> str:
    return merkle.tree_root([merkle.leaf_hash(leaf.encode()) for leaf in leaves]).hex()


def _kinds(steps: Sequence[Step], period: Period) -> dict[str, int]:
    return dict(sorted(Counter(step.kind for step in steps if step.at in period).items()))


# For people.


def shown(value: figures.Value, unit: str = "", currency: str = "") -> str:
    """A figure in words. currency: of an amount."""
    if value is None:
        return "–"
    if value == WITHHELD:
        return "held back"
    if currency:
        return money.written(value, currency)
    if unit == "share":
        return f"{value * 100:.0f} %"
    if unit in ("hours", "days", "seconds"):
        return _time(value * {"hours": HOUR, "days": DAY, "seconds": 1}[unit])
    return f"{value:,}"


def _head(sections: Sequence[figures.Section]) -> list[tuple[str, str]]:
    """(name, figure in words) of what comes first."""
    found = {(section.name, figure.name): figure for section in sections for figure in section.figures}
    wanted = {
        ("review", "requests"): "requests for release", ("review", "median_hours_to_decision"): "until a decision, median",
        ("review", "overturned_share"): "of answered appeals overturned", ("review", "deadlines_missed"): "deadlines missed",
    }
    return [(words, shown(found[name].value, found[name].unit)) for name, words in wanted.items()]


def _time(seconds: float) -> str:
    name, length = next((unit for unit in (("day", DAY), ("hour", HOUR), ("minute", 60)) if seconds >= unit[1]), ("second", 1))
    told = f"{seconds / length:.1f}".removesuffix(".0")
    return f"{told} {name}{'' if told == '1' else 's'}"


def bars(figure: Figure) -> list[tuple[str, str, float | None]]:
    """(name, figure in words, share of all that is shown, or None where it is held back) for each part; the largest first."""
    numbers = {name: value for name, value in figure.value.items() if value != WITHHELD}
    whole = sum(numbers.values()) or 1
    return [
        (name, shown(value), numbers[name] / whole if name in numbers else None)
        for name, value in sorted(figure.value.items(), key=lambda one: -numbers.get(one[0], 0))
    ]


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %B %Y}"

