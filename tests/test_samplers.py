"""The solver against answers known in closed form."""

import numpy as np
import pytest

from lanterne.errors import Cancelled
from lanterne.flow import interpolate, sigmas_for, velocity
from lanterne.samplers import adams_bashforth


def test_a_straight_path_is_solved_exactly_in_any_number_of_steps():
    rng = np.random.default_rng(0)
    data, noise = rng.normal(size=(2, 1, 3, 2, 4, 4))
    for steps in (1, 3, 14):
        found = adams_bashforth(lambda x, sigma: velocity(data, noise), noise, sigmas_for(steps, shift=2.0))
        assert np.abs(found - data).max() < 1e-12


def test_a_run_that_starts_on_the_way_ends_in_the_data():
    rng = np.random.default_rng(0)
    data, noise = rng.normal(size=(2, 1, 3, 2, 4, 4))
    found = adams_bashforth(lambda x, sigma: velocity(data, noise), interpolate(data, noise, 0.6), (0.6, 0.3, 0.0))
    assert np.abs(found - data).max() < 1e-12


def test_more_steps_come_nearer_to_a_bent_path():
    """dx/dsigma = x from 1 to 0 ends in x / e; of second order: half the step, a quarter of the error."""
    errors = [abs(adams_bashforth(lambda x, sigma: x, 1.0, sigmas_for(steps, shift=3.0)) - np.exp(-1)) for steps in (16, 32, 64)]
    assert errors[0] > 3.5 * errors[1] > 3.5**2 * errors[2]


def test_steps_are_told_in_order_and_an_exception_stops_the_run():
    seen = []
    adams_bashforth(lambda x, sigma: 0.0, 1.0, sigmas_for(3), lambda step, x: seen.append(step))
    assert seen == [0, 1, 2]

    def stop(step, x):
        raise Cancelled

    with pytest.raises(Cancelled):
        adams_bashforth(lambda x, sigma: pytest.fail("went on") if sigma < 1 else 0.0, 1.0, sigmas_for(3), stop)
