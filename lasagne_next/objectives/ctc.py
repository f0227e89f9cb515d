"""Labels without known places: connectionist temporal classification."""

from __future__ import annotations

import numbers

import numpy as np
import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.ops import CTC
from lasagne_next.utils import as_theano_expression, match_dtype

__all__ = ["ctc_greedy_decode", "ctc_loss"]


def ctc_loss(
    logits, labels, input_lengths=None, label_lengths=None, blank=0, zero_infinity=False
):
    r"""Compute the loss of labels whose places in a sequence are not known [1]_.

    A path has one class for each step, of probability softmax(logits). The loss is
    minus the logarithm of the probability of all paths that become the labels when
    repetitions are merged first and blanks removed then:

    .. math::

       -\log \sum_{\pi : B(\pi) = labels} \prod_t p_t(\pi_t)

    Parameters
    ----------
    logits : expression, shape (batch, time, num_classes)
        What a softmax would be applied to. Logarithms of probabilities are fine too.
    labels : expression of integers, shape (batch, num_labels)
        Classes other than `blank`. What follows the first ``label_lengths`` of a row
        may be anything.
    input_lengths : expression, shape (batch,) or (batch, time), optional
        How many steps there are, or a mask of ones followed by zeros; all by default.
    label_lengths : expression, shape (batch,) or (batch, num_labels), optional
        How many labels there are, or a mask of ones followed by zeros; all by default.
    blank : int, default 0
        The class that stands for no label; -1 for the last.
    zero_infinity : bool, default False
        Whether the loss of labels that no path can give is 0 instead of infinity. The
        derivative is 0 in either case.

    Returns
    -------
    TensorVariable, shape (batch,)
        In nats. Infinite where there are fewer steps than labels and repetitions need,
        and for a label that is the blank or names no class.

    Raises
    ------
    TypeError
        If an argument has other axes, labels or lengths are no integers, or `blank` is
        none.
    ValueError
        If known sizes differ, or `blank` names no class.

    Notes
    -----
    Computed by the operation :class:`lasagne_next.ops.CTC`, forth and back in the
    logarithmic domain, so that single precision does for thousands of steps. There is
    no second derivative. PyTorch's loss takes logarithms of probabilities, time first.

    References
    ----------
    .. [1] Alex Graves, Santiago Fernandez, Faustino Gomez and Juergen Schmidhuber
       (2006): Connectionist temporal classification. ICML, equations 3 to 8.
       https://doi.org/10.1145/1143844.1143891

    Examples
    --------
    Two steps can say "1" in three ways: 1-1, 1-blank, blank-1.

    >>> import numpy as np
    >>> from lasagne_next.objectives import ctc_loss
    >>> loss = ctc_loss(np.zeros((1, 2, 3)), [[1]])
    >>> np.exp(-loss.eval(mode="FAST_COMPILE")).round(4).tolist()
    [0.3333]
    """
    who = "ctc_loss"
    logits = _as_logits(who, logits)
    blank = _as_blank(who, blank, logits)
    labels = _as_numbers(who, "labels", labels, 2)
    _check_axis(who, "labels", labels, logits, 0)
    steps = _as_lengths(who, "input_lengths", input_lengths, logits)
    counts = _as_lengths(who, "label_lengths", label_lengths, labels)
    logs = pt.special.log_softmax(logits, axis=2).dimshuffle(1, 0, 2)
    total, _ = CTC(blank)(logs, labels, steps, counts)  # (batch,)
    otherwise = match_dtype(0 if zero_infinity else np.inf, total.dtype)
    return pt.switch(pt.isinf(total), otherwise, -total)


def _places(x):
    """Return the number of each column, SHAPE (rows, columns)."""
    # A range of unknown length does not compile on JAX (PyTensor 3.0.7).
    return pt.cumsum(pt.ones_like(x, dtype="int32"), axis=1) - 1


