"""Solvers of dx/dsigma = v(x, sigma) from noise to data: pure functions of one contract, for arrays of any library.

velocity: (x_BCTHW, sigma) -> v_BCTHW;  sigmas: num_steps + 1 numbers, falling from the level of x to 0.
on_step: called after each step as on_step(step, x); raising from it stops the run.
"""

from itertools import pairwise


def euler(velocity, x, sigmas, on_step=None):
    """First-order solver: one velocity a step. Lipman et al. 2023."""
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x = x + (sigma_next - sigma) * velocity(x, sigma)
        if on_step:
            on_step(step, x)
    return x


def heun(velocity, x, sigmas, on_step=None):
    """Second-order solver: two velocities a step, one in the last. Karras et al. 2022, algorithm 1."""
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        v = velocity(x, sigma)
        x_next = x + (sigma_next - sigma) * v
        if sigma_next > 0:  # at 0 there is no noise left for a second look to weigh
            x_next = x + (sigma_next - sigma) * 0.5 * (v + velocity(x_next, sigma_next))
        x = x_next
        if on_step:
            on_step(step, x)
    return x


def guided(velocity_cond, velocity_uncond, scale: float):
    """Classifier-free guidance of a velocity. Ho and Salimans 2022, eq. 6.

    At scale 1 the unconditional one cancels, and is not computed.
    """
    if scale == 1:
        return velocity_cond

    def velocity(x, sigma):
        v_uncond = velocity_uncond(x, sigma)
        return v_uncond + scale * (velocity_cond(x, sigma) - v_uncond)

    return velocity
