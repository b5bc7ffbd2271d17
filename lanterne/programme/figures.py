"""What a transparency report says, counted from the audit log's lines and nothing else.

How often a kind of step was taken, and when, is in the open part of each line. All else (verdicts, grounds, amounts, how long it took) is
shown only where it is about LEAST people or more: of fewer, whoever knows who they are would learn how it went for them. A part of a whole
that is held back takes another one with it, or the rest would tell it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from textwrap import shorten

from lanterne.programme.audit import Step

LEAST = 3  # people
WITHHELD = "withheld"
DAY, HOUR = 86400, 3600  # seconds
_CREDIT_DAYS = 30  # within which credits were to be paid, in lines that do not say it themselves
_PAYABLE = "liability:payable:"
_LESS = "for less than was claimed, each with a reason"
_STEPS = ("leak.notify", "leak.throttle", "leak.freeze")

Value = int | float | str | None  # None: there was nothing to measure


@dataclass(frozen=True)
class Figure:
    """unit: "" for a count, else share, hours, days, seconds or money (minor units, by currency)."""

    name: str
    words: str
    value: Value | dict[str, Value]  # by part of a whole, or by currency
    unit: str = ""


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Period:
    """[since, until) in UTC seconds."""

    since: int
    until: int

    def __contains__(self, at: int) -> bool:
        return self.since <= at < self.until


def sections(steps: Sequence[Step], period: Period) -> list[Section]:
    """steps: the log from its first line, since how long something took begins before the period."""
    read = [step for step in steps if step.data is not None and step.at < period.until]
    kinds = Counter(step.kind for step in steps if step.at in period)
    return [
        _review(read, kinds, period), _access(read, kinds, period), _pay(read, kinds, period), _voice(read, kinds, period),
        _privacy(read, kinds, steps, period),
    ]


# What may be shown.


def few(people: Iterable[str | None]) -> bool:
    """Whether these are so few that a figure would tell about one of them. Lines about nobody count as none."""
    return 0 < len(set(people) - {None}) < LEAST


def total(found: Sequence[tuple[str | None, int]]) -> Value:
    """The sum of (person, number)."""
    return WITHHELD if few(person for person, _ in found) else sum(number for _, number in found)


def middle(found: Sequence[tuple[str | None, float]]) -> Value:
    """The median of (person, number)."""
    if not found:
        return None
    return WITHHELD if few(person for person, _ in found) else round(median(number for _, number in found), 2)


def parts(cells: dict[str, list[str | None]]) -> dict[str, Value]:
    """Counts of the parts of a whole, by (part: a person for each time)."""
    hidden = {name for name, people in cells.items() if few(people)}
    others = sorted((name for name in cells if name not in hidden), key=lambda name: (not cells[name], len(cells[name])))
    while hidden and others and (len(hidden) == 1 or few(person for name in hidden for person in cells[name])):
        hidden.add(others.pop(0))
    return {name: WITHHELD if name in hidden else len(people) for name, people in cells.items()}


def share(name: str, shown: dict[str, Value]) -> Value:
    """Of a part, from 0 to 1."""
    if WITHHELD in shown.values():
        return WITHHELD
    return round(shown[name] / sum(shown.values()), 3) if sum(shown.values()) else None


def _grouped(found: Iterable[tuple[str, str | None]], names: Sequence[str] = ()) -> dict[str, list[str | None]]:
    cells = {name: [] for name in names}
    for name, person in found:
        cells.setdefault(name, []).append(person)
    return cells


# Review.


@dataclass
class _Request:
    person: str | None
    at: int
    looks: dict[str, Step] = field(default_factory=dict)
    decided: tuple[int, str] | None = None  # when, and what
    appealed_at: int | None = None
    withdrawn: bool = False


def _review(read: Sequence[Step], kinds: Counter, period: Period) -> Section:
    requests, grounds = {}, {}
    for step in read:
        if step.kind == "policy.published":
            for number, words in step.data["grounds"].items():
                grounds[step.data["version"], number] = shorten(f"{number}: {words}", 120, placeholder="…")
        elif step.kind == "review.requested":
            requests[step.data["request"]] = _Request(step.person_id, step.at)
        elif step.kind.startswith("review.") and (asked := requests.get(step.data.get("request"))):
            _follow(asked, step)
    decided = [one for one in requests.values() if one.decided and one.decided[0] in period]
    refused = [(one.person, one.looks["second"]) for one in decided if one.decided[1] == "refused"]
    looked = [(stage, step) for one in requests.values() for stage, step in one.looks.items() if step.at in period]
    seconds, blind, answers = ([step for stage, step in looked if stage == name] for name in ("second", "blind", "appeal"))
    late = [step for step in read if step.kind == "review.late" and step.at in period]
    down = [step for step in read if step.kind == "review.taken_down" and step.at in period]
    answered = _answered(answers)
    of_takedowns = _answered([step for stage, step in looked if stage.startswith("takedown ")])
    return Section("review", "Videos that artists asked to show", (
        Figure("requests", "Requests for release", kinds["review.requested"]),
        Figure("decisions", "Decisions", parts(_grouped(
            ((one.decided[1], one.person) for one in decided), ("approved", "refused", "released since nobody answered in time")
        ))),
        Figure("refusals_by_ground", "Refusals, by ground of the policy", parts(_grouped(
            ((grounds[look.data["policy"], look.data["ground"]], person) for person, look in refused),
            list(dict.fromkeys(grounds.values())),
        ))),
        Figure("median_hours_to_decision", "From the request to the decision, median", middle(
            [(one.person, (one.decided[0] - one.at) / HOUR) for one in decided]
        ), "hours"),
        Figure("waiting", "Waiting for a decision at the end", total(
            [(one.person, 1) for one in requests.values() if not one.decided and not one.withdrawn]
        )),
        Figure("withdrawn", "Withdrawn before their release", kinds["review.withdrawn"]),
        Figure("deadlines_missed", "Deadlines missed", kinds["review.late"]),
        Figure("remedies", "What artists got for a missed deadline", parts(_grouped(
            ((step.data["remedy"], step.person_id) for step in late), ("credit", "release")
        ))),
        Figure("appeals", "Appeals", kinds["review.appealed"]),
        Figure("appeals_answered", "Appeals answered, by somebody who had not looked before", answered),
        Figure("overturned_share", "Refusals overturned, of those appealed against and answered", share("overturned", answered), "share"),
        Figure("median_hours_to_answer", "From the appeal to its answer, median", middle(
            [(one.person, (one.looks["appeal"].at - one.appealed_at) / HOUR) for one in requests.values()
             if one.appealed_at and "appeal" in one.looks and one.looks["appeal"].at in period]
        ), "hours"),
        Figure("second_reviewers", "Second reviewers of a refusal", _agreement(seconds, "refuse")),
        Figure("blind_looks", "Blind second looks at approvals", _agreement(blind, "approve")),
        Figure("released", "Videos released to the public", kinds["review.released"]),
        Figure("taken_down", "Videos taken down", parts(_grouped(
            (("by the artist" if step.data["by"] == step.person_id else "by an operator", step.person_id) for step in down),
            ("by the artist", "by an operator"),
        ))),
        Figure("takedown_appeals", "Appeals against takedowns by operators", kinds["review.takedown_appealed"]),
        Figure("takedown_appeals_answered", "These answered, by somebody who had neither looked before nor taken it down", of_takedowns),
        Figure("takedowns_overturned_share", "Takedowns overturned, of those appealed against and answered", share(
            "overturned", of_takedowns
        ), "share"),
    ))


def _follow(asked: _Request, step: Step) -> None:
    if step.kind == "review.looked":
        stage, approved = step.data["stage"], step.data["verdict"] == "approve"
        asked.looks[stage] = step
        if stage == "second" or (stage == "first" and approved):
            asked.decided = asked.decided or (step.at, "approved" if approved else "refused")
    elif step.kind == "review.appealed":
        asked.appealed_at = step.at
    elif step.kind == "review.late" and step.data["remedy"] == "release" and not asked.decided:
        asked.decided = step.at, "released since nobody answered in time"
    elif step.kind == "review.withdrawn":
        asked.withdrawn = True


def _answered(looks: Sequence[Step]) -> dict[str, Value]:
    return parts(_grouped(
        (("overturned" if step.data["verdict"] == "approve" else "upheld", step.person_id) for step in looks), ("overturned", "upheld")
    ))


def _agreement(looks: Sequence[Step], verdict: str) -> dict[str, Value]:
    return parts(_grouped(
        (("agreed" if step.data["verdict"] == verdict else "disagreed", step.person_id) for step in looks), ("agreed", "disagreed")
    ))


# Access.


def _access(read: Sequence[Step], kinds: Counter, period: Period) -> Section:
    first, alarms, upheld = {}, {}, set()  # key: when it was first suspected; alarm: key; keys
    signs, waits, revoked = [], [], []
    for step in read:
        within = step.at in period
        if step.kind in _STEPS:
            key = alarms[step.data["alarm"]] = step.data["key"]
            since = first.setdefault(key, step.at)
            signs += [(name, step.person_id) for name in step.data["signals"] if within]
            waits += [(step.person_id, step.at - since)] if within and step.kind == "leak.freeze" else []
        elif step.kind == "leak.lifted":
            first.pop(alarms.get(step.data["alarm"]), None)
        elif step.kind == "leak.upheld":
            upheld.add(alarms.get(step.data["alarm"]))
        elif step.kind == "key.revoked" and within:
            revoked.append((_why(step, upheld), step.person_id))
    cuts = [step for step in read if step.at in period and step.kind in ("key.revoked", "person.cut", "cohort.cut")]
    return Section("access", "Accounts, keys and leaks", (
        Figure("invitations", "Invitations sent", kinds["invitation.made"]),
        Figure("terms_accepted", "Terms accepted", kinds["terms.accepted"]),
        Figure("keys", "Keys made", kinds["key.made"]),
        Figure("alarms", "Alarms about keys that looked leaked, by what was done", {
            "the artist was told": kinds["leak.notify"], "the key was slowed down": kinds["leak.throttle"],
            "the key was frozen": kinds["leak.freeze"],
        }),
        Figure("signs", "What spoke for a leak; one alarm may have several signs", {
            name: total([(person, 1) for person in people]) for name, people in sorted(_grouped(signs).items())
        }),
        Figure("median_seconds_to_freeze", "From the first alarm about a key to its freezing, median", middle(waits), "seconds"),
        Figure("copies", "Copies found in public of videos without an approval", kinds["leak.copy"]),
        Figure("alarms_contested", "Alarms contested", kinds["leak.contested"]),
        Figure("alarms_decided", "Alarms decided", {"upheld": kinds["leak.upheld"], "lifted": kinds["leak.lifted"]}),
        Figure("keys_revoked", "Keys revoked, and why", parts(_grouped(
            revoked, ("by their owner", "found published", "after an alarm", "by an operator")
        ))),
        Figure("accounts_closed", "Accounts closed with all of their keys", kinds["person.cut"]),
        Figure("cohorts_closed", "Cohorts closed with all of their keys", kinds["cohort.cut"]),
        Figure("videos_stopped", "Videos under way that were stopped with a key", total(
            [(step.person_id, step.data["videos"]) for step in cuts]
        )),
    ))


def _why(step: Step, upheld: set[str | None]) -> str:
    if step.data["by"] == step.person_id:
        return "by their owner"
    if step.data["by"] == "secret scanning":
        return "found published"
    return "after an alarm" if step.data["key"] in upheld else "by an operator"


# Pay.


@dataclass
class _Work:
    person: str | None
    kind: str
    currency: str
    claimed: int
    at: int
    due_at: int
    card: dict
    accepted: int = 0
    waiting: bool = True


@dataclass
class _Debt:
    due_at: int
    amount: int


class _Books:
    """What the log says about work and pay, line by line."""

    def __init__(self, period: Period):
        self.period = period
        self.cards: dict[tuple[str, int], dict] = {}
        self.works: dict[str, _Work] = {}
        self.debts: dict[tuple[str | None, str], list[_Debt]] = defaultdict(list)
        self.paid: dict[tuple[str, str | None], list[_Debt]] = {}  # what a payout paid of whose debts
        self.owed: dict[tuple[str, str], int] = defaultdict(int)  # by currency and account
        self.amounts: dict[tuple[str, str], list[tuple[str | None, int]]] = defaultdict(list)  # by name and currency
        self.decided: list[tuple[str, str | None]] = []
        self.accepted: list[tuple[str, str | None]] = []
        self.as_claimed: list[tuple[str, str | None]] = []
        self.days: list[tuple[str | None, float]] = []

    def take(self, step: Step) -> None:
        data, within = step.data, step.at in self.period
        if step.kind == "rate_card.published":
            self.cards[data["name"], data["version"]] = data
        elif step.kind == "pay.claimed":
            card = self.cards[data["card"], data["card_version"]]
            work = _Work(step.person_id, data["kind"], data["currency"], data["claimed"], step.at, data["due_at"], card)
            self.works[data["entry"]] = work
            self._note(within, "claimed", work.currency, work.person, work.claimed)
        elif step.kind == "pay.decided" and (work := self.works.get(data["entry"])):
            self._decided(step, work, within)
        elif step.kind == "pay.disputed" and (work := self.works.get(data["entry"])):
            work.waiting, work.due_at = True, step.at + work.card["decide_days"] * DAY
        elif step.kind == "pay.credited":
            self._owe(step.person_id, data["currency"], data.get("pay_by", step.at + _CREDIT_DAYS * DAY), data["amount"])
            self._note(within, "credited", data["currency"], step.person_id, data["amount"])
        elif step.kind == "pay.paid_out":
            settled = self.paid[data["payout"], step.person_id] = _settle(self.debts[step.person_id, data["currency"]], data["amount"])
            self._note(within, "paid", data["currency"], step.person_id, data["amount"])
            self._note(within, "paid_late", data["currency"], step.person_id, sum(one.amount for one in settled if step.at > one.due_at))
        elif step.kind == "pay.bounced":
            self.debts[step.person_id, data["currency"]] += self.paid.pop((data["payout"], step.person_id), [])
            self._note(within, "came_back", data["currency"], step.person_id, data["amount"])
        elif step.kind == "ledger.posted":
            for leg in data["legs"]:
                if leg["account"].startswith(_PAYABLE):
                    self.owed[leg["currency"], leg["account"]] -= leg["amount"]

    def _decided(self, step: Step, work: _Work, within: bool) -> None:
        more, first = step.data["accepted"] - work.accepted, step.data["number"] == 1
        self._owe(work.person, work.currency, step.at + work.card["pay_days"] * DAY, more)
        self._note(within, "accepted", work.currency, work.person, more)
        self._note(within and first, "reduced", work.currency, work.person, work.claimed - more)
        self._note(within and not first, "raised", work.currency, work.person, more)
        if within:
            self.decided.append(("late" if step.at > work.due_at else "in time", work.person))
            self.accepted += [(work.kind, work.person)] if more and not work.accepted else []
        if within and first:
            self.as_claimed.append(("as claimed" if more == work.claimed else _LESS, work.person))
            self.days.append((work.person, (step.at - work.at) / DAY))
        work.accepted, work.waiting = step.data["accepted"], False

    def _owe(self, person: str | None, currency: str, due_at: int, amount: int) -> None:
        if amount:
            self.debts[person, currency].append(_Debt(due_at, amount))

    def _note(self, within: bool, name: str, currency: str, person: str | None, amount: int) -> None:
        if within and amount:
            self.amounts[name, currency].append((person, amount))

    def close(self) -> None:
        """Note how things stand at the end."""
        for (currency, account), amount in self.owed.items():
            self._note(True, "owed", currency, account, amount)
        for (person, currency), debts in self.debts.items():
            self._note(True, "overdue", currency, person, sum(debt.amount for debt in debts if debt.due_at < self.period.until))
        self.decided += [("late", work.person) for work in self.works.values() if work.waiting and work.due_at < self.period.until]

    def money(self, name: str) -> Value | dict[str, Value]:
        """{currency: minor units}. Of a programme with few people, that there is nothing would tell of them, too."""
        if few(person for (called, _), found in self.amounts.items() if called in ("claimed", "accepted", "owed") for person, _ in found):
            return WITHHELD
        return {currency: total(found) for (called, currency), found in sorted(self.amounts.items()) if called == name}


def _pay(read: Sequence[Step], kinds: Counter, period: Period) -> Section:
    books = _Books(period)
    for step in read:
        books.take(step)
    books.close()
    return Section("pay", "Work and pay", (
        Figure("claims", "Claims of work", kinds["pay.claimed"]),
        Figure("claimed", "Claimed", books.money("claimed"), "money"),
        Figure("accepted", "Accepted", books.money("accepted"), "money"),
        Figure("work_accepted", "Claims accepted, in whole or in part", parts(_grouped(
            books.accepted, ("hours", "bug", "feedback", "use")
        ))),
        Figure("claims_decided", "Claims decided", parts(_grouped(books.as_claimed, ("as claimed", _LESS)))),
        Figure("reduced", "Not accepted, of what was claimed", books.money("reduced"), "money"),
        Figure("disputes", "Decisions disputed", kinds["pay.disputed"]),
        Figure("raised", "Raised after a dispute, by somebody else", books.money("raised"), "money"),
        Figure("median_days_to_decision", "From the claim to the decision, median", middle(books.days), "days"),
        Figure("decisions", "Decisions; the late ones with those that still waited at the end", parts(_grouped(
            books.decided, ("in time", "late")
        ))),
        Figure("credited", "Credited for missed deadlines", books.money("credited"), "money"),
        Figure("paid", "Paid out", books.money("paid"), "money"),
        Figure("paid_late", "Paid after its day", books.money("paid_late"), "money"),
        Figure("came_back", "Sent back by the bank, and owed again", books.money("came_back"), "money"),
        Figure("owed", "Owed at the end", books.money("owed"), "money"),
        Figure("overdue", "Owed past its day", books.money("overdue"), "money"),
    ))


def _settle(debts: list[_Debt], amount: int) -> list[_Debt]:
    """Take what was paid off the debts, the oldest first. What it paid of each."""
    settled = []
    debts.sort(key=lambda debt: debt.due_at)
    while amount and debts:
        part = min(amount, debts[0].amount)
        settled.append(_Debt(debts[0].due_at, part))
        debts[0].amount, amount = debts[0].amount - part, amount - part
        if not debts[0].amount:
            debts.pop(0)
    return settled


# What artists say and allow.


def _voice(read: Sequence[Step], kinds: Counter, period: Period) -> Section:
    of_kind, decided = {}, {"bug": [], "feedback": []}
    for step in read:
        if step.kind in ("feedback.feedback", "feedback.bug"):
            of_kind[step.data["remark"]] = step.kind.partition(".")[2]
        elif step.kind == "feedback.decided" and step.at in period and (kind := of_kind.get(step.data["remark"])):
            decided[kind].append((step.data["state"], step.person_id))
    return Section("voice", "What artists said and allowed", (
        Figure("feedback", "Feedback on videos", kinds["feedback.feedback"]),
        Figure("bugs", "Bugs reported", kinds["feedback.bug"]),
        Figure("preferences", "Comparisons answered", kinds["feedback.preference"]),
        Figure("feedback_decided", "What became of feedback", parts(_grouped(decided["feedback"], ("accepted", "declined")))),
        Figure("bugs_decided", "What became of bugs; one may have several steps", parts(_grouped(
            decided["bug"], ("confirmed", "fixed", "declined")
        ))),
        Figure("contested", "Such decisions contested", kinds["feedback.contested"]),
        Figure("consents", "Consents given, each for one purpose", kinds["consent.given"]),
        Figure("consents_withdrawn", "Consents withdrawn", kinds["consent.withdrawn"]),
        Figure("datasets", "Data sets written, of records with a consent alone", kinds["dataset.exported"]),
        Figure("models", "Models trained on them", kinds["dataset.trained"]),
    ))


# Privacy, and the log itself.


def _privacy(read: Sequence[Step], kinds: Counter, steps: Sequence[Step], period: Period) -> Section:
    erased = sum(step.data["openings"] for step in read if step.kind == "audit.erased" and step.at in period)
    return Section("privacy", "Privacy and the log", (
        Figure("exports", "Exports of all that is kept about somebody", kinds["person.exported"]),
        Figure("erasures", "Erasures on request", kinds["audit.erased"]),
        Figure("lines_erased", "Lines whose contents were erased for them", erased),
        Figure("lines", "Lines of the log in this time", sum(kinds.values())),
        Figure("unreadable", "Of these, lines that can no longer be read; they are in the counts of steps and in no other figure", sum(
            step.data is None for step in steps if step.at in period
        )),
    ))
