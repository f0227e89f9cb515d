"""What a recipe claims, beside what it measured."""

from __future__ import annotations

import math
from typing import NamedTuple

from recipes.command import print_table

__all__ = ["Claim", "print_claims"]


class Claim(NamedTuple):
    """A number that should lie between two bounds.

    Parameters
    ----------
    text : str
        What the number is.
    measured : float
        The number.
    least, most : float
        The bounds, part of what is allowed.

    Examples
    --------
    >>> Claim("error", 0.01, most=0.02).holds, Claim("gain", 0.5, least=1).holds
    (True, False)
    """

    text: str
    measured: float
    least: float = -math.inf
    most: float = math.inf

    @property
    def holds(self):
        """Whether the number lies between the bounds; not a number never does."""
        return bool(self.least <= self.measured <= self.most)

    @property
    def reference(self):
        """The bounds in words."""
        if self.least == self.most:
            return f"{self.most:.4g}"
        if self.least == -math.inf:
            return f"at most {self.most:.4g}"
        if self.most == math.inf:
            return f"at least {self.least:.4g}"
        return f"{self.least:.4g} to {self.most:.4g}"


def print_claims(claims):
    """Print each claim with its reference, and whether it holds.

    Parameters
    ----------
    claims : list of Claim
        What to print.

    Returns
    -------
    dict of str to bool
        Whether each claim holds, by its text.

    Examples
    --------
    >>> print_claims([Claim("error", 0.01, most=0.02)])
    claim  measured     reference
    -----  --------  ------------  -----
    error      0.01  at most 0.02  holds
    {'error': True}
    """
    rows = [("claim", "measured", "reference", "")]
    for claim in claims:
        verdict = "holds" if claim.holds else "does not hold"
        rows.append((claim.text, f"{claim.measured:.4g}", claim.reference, verdict))
    print_table(rows)
    return {claim.text: claim.holds for claim in claims}
