"""What every ready-made parameter expression can do."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytensor
from pytensor.graph.basic import Variable

from lasagne_next import init as initialisers
from lasagne_next.params import create_param, set_tags

__all__ = ["ParameterExpression"]


class ParameterExpression:
    """Base of the parameter expressions: a constraint or a structure for a parameter.

    An instance stands where an initialiser would stand, ``W=LowRank(rank=10)``. Called
    with the shape of the parameter it makes its leaves (shared variables) and returns
    the expression of them. Every call makes new leaves.

    A subclass of ten lines says how leaves start (:meth:`start`) and how they make the
    parameter (:meth:`express`); with :meth:`invert` it can also start from a given
    value. A plain function of shared variables needs none of this: any expression may
    be a parameter.

    Attributes
    ----------
    init : callable, array, SharedVariable or expression
        Where the plain parameter would start. The expression starts with its variance.
    leaf_tags : dict of str to dict
        Tags of single leaves, by the leaf's key, such as
        ``{"base": {"trainable": False}}``.
    inner : str or None
        The key of the leaf that may be replaced by a variable given as `init`, so that
        expressions wrap each other: ``WeightNorm(init=LowRank(rank=10))``. None if the
        leaves have no such counterpart.
    residual : float
        After :meth:`from_value`, how far the start is from the value.

    Examples
    --------
    >>> from lasagne_next import expressions, init, layers
    >>> class Bounded(expressions.ParameterExpression):
    ...     inner = "v"
    ...     def __init__(self, bound, init=init.GlorotUniform()):
    ...         self.bound, self.init = bound, init
    ...     def start(self, value):
    ...         return {"v": np.arctanh(value / self.bound)}
    ...     def express(self, v):
    ...         return self.bound * pt.tanh(v)
    >>> import numpy as np
    >>> import pytensor.tensor as pt
    >>> layer = layers.DenseLayer((None, 5), 3, W=Bounded(2.0), b=None, name="h")
    >>> layer.get_params(), layer.W.type.shape
    ([h.W.v], (5, 3))
    """

    init = initialisers.GlorotUniform()
    leaf_tags = {}  # noqa: RUF012 (subclasses replace it, nobody changes it)
    inner = None
    residual = 0.0
    names_its_leaves = True  # tells create_param to pass the parameter's name
    _values = None

    def start(self, value):
        """Turn a draw of the plain parameter into start values of the leaves.

        Parameters
        ----------
        value : numpy.ndarray
            What `init` gave, of the parameter's shape.

        Returns
        -------
        dict of str to numpy.ndarray
            Start values by the key of the leaf, in the order of the leaves, such that
            the parameter has the variance of `value`. :meth:`invert` by default.
        """
        return self.invert(value)

    def express(self, **leaves):
        """Return the parameter as an expression of its leaves.

        Parameters
        ----------
        **leaves : SharedVariable
            By key.

        Returns
        -------
        TensorVariable
            Of the parameter's shape.
        """
        raise NotImplementedError(f"{self!r} must define express(**leaves).")

    def invert(self, value):
        """Find leaves for which the parameter is, or is nearest to, a value.

        Parameters
        ----------
        value : numpy.ndarray
            Of the parameter's shape.

        Returns
        -------
        dict of str to numpy.ndarray
            Values by the key of the leaf.

        Raises
        ------
        NotImplementedError
            If there is no inverse.
        """
        raise NotImplementedError(
            f"{self!r} has no inverse, so it cannot start from a given value."
        )

    def check_shape(self, shape):
        """Raise ValueError if no parameter of this shape can be made."""

    def __call__(self, shape, name=None):
        """Make the leaves and return the expression.

        Parameters
        ----------
        shape : tuple of int
            Shape of the parameter.
        name : str, optional
            Name of the parameter, the prefix of the names of the leaves.

        Returns
        -------
        TensorVariable
            Of shape `shape`.
        """
        self.check_shape(shape)
        prefix = "" if name is None else f"{name}."
        leaves = {}
        for key, value in self._start_values(shape, name).items():
            leaf = create_param(value, np.shape(value), name=prefix + key)
            if key in self.leaf_tags:
                set_tags(leaf, **self.leaf_tags[key])
            leaves[key] = leaf
        return self.express(**leaves)

    def _start_values(self, shape, name):
        if self._values is not None:
            return {key: value.copy() for key, value in self._values.items()}
        given = self.init
        if isinstance(given, ParameterExpression):
            given = given(shape, name=name)
        elif callable(given):
            given = given(shape)
        if not isinstance(given, Variable):
            return self._checked_start(np.asarray(given), shape)
        if self.inner is None:
            raise TypeError(
                f"{self!r}: init must give an array, got {given!r}, which cannot be "
                "taken apart into leaves. Use from_value(array) to start from a value."
            )
        values = self._checked_start(evaluate(given), shape)
        values[self.inner] = given
        return values

    def _checked_start(self, value, shape):
        if value.shape != tuple(shape):
            raise ValueError(
                f"{self!r}: init must give the shape {tuple(shape)}, got {value.shape}."
            )
        starts = self.start(value)
        dtype = value.dtype if value.dtype.kind == "f" else pytensor.config.floatX
        return {
            key: np.asarray(each, dtype) if _is_float(each) else np.asarray(each)
            for key, each in starts.items()
        }

    def from_value(self, value, strict=True, tolerance=1e-5):
        """Return a copy of this expression that starts from a given value.

        Parameters
        ----------
        value : numpy.ndarray
            Of the parameter's shape.
        strict : bool, default True
            Whether to refuse a value that the expression cannot take. Otherwise the
            start is the nearest that :meth:`invert` finds.
        tolerance : float, default 1e-5
            The largest residual that counts as equal.

        Returns
        -------
        ParameterExpression
            Whose `residual` is the relative distance
            ``norm(start - value) / norm(value)``.

        Raises
        ------
        ValueError
            If `strict` and the residual is larger than `tolerance`.
        NotImplementedError
            If the expression has no inverse.

        Examples
        --------
        >>> import numpy as np
        >>> from lasagne_next import expressions
        >>> W = np.diag([3.0, 2.0, 0.1])
        >>> spec = expressions.LowRank(rank=2).from_value(W, strict=False)
        >>> round(spec.residual, 4)
        0.0277
        """
        value = np.asarray(value)
        self.check_shape(value.shape)
        started = copy.copy(self)
        leaves = {key: np.asarray(each) for key, each in self.invert(value).items()}
        dtype = value.dtype if value.dtype.kind == "f" else pytensor.config.floatX
        started._values = {
            key: each.astype(dtype) if _is_float(each) else each
            for key, each in leaves.items()
        }
        distance = np.linalg.norm(evaluate(started(value.shape)) - value)
        started.residual = float(distance / max(np.linalg.norm(value), 1e-30))
        if strict and not started.residual <= tolerance:
            raise ValueError(
                f"{self!r}: the value cannot be represented; the nearest that was "
                f"found is off by {started.residual:.3g} of its norm. Pass "
                "strict=False to start from that."
            )
        return started

    def contains(self, value, tolerance=1e-5):
        """Tell whether a value is one that the expression can take.

        Parameters
        ----------
        value : numpy.ndarray
            Of the parameter's shape.
        tolerance : float, default 1e-5
            The largest relative distance that counts as equal.

        Returns
        -------
        bool
            Whether the value lies in the set, up to the tolerance.
        """
        return self.from_value(value, strict=False).residual <= tolerance

    def sample(self, shape):
        """Return the value that a new parameter of this shape starts from.

        Parameters
        ----------
        shape : tuple of int
            Shape of the parameter.

        Returns
        -------
        numpy.ndarray
            A new draw.
        """
        return evaluate(self(tuple(shape)))

    def count_free(self, shape):
        """Count the numbers that can be chosen freely in a parameter of this shape.

        Parameters
        ----------
        shape : tuple of int
            Shape of the parameter.

        Returns
        -------
        int
            The total size of the trainable leaves by default; less where different
            leaves give the same parameter.
        """
        from lasagne_next.params import leaf_tags

        tagged = leaf_tags(self(tuple(shape)), {"trainable"})
        return sum(
            leaf.get_value(borrow=True).size
            for leaf, tags in tagged
            if "trainable" in tags
        )

    def __repr__(self):
        names = [
            name
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        shown = (f"{name}={_short(getattr(self, name, None))}" for name in names)
        return f"{type(self).__name__}({', '.join(shown)})"


def evaluate(expression):
    """Return the present value of an expression that has no inputs."""
    return np.asarray(expression.eval(mode="FAST_COMPILE"))


def _is_float(value):
    return np.asarray(value).dtype.kind == "f"


def _short(value):
    return f"array{value.shape}" if isinstance(value, np.ndarray) else repr(value)
