"""The base of all initialisers, and the checks that they share."""

from __future__ import annotations

import inspect
import numbers

import numpy as np

__all__ = ["Initializer", "check_number", "check_rank", "check_shape"]


class Initializer:
    """Base of everything that fills a parameter with start values.

    A subclass implements :meth:`sample`. Draw from
    ``lasagne_next.random.get_rng()`` when called, using its methods ``normal``,
    ``uniform`` and ``shuffle``, which every numpy generator has, and return
    ``lasagne_next.utils.floatX(array)``. Store constructor arguments under their own
    names: the representation is made from them.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.init import Initializer
    >>> from lasagne_next.utils import floatX
    >>> class Ramp(Initializer):
    ...     def sample(self, shape):
    ...         return floatX(np.arange(np.prod(shape)).reshape(shape))
    >>> Ramp()((2, 2)).tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """

    def __call__(self, shape):
        """Return :meth:`sample` of the shape."""
        return self.sample(shape)

    def sample(self, shape):
        """Return an array of ``config.floatX``.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array.

        Raises
        ------
        NotImplementedError
            Here; subclasses implement it.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: sample must be implemented by the subclass. "
            "Return an array of the given shape."
        )

    def __repr__(self):
        given = {
            name: getattr(self, name, None)
            for name in inspect.signature(type(self).__init__).parameters
        }
        shown = (
            f"{name}={value.__name__ if isinstance(value, type) else repr(value)}"
            for name, value in given.items()
            if value is not None and value is not False
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def check_number(owner, name, value, lowest=None, highest=None, above=None):
    """Return `value` if it is a finite number in the range, else raise."""
    if not isinstance(value, numbers.Real | np.ndarray) or np.ndim(value) > 0:
        raise TypeError(
            f"{type(owner).__name__}: {name} must be a number, got {value!r}. For "
            "anything else give the parameter itself an array or an expression."
        )
    limits = {
        "a finite number": np.isfinite(value),
        f"at least {lowest}": lowest is None or value >= lowest,
        f"at most {highest}": highest is None or value <= highest,
        f"greater than {above}": above is None or value > above,
    }
    for wanted, met in limits.items():
        if not met:
            raise ValueError(
                f"{type(owner).__name__}: {name} must be {wanted}, got {value!r}."
            )
    return value


def check_shape(owner, shape, lowest_rank=0):
    """Return a shape as a tuple of positive ints of enough axes, else raise."""
    shape = (shape,) if isinstance(shape, numbers.Integral) else tuple(shape)
    if not all(isinstance(size, numbers.Integral) and size > 0 for size in shape):
        raise ValueError(
            f"{type(owner).__name__}: shape must be positive integers, got {shape!r}. "
            "Fix the sizes that this parameter depends on."
        )
    check_rank(owner, shape, len(shape) >= lowest_rank, f"at least {lowest_rank} axes")
    return shape


def check_rank(owner, shape, met, wanted):
    """Raise unless the condition on the number of axes is met."""
    if not met:
        raise RuntimeError(
            f"{type(owner).__name__}: shape must have {wanted}, got {shape!r}. Choose "
            "another initialiser, such as Constant, Normal or Uniform."
        )
