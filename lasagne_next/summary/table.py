"""The text summary of a network."""

from __future__ import annotations

from collections import ChainMap
from functools import partial

import numpy as np

from lasagne_next.params.shapes import static_shape
from lasagne_next.summary.expressions import GAP, describe_expression, shorten
from lasagne_next.summary.network import count_numbers, gather_facts

__all__ = ["summarize"]

_WIDTH = 100
_LEAST = 24
_GAP = "  "
_RIGHT = ("numbers",)


def summarize(network):
    """Describe a network in a text of at most 100 columns.

    Parameters
    ----------
    network : Layer or iterable of Layer
        The output layer or layers.

    Returns
    -------
    str
        To be printed. A table of layers, with output shapes, parameters as the
        expressions they are, and how many numbers each adds that were not counted
        before; a table of leaves, each once, with what may change them and where they
        are used; and totals.

    Notes
    -----
    Layers and leaves without a name of their own are called as in saved files; see
    :func:`lasagne_next.io.named_params`. The inputs of the layers are shown unless each
    layer reads the one above it in the table.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, InputLayer
    >>> from lasagne_next.summary import summarize
    >>> code = DenseLayer(InputLayer((None, 784), name="in"), 500, name="code")
    >>> print(summarize(DenseLayer(code, 784, W=code.W.T, b=None, name="out")))
    layer              output shape  parameter              shape       numbers
    ---------------------------------------------------------------------------
    in (InputLayer)    (None, 784)
    code (DenseLayer)  (None, 500)   W                      (784, 500)  392,000
                                     b                      (500,)          500
    out (DenseLayer)   (None, 784)   W = transpose(code.W)  (500, 784)   shared
    <BLANKLINE>
    leaf    shape       type     numbers  tags                      used by
    -----------------------------------------------------------------------------
    code.W  (784, 500)  float64  392,000  trainable, regularizable  code.W, out.W
    code.b  (500,)      float64      500  trainable                 code.b
    <BLANKLINE>
    392,500 numbers: 392,500 trainable, 0 fixed.
    """
    facts = gather_facts(network)
    parts = [_layer_table(facts), _leaf_table(facts), _totals(facts)]
    return "\n\n".join(part for part in parts if part)


def _layer_table(facts):
    columns = ["layer", "inputs", "output shape", "parameter", "shape", "numbers"]
    rows, names = [], dict(facts.leaves)
    for layer, label in facts.layers.items():
        cells = [_param_cells(each, label, names) for each in facts.params[layer]]
        cells = cells or [{"parameter": lambda width: ""}]
        cells[0] |= {
            "layer": _title(layer, label),
            "inputs": ", ".join(facts.inputs_of(layer)),
            "output shape": str(layer.output_shape),
        }
        rows += cells
        for each in facts.params[layer]:
            if each.param.owner is not None:
                names.setdefault(each.param, f"{label}.{each.label}")
    if _is_chain(facts):
        columns.remove("inputs")
    return _lay_out(columns, rows, flexible="parameter")


def _title(layer, label):
    kind = type(layer).__name__
    return label if label.startswith(kind) else f"{label} ({kind})"


def _is_chain(facts):
    labels = [[label] for label in facts.layers.values()]
    return all(
        facts.inputs_of(layer) == above
        for layer, above in zip(facts.layers, [[], *labels], strict=False)
    )


def _param_cells(each, layer_label, names):
    place = f"{layer_label}.{each.label}"
    # What belongs to this very parameter does not repeat where it is.
    own = {
        leaf: names[leaf].removeprefix(f"{place}:").removeprefix(f"{place}.")
        for leaf in each.leaves
    }
    # An expression that a layer above holds, too, is not written out again.
    known = own.get(each.param, names.get(each.param))
    numbers = f"{count_numbers(each.new_leaves):,}"
    if not each.new_leaves:
        numbers = "shared" if each.leaves else "constant"
    elif len(each.new_leaves) < len(each.leaves):
        numbers += " + shared"

    def write(width):
        if known == place:
            return each.label
        room = width - len(each.label) - 3
        if known is not None:
            return f"{each.label} = {shorten(known, room)}"
        shown = describe_expression(each.param, ChainMap(own, names), room)
        made_by = getattr(each.param.tag, "made_by", None)
        if made_by is not None and (GAP in shown or "<constant" in shown):
            shown = shorten(made_by, room)
        return f"{each.label} = {shown}"

    return {
        "parameter": write,
        "shape": str(static_shape(each.param)),
        "numbers": numbers,
    }


def _leaf_table(facts):
    columns = ["leaf", "shape", "type", "numbers", "tags", "used by"]
    rows = [
        {
            "leaf": key,
            "shape": str(np.shape(leaf.get_value(borrow=True))),
            "type": getattr(leaf.type, "dtype", str(leaf.type)),
            "numbers": f"{count_numbers([leaf]):,}",
            "tags": _list_tags(facts.tags[leaf]),
            "used by": partial(shorten, ", ".join(facts.used_by[leaf])),
        }
        for leaf, key in facts.leaves.items()
    ]
    return _lay_out(columns, rows, flexible="used by") if rows else ""


def _list_tags(tags):
    others = sorted(tags - {"trainable"})
    return ", ".join(["trainable" if "trainable" in tags else "fixed", *others])


def _totals(facts):
    total = count_numbers(facts.leaves)
    trainable = count_numbers(
        leaf for leaf in facts.leaves if "trainable" in facts.tags[leaf]
    )
    return f"{total:,} numbers: {trainable:,} trainable, {total - trainable:,} fixed."


def _lay_out(columns, rows, flexible):
    """Align cells under headings; the flexible column is written to fit the rest."""
    widths = {
        column: max(len(column), *(len(row.get(column, "")) for row in rows))
        for column in columns
        if column != flexible
    }
    gaps = len(_GAP) * (len(columns) - 1)
    needed = max(len(row[flexible](_WIDTH)) for row in rows)
    while sum(widths.values()) + gaps + min(needed, _LEAST) > _WIDTH:
        widths[max(widths, key=widths.get)] -= 1
    room = _WIDTH - gaps - sum(widths.values())
    rows = [row | {flexible: row[flexible](room)} for row in rows]
    widths[flexible] = max(len(row[flexible]) for row in [*rows, {flexible: flexible}])
    heading = {column: column for column in columns}
    lines = [
        _GAP.join(_align(row.get(column, ""), column, widths) for column in columns)
        for row in [heading, *rows]
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(line.rstrip() for line in lines)


def _align(cell, column, widths):
    cell = shorten(cell, widths[column])
    width = widths[column]
    return cell.rjust(width) if column in _RIGHT else cell.ljust(width)
