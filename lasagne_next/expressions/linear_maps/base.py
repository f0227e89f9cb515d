"""What every linear map can do, and matrices without structure."""

from __future__ import annotations

import functools

import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors

from lasagne_next.expressions import costs
from lasagne_next.params import leaf_tags

__all__ = ["Dense", "Evaluated", "LinearMap", "Written", "is_trainable", "num_rows"]

GAIN = 1.5  # ratio of costs that makes up for an expression evaluated apart
FEW, USUAL, MANY = 1, 256, 2**20  # numbers of rows, where the true one is unknown


class LinearMap:
    """A matrix of shape (n, m), seen as a map of row vectors.

    Attributes
    ----------
    shape : tuple of int
        The shape of the matrix.
    expression : TensorVariable or None
        The matrix as the user wrote it, where there is one.
    """

    shape = None
    expression = None

    def apply(self, x):
        """Return x W, SHAPE (rows, m), for x of SHAPE (rows, n)."""
        raise NotImplementedError(f"{type(self).__name__} must define apply.")

    def apply_left(self, y):
        """Return W y, SHAPE (n, columns), for y of SHAPE (m, columns)."""
        return self.transpose().apply(y.T).T

    def write_out(self):
        """Return W, SHAPE (n, m), as the user wrote it if possible."""
        return self.build() if self.expression is None else self.expression

    def build(self):
        """Return W from its parts, SHAPE (n, m)."""
        raise NotImplementedError(f"{type(self).__name__} must define build.")

    def transpose(self):
        """Return the map of the transposed matrix."""
        raise NotImplementedError(f"{type(self).__name__} must define transpose.")

    def with_parts(self, function):
        """Return the same map of parts that each went through a function.

        Parameters
        ----------
        function : callable
            From a tensor to one of the same shape. It must be linear, such as a cast.
        """
        raise NotImplementedError(f"{type(self).__name__} must define with_parts.")

    def apply_cost(self, rows):
        """Estimate the cost of :meth:`apply` with gradients.

        What must be written out first is included. Affine in the number of rows.
        """
        raise NotImplementedError(f"{type(self).__name__} must define apply_cost.")

    def apply_left_cost(self, columns):
        """Estimate the cost of :meth:`apply_left` with gradients."""
        return self.transpose().apply_cost(columns)

    def write_cost(self):
        """Estimate the cost of :meth:`write_out` with gradients."""
        raise NotImplementedError(f"{type(self).__name__} must define write_cost.")

    def squares(self, axis):
        """Return the sum of squares along an axis, or of all if it is None.

        None if it is not cheaper than with the matrix written out.
        """
        return None

    @property
    def trainable(self):
        """Whether a gradient with respect to any part is wanted."""
        raise NotImplementedError(f"{type(self).__name__} must define trainable.")

    def best_for(self, rows, least=FEW):
        """Return the cheapest form, or the matrix written out if that is cheapest.

        Where the number of rows is unknown (None) a form must not be dearer than the
        written matrix for any from `least` on, so that it never makes a network slower.
        """
        if rows is not None:
            return self._shared_if_written(self.cheapest(rows))
        written = Written(self)
        forms = [self.cheapest(number) for number in (least * USUAL, MANY, least)]
        # Costs are affine in the number of rows, so that the ends decide.
        never_slower = [
            form
            for form in forms
            if all(form.apply_cost(n) <= written.apply_cost(n) for n in (least, MANY))
        ]
        usual = least * USUAL
        best = min([*never_slower, written], key=lambda form: form.apply_cost(usual))
        return self._shared_if_written(best)

    def _shared_if_written(self, form):
        """Return the user's own expression where the matrix is written out anyway.

        What is built anew is computed apart from other uses of that expression. It must
        be cheaper by more than an estimate can be wrong.
        """
        if isinstance(form, Dense) and self.write_cost() <= GAIN * form.write_cost():
            return Written(self)
        return form

    def cheapest(self, rows):
        """Return the cheapest form for a number of rows."""
        return min(self, Written(self), key=lambda form: form.apply_cost(rows))


class Dense(LinearMap):
    """A matrix without known structure."""

    def __init__(self, expression, shape):
        self.expression, self.shape = expression, shape

    @functools.cached_property
    def trainable(self):
        """Whether a gradient with respect to the matrix is wanted."""
        return is_trainable(self.expression)

    def apply(self, x):
        return pt.dot(x, self.expression)

    def apply_left(self, y):
        return pt.dot(self.expression, y)

    def transpose(self):
        node = self.expression.owner
        if node is not None and getattr(node.op, "new_order", None) == (1, 0):
            return Dense(node.inputs[0], self.shape[::-1])
        return Dense(self.expression.T, self.shape[::-1])

    def with_parts(self, function):
        return Dense(function(self.expression), self.shape)

    def apply_cost(self, rows):
        return costs.product(rows, *self.shape, self.trainable)

    def apply_left_cost(self, columns):
        return costs.product(columns, *self.shape, self.trainable)

    def write_cost(self):
        return 0.0

    def best_for(self, rows, least=FEW):
        return self

    def cheapest(self, rows):
        return self


class Written(Dense):
    """The matrix of another map, written out first."""

    def __init__(self, map):
        self.map, self.shape = map, map.shape

    @functools.cached_property
    def expression(self):
        """The matrix, made when it is asked for."""
        return self.map.write_out()

    @property
    def trainable(self):
        return self.map.trainable

    def transpose(self):
        return Written(self.map.transpose())

    def with_parts(self, function):
        return Written(self.map.with_parts(function))

    def apply_cost(self, rows):
        return self.map.write_cost() + super().apply_cost(rows)

    def apply_left_cost(self, columns):
        return self.map.write_cost() + super().apply_left_cost(columns)

    def write_cost(self):
        return self.map.write_cost()


class Evaluated(LinearMap):
    """A map whose matrix is computed in any case, such as for the norm of its columns.

    Its structure pays only where it beats the matrix that is there already.
    """

    def __init__(self, map):
        self.map, self.shape, self.expression = map, map.shape, map.write_out()

    @property
    def trainable(self):
        return self.map.trainable

    def apply(self, x):
        return self.map.apply(x)

    def apply_left(self, y):
        return self.map.apply_left(y)

    def transpose(self):
        flipped = self.map.transpose()
        flipped.expression = self.expression.T
        return Evaluated(flipped)

    def with_parts(self, function):
        changed = self.map.with_parts(function)
        changed.expression = function(self.expression)
        return Evaluated(changed)

    def apply_cost(self, rows):
        return self.map.apply_cost(rows)

    def write_cost(self):
        return 0.0

    def cheapest(self, rows):
        there = Dense(self.expression, self.shape)
        forms = self.map.cheapest(rows), there
        return min(forms, key=lambda form: form.apply_cost(rows))


def is_trainable(expression):
    """Tell whether a gradient with respect to an expression is wanted."""
    tagged = leaf_tags(expression, {"trainable"})
    if tagged:
        return any("trainable" in tags for _, tags in tagged)
    return any(
        each.owner is None and not isinstance(each, Constant)
        for each in ancestors([expression])
    )


def num_rows(x):
    """Return the number of rows, the static one if possible, which JAX likes best."""
    return x.type.shape[0] or x.shape[0]
