"""What all update rules share: gradients, hyper-parameters, state, one dictionary.

A rule is a small function of one parameter,
``rule(param, gradient, state, *scalars) -> [(variable, new value), ...]``, and a
documented wrapper that hands it to :func:`assemble`.
"""

from collections import OrderedDict
from functools import partial

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Variable
from pytensor.graph.null_type import NullType
from pytensor.tensor.type import TensorType

from lasagne_next.utils import match_dtype

__all__ = [
    "assemble",
    "assemble_counted",
    "fit_gradients",
    "get_or_compute_grads",
    "zeros_like_param",
]


def get_or_compute_grads(loss_or_grads, params):
    """Return gradients: those given, or those of a loss with respect to `params`.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        Of floating type and any shape.

    Returns
    -------
    list of TensorVariable
        One gradient for each parameter. A list of gradients is returned itself, and
        a tuple as a list.

    Raises
    ------
    ValueError
        If a parameter is not a shared variable of floating type or is given twice; if
        the numbers of gradients and parameters differ or a gradient is missing; if the
        loss is not a floating scalar or does not depend on every parameter.
    TypeError
        If the loss is no expression, or `params` is a single variable.

    Notes
    -----
    Lasagne differentiated a tuple of gradients as if it were a loss.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next.updates import get_or_compute_grads
    >>> W = pytensor.shared(np.array([1.0, 2.0]))
    >>> gradient, = get_or_compute_grads((W**2).sum(), [W])
    >>> gradient.eval(mode="FAST_COMPILE").tolist()
    [2.0, 4.0]
    """
    name = "get_or_compute_grads"
    return _get_or_compute_grads(name, loss_or_grads, check_params(name, params))


def _get_or_compute_grads(name, loss_or_grads, params):
    if isinstance(loss_or_grads, list | tuple):
        _check_gradients(name, loss_or_grads, params)
        is_list = isinstance(loss_or_grads, list)
        return loss_or_grads if is_list else list(loss_or_grads)
    _check_loss(name, loss_or_grads)
    gradients = pytensor.grad(
        loss_or_grads,
        params,
        disconnected_inputs="ignore",
        return_disconnected="none",
    )
    unused = [
        _label(p, i)
        for i, (p, g) in enumerate(zip(params, gradients, strict=True))
        if g is None
    ]
    if unused:
        raise ValueError(
            f"{name}: the loss must depend on every parameter, but it does not depend "
            f"on {', '.join(unused)}. Remove what is not trained by this loss from "
            "params."
        )
    return gradients


def _check_gradients(name, gradients, params):
    if len(gradients) != len(params):
        raise ValueError(
            f"{name}: there must be one gradient for each parameter, got "
            f"{len(gradients)} gradients for {len(params)} parameters."
        )
    for i, (param, gradient) in enumerate(zip(params, gradients, strict=True)):
        kind = getattr(gradient, "type", None)
        if gradient is None or isinstance(kind, DisconnectedType | NullType):
            raise ValueError(
                f"{name}: gradients must be expressions, got {gradient!r} for "
                f"{_label(param, i)}. The loss does not depend on this parameter: "
                "remove it from params, or pass zeros."
            )


def _check_loss(name, loss):
    if not isinstance(loss, Variable):
        raise TypeError(
            f"{name}: loss_or_grads must be a scalar expression or a list of "
            f"gradients, got {loss!r} of type {type(loss).__name__}."
        )
    if not isinstance(loss.type, TensorType) or loss.type.ndim != 0:
        raise ValueError(
            f"{name}: the loss must be a scalar expression, got {loss!r} of type "
            f"{loss.type}. Take its .mean() or .sum()."
        )
    if not loss.dtype.startswith("float"):
        raise ValueError(
            f"{name}: the loss must be of floating type, got {loss!r} of type "
            f"{loss.type}. A count cannot be differentiated."
        )


def check_params(name, params, argument="params"):
    """Return `params` as a list; ValueError unless distinct floating shared ones."""
    if isinstance(params, Variable):
        raise TypeError(
            f"{name}: {argument} must be a list of shared variables, got the single "
            f"variable {params!r}. Write [{params}]."
        )
    params = list(params)
    seen = set()
    for i, param in enumerate(params):
        if not isinstance(param, SharedVariable):
            raise ValueError(
                f"{name}: {argument} must contain shared variables only, got "
                f"{param!r} at position {i}. For a parameter expression pass the "
                "shared variables inside it, as get_all_params does."
            )
        if not _is_floating(param):
            raise ValueError(
                f"{name}: {argument} must be of floating type, got {_label(param, i)} "
                f"of type {param.type}. Leave out what cannot be trained."
            )
        if param in seen:
            raise ValueError(
                f"{name}: {argument} must be distinct, got {_label(param, i)} twice. "
                "lasagne_next.utils.unique removes duplicates."
            )
        seen.add(param)
    return params


