"""Random images whose spectrum is known: normal fields on a torus."""

from __future__ import annotations

import numpy as np

__all__ = ["Field"]


class Field:
    """A normal random field of given size whose power falls with the frequency.

    Its Fourier coefficients are independent, so that its entropy, the best denoiser and
    what a denoiser costs are known exactly.

    Parameters
    ----------
    side : int
        Height and width in pixels.
    fall : float
        The power at frequency f is proportional to f^-fall; that of the mean is as
        large as of f = 1.

    Examples
    --------
    >>> field = Field(8, fall=2)
    >>> images = field.draw(5000, np.random.default_rng(1))
    >>> images.shape, bool(abs(images.var() - 1) < 0.1)
    ((5000, 64), True)
    """

    def __init__(self, side, fall):
        self.side = side
        rows, columns = np.meshgrid(*[np.fft.fftfreq(side) * side] * 2, indexing="ij")
        self.frequency = np.hypot(rows, columns)  # (side, side)
        power = np.maximum(self.frequency, 1) ** -fall
        self.power = power / power.mean()  # eigenvalues of the covariance; mean 1

    def draw(self, number, rng):
        """Return images, SHAPE (number, pixels)."""
        noise = rng.normal(size=(number, self.side, self.side))
        return self.filter(noise, np.sqrt(self.power)).reshape(number, -1)

    def filter(self, images, gain):
        """Multiply Fourier coefficients of images by a gain, SHAPE (side, side)."""
        images = np.reshape(images, (-1, self.side, self.side))
        return np.fft.ifft2(np.fft.fft2(images) * gain).real

    def covariance(self):
        """Return the covariance of the pixels, SHAPE (pixels, pixels)."""
        pixels = self.side**2
        unit = np.eye(pixels)
        return self.filter(unit, self.power).reshape(pixels, pixels)

    def wiener(self, noise):
        """Return the best denoiser's gain and its mean squared error per pixel.

        Parameters
        ----------
        noise : float
            Standard deviation of the noise.
        """
        gain = self.power / (self.power + noise**2)
        return gain, float((gain * noise**2).mean())

    @property
    def entropy(self):
        """In nats."""
        return float(np.log(2 * np.pi * np.e * self.power).sum() / 2)
