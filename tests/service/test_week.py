"""Ordinary weeks raise no alarm, and leaks in the same traffic are found (bench/week.py). LANTERNE_WEEKS=3 lives so many whole weeks of a
hundred artists and prints what was found; by default a few artists live a few days."""

import os

import pytest

from bench import week

WEEKS = int(os.environ.get("LANTERNE_WEEKS", "0"))
SURE = ("relay", "web_page", "front_end", "friends")  # one thief alone looks much like the artist elsewhere, and is not always seen


@pytest.mark.parametrize("seed", range(1, WEEKS + 1) if WEEKS else [1])
def test_an_ordinary_week_raises_no_alarm(seed):
    raised, judged = week.play(week.ordinary(seed) if WEEKS else week.ordinary(seed, 10, 4))
    print(f"\nweek {seed}: {judged} judgements, {len(raised)} alarms")
    assert judged > 100 and not raised, raised


@pytest.mark.parametrize("seed", range(1, WEEKS + 1) if WEEKS else [1])
def test_leaks_in_the_same_traffic_are_found(seed):
    found = week.find_leaks(seed) if WEEKS else week.find_leaks(seed, 12, 3, of_each=2)
    print(f"\nweek {seed}: " + "; ".join(f"{kind}: {outcomes}" for kind, outcomes in found.items()))
    assert set(found) == {kind.__name__ for kind in week.KINDS}
    for kind in SURE:
        assert all(found[kind]), f"{kind} was not noticed"
