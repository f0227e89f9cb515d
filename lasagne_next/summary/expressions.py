"""Writing an expression as people would, on one line."""

from __future__ import annotations

import re

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.tensor.basic import Join, ScalarFromTensor, TensorFromScalar
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.shape import SpecifyShape
from pytensor.tensor.subtensor import (
    AdvancedSubtensor,
    Subtensor,
    indices_from_subtensor,
)

from lasagne_next.expressions.markers import _Mark

__all__ = ["GAP", "describe_expression", "shorten"]

_INFIX = {
    "Add": ("+", 2),
    "Sub": ("-", 2),
    "Mul": ("*", 3),
    "TrueDiv": ("/", 3),
    "IntDiv": ("//", 2.5),  # weaker than in Python: a * (b % c) is not (a * b) % c
    "Mod": ("%", 2.5),
    "Pow": ("**", 5),
    "EQ": ("==", 1),
    "NEQ": ("!=", 1),
    "LT": ("<", 1),
    "LE": ("<=", 1),
    "GT": (">", 1),
    "GE": (">=", 1),
}
_SIGN = 4
_ATOM = 9
_NAMES = {
    "alloc_diag": "diag",
    "matrix_inverse": "inv",
    "op_from_graph": "function",
    "scan_fn": "scan",
    "second": "fill",
}
_INVISIBLE = (SpecifyShape, TensorFromScalar, ScalarFromTensor, _Mark)
_DEEPEST = 60
GAP = "..."


def describe_expression(variable, names=None, max_length=80):
    """Write an expression with the operations and names that were used to make it.

    Parameters
    ----------
    variable : Variable
        A shared variable or any expression.
    names : dict, optional
        Of variable to what it should be called. By default the variables at the ends
        of the expression appear under their own names, or, if they have none, as their
        shape in angle brackets. Expressions in between are written out unless they are
        named here; `variable` itself always is.
    max_length : int, default 80
        Longest text. If the expression needs more, operations far inside are left out
        and marked with three dots.

    Returns
    -------
    str
        One line, for reading only. Broadcasting, shape declarations and generator
        states are not shown.

    Examples
    --------
    >>> import numpy as np, pytensor, pytensor.tensor as pt
    >>> from lasagne_next.summary import describe_expression
    >>> U, v = pytensor.shared(np.eye(3)), pytensor.shared(np.ones(3), name="v")
    >>> describe_expression(pt.dot(U, pt.exp(U.T)) * (v - 1))
    'dot(<(3, 3)>, exp(transpose(<(3, 3)>))) * (v - 1)'
    """
    names = names or {}
    text = GAP
    for depth in range(1, _DEEPEST + 1):
        longer, _ = _Writer(variable, names)(variable, depth)
        if len(longer) > max_length:
            return text if depth > 1 else shorten(longer, max_length)
        is_whole = depth > 1 and longer == text
        text = longer
        if is_whole:
            break
    return text


def shorten(text, max_length):
    """Shorten a text, whatever it means."""
    return text if len(text) <= max_length else text[: max_length - 3] + GAP


