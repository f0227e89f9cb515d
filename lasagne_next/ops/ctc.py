"""The probability of labels without known places, and of each class at each step."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type, grad_not_implemented
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops.sequences import check_operand, common_size

__all__ = ["CTC"]


class CTC(Op):
    """Sum the probabilities of all paths that become given labels [1]_.

    It takes logarithms of probabilities of SHAPE (time, batch, classes), labels of
    SHAPE (batch, labels), and how many steps and labels there are, of SHAPE (batch,)
    each, as int32. It returns the logarithm of the probability of the labels, SHAPE
    (batch,), minus infinity where no path leads to them, and its derivative by the
    logarithms, SHAPE (time, batch, classes): the probability of each class at each step
    if the labels are given. :func:`lasagne_next.objectives.ctc_loss` says what a path
    is.

    Parameters
    ----------
    blank : int
        The class that stands for no label; negative numbers count from the last.

    Notes
    -----
    Computed forth and back in the logarithmic domain. After each step the largest
    logarithm is set apart, so that single precision does for thousands of steps. The
    second output has no derivative.

    References
    ----------
    .. [1] Alex Graves, Santiago Fernandez, Faustino Gomez and Juergen Schmidhuber
       (2006): Connectionist temporal classification. ICML, section 4.1.
       https://doi.org/10.1145/1143844.1143891

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import CTC
    >>> logs, ints = pt.log(np.full((2, 1, 3), 1 / 3)), lambda x: np.array(x, "int32")
    >>> total, given = CTC(blank=0)(logs, ints([[1]]), ints([2]), ints([1]))
    >>> given.eval(mode="FAST_COMPILE").round(2)[:, 0].tolist()
    [[0.33, 0.67, 0.0], [0.33, 0.67, 0.0]]
    """

    __props__ = ("blank",)

    def __init__(self, blank):
        self.blank = int(blank)

    def make_node(self, logs, labels, steps, counts):
        """Check the operands and infer the shapes."""
        operands = [pt.as_tensor_variable(x) for x in (logs, labels, steps, counts)]
        logs, labels, steps, counts = operands
        check_operand("CTC", "logs", logs, 3, logs.dtype)
        for name, operand, ndim in [
            ("labels", labels, 2),
            ("steps", steps, 1),
            ("counts", counts, 1),
        ]:
            if (operand.ndim, operand.dtype) != (ndim, "int32"):
                raise TypeError(
                    f"CTC: {name} must have {ndim} axes and the type int32, got "
                    f"{operand!r} of {operand.type}. Cast it first."
                )
        batch = [logs.type.shape[1], *(x.type.shape[0] for x in operands[1:])]
        batch = common_size("CTC", "rows", batch)
        time, _, classes = logs.type.shape
        shapes = [(batch,), (time, batch, classes)]
        outputs = [tensor(dtype=logs.dtype, shape=shape) for shape in shapes]
        return Apply(self, operands, outputs)

    def infer_shape(self, *node_and_shapes):
        """Return the shapes of both outputs."""
        # PyTensor before 3.1 passes the graph too, later ones warn of such an argument.
        logs = node_and_shapes[-1][0]
        return [(logs[1],), logs]

    def perform(self, node, inputs, output_storage):
        """Run forth and back with numpy, all rows at once."""
        logs, labels, steps, counts = inputs
        check_rows(logs, labels, steps, counts)
        states = _States(labels, counts, self.blank, logs.shape[2])
        ahead, total = states.run_forward(logs, steps)
        given = states.run_back(logs, steps, ahead)
        given[:, np.isinf(total)] = 0
        output_storage[0][0], output_storage[1][0] = total, given

    def connection_pattern(self, node):
        """Connect the outputs with the logarithms only."""
        return [[True, True], *[[False, False]] * 3]

    def pullback(self, inputs, outputs, cotangents):
        """Multiply by the derivative that has been computed already."""
        to_total, to_given = cotangents
        if not isinstance(to_given.type, DisconnectedType):
            message = "Give the gradient of the first output only."
            first = grad_not_implemented(self, 0, inputs[0], message)
        else:
            first = to_total[None, :, None] * outputs[1]
        return [first, *[disconnected_type() for _ in range(3)]]


def check_rows(logs, labels, steps, counts):
    """Raise ValueError unless arrays have the same number of rows."""
    if not logs.shape[1] == len(labels) == len(steps) == len(counts):
        raise ValueError("CTC: the sizes of the operands do not fit.")


class _States:
    """The labels of a batch with blanks around them, one state each."""

    def __init__(self, labels, counts, blank, num_classes):
        rows, width = labels.shape
        classes = np.full((rows, 2 * width + 1), blank % num_classes)
        classes[:, 1::2] = labels
        wrong = (labels < 0) | (labels >= num_classes) | (labels == blank % num_classes)
        self.wrong = np.zeros(classes.shape, bool)
        self.wrong[:, 1::2] = wrong
        self.classes = np.where(self.wrong, blank % num_classes, classes)
        self.skips = np.zeros(classes.shape, bool)  # may follow the label before
        self.skips[:, 3::2] = labels[:, 1:] != labels[:, :-1]
        last = 2 * counts[:, None] - np.arange(classes.shape[1])
        self.last = (last == 0) | (last == 1)  # where a path may end
        self.rows = np.arange(rows)[:, None]

    def emitted(self, logs):
        """Return what one step adds to each state."""
        return np.where(self.wrong, -np.inf, logs[self.rows, self.classes])

    def run_forward(self, logs, steps):
        """Return the states at all steps, up to a constant, and the whole sum."""
        ahead = np.empty((len(logs), *self.classes.shape), logs.dtype)
        now = np.full(self.classes.shape, -np.inf, logs.dtype)
        now[:, 0] = 0
        scale = np.zeros(len(now), logs.dtype)
        for t, each in enumerate(logs):
            skipped = np.where(self.skips, _moved(now, 2), -np.inf)
            new = np.logaddexp(np.logaddexp(now, _moved(now, 1)), skipped)
            new, largest = _without_largest(new + self.emitted(each))
            now = ahead[t] = np.where(t < steps[:, None], new, now)
            scale += np.where(t < steps, largest, 0)
        ends = np.where(self.last, now, -np.inf)
        return ahead, (scale + np.logaddexp.reduce(ends, axis=1)).astype(logs.dtype)

    def run_back(self, logs, steps, ahead):
        """Return the probability of each class at each step, given the labels."""
        given = np.zeros_like(logs)
        behind = np.where(self.last, 0, -np.inf).astype(logs.dtype)
        for t in reversed(range(len(logs))):
            both, _ = _without_largest(ahead[t] + behind)
            powers = np.exp(both)
            powers = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1)
            powers = np.where(t < steps[:, None], powers, 0)
            np.add.at(given[t], (self.rows, self.classes), powers)
            coming = behind + self.emitted(logs[t])
            skipped = _moved(np.where(self.skips, coming, -np.inf), -2)
            new = np.logaddexp(np.logaddexp(coming, _moved(coming, -1)), skipped)
            behind = np.where(t < steps[:, None], _without_largest(new)[0], behind)
        return given


def _moved(x, by):
    """Shift to the right, or to the left if negative, and fill with nothing."""
    moved = np.full_like(x, -np.inf)
    if by > 0:
        moved[:, by:] = x[:, :-by]
    else:
        moved[:, :by] = x[:, -by:]
    return moved


def _without_largest(x):
    largest = x.max(axis=1)
    largest = np.where(np.isinf(largest), 0, largest).astype(x.dtype)
    return x - largest[:, None], largest