def _is_floating(variable):
    kind = variable.type
    return isinstance(kind, TensorType) and kind.dtype.startswith("float")


def _label(param, position):
    return repr(param.name) if param.name else f"parameter {position} ({param.type})"


def check_scalar(name, argument, value):
    """Return a number or a scalar expression as it is; raise for anything else."""
    if isinstance(value, Variable):
        if not isinstance(value.type, TensorType):
            raise TypeError(
                f"{name}: {argument} must be a number or a scalar tensor expression, "
                f"got {value!r} of type {value.type}."
            )
        kind, ndim = np.dtype(value.dtype).kind, value.type.ndim
    else:
        array = np.asarray(value)
        kind, ndim = array.dtype.kind, array.ndim
    if kind not in "iuf":
        raise TypeError(
            f"{name}: {argument} must be a real number or a scalar expression, got "
            f"{value!r}."
        )
    if ndim != 0:
        raise ValueError(
            f"{name}: {argument} must be a number or a scalar expression, got "
            f"{value!r} with {ndim} axes."
        )
    return value


def check_positive(name, argument, value):
    """Like `check_scalar`; ValueError for a number that is not above zero."""
    check_scalar(name, argument, value)
    if not isinstance(value, Variable) and not value > 0:
        raise ValueError(f"{name}: {argument} must be positive, got {value!r}.")
    return value


def new_value(name, updates, param):
    """Return the entry of `param` in its own floating type; KeyError without one."""
    if param not in updates:
        raise KeyError(
            f"{name}: updates must have an entry for each parameter, got none for "
            f"{param!r}. Pass the updates that train it, or leave it out."
        )
    return match_dtype(updates[param], param.dtype)


def fit_gradients(name, loss_or_grads, params):
    """Return one gradient for each parameter, of the parameter's type.

    Parameters
    ----------
    name : str
        The calling function, for error messages.
    loss_or_grads : scalar expression, or list or tuple of expressions
        See :func:`get_or_compute_grads`.
    params : list of shared variables
        As :func:`check_params` returns it.

    Returns
    -------
    list of TensorVariable
        Gradients cast to the types of the parameters, of the same shapes.

    Raises
    ------
    ValueError
        As :func:`get_or_compute_grads`, or if a gradient cannot have the shape of its
        parameter.
    TypeError
        As :func:`get_or_compute_grads`.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next.updates.base import fit_gradients
    >>> W = pytensor.shared(np.zeros((2, 3), dtype="float32"), shape=(2, 3))
    >>> fit_gradients("my_rule", [np.ones((2, 3))], [W])[0].type
    TensorType(float32, shape=(2, 3))
    """
    gradients = _get_or_compute_grads(name, loss_or_grads, params)
    pairs = enumerate(zip(params, gradients, strict=True))
    return [_fit_gradient(name, param, gradient, i) for i, (param, gradient) in pairs]


def _fit_gradient(name, param, gradient, position):
    gradient = pt.as_tensor_variable(gradient)
    wanted, got = param.type.shape, gradient.type.shape
    if len(wanted) != len(got) or any(
        w != g for w, g in zip(wanted, got, strict=True) if None not in (w, g)
    ):
        raise ValueError(
            f"{name}: the gradient of {_label(param, position)} must have its shape "
            f"{wanted}, got {gradient!r} of shape {got}."
        )
    gradient = match_dtype(gradient, param.dtype)
    # Without this, adding a gradient of unknown length to an axis of length 1 would
    # lose the static length of the parameter.
    if any(w == 1 and g is None for w, g in zip(wanted, got, strict=True)):
        gradient = pt.specify_shape(gradient, wanted)
    return gradient