class _Writer:
    """Writes expressions, each with how strongly its outermost operation binds."""

    def __init__(self, root, names):
        self.root = root
        self.names = names
        self.written = {}

    def __call__(self, variable, depth):
        key = (variable, depth)
        if key not in self.written:
            self.written[key] = self._write(variable, depth)
        return self.written[key]

    def _write(self, variable, depth):
        is_end = variable.owner is None
        if variable in self.names and (is_end or variable is not self.root):
            return self.names[variable], _ATOM
        if is_end:
            return _write_end(variable), _ATOM
        op = variable.owner.op
        if isinstance(op, _INVISIBLE) or _only_broadcasts(op):
            return self(variable.owner.inputs[0], depth)
        if depth == 0:
            return GAP, _ATOM
        text, binding = self._write_node(variable.owner, depth - 1)
        is_default = op.default_output in (variable.index, None)
        if len(variable.owner.outputs) > 1 and not (
            is_default and op.default_output is not None
        ):
            return f"{text}[{variable.index}]", _ATOM
        return text, binding

    def _write_node(self, node, depth):
        op = node.op
        if isinstance(op, Elemwise):
            kind = type(op.scalar_op).__name__
            if kind in _INFIX:
                return self._write_infix(node.inputs, *_INFIX[kind], depth)
            if kind == "Neg":
                return f"-{self._inside(node.inputs[0], _SIGN, depth)}", _SIGN
            if kind == "Cast":
                return self._call("cast", node.inputs, depth, str(op.scalar_op.o_type))
        if isinstance(op, Subtensor | AdvancedSubtensor):
            indexed = self._write_index(node, depth)
            if indexed:
                return indexed, _ATOM
        if isinstance(op, DimShuffle):
            return self._write_dimshuffle(node, depth)
        if isinstance(op, RandomVariable):
            _, size, *params = node.inputs
            return self._call(op.name, params, depth, f"size={self(size, depth)[0]}")
        if isinstance(op, Join):
            return self._write_join(node, depth)
        axis = getattr(op, "axis", None)
        extra = () if axis is None else (f"axis={_write_axes(axis)}",)
        return self._call(_name_of(op), node.inputs, depth, *extra)

    def _call(self, name, inputs, depth, *extra):
        arguments = [self(each, depth)[0] for each in inputs]
        return f"{name}({', '.join([*arguments, *extra])})", _ATOM

    def _inside(self, variable, binding, depth):
        text, own = self(variable, depth)
        return text if own >= binding else f"({text})"

    def _write_infix(self, inputs, sign, binding, depth):
        first, *rest = inputs
        left, right = binding, binding if sign in "+*" else binding + 1
        if sign == "**":
            left, right = right, left
        elif binding == 1:
            left = right  # comparisons would form a chain
        parts = [self._inside(first, left, depth)]
        parts += [self._inside(each, right, depth) for each in rest]
        return f" {sign} ".join(parts), binding

    def _write_index(self, node, depth):
        try:
            indices = indices_from_subtensor(node.inputs[1:], node.op.idx_list)
        except Exception:  # how indices are stored differs between versions
            return None
        shown = ", ".join(self._write_one_index(each, depth) for each in indices)
        return f"{self._inside(node.inputs[0], _ATOM, depth)}[{shown}]"

    def _write_one_index(self, index, depth):
        if not isinstance(index, slice):
            return self(index, depth)[0] if hasattr(index, "owner") else str(index)
        ends = [
            "" if _is_none(end) else self._write_one_index(end, depth)
            for end in (index.start, index.stop, index.step)
        ]
        return ":".join(ends if ends[2] else ends[:2])

    def _write_dimshuffle(self, node, depth):
        order = list(node.op.new_order)
        axes = [axis for axis in order if axis != "x"]
        if order == list(range(node.op.input_ndim))[::-1]:
            return self._call("transpose", node.inputs, depth)
        if order == sorted(axes):
            return self._call("squeeze", node.inputs, depth)
        if len(axes) == len(order):
            return self._call("transpose", node.inputs, depth, _write_axes(order))
        return self._call("dimshuffle", node.inputs, depth, *map(repr, order))

    def _write_join(self, node, depth):
        # The axis is the first input up to PyTensor 3.1 and a property since.
        axis, parts = getattr(node.op, "axis", None), node.inputs
        if axis is None:
            axis, parts = self(parts[0], depth)[0], parts[1:]
        return self._call("concatenate", parts, depth, f"axis={axis}")


def _only_broadcasts(op):
    if not isinstance(op, DimShuffle) or op.drop:
        return False
    new_axes = len(op.new_order) - op.input_ndim
    return list(op.new_order) == ["x"] * new_axes + list(range(op.input_ndim))


def _write_end(variable):
    if isinstance(variable, Constant):
        return _write_constant(variable.data)
    if variable.name:
        return variable.name
    shape = getattr(variable.type, "shape", None)
    if isinstance(variable, SharedVariable):
        shape = getattr(variable.get_value(borrow=True), "shape", shape)
    return f"<{variable.type if shape is None else tuple(shape)}>"


def _write_constant(data):
    if not isinstance(data, np.ndarray | np.generic):
        return repr(data)
    if data.ndim == 0:
        return f"{data.item():g}" if data.dtype.kind == "f" else str(data.item())
    if data.ndim == 1 and data.size <= 5 and data.dtype.kind in "iu":
        return str(tuple(data.tolist()))
    return f"<constant {data.shape}>"


def _write_axes(axes):
    axes = axes if np.iterable(axes) else (axes,)
    return str(axes[0]) if len(axes) == 1 else str(tuple(axes))


def _is_none(end):
    return end is None or (isinstance(end, Constant) and end.data is None)


def _name_of(op):
    if isinstance(op, Blockwise):
        op = op.core_op
    if isinstance(op, Elemwise):
        words = type(op.scalar_op).__name__
    elif isinstance(op, CAReduce):
        words = type(op).__name__
    else:
        words = getattr(op, "name", None) or str(op)
    words = re.split(r"[{(<]", words)[0]
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", words).lower()
    return _NAMES.get(snake, snake)
