"""Sampling from noise to data: pure functions, for arrays of any library."""

from itertools import pairwise


def euler(velocity, x, sigmas, on_step=None):
    """First-order solver of dx/dsigma = v(x, sigma). Lipman et al. 2023.

    velocity: (x_BCTHW, sigma) -> v_BCTHW;  sigmas: num_steps + 1 numbers, falling from the level of x to 0.
    on_step: called after each step as on_step(step, x); raising from it stops the run.
    """
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x = x + (sigma_next - sigma) * velocity(x, sigma)
        if on_step:
            on_step(step, x)
    return x


def guided(v_prompt, v_without, scale: float):
    """Classifier-free guidance: beyond what the prompt changes. Ho and Salimans 2022, eq. 6. A scale of 1 is no guidance."""
    return v_without + scale * (v_prompt - v_without)
