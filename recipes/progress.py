"""Progress bars."""

from __future__ import annotations

import tqdm

__all__ = ["track"]


def track(iterable=None, title=None, unit="epoch", **kwargs):
    """Show how far a loop is, how long it takes and, at its end, a remark.

    Parameters
    ----------
    iterable : iterable, optional
        What to loop over. Without it, call ``update(n)`` on the bar.
    title : str, optional
        Stands in front.
    unit : str, default "epoch"
        What is counted.
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
    return tqdm.tqdm(
        iterable, desc=title, unit=unit, dynamic_ncols=True, leave=True, **kwargs
    )
