"""Cases of operations on whole sequences, for the tests of operations and backends."""

import itertools

import numpy as np
import pytensor
import pytensor.tensor as pt

# (time, batch, units): one of each, several vector registers, more rows than a block.
SIZES = [(5, 2, 3), (1, 3, 2), (3, 1, 7), (4, 9, 5), (2, 13, 33)]

OPTIONS = [
    dict(zip(("peepholes", "masked", "backwards"), flags, strict=True))
    for flags in itertools.product((False, True), repeat=3)
]


def name_of(options):
    """Say what is on."""
    return "-".join(name for name, on in options.items() if on) or "plain"


def values(size, options, dtype="float64", gates=4):
    """Draw operands, in the order of `variables`."""
    time, batch, units = size
    rng = np.random.default_rng(sum(size))
    shapes = [
        (time, batch, gates * units),
        (units, gates * units),
        *[(batch, units)] * (2 if gates == 4 else 1),
    ]
    if options.get("peepholes"):
        shapes.append((3, units))
    drawn = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    if options["masked"]:
        drawn.append((rng.random((time, batch)) > 0.4).astype("int8"))
    return drawn


def variables(options, dtype="float64", gates=4):
    """Make variables of unknown sizes for `values`."""
    ndims = [3, 2, *[2] * (2 if gates == 4 else 1)]
    ndims += [2] if options.get("peepholes") else []
    made = [pt.tensor(dtype=dtype, shape=(None,) * ndim) for ndim in ndims]
    return [*made, pt.matrix("mask", dtype="int8")] if options["masked"] else made


def call(sequence, operands, options, grad_clipping=0):
    """Apply the function to its operands."""
    operands = list(operands)
    named = {}
    if options["masked"]:
        named["mask"] = operands.pop()
    if options.get("peepholes"):
        named["peepholes"] = operands.pop()
    return sequence(
        *operands,
        backwards=options["backwards"],
        grad_clipping=grad_clipping,
        **named,
    )


def with_gradients(sequence, options, dtype="float64", gates=4, grad_clipping=0):
    """Return inputs, and all states and gradients of their squares, in one graph."""
    operands = variables(options, dtype, gates)
    outputs = call(sequence, operands, options, grad_clipping)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    loss = sum(pt.sqr(each).sum() for each in outputs)
    wanted = [each for each in operands if each.dtype == dtype]
    return operands, [*outputs, *pytensor.grad(loss, wanted)]
