"""What every ready-made parameter expression can do."""

from __future__ import annotations

import contextlib
import copy
import inspect

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.graph.utils import MissingInputError

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.markers import settle
from lasagne_next.params import (
    collect_shared_vars,
    create_param,
    get_tags,
    leaf_tags,
    set_tags,
)
from lasagne_next.utils import floatX

__all__ = ["ParameterExpression", "evaluate"]


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
        Where the parameter starts. A callable, most often an initialiser, gives a draw
        of the plain parameter, whose variance the expression starts with. An array is a
        value to start at, or as near to it as :meth:`invert` finds. A variable, or
        another parameter expression, takes the place of a leaf (see `inner`).
    leaf_tags : dict of str to dict
        Tags of single leaves, by the leaf's key, such as
        ``{"base": {"trainable": False}}``.
    inner : str or None
        The key of the leaf, of the parameter's shape, that may be replaced by a
        variable given as `init`, so that expressions wrap each other:
        ``WeightNorm(init=LowRank(rank=10))``. None if no leaf is like the parameter.
    residual : float
        After :meth:`from_value`, how far the start is from the value.

    Notes
    -----
    Leaves are called after the parameter and their key: ``h.W.v``. Those of an
    expression inside another one are called after both: ``h.W.v.u``. A variable of the
    user's keeps its name and its tags. Leaves have the floating type of the draw, or
    of the array.

    Examples
    --------
    >>> from lasagne_next import expressions, init, layers
    >>> class Bounded(expressions.ParameterExpression):
    ...     inner = "v"
    ...     def __init__(self, bound, init=init.GlorotUniform()):
    ...         self.bound, self.init = bound, init
    ...     def invert(self, value):
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
    _found = None  # specifications of the leaves that from_value found

    def start(self, value):
        """Turn a draw of the plain parameter into start values of the leaves.

        Parameters
        ----------
        value : numpy.ndarray of float64
            What `init` gave when it was called, of the parameter's shape.

        Returns
        -------
        dict of str to numpy.ndarray
            Start values by the key of the leaf, such that the parameter has the
            variance of `value`. :meth:`invert` by default.
        """
        return self.invert(value)

    def express(self, **leaves):
        """Return the parameter as an expression of its leaves.

        Parameters
        ----------
        **leaves : SharedVariable
            By key. The `inner` one may be any expression.

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
        value : numpy.ndarray of float64
            Of the parameter's shape.

        Returns
        -------
        dict of str to numpy.ndarray
            Values by the key of the leaf.

        Raises
        ------
        NotImplementedError
            If there is no inverse.
        ValueError
            If no leaves come anywhere near.
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
        expression = self.express(**self._make_leaves(tuple(shape), name))
        if expression.owner is not None:
            # A text, because copies and files hold it, too.
            expression.tag.made_by = self._in_short()
        return expression

    def _make_leaves(self, shape, name):
        self.check_shape(shape)
        specs = self._found or self._start_specs(shape, name)
        return {
            key: self._make_leaf(key, spec, shape, name) for key, spec in specs.items()
        }

    def _make_leaf(self, key, spec, shape, name):
        if not isinstance(spec, Variable | ParameterExpression):
            spec, shape = np.array(spec), np.shape(spec)
        leaf = create_param(spec, shape, name=_join(name, key))
        is_own = not isinstance(spec, Variable) or self._wraps_expression
        for each in collect_shared_vars(leaf) if is_own else []:
            set_tags(each, **{**self.leaf_tags.get(key, {}), **get_tags(each)})
        return leaf

    @property
    def _wraps_expression(self):
        return isinstance(self.init, ParameterExpression)

    def _start_specs(self, shape, name):
        """Return arrays by the key of the leaf, or for the inner one a variable."""
        given = self.init
        if self._wraps_expression:
            given = given(shape, name=_join(name, self.inner or ""))
        elif callable(given):
            given = given(shape)
        if not isinstance(given, Variable):
            return self._start_arrays(given, shape, is_draw=callable(self.init))
        if self.inner is None:
            raise TypeError(
                f"{self!r}: init must give an array, got {given!r}, which cannot be "
                "taken apart into leaves. Use from_value(array) to start from a value."
            )
        if self._only_leaf_is_inner:
            return {self.inner: given}
        arrays = self._start_arrays(self._value_of(given), shape, is_draw=True)
        return {**arrays, self.inner: given}

    @property
    def _only_leaf_is_inner(self):
        return list(inspect.signature(self.express).parameters) == [self.inner]

    def _value_of(self, given):
        try:
            return evaluate(settle(given))
        except MissingInputError as error:
            raise ValueError(
                f"{self!r}: init must have a value now, got {given!r}, which depends "
                "on an input. Use shared variables."
            ) from error

    def _start_arrays(self, given, shape, is_draw):
        value = self._checked_array(given, "init must give")
        if value.shape != shape:
            remedy = " Use init.Constant to fill a shape." if value.ndim == 0 else ""
            raise ValueError(
                f"{self!r}: init must give the shape {shape}, got {value.shape}."
                + remedy
            )
        find = self.start if is_draw else self.invert
        return _as_arrays(find(value.astype("float64")), value.dtype)

    def _checked_array(self, given, what):
        value = None if isinstance(given, Variable) else np.asarray(given)
        if value is None or value.dtype.kind not in "biuf":
            raise TypeError(
                f"{self!r}: {what} an array of real numbers, got {given!r} of type "
                f"{type(given).__name__}."
            )
        return value if value.dtype.kind == "f" else floatX(value)

    def from_value(self, value, strict=True, tolerance=1e-5):
        """Return a copy of this expression that starts from a given value.

        Parameters
        ----------
        value : array_like
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
            ``norm(start - value) / norm(value)``. An expression given as `init` starts
            from a value, too; a variable given as `init` is not used.

        Raises
        ------
        ValueError
            If `strict` and the residual is larger than `tolerance`, or if there is
            nothing near.
        TypeError
            If `value` is no array of real numbers.
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
        value = self._checked_array(value, "value must be")
        self.check_shape(value.shape)
        started = copy.copy(self)
        exact = value.astype("float64")
        started._found = _as_arrays(self.invert(exact), value.dtype)
        if self._wraps_expression:
            inside = started._found[self.inner]
            started.init = self.init.from_value(inside, strict=False)
            started._found[self.inner] = started.init
        start = evaluate(settle(started(value.shape)))
        distance = np.linalg.norm(start - exact)
        started.residual = float(distance / max(np.linalg.norm(exact), 1e-30))
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
        value : array_like
            Of the parameter's shape.
        tolerance : float, default 1e-5
            The largest relative distance, as in :meth:`from_value`, that counts as
            equal.

        Returns
        -------
        bool
            Whether the value lies in the set, up to the tolerance.

        Raises
        ------
        NotImplementedError
            If the expression has no inverse.
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
            The total size of the trainable leaves, an expression inside counted by
            itself, less :meth:`count_idle`; too few where both fix the same numbers, as
            lengths of orthonormal columns. No random number is consumed.
        """
        shape = tuple(shape)
        with _side_by_side_generator():
            leaves = self._make_leaves(shape, None)
            inside = set()
            if self._wraps_expression:
                inside.update(collect_shared_vars(leaves[self.inner]))
            tagged = leaf_tags(self.express(**leaves), {"trainable"})
            total = sum(
                leaf.get_value(borrow=True).size
                for leaf, tags in tagged
                if "trainable" in tags and leaf not in inside
            )
            inner = self.init.count_free(shape) if inside else 0
        return total + inner - self.count_idle(shape)

    def count_idle(self, shape):
        """Count the numbers in the leaves that could be fixed without loss.

        Parameters
        ----------
        shape : tuple of int
            Shape of the parameter.

        Returns
        -------
        int
            0 by default, for different leaves that always give different parameters.
        """
        return 0

    def __repr__(self):
        return self._write(self._arguments(), repr)

    def _in_short(self):
        """Write the expression with the arguments that are not the usual ones."""
        signature = inspect.signature(type(self)).parameters
        unusual = {
            name: value
            for name, value in self._arguments().items()
            if _short(value) != _short(signature[name].default)
        }
        return self._write(unusual, lambda inner: inner._in_short())

    def _arguments(self):
        return {
            name: getattr(self, name, None)
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }

    def _write(self, arguments, write_inner):
        shown = (
            f"{name}={write_inner(value)}"
            if isinstance(value, ParameterExpression)
            else f"{name}={_short(value)}"
            for name, value in arguments.items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def evaluate(expression):
    """Return the present value of an expression that has no inputs."""
    return np.asarray(expression.eval(mode="FAST_COMPILE"))


def _join(name, key):
    return ".".join(part for part in (name, key) if part)


def _as_arrays(values, dtype):
    """Give arrays of floating numbers a type, and leave others as they are."""
    arrays = {key: np.asarray(each) for key, each in values.items()}
    return {
        key: each.astype(dtype) if each.dtype.kind == "f" else each
        for key, each in arrays.items()
    }


@contextlib.contextmanager
def _side_by_side_generator():
    """Let draws come from another generator, so that asking changes no draw to come."""
    before = random.get_rng()
    random.set_rng(np.random.default_rng(0))
    try:
        yield
    finally:
        random.set_rng(before)


def _short(value):
    if isinstance(value, np.ndarray):
        return f"<array of shape {value.shape}>"
    return repr(value)
