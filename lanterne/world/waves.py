"""Open water: a periodic tile of wind waves, summed in the frequency domain (Tessendorf, *Simulating Ocean Water*, 2001)."""
import math

import numpy as np

GRAVITY = 9.81


class WaveField:
    """A wave tile drawn from a seed; `at(seconds)` gives (N, N, 4) float32: height and slopes for unit rms height, foam 0..1."""

    def __init__(self, rng, tile, wind_speed, size=128, choppiness=1.2):
        k = 2 * math.pi * np.fft.fftfreq(size, tile / size)
        self.kx, self.ky = k[None, :], k[:, None]
        self.k = np.hypot(self.kx, self.ky)
        self.k[0, 0] = 1.0
        longest = wind_speed ** 2 / GRAVITY
        angle = rng.uniform(0, 2 * math.pi)
        along = (self.kx * math.cos(angle) + self.ky * math.sin(angle)) / self.k
        power = np.exp(-1.0 / (self.k * longest) ** 2) / self.k ** 4 * (0.15 + along ** 2)
        power *= np.exp(-(self.k * tile / size * 0.55) ** 2)
        power[0, 0] = 0.0
        noise = rng.standard_normal((2, size, size))
        self.h0 = (noise[0] + 1j * noise[1]) * np.sqrt(power)
        self.h0_mirror = np.conj(np.roll(self.h0[::-1, ::-1], (1, 1), (0, 1)))
        self.omega = np.sqrt(GRAVITY * self.k)
        self.choppiness = choppiness
        height = np.fft.ifft2(self._spectrum(0.0)).real
        self.gain = 1.0 / height.std()
        self.slope_scale = None

    def _spectrum(self, seconds):
        turn = np.exp(1j * self.omega * seconds)
        return self.h0 * turn + self.h0_mirror * np.conj(turn)

    def at(self, seconds, foam_level=1.0):
        """foam_level: how many crests break; 1 is a fresh breeze."""
        h = self._spectrum(seconds) * self.gain
        out = np.empty((*self.k.shape, 4), np.float32)
        # Two real fields per complex transform: their spectra are Hermitian.
        pair = np.fft.ifft2(h + 1j * (1j * self.kx * h))
        out[..., 0], out[..., 1] = pair.real, pair.imag
        squeeze = np.fft.ifft2(1j * self.ky * h + 1j * (self.k * h))
        out[..., 2] = squeeze.real
        pressed = squeeze.imag / (squeeze.imag.std() + 1e-9)   # where the surface converges, crests break
        out[..., 3] = np.clip((pressed - (2.1 - 0.9 * foam_level)) * 1.1, 0.0, 1.0)
        return out
