"""Tags of single leaves, and how they combine with the tags of a parameter."""

from __future__ import annotations

from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable

from lasagne_next.params.tracing import collect_shared_vars, connected_leaves, is_leaf

__all__ = ["get_tags", "leaf_tags", "set_tags"]

_ATTRIBUTE = "lasagne_next_tags"


def set_tags(variables, **tags):
    """Set tags on shared variables, which override what their layers say.

    A layer tags a parameter as a whole. Where the parameter is an expression, its
    leaves may differ: a frozen base beside a trainable correction, a mask, a gain that
    no penalty should touch.

    Parameters
    ----------
    variables : SharedVariable or iterable of SharedVariable
        The leaves to tag.
    **tags : bool or None
        ``trainable=False``, ``regularizable=False`` or words of your own. None takes
        the leaf's own setting back, so that the layer decides again.

    Returns
    -------
    SharedVariable or iterable of SharedVariable
        `variables`, so that a leaf can be tagged where it is made.

    Raises
    ------
    TypeError
        If something other than a shared variable is given (an expression has no tags of
        its own: tag its leaves), or a tag is neither a bool nor None.

    Notes
    -----
    A leaf that is not trainable by its own tag is not regularizable either, unless its
    own tags say so: a penalty would pull at a value that nothing trains.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import lasagne_next
    >>> mask = lasagne_next.params.set_tags(
    ...     pytensor.shared(np.eye(3), name="mask"), trainable=False)
    >>> V = pytensor.shared(np.ones((3, 3)), name="V")
    >>> layer = lasagne_next.layers.DenseLayer((None, 3), 3, W=mask * V, b=None)
    >>> layer.get_params(), layer.get_params(trainable=True)
    ([mask, V], [V])
    """
    leaves = [variables] if isinstance(variables, Variable) else list(variables)
    for leaf in leaves:
        if not isinstance(leaf, SharedVariable):
            raise TypeError(
                f"set_tags: variables must be shared variables, got {leaf!r}. "
                "Tag the shared variables inside an expression instead."
            )
    for tag, value in tags.items():
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"set_tags: {tag} must be a bool or None, got {value!r}.")
    for leaf in leaves:
        merged = {**get_tags(leaf), **tags}
        kept = {tag: value for tag, value in merged.items() if value is not None}
        setattr(leaf.tag, _ATTRIBUTE, kept)
    return variables


def get_tags(variable):
    """Return the tags that were set on a shared variable itself.

    Parameters
    ----------
    variable : SharedVariable
        A leaf.

    Returns
    -------
    dict
        Of tag to bool; empty when the layers alone decide.

    Examples
    --------
    >>> import pytensor
    >>> from lasagne_next.params import get_tags, set_tags
    >>> get_tags(set_tags(pytensor.shared(1.0), trainable=False))
    {'trainable': False}
    """
    return dict(getattr(variable.tag, _ATTRIBUTE, {}))


def leaf_tags(parameter, tags):
    """Work out the tags of each leaf of a parameter.

    Parameters
    ----------
    parameter : Variable
        A shared variable or an expression.
    tags : set of str
        The tags of the parameter as a whole, as its layer registered them.

    Returns
    -------
    list of (SharedVariable, set of str)
        The leaves from left to right. A leaf has the tags of the parameter, except
        that a leaf of integers or booleans, or one that no gradient of the parameter
        reaches, is neither trainable nor regularizable, and that tags set on the leaf
        itself (:func:`set_tags`) override everything.

    Examples
    --------
    >>> import pytensor
    >>> from lasagne_next.params import leaf_tags
    >>> count, w = pytensor.shared(3, name="count"), pytensor.shared(1.0, name="w")
    >>> leaf_tags(w ** count, {"trainable"})
    [(w, {'trainable'}), (count, set())]
    """
    if is_leaf(parameter):
        return [(parameter, _effective_tags(parameter, tags, connected=True))]
    reached = connected_leaves(parameter)
    return [
        (leaf, _effective_tags(leaf, tags, leaf in reached))
        for leaf in collect_shared_vars(parameter)
    ]


def _effective_tags(leaf, tags, connected):
    own = get_tags(leaf)
    learnable = connected and _is_continuous(leaf) and own.get("trainable", True)
    effective = set(tags)
    if not learnable:
        effective -= {"trainable", "regularizable"}
    effective |= {tag for tag, value in own.items() if value}
    return effective - {tag for tag, value in own.items() if not value}


def _is_continuous(leaf):
    dtype = getattr(leaf.type, "dtype", "")
    return dtype.startswith(("float", "complex"))
