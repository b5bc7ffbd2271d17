"""Sampling from noise to data: pure functions, for arrays of any library."""

from itertools import pairwise


def adams_bashforth(velocity, x, sigmas, on_step=None):
    """Two-step solver of dx/dsigma = v(x, sigma): the velocity of a step is carried on as it changed since the one before. Hairer, Noersett
    and Wanner 1993, III.5, for steps of unequal length. The first step, which has none before it, is Euler's.

    velocity: (x_BCTHW, sigma) -> v_BCTHW;  sigmas: num_steps + 1 numbers, falling from the level of x to 0.
    on_step: called after each step as on_step(step, x); raising from it stops the run.
    """
    before, taken = None, None
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        now, length = velocity(x, sigma), sigma_next - sigma
        x = x + length * (now if before is None else now + length / (2 * taken) * (now - before))
        before, taken = now, length
        if on_step:
            on_step(step, x)
    return x
