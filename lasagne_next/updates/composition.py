"""Dictionaries of updates put together and changed afterwards."""

from collections import OrderedDict

from pytensor.compile.sharedvalue import SharedVariable

from lasagne_next.updates.base import check_params, check_scalar, new_value
from lasagne_next.utils import match_dtype

__all__ = ["apply_multipliers", "combine"]


def combine(*updates):
    """Put dictionaries of updates together, refusing two values for one variable.

    Parameters
    ----------
    *updates : dicts of shared variable to expression
        What rules and other functions of this module returned, or pairs.

    Returns
    -------
    OrderedDict
        All entries in order.

    Raises
    ------
    ValueError
        If a variable has different new values in two of them; plain ``dict.update``
        would keep the last without a word.
    TypeError
        If a key is no shared variable.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W, b = (pytensor.shared(np.ones(2), name=name) for name in "Wb")
    >>> loss = (W * b).sum()
    >>> list(updates.combine(updates.sgd(loss, [W], 0.1), updates.sgd(loss, [b], 0.2)))
    [W, b]
    """
    combined = OrderedDict()
    for position, each in enumerate(updates):
        for variable, value in OrderedDict(each).items():
            if not isinstance(variable, SharedVariable):
                raise TypeError(
                    "combine: keys of updates must be shared variables, got "
                    f"{variable!r} in dictionary {position}."
                )
            if combined.get(variable, value) is not value:
                raise ValueError(
                    "combine: each variable must have one new value, got a second one "
                    f"for {variable!r} in dictionary {position}. Give the rules "
                    "disjoint lists of parameters, and advance a counter once."
                )
            combined[variable] = value
    return combined


def apply_multipliers(updates, multipliers):
    """Scale the steps of single parameters: a learning rate for each.

    Computes ``p + multiplier * (p' - p)`` with p' the new value in `updates`. State of
    the rule, such as moments and velocities, is not scaled.

    Parameters
    ----------
    updates : dict of shared variable to expression
        What a rule returned; it is copied, not changed.
    multipliers : dict of shared variable to number or scalar expression
        Parameters whose steps change; zero holds a parameter fixed.

    Returns
    -------
    OrderedDict
        The same keys in the same order.

    Raises
    ------
    KeyError
        If `updates` has no entry for a parameter.
    ValueError, TypeError
        If a parameter is not of floating type, or a multiplier no scalar.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]))
    >>> new = updates.adam((W**2).sum(), [W], learning_rate=0.1)
    >>> new = updates.apply_multipliers(new, {W: 0.1})
    >>> new[W].eval(mode="FAST_COMPILE").round(4).tolist()
    [0.99, 1.99]
    """
    name = "apply_multipliers"
    updates = OrderedDict(updates)
    for param in check_params(name, multipliers, "multipliers"):
        check_scalar(name, "a multiplier", multipliers[param])
        step = new_value(name, updates, param) - param
        updates[param] = param + match_dtype(multipliers[param], param.dtype) * step
    return updates