def zeros_like_param(param, rule, slot):
    """Make a state variable: zeros of the parameter's type and size.

    Parameters
    ----------
    param : shared variable, any shape
        Its type, static shape included, is that of the state.
    rule, slot : str
        Parts of the name, ``<name of param>.<rule>.<slot>``; the state of a parameter
        without a name has none.

    Returns
    -------
    TensorSharedVariable
        Of the shape of `param`.

    Notes
    -----
    Lasagne left state unnamed. Names let optimiser state be saved and loaded by name.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next.updates.base import zeros_like_param
    >>> W = pytensor.shared(np.ones((2, 1)), shape=(2, 1), name="W")
    >>> zeros_like_param(W, "adam", "m"), zeros_like_param(W, "adam", "m").type.shape
    (W.adam.m, (2, 1))
    """
    zeros = np.zeros(param.get_value(borrow=True).shape, param.dtype)
    name = f"{param.name}.{rule}.{slot}" if param.name else None
    return pytensor.shared(zeros, name=name, shape=param.type.shape)


def make_counter(name, params, start=0):
    """Make a shared scalar for counting, of the widest type among `params`.

    It is of a floating type so that powers of it mix with the parameters, and never
    below single precision, which counts exactly up to 16 million. Lasagne has
    ``config.floatX`` here; the types differ only where the parameters are not of
    ``config.floatX`` either, and then this one keeps double precision out of a graph
    of single precision.
    """
    dtype = np.result_type("float32", *(param.dtype for param in params))
    return pytensor.shared(np.asarray(start, dtype), name=name, shape=())


def assemble(name, rule, loss_or_grads, params, scalars=None, **hyper):
    """Apply a function of one parameter to all and collect the updates.

    Parameters
    ----------
    name : str
        Name of the rule, for error messages and for the names of state variables.
    rule : callable
        Called as ``rule(param, gradient, state, *scalars)``, where ``state(slot)``
        makes a state variable like the parameter; returns pairs (shared variable, new
        value), in the order in which they shall be keys.
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    scalars : callable, optional
        Called once for each floating type among the parameters with the
        hyper-parameters as keywords, scalars of this type; returns the tuple of
        scalars that `rule` gets. What does not depend on the parameter is computed
        here. By default the hyper-parameters themselves in order.
    **hyper : numbers or scalar expressions
        The hyper-parameters.

    Returns
    -------
    OrderedDict
        Shared variable to new value, of the type of the variable.

    Raises
    ------
    ValueError, TypeError
        For what :func:`get_or_compute_grads` refuses, and for hyper-parameters that
        are no scalars.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next.updates.base import assemble
    >>> W = pytensor.shared(np.array([1.0, 2.0]))
    >>> new = assemble("sgd", lambda p, g, state, rate: [(p, p - rate * g)],
    ...                (W**2).sum(), [W], rate=0.25)
    >>> new[W].eval(mode="FAST_COMPILE").tolist()
    [0.5, 1.0]
    """
    params = check_params(name, params)
    gradients = fit_gradients(name, loss_or_grads, params)
    for argument, value in hyper.items():
        check_scalar(name, argument, value)
    scalars_of = {}
    updates = OrderedDict()
    for param, gradient in zip(params, gradients, strict=True):
        if param.dtype not in scalars_of:
            cast = {key: match_dtype(h, param.dtype) for key, h in hyper.items()}
            made = scalars(**cast) if scalars else tuple(cast.values())
            scalars_of[param.dtype] = made
        state = partial(zeros_like_param, param, name)
        updates.update(rule(param, gradient, state, *scalars_of[param.dtype]))
    return updates


def assemble_counted(name, rule, loss_or_grads, params, scalars, **hyper):
    """Apply a function of one parameter to all, and count the calls.

    Parameters
    ----------
    name, rule, loss_or_grads, params, **hyper
        As for :func:`assemble`.
    scalars : callable
        As for :func:`assemble`; gets the number of this call, 1 for the first, as
        another keyword ``t``, a scalar.

    Returns
    -------
    OrderedDict
        As :func:`assemble`, with the counter as last key, of shape ().

    Raises
    ------
    ValueError, TypeError
        As :func:`assemble`.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next.updates.base import assemble_counted
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> list(assemble_counted("slowing", lambda p, g, state, rate: [(p, p - rate * g)],
    ...                       (W**2).sum(), [W], lambda t: (1 / t,)))
    [W, slowing.t]
    """
    params = check_params(name, params)
    count = make_counter(f"{name}.t", params)
    new_count = count + 1
    updates = assemble(name, rule, loss_or_grads, params, scalars, t=new_count, **hyper)
    updates[count] = new_count
    return updates
