"""What a recipe claims, beside what it measured."""

from __future__ import annotations

import math
from typing import NamedTuple

from recipes.command import print_table

__all__ = ["Claim", "NearClaim", "digits", "near", "print_claims"]


class Claim(NamedTuple):
    """A number that should lie between two bounds; it is true if it does.

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

    def __bool__(self):
        return self.holds

    @property
    def reference(self):
        """The bounds in words."""
        if self.least == self.most:
            return digits(self.most)
        if self.least == -math.inf:
            return f"at most {digits(self.most, 4)}"
        if self.most == math.inf:
            return f"at least {digits(self.least, 4)}"
        return f"{self.least:.4g} to {self.most:.4g}"


def digits(number, significant=5):
    """Write a number: whole ones in full, others rounded.

    Parameters
    ----------
    number : float
        The number.
    significant : int, default 5
        How many digits of a number that is not whole are shown.

    Returns
    -------
    str
        The number in words.

    Examples
    --------
    >>> digits(392500), digits(0.123456789)
    ('392,500', '0.12346')
    """
    if abs(number) < 1e9 and number == int(number):
        return f"{int(number):,}"
    return f"{number:.{significant}g}"


def print_claims(claims):
    """Print each claim with its reference, and whether it holds.

    Parameters
    ----------
    claims : list of Claim
        What to print.

    Returns
    -------
    dict of str to Claim
        The claims by their texts. A claim is true if it holds.

    Examples
    --------
    >>> holds = print_claims([Claim("error", 0.01, most=0.02)])
    claim  measured     reference
    -----  --------  ------------  -----
    error      0.01  at most 0.02  holds
    >>> bool(holds["error"])
    True
    """
    rows = [("claim", "measured", "reference", "")]
    for claim in claims:
        verdict = "holds" if claim.holds else "does not hold"
        rows.append((claim.text, digits(claim.measured), claim.reference, verdict))
    print_table(rows)
    return {claim.text: claim for claim in claims}


def near(text, measured, reference, tolerance=0.0, relative=0.0):
    """Claim that a number is a given one.

    Parameters
    ----------
    text : str
        What the number is.
    measured, reference : float
        The number, and what it should be.
    tolerance : float, default 0
        How far it may be off.
    relative : float, default 0
        How far it may be off as a part of the reference.

    Returns
    -------
    Claim
        Its bounds are those of the tolerance.

    Examples
    --------
    >>> near("pi", 3.14159, 3.1416, tolerance=1e-4).holds
    True
    """
    tolerance = max(tolerance, relative * abs(reference))
    return NearClaim(
        text, float(measured), reference - tolerance, reference + tolerance
    )


class NearClaim(Claim):
    """A claim that prints what the number should be, and how far it may be off."""

    __slots__ = ()

    @property
    def reference(self):
        """The number and the tolerance."""
        wanted, tolerance = (
            (self.least + self.most) / 2,
            (self.most - self.least) / 2,
        )
        return f"{wanted:.6g} ± {tolerance:.1g}" if tolerance else f"{wanted:.6g}"
