"""The shape of an expression, as far as it is known without running it."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import toposort
from pytensor.tensor.basic import Join
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.rewriting.shape import ShapeFeature
from pytensor.tensor.shape import Shape, Shape_i
from pytensor.tensor.type import TensorType, discrete_dtypes

from lasagne_next.params.tracing import is_leaf

__all__ = ["declare_unit_axes", "static_shape"]

# Operations that are right to refuse inputs whose known sizes disagree. One with an
# inner graph may refuse types merely because it was built with less specific ones.
_STRICT = (Blockwise, Dot, Elemwise, Join)


def static_shape(expression):
    """Work out the shape of an expression from the values its leaves have now.

    PyTensor gives ``pytensor.shared(array)`` no static shape, so that the type of
    ``dot(w1, w2)`` tells nothing. Here each leaf counts with the shape of its value.

    Parameters
    ----------
    expression : TensorVariable
        A shared variable or any expression.

    Returns
    -------
    tuple of int or None
        One entry per axis, None where the size depends on something unknown.

    Raises
    ------
    ValueError
        If the shapes inside the expression do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.params import static_shape
    >>> u, v = pytensor.shared(np.ones((5, 2))), pytensor.shared(np.ones((2, 3)))
    >>> pt.dot(u, v).type.shape, static_shape(pt.dot(u, v))
    ((None, None), (5, 3))
    """
    if is_leaf(expression):
        return _value_shape(expression)
    if expression.owner is None:
        return expression.type.shape
    typed = _with_known_leaves(expression)
    if None in typed.type.shape:
        return _inferred_shape(typed)
    return typed.type.shape


def declare_unit_axes(expression, shape):
    """Tell PyTensor which axes of a parameter have size 1.

    Whether an axis broadcasts is part of a type. A user's shared variable does not know
    it, and a loss would silently broadcast a column of predictions against a vector of
    targets.

    Parameters
    ----------
    expression : TensorVariable
        A parameter.
    shape : tuple of int or None
        Its shape as the layer knows it.

    Returns
    -------
    TensorVariable
        `expression` itself if its type knows all axes of size 1.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next.params import declare_unit_axes
    >>> W = pytensor.shared(np.ones((3, 1)))
    >>> declare_unit_axes(W, (3, 1)).type.shape
    (None, 1)
    """
    axes = [
        axis
        for axis, (known, size) in enumerate(
            zip(expression.type.shape, shape, strict=True)
        )
        if size == 1 and known is None
    ]
    return pt.specify_broadcastable(expression, *axes) if axes else expression


def _value_shape(leaf):
    return tuple(leaf.get_value(borrow=True, return_internal_type=True).shape)


def _with_known_leaves(expression):
    """Rebuild an expression on placeholders that carry the shapes of its leaves."""
    return _rebuild_graph([expression], {})[0]


def _rebuild_graph(outputs, rebuilt):
    for node in toposort(outputs):
        for each in node.inputs:
            if each not in rebuilt:
                rebuilt[each] = _placeholder(each)
        inputs = [rebuilt[each] for each in node.inputs]
        rebuilt.update(zip(node.outputs, _rebuild(node, inputs), strict=True))
    return [rebuilt[output] for output in outputs]


def _placeholder(variable):
    if not is_leaf(variable) or None not in getattr(variable.type, "shape", ()):
        return variable
    return variable.type.clone(shape=_value_shape(variable))(name=variable.name)


def _rebuild(node, inputs):
    sizes = _constant_sizes(node, inputs)
    if sizes is not None:
        return sizes
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        return node.outputs
    if isinstance(node.op, OpFromGraph):
        known = dict(zip(node.op.inner_inputs, inputs, strict=True))
        return _rebuild_graph(node.op.inner_outputs, known)
    try:
        outputs = node.op.make_node(*inputs).outputs
    except Exception as error:
        if not isinstance(node.op, _STRICT):
            return node.outputs
        raise ValueError(
            f"the shapes {_listed(inputs)} do not fit in {node.op}"
        ) from error
    if isinstance(node.op, Elemwise):
        _check_declared_broadcasting(node, inputs, outputs)
    return outputs


def _listed(inputs):
    return " and ".join(str(getattr(each.type, "shape", "?")) for each in inputs)


def _check_declared_broadcasting(node, inputs, outputs):
    """Refuse to stretch an axis that only happens to have size 1.

    PyTensor stretches an axis only if the type says that its size is 1.
    """
    for old, new in zip(node.inputs, inputs, strict=True):
        sizes = zip(old.type.shape, new.type.shape, outputs[0].type.shape, strict=True)
        for axis, (declared, size, wanted) in enumerate(sizes):
            if declared is None and size == 1 and wanted not in (None, 1):
                raise ValueError(
                    f"axis {axis} of {old} has size 1 and would have to be stretched "
                    f"to {wanted}, which PyTensor does only where the type knows the "
                    "size: use shared(value, shape=value.shape)"
                )


def _constant_sizes(node, inputs):
    """Return what a node yields if only integer constants and known sizes enter."""
    if isinstance(node.op, Shape) and None not in inputs[0].type.shape:
        return [pt.constant(np.array(inputs[0].type.shape, dtype="int64"))]
    if isinstance(node.op, Shape_i) and inputs[0].type.shape[node.op.i] is not None:
        return [pt.constant(np.array(inputs[0].type.shape[node.op.i], dtype="int64"))]
    if not all(isinstance(each, Constant) for each in inputs):
        return None
    if not all(_may_hold_a_size(out.type) for out in node.outputs):
        return None
    try:
        storage = [[None] for _ in node.outputs]
        node.op.perform(node, [each.data for each in inputs], storage)
    except Exception:
        return None
    return [pt.constant(cell[0]) for cell in storage]


def _may_hold_a_size(type):
    return (
        isinstance(type, TensorType) and type.ndim < 2 and type.dtype in discrete_dtypes
    )


def _inferred_shape(expression):
    """Ask each operation's `infer_shape` where static types know too little."""
    graph = FunctionGraph(outputs=[expression], clone=True, features=[ShapeFeature()])
    sizes = graph.shape_feature.shape_tuple(graph.outputs[0])
    return tuple(
        known if known is not None else _constant_value(size)
        for known, size in zip(expression.type.shape, sizes, strict=True)
    )


def _constant_value(size):
    folded = size if size.owner is None else _with_known_leaves(size)
    return int(folded.data) if isinstance(folded, Constant) else None