def ctc_greedy_decode(logits, input_lengths=None, blank=0):
    """Read the labels of the most probable path.

    Of the most probable class of each step, repetitions are merged first and blanks
    removed then.

    Parameters
    ----------
    logits : expression, shape (batch, time, num_classes)
        Or probabilities, or their logarithms.
    input_lengths : expression, shape (batch,) or (batch, time), optional
        How many steps there are, or a mask of ones followed by zeros; all by default.
    blank : int, default 0
        The class that stands for no label; -1 for the last.

    Returns
    -------
    labels : TensorVariable, shape (batch, time)
        Integers, filled up with blanks.
    label_lengths : TensorVariable, shape (batch,)
        How many labels there are in each row.

    Raises
    ------
    TypeError
        If an argument has other axes, lengths are no integers, or `blank` is none.
    ValueError
        If known sizes differ, or `blank` names no class.

    Notes
    -----
    The labels of the most probable path are not always the most probable labels.

    References
    ----------
    Alex Graves, Santiago Fernandez, Faustino Gomez and Juergen Schmidhuber (2006):
    Connectionist temporal classification. ICML, section 3.2, best path decoding.
    https://doi.org/10.1145/1143844.1143891

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.objectives import ctc_greedy_decode
    >>> path = np.eye(3)[[[1, 1, 0, 1, 2]]]
    >>> labels, lengths = ctc_greedy_decode(path)
    >>> labels.eval(mode="FAST_COMPILE").tolist()
    [[1, 1, 2, 0, 0]]
    """
    who = "ctc_greedy_decode"
    logits = _as_logits(who, logits)
    blank = _as_blank(who, blank, logits)
    steps = _as_lengths(who, "input_lengths", input_lengths, logits)
    best = logits.argmax(axis=2).astype("int32")  # (batch, time)
    if blank == -1:
        blank = logits.shape[2].astype("int32") - 1
    places = _places(best)
    # A class is no repetition at the first step: there is nothing before it.
    before = pt.concatenate([best[:, :1] + 1, best[:, :-1]], axis=1)
    kept = pt.neq(before, best) & pt.neq(best, blank) & pt.lt(places, steps[:, None])
    counts = kept.sum(axis=1).astype("int32")
    return _moved_to_front(best, kept, places, blank), counts


def _moved_to_front(labels, kept, places, blank):
    """Write what is kept from the start of each row on, and blanks behind."""
    target = pt.cumsum(kept.astype("int32"), axis=1) - 1
    rows = pt.cumsum(pt.ones_like(labels), axis=0) - 1
    width = labels.shape[1].astype("int32") + 1  # one more column, for what is dropped
    index = rows * width + pt.switch(kept, target, width - 1)
    filled = pt.concatenate([labels, labels[:, :1]], axis=1) * 0 + blank
    written = pt.set_subtensor(filled.ravel()[index.ravel()], labels.ravel())
    return written.reshape(filled.shape)[:, :-1]


def _as_logits(who, logits):
    logits = as_float(logits)
    if logits.ndim != 3:
        raise TypeError(
            f"{who}: logits must have 3 axes (batch, time, classes), got shape "
            f"{logits.type.shape}. Give a single sequence an axis of size 1."
        )
    return logits


def _as_blank(who, blank, logits):
    if not isinstance(blank, numbers.Integral):
        raise TypeError(f"{who}: blank must be an integer, got {blank!r}.")
    size = logits.type.shape[2]
    if blank < -1 or (size is not None and blank >= size):
        raise ValueError(
            f"{who}: blank must be the number of a class, or -1 for the last, got "
            f"{blank!r} (logits of shape {logits.type.shape})."
        )
    return int(blank)


def _as_numbers(who, name, value, ndim):
    value = as_theano_expression(value)
    if value.ndim != ndim:
        axes = "(batch, labels)" if ndim == 2 else "(batch,)"
        raise TypeError(
            f"{who}: {name} must have {ndim} axes {axes}, got shape {value.type.shape}."
        )
    if value.dtype.startswith(("float", "complex")):
        raise TypeError(
            f"{who}: {name} must be integers, got type {value.dtype} and shape "
            f"{value.type.shape}. Cast with astype('int32')."
        )
    return match_dtype(value, "int32")


def _check_axis(who, name, value, other, axis):
    size, wanted = value.type.shape[axis], other.type.shape[axis]
    if None not in (size, wanted) and size != wanted:
        raise ValueError(
            f"{who}: {name} must have {wanted} entries along axis {axis}, got shape "
            f"{value.type.shape}. Check which arrays or layers you pass."
        )


def _as_lengths(who, name, lengths, sequence):
    """Return a vector of lengths, made from a mask or from the whole sequence."""
    if lengths is None:
        ones = pt.ones_like(sequence[(slice(None), slice(None), 0)[: sequence.ndim]])
        return ones.astype("int32").sum(axis=1).astype("int32")
    lengths = as_theano_expression(lengths)
    _check_axis(who, name, lengths, sequence, 0)
    if lengths.ndim == 2:
        _check_axis(who, name, lengths, sequence, 1)
        return pt.neq(lengths, 0).sum(axis=1).astype("int32")
    return _as_numbers(who, name, lengths, 1)
