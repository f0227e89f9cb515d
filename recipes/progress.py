"""Progress bars."""

from __future__ import annotations

import operator

import tqdm

from recipes.interruption import raise_if_noted

__all__ = ["track"]


def track(iterable=None, title=None, unit="epoch", total=None, **kwargs):
    """Show how far a loop is, how long it takes and, at its end, a remark.

    The loop also ends at a Ctrl-C that compiled code in its body has swallowed.

    Parameters
    ----------
    iterable : iterable, optional
        What to loop over. Without it, call ``update(n)`` on the bar.
    title : str, optional
        Stands in front.
    unit : str, default "epoch"
        What is counted.
    total : int, optional
        How many units there are; the length of `iterable` by default.
    **kwargs
        Passed to :class:`tqdm.tqdm`.

    Returns
    -------
    tqdm.tqdm
        The bar, on standard error. ``set_postfix_str(remark)`` changes the remark.

    Examples
    --------
    >>> import io
    >>> bar = track([1, 2, 3], "training", file=io.StringIO())
    >>> sum(bar), bar.total
    (6, 3)
    """
    if iterable is not None:
        total = operator.length_hint(iterable) if total is None else total
        iterable = _until_interrupted(iterable)
    return tqdm.tqdm(
        iterable, title, total, unit=unit, dynamic_ncols=True, leave=True, **kwargs
    )


def _until_interrupted(iterable):
    for item in iterable:
        yield item
        raise_if_noted()
