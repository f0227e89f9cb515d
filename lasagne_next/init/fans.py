"""Start values whose spread follows from the numbers of inputs and outputs."""

from __future__ import annotations

import copy
import math

from lasagne_next.init.base import Initializer, check_number, check_rank, check_shape
from lasagne_next.init.distributions import Normal, Uniform
from lasagne_next.utils import nearest

__all__ = [
    "Glorot",
    "GlorotNormal",
    "GlorotUniform",
    "He",
    "HeNormal",
    "HeUniform",
    "LeCunNormal",
    "LeCunUniform",
    "check_gain",
]


class _FanScaled(Initializer):
    """Base of the initialisers whose spread follows from the number of inputs."""

    def __init__(self, initializer, gain, c01b, fan_in, fan_out=None):
        self.initializer = initializer
        self.gain = check_gain(self, gain)
        self.c01b = c01b
        self.fan_in = check_fan(self, "fan_in", fan_in)
        self.fan_out = check_fan(self, "fan_out", fan_out)

    def with_fans(self, fan_in, fan_out):
        """Return a copy that uses these numbers where the user gave none.

        A layer whose weights do not have the usual order of axes calls this before it
        makes its parameter.

        Parameters
        ----------
        fan_in : float
            Number of inputs that each output sees.
        fan_out : float
            Number of outputs that each input takes part in.

        Returns
        -------
        Initializer
            Of the same class.
        """
        other = copy.copy(self)
        if self.fan_in is None:
            other.fan_in = check_fan(self, "fan_in", fan_in)
        if self.fan_out is None:
            other.fan_out = check_fan(self, "fan_out", fan_out)
        return other

    def std_for(self, shape):
        """Return the standard deviation of the values of a parameter.

        Parameters
        ----------
        shape : tuple of int
            Shape of the parameter.

        Returns
        -------
        float
            Standard deviation.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: std_for must be implemented by the subclass."
        )

    def sample(self, shape):
        """Return an array of the given shape."""
        return self.initializer(std=self.std_for(shape)).sample(shape)

    def _fans(self, shape):
        """Return the numbers of inputs and outputs: stated ones, or by `shape`."""
        shape = check_shape(self, shape, lowest_rank=2)
        if self.c01b:
            check_rank(self, shape, len(shape) == 4, "4 axes for c01b=True")
            inputs, outputs, field = shape[0], shape[3], shape[1] * shape[2]
        elif len(shape) == 2:
            inputs, outputs, field = *shape, 1
        else:
            outputs, inputs, field = *shape[:2], math.prod(shape[2:])
        fan_in = inputs * field if self.fan_in is None else self.fan_in
        fan_out = outputs * field if self.fan_out is None else self.fan_out
        return fan_in, fan_out


class Glorot(_FanScaled):
    """Values whose variance keeps activations and gradients of one size.

    The standard deviation is ``gain * sqrt(2 / (fan_in + fan_out))``, where for
    weights of shape (n1, n2, ...) the fans are n1 and n2, each times the product of
    the remaining sizes.

    Parameters
    ----------
    initializer : class
        What to draw from: it is made with the keyword `std` alone, as
        :class:`Normal`, :class:`Uniform` and :class:`TruncatedNormal` can be.
    gain : float or 'relu', default 1.0
        Factor; 1.0 suits linear and sigmoid units, 'relu' stands for sqrt(2).
    c01b : bool, default False
        Whether weights have the axes (inputs, rows, columns, outputs).
    fan_in : float, optional
        Number of inputs that each output sees, instead of what the shape implies.
    fan_out : float, optional
        Number of outputs that each input takes part in, likewise.

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If `gain` is an unknown word or a fan is not positive.
    RuntimeError
        When called with fewer than two axes, or not four for ``c01b=True``.

    References
    ----------
    Xavier Glorot and Yoshua Bengio (2010): Understanding the difficulty of training
    deep feedforward neural networks, equation 16.
    https://proceedings.mlr.press/v9/glorot10a.html

    Examples
    --------
    >>> from lasagne_next.init import Glorot, TruncatedNormal
    >>> Glorot(TruncatedNormal).std_for((100, 100))
    0.1
    """

    def __init__(self, initializer, gain=1.0, c01b=False, *, fan_in=None, fan_out=None):
        super().__init__(initializer, gain, c01b, fan_in, fan_out)

    def std_for(self, shape):
        """Return the standard deviation for a parameter of this shape."""
        return self.gain * math.sqrt(2 / sum(self._fans(shape)))


class GlorotNormal(Glorot):
    """:class:`Glorot` values from the normal distribution.

    Parameters
    ----------
    gain, c01b, fan_in, fan_out
        See :class:`Glorot`.

    Examples
    --------
    >>> from lasagne_next.init import GlorotNormal
    >>> GlorotNormal("relu").std_for((300, 100))
    0.1
    """

    def __init__(self, gain=1.0, c01b=False, *, fan_in=None, fan_out=None):
        super().__init__(Normal, gain, c01b, fan_in=fan_in, fan_out=fan_out)


class GlorotUniform(Glorot):
    """:class:`Glorot` values from the uniform distribution.

    Parameters
    ----------
    gain, c01b, fan_in, fan_out
        See :class:`Glorot`.

    Examples
    --------
    >>> from lasagne_next.init import GlorotUniform
    >>> GlorotUniform(), GlorotUniform().std_for((100, 100))
    (GlorotUniform(gain=1.0), 0.1)
    """

    def __init__(self, gain=1.0, c01b=False, *, fan_in=None, fan_out=None):
        super().__init__(Uniform, gain, c01b, fan_in=fan_in, fan_out=fan_out)


class He(_FanScaled):
    """Values whose variance keeps activations of one size.

    The standard deviation is ``gain * sqrt(1 / fan_in)``. The fan is shape[0] for a
    matrix (inputs, outputs), and the product of shape[1:] for filters
    (outputs, inputs, ...).

    Parameters
    ----------
    initializer : class
        What to draw from: it is made with the keyword `std` alone.
    gain : float or 'relu', default 1.0
        Factor; 'relu' stands for sqrt(2).
    c01b : bool, default False
        Whether weights have the axes (inputs, rows, columns, outputs).
    fan_in : float, optional
        Number of inputs that each output sees, instead of what the shape implies.

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If `gain` is an unknown word or `fan_in` is not positive.
    RuntimeError
        When called with fewer than two axes, or not four for ``c01b=True``.

    Notes
    -----
    The default gain is 1. What other libraries call He or Kaiming initialisation is
    ``gain='relu'`` here; with a gain of 1 they call it LeCun initialisation.

    References
    ----------
    Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun (2015): Delving deep into
    rectifiers, equation 10. https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> from lasagne_next.init import He, Normal
    >>> He(Normal).std_for((100, 7)), He(Normal).std_for((7, 25, 2, 2))
    (0.1, 0.1)
    """

    def __init__(self, initializer, gain=1.0, c01b=False, *, fan_in=None):
        super().__init__(initializer, gain, c01b, fan_in)

    def std_for(self, shape):
        """Return the standard deviation for a parameter of this shape."""
        return self.gain * math.sqrt(1 / self._fans(shape)[0])


class HeNormal(He):
    """:class:`He` values from the normal distribution.

    Parameters
    ----------
    gain, c01b, fan_in
        See :class:`He`.

    Examples
    --------
    >>> from lasagne_next.init import HeNormal
    >>> HeNormal("relu").std_for((200, 10))
    0.1
    """

    def __init__(self, gain=1.0, c01b=False, *, fan_in=None):
        super().__init__(Normal, gain, c01b, fan_in=fan_in)


class HeUniform(He):
    """:class:`He` values from the uniform distribution.

    Parameters
    ----------
    gain, c01b, fan_in
        See :class:`He`.

    Examples
    --------
    >>> from lasagne_next.init import HeUniform
    >>> HeUniform(), HeUniform()((2, 3)).shape
    (HeUniform(gain=1.0), (2, 3))
    """

    def __init__(self, gain=1.0, c01b=False, *, fan_in=None):
        super().__init__(Uniform, gain, c01b, fan_in=fan_in)


class LeCunNormal(He):
    """Normal values of variance ``1 / fan_in``, which self-normalising units need.

    Parameters
    ----------
    fan_in : float, optional
        Number of inputs that each output sees, instead of what the shape implies.

    Notes
    -----
    The same as :class:`HeNormal` with its default gain, under the name that other
    libraries use. Goes with :data:`lasagne_next.nonlinearities.selu`.

    References
    ----------
    Yann LeCun, Leon Bottou, Genevieve Orr and Klaus-Robert Mueller (1998): Efficient
    BackProp, section 4.6. https://doi.org/10.1007/3-540-49430-8_2

    Examples
    --------
    >>> from lasagne_next.init import LeCunNormal
    >>> LeCunNormal().std_for((100, 7))
    0.1
    """

    def __init__(self, *, fan_in=None):
        super().__init__(Normal, fan_in=fan_in)


class LeCunUniform(He):
    """Uniform values of variance ``1 / fan_in``.

    Parameters
    ----------
    fan_in : float, optional
        Number of inputs that each output sees, instead of what the shape implies.

    Notes
    -----
    The same as :class:`HeUniform` with its default gain; see :class:`LeCunNormal`.

    Examples
    --------
    >>> from lasagne_next.init import LeCunUniform
    >>> LeCunUniform().std_for((100, 7))
    0.1
    """

    def __init__(self, *, fan_in=None):
        super().__init__(Uniform, fan_in=fan_in)


def check_gain(owner, gain):
    """Return a gain as a number."""
    if isinstance(gain, str):
        if gain != "relu":
            raise ValueError(
                f"{type(owner).__name__}: gain must be a number or 'relu', got "
                f"{gain!r}.{nearest(gain, ['relu'])}"
            )
        return math.sqrt(2)
    return check_number(owner, "gain", gain)


def check_fan(owner, name, fan):
    """Return a fan that is None or a positive number, else raise."""
    return fan if fan is None else check_number(owner, name, fan, above=0)
