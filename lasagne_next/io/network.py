"""Saving and loading the values of networks and of update rules, by name."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from pytensor.tensor.type import TensorType

from lasagne_next.io.files import load_values, save_values
from lasagne_next.io.naming import STATE_PREFIX, name_leaves, name_states
from lasagne_next.layers.helper.parameters import set_values_atomically
from lasagne_next.utils import nearest

__all__ = [
    "LoadReport",
    "load",
    "named_params",
    "named_values",
    "save",
    "set_named_values",
]

_LONGEST_LIST = 10


def named_params(network, updates=None):
    """Give every leaf of a network, and every state of its updates, a name.

    Parameters
    ----------
    network : Layer or iterable of Layer
        The output layer or layers.
    updates : dict or list of pairs, optional
        Update rules as :mod:`lasagne_next.updates` makes them. Everything that they
        change and that is not part of the network is state: velocities, step counters.

    Returns
    -------
    OrderedDict
        Of name to shared variable: first the leaves in the order of
        :func:`lasagne_next.layers.get_all_params`, trainable or not, each once, then
        the state. Generator states are no parameters and left out.

    Raises
    ------
    TypeError
        If `network` is no layer.

    Notes
    -----
    A leaf is called by its own name if no other leaf has that name. Otherwise, and if
    it has none, or if a layer without a name made it, it is called after its place:
    "<layer>.<parameter>" or, inside an expression, "<layer>.<parameter>:leaf<i>", where
    i counts the leaves of this expression from the left. <layer> is the name of the
    layer, or its class and number ("DenseLayer1" is the second dense layer, counted
    from the input) if it has none of its own; <parameter> is the attribute of the layer
    that holds the parameter, or else the name that it was registered with, or
    "param<i>". Networks that are built alike therefore have the same names, and layers
    without parameters may be put in between.

    State that the new value of one parameter alone is made from (a velocity), or that
    is made from this (an average), is called "updates:<parameter>:<own name, or
    position>", all other "updates:<own name, or position>". A name that would still
    occur twice gets an underscore.

    Examples
    --------
    >>> from lasagne_next import io
    >>> from lasagne_next.layers import DenseLayer
    >>> hidden = DenseLayer((None, 4), num_units=3)
    >>> list(io.named_params(DenseLayer(hidden, num_units=2, name="out")))
    ['DenseLayer0.W', 'DenseLayer0.b', 'out.W', 'out.b']
    """
    named = name_leaves(network)
    if updates is not None:
        named |= name_states(dict(updates), named)
    return named


def named_values(network, updates=None):
    """Copy the values of a network, and of its updates, by name.

    Parameters
    ----------
    network, updates
        As for :func:`named_params`.

    Returns
    -------
    OrderedDict
        Of name to numpy.ndarray.

    Examples
    --------
    >>> from lasagne_next import io
    >>> from lasagne_next.layers import DenseLayer
    >>> network = DenseLayer((None, 4), 3, name="out")
    >>> {name: value.shape for name, value in io.named_values(network).items()}
    {'out.W': (4, 3), 'out.b': (3,)}
    """
    return OrderedDict(
        (name, param.get_value())
        for name, param in named_params(network, updates).items()
    )


def save(path, network, updates=None):
    """Save the values of a network, and of its updates, to a file.

    Parameters
    ----------
    path : str or path-like
        Ends with ``.npz`` or ``.safetensors``. An existing file is replaced when the
        new one is complete.
    network, updates
        As for :func:`named_params`. Pass the updates to go on training later.

    Raises
    ------
    ValueError, TypeError, OSError, ImportError
        As :func:`save_values`.

    Notes
    -----
    What is saved are the leaves: a tied or shared weight once, and a low-rank weight as
    its factors. The structure of the network is not saved; see
    :mod:`lasagne_next.io` for that.

    Examples
    --------
    >>> import os, tempfile
    >>> from lasagne_next import io
    >>> from lasagne_next.layers import DenseLayer
    >>> path = os.path.join(tempfile.mkdtemp(), "network.npz")
    >>> io.save(path, DenseLayer((None, 4), 3, name="out"))
    >>> network = DenseLayer((None, 4), 3, name="out")
    >>> print(io.load(path, network))
    Loaded 2 of 2 values.
    """
    named = named_params(network, updates)
    save_values(path, {name: _array_of(name, param) for name, param in named.items()})


def load(path, network, updates=None, strict=True):
    """Load the values of a network, and of its updates, from a file.

    Parameters
    ----------
    path : str or path-like
        A ``.npz`` or ``.safetensors`` file of named arrays, from :func:`save` or from
        elsewhere.
    network, updates
        As for :func:`named_params`. Without updates, saved state is left aside.
    strict : bool, default True
        Whether everything must fit: then either all values are set or none. If False,
        what fits is set and the report tells the rest.

    Returns
    -------
    LoadReport
        What was set and what was not.

    Raises
    ------
    ValueError
        If `strict` and something is missing, unexpected or does not fit, with the full
        report, or if the file is no valid one.
    OSError, TypeError, ImportError
        As :func:`load_values`.

    Examples
    --------
    See :func:`save`.
    """
    named = named_params(network, updates)
    values = load_values(path)
    if updates is None:
        values = OrderedDict(
            item for item in values.items() if not item[0].startswith(STATE_PREFIX)
        )
    return _set_all("load", f" in {str(path)!r}", named, values, strict)


def set_named_values(network, values, updates=None, strict=True):
    """Set the values of a network, and of its updates, by name.

    Parameters
    ----------
    network : Layer or iterable of Layer
        The output layer or layers.
    values : dict
        Of name to array_like; each is cast to the type of its parameter, but nothing
        fractional to integers.
    updates, strict
        As for :func:`load`.

    Returns
    -------
    LoadReport
        What was set and what was not.

    Raises
    ------
    ValueError
        If `strict` and not everything fits; nothing has been set then.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import io
    >>> from lasagne_next.layers import DenseLayer
    >>> network = DenseLayer((None, 4), 3, name="out")
    >>> print(io.set_named_values(network, {"out.b": np.ones(3)}, strict=False))
    Loaded 1 of 2 values.
      missing: out.W
    """
    named = named_params(network, updates)
    return _set_all("set_named_values", "", named, values, strict)


@dataclass(frozen=True)
class LoadReport:
    """What became of the values that were to be loaded.

    Parameters
    ----------
    loaded : list of str
        Names of the values that were set.
    missing : list of str
        Names in the network for which there was no value.
    unexpected : list of str
        Names of values for which there is no place in the network.
    misshapen : dict
        Of name to a pair of the shape needed and the shape found.
    mistyped : dict
        Of name to a pair of the type needed and the type found, which cannot be cast.

    Examples
    --------
    >>> from lasagne_next.io import LoadReport
    >>> print(LoadReport(["W"], missing=["b"]))
    Loaded 1 of 2 values.
      missing: b
    """

    loaded: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    unexpected: list = field(default_factory=list)
    misshapen: dict = field(default_factory=dict)
    mistyped: dict = field(default_factory=dict)

    @property
    def is_complete(self):
        """Whether every name had a value that fits, and every value a place."""
        return not (self.missing or self.unexpected or self.misshapen or self.mistyped)

    def __str__(self):
        wanted = len(self.loaded) + len(self.missing)
        wanted += len(self.misshapen) + len(self.mistyped)
        lines = [f"Loaded {len(self.loaded)} of {wanted} values.", *self.problems()]
        return "\n  ".join(lines)

    def problems(self):
        """List what did not fit, a line for each kind.

        Returns
        -------
        list of str
            Empty if all is well.
        """
        kinds = {
            "missing": self.missing,
            "unexpected": [*self._hinted(), *self.unexpected[_LONGEST_LIST:]],
            "wrong shape": _compare(self.misshapen),
            "wrong type": _compare(self.mistyped),
        }
        return [f"{kind}: {_shorten(found)}" for kind, found in kinds.items() if found]

    def _hinted(self):
        shown = self.unexpected[:_LONGEST_LIST]
        return [name + nearest(name, self.missing) for name in shown]


def _compare(pairs):
    return [f"{name} must be {want}, got {got}" for name, (want, got) in pairs.items()]


def _shorten(items):
    shown = "; ".join(items[:_LONGEST_LIST])
    rest = len(items) - _LONGEST_LIST
    return f"{shown}; and {rest} more" if rest > 0 else shown


def _array_of(name, param):
    if not isinstance(param.type, TensorType):
        raise TypeError(
            f"save: {name!r} must be a tensor, got {param!r} of type {param.type}."
        )
    return param.get_value(borrow=True)


def _set_all(function, source, named, values, strict):
    arrays = {name: np.asarray(value) for name, value in values.items()}
    report = LoadReport(
        missing=[name for name in named if name not in arrays],
        unexpected=[name for name in arrays if name not in named],
    )
    for name, param in named.items():
        if name in arrays:
            _judge(report, name, param.get_value(borrow=True), arrays[name])
    if strict and not report.is_complete:
        problems = "\n  ".join(report.problems())
        raise ValueError(
            f"{function}: the values{source} do not fit the network, which is "
            "unchanged. Correct the names or shapes, or pass strict=False to load what "
            f"fits.\n  {problems}"
        )
    set_values_atomically(
        function, [(name, named[name], arrays[name]) for name in report.loaded]
    )
    if named and not report.loaded:
        warnings.warn(f"{function}: none of the values{source} fits.", stacklevel=3)
    return report


def _judge(report, name, current, value):
    if value.shape != current.shape:
        report.misshapen[name] = (current.shape, value.shape)
    elif not np.can_cast(value.dtype, current.dtype, casting="same_kind"):
        report.mistyped[name] = (str(current.dtype), str(value.dtype))
    else:
        report.loaded.append(name)
