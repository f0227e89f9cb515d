"""Numbers such as a time, written so that networks can read them."""

from __future__ import annotations

import numpy as np

from lasagne_next import expressions
from lasagne_next.layers.base import Layer, describe
from lasagne_next.params import declare_unit_axes
from lasagne_next.utils import floatX, int_types, match_dtype

__all__ = ["TimeEmbeddingLayer"]


class TimeEmbeddingLayer(Layer):
    r"""Write each number of the input as sines and cosines.

    Feature 2i of a time t is :math:`\sin(t\, \omega_i)`, feature 2i + 1 is
    :math:`\cos(t\, \omega_i)`. The n / 2 frequencies fall from
    :math:`1 / shortest` by equal factors, and would reach :math:`1 / longest` at
    i = n / 2.

    Parameters
    ----------
    incoming : Layer or tuple
        Times, or levels of noise, of any shape, mostly (batch,).
    num_units : int
        How many features n each number becomes; even.
    longest : number, default 10000
        The longest wavelength, in units of :math:`2 \pi`. The default is that of [1]_
        and [2]_, for steps that are counted.
    shortest : number, default 1
        The shortest wavelength. For times between 0 and 1 try ``shortest=0.001`` and
        ``longest=10``.
    learnable : bool, default False
        Whether the frequencies are trainable.
    frequencies : parameter or None, default None, SHAPE (num_units / 2,)
        In place of the frequencies above; not regularizable. ``init.Normal(16)`` makes
        random Fourier features [3]_.
    **kwargs
        `name`.

    Attributes
    ----------
    num_units, longest, shortest, learnable, frequencies
        As given or made.

    Raises
    ------
    ValueError
        If `num_units` is not a positive even integer, or `shortest` is not positive and
        below `longest`.

    Notes
    -----
    Usually followed by one or two dense layers, whose output conditions others
    (:class:`FiLMLayer`). Integers become floats. In [2]_ all sines come
    first, which is the same up to the order of features.

    References
    ----------
    .. [1] Ashish Vaswani and others (2017): Attention is all you need, section 3.5.
       https://arxiv.org/abs/1706.03762
    .. [2] Jonathan Ho, Ajay Jain and Pieter Abbeel (2020): Denoising diffusion
       probabilistic models, appendix B. https://arxiv.org/abs/2006.11239
    .. [3] Matthew Tancik and others (2020): Fourier features let networks learn high
       frequency functions in low dimensional domains, section 6.
       https://arxiv.org/abs/2006.10739

    Examples
    --------
    >>> from lasagne_next.layers import InputLayer, TimeEmbeddingLayer, get_output
    >>> layer = TimeEmbeddingLayer(InputLayer((None,)), num_units=4, longest=100)
    >>> waves = get_output(layer, [0.0, 1.0]).eval(mode="FAST_COMPILE")
    >>> waves.round(2).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.84, 0.54, 0.1, 1.0]]
    """

    def __init__(
        self,
        incoming,
        num_units,
        longest=10000,
        shortest=1,
        learnable=False,
        frequencies=None,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.num_units, self.learnable = num_units, learnable
        self.longest, self.shortest = longest, shortest
        self._check_numbers()
        self.frequencies = self.add_param(
            self._fall if frequencies is None else frequencies,
            (num_units // 2,),
            name="frequencies",
            trainable=learnable,
            regularizable=False,
        )

    def _check_numbers(self):
        units = self.num_units
        if not isinstance(units, int_types) or units < 2 or units % 2:
            raise ValueError(
                f"{describe(self)}: num_units must be a positive even integer, got "
                f"{units!r}. Half of them are sines."
            )
        if not 0 < self.shortest < self.longest:
            raise ValueError(
                f"{describe(self)}: shortest must be positive and below longest, got "
                f"{self.shortest!r} and {self.longest!r}."
            )

    def _fall(self, shape):
        """Return the frequencies that the wavelengths ask for."""
        (number,) = shape
        ratio = self.longest / self.shortest
        return floatX(ratio ** (-np.arange(number) / number) / self.shortest)

    def get_output_shape_for(self, input_shape):
        """Append the features."""
        return (*input_shape, self.num_units)

    def get_output_for(self, input, **kwargs):
        """Return sines and cosines, SHAPE (input shape..., num_units)."""
        if not input.dtype.startswith("float"):
            input = match_dtype(input, self.frequencies.dtype)
        frequencies = declare_unit_axes(self.frequencies, (self.num_units // 2,))
        return expressions.fourier_features(input, frequencies)
