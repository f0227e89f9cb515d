"""Matrices of the same numbers in every layout of memory."""

import numpy as np

# Rows, inner size, columns.
SIZES = [
    (2, 3, 5),
    (7, 5, 2),
    (1, 5, 3),
    (3, 5, 1),
    (1, 5, 1),
    (3, 1, 2),
    (1, 1, 3),
    (2, 1, 1),
    (1, 1, 1),
    (0, 3, 2),
    (2, 0, 3),
    (2, 3, 0),
    (1, 0, 1),
    (40, 30, 20),
]


def draw(shape, dtype, seed):
    """Return normal numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def spread(value, axis, step):
    """Return a view of larger memory along an axis."""
    shape = list(value.shape)
    shape[axis] = max(shape[axis] * abs(step), 1)
    room = np.full(shape, np.nan, value.dtype)
    index = [slice(None), slice(None)]
    index[axis] = slice(None, None, step)
    view = room[tuple(index)][: value.shape[0], : value.shape[1]]
    view[...] = value
    return view


def inside(value):
    """Return a view of the middle of a larger matrix."""
    room = np.full([size + 4 for size in value.shape], np.nan, value.dtype)
    view = room[1 : 1 + value.shape[0], 3 : 3 + value.shape[1]]
    view[...] = value
    return view


def record(value):
    """Return a view with strides that are no multiple of the size of a number."""
    room = np.zeros(value.shape, [("number", value.dtype), ("flag", "i1")])
    room["number"] = value
    return room["number"]


LAYOUTS = {
    "row-major": np.ascontiguousarray,
    "column-major": np.asfortranarray,
    "inside": inside,
    "inside, transposed": lambda value: inside(value.T).T,
    "every other row": lambda value: spread(value, 0, 2),
    "every third column": lambda value: spread(value, 1, 3),
    "rows backwards": lambda value: spread(value, 0, -1),
    "columns backwards": lambda value: spread(value, 1, -2),
    "both backwards": lambda value: np.ascontiguousarray(value[::-1, ::-1])[::-1, ::-1],
}


def repeated(shape, dtype, seed):
    """Return views whose rows, or columns, are all the same numbers in memory."""
    return [
        np.broadcast_to(draw((1, shape[1]), dtype, seed), shape),
        np.broadcast_to(draw((shape[0], 1), dtype, seed), shape),
    ]


def read_only(value):
    """Return a view that may not be written to."""
    view = value.view()
    view.flags.writeable = False
    return view
