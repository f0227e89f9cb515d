"""Run recipes and write down what they measured, for the documentation.

    python -m recipes.index typicality parameters.lora

writes into `typicality.rst` and `parameters.rst` in `docs/recipes/results`, for each
recipe of a package or for a single one, its first line, the time it took and its
claims. What a page says of other recipes stays.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io as streams
import pkgutil
import re
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import recipes
from lasagne_next import io
from recipes import command
from recipes.claims import digits
from recipes.progress import track

__all__ = ["main", "merge", "packages", "recipe_names", "section"]

FOLDER = Path("docs", "recipes", "results")


def packages():
    """List the packages of recipes.

    Returns
    -------
    list of str
        Their names below `recipes`.

    Examples
    --------
    >>> "typicality" in packages(), "data" in packages()
    (True, False)
    """
    found = [module.name for module in pkgutil.iter_modules(recipes.__path__)]
    return [name for name in found if name != "data" and recipe_names(name)]


def recipe_names(package):
    """List the recipes of a package: its modules that have a `main`.

    Parameters
    ----------
    package : str
        Its name below `recipes`.

    Returns
    -------
    list of str
        Names below `recipes`.

    Examples
    --------
    >>> recipe_names("typicality")[0]
    'typicality.coins'
    """
    module = importlib.import_module(f"recipes.{package}")
    names = [
        each.name for each in pkgutil.iter_modules(getattr(module, "__path__", []))
    ]
    paths = [f"{package}.{name}" for name in names]
    return [
        path
        for path in paths
        if hasattr(importlib.import_module(f"recipes.{path}"), "main")
    ]


def section(name, holds, seconds):
    """Describe a recipe and what it measured.

    Parameters
    ----------
    name : str
        Below `recipes`.
    holds : dict of str to Claim
        What it claimed.
    seconds : float
        What it took.

    Returns
    -------
    str
        Part of a page in reStructuredText.

    Examples
    --------
    >>> from recipes.claims import Claim
    >>> print(section("typicality.coins", {"a": Claim("a", 1.0, 1, 1)}, 7.8))
    ``typicality.coins``
    ~~~~~~~~~~~~~~~~~~~~
    <BLANKLINE>
    Toss a coin of known bias: why likely sequences are never seen.
    1 of 1 claims hold; 8 s.
    <BLANKLINE>
    .. list-table::
       :header-rows: 1
       :widths: 52 16 20 12
    <BLANKLINE>
       * - Claim
         - Measured
         - Reference
         -
       * - a
         - 1
         - 1
         - holds
    <BLANKLINE>
    """
    doc = importlib.import_module(f"recipes.{name}").__doc__
    heading = f"``{name}``"
    good = sum(map(bool, holds.values()))
    lines = [
        heading,
        "~" * len(heading),
        "",
        doc.splitlines()[0],
        f"{good} of {len(holds)} claims hold; {seconds:.0f} s.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 52 16 20 12",
        "",
    ]
    rows = [("Claim", "Measured", "Reference", "")]
    for text, claim in holds.items():
        verdict = "holds" if claim else "**does not hold**"
        rows.append((text, digits(claim.measured), claim.reference, verdict))
    for first, *others in rows:
        lines.append(f"   * - {_escape(first)}")
        lines += [f"     - {_escape(each)}".rstrip() for each in others]
    return "\n".join([*lines, ""])


def _escape(text):
    return (
        text if text.startswith("**") else text.replace("*", r"\*").replace("|", r"\|")
    )


def _run(name, backend):
    module = importlib.import_module(f"recipes.{name}")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with contextlib.redirect_stdout(streams.StringIO()):
            numbers = module.main(["--output", folder, "--backend", backend])
        return section(name, numbers["holds"], time.perf_counter() - start)


def merge(path, package, name, text):
    """Put the section of a recipe into the page of its package.

    Parameters
    ----------
    path : pathlib.Path
        The page; it need not exist.
    package, name : str
        What is described.
    text : str
        What :func:`section` returned. It replaces an older one.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    starts = [match.start() for match in re.finditer(r"^``.*``\n~", old, re.M)]
    parts = [old[i:j] for i, j in pairwise([*starts, len(old)])] if starts else []
    sections = {
        part[2 : part.index("``\n")]: part.rstrip("\n") + "\n" for part in parts
    }
    sections[name] = text
    known = [each for each in recipe_names(package) if each in sections]
    with io.replacing(path) as temporary:
        page = "\n".join(sections[each] for each in known)
        Path(temporary).write_text(page, encoding="utf-8")


def main(argv=None):
    """Run recipes and write their sections, each as soon as it is there."""
    parser = argparse.ArgumentParser("python -m recipes.index")
    every = [name for package in packages() for name in recipe_names(package)]
    parser.add_argument(
        "names",
        nargs="+",
        choices=[*packages(), *every],
        metavar="NAME",
        help="of a package or of a recipe, such as typicality or typicality.coins",
    )
    parser.add_argument(
        "--output", type=Path, default=FOLDER, metavar="FOLDER", help=str(FOLDER)
    )
    parser.add_argument(
        "--backend", choices=command.BACKENDS, default="numba", help="what computes"
    )
    args = parser.parse_args(argv)
    folder = command.output_folder(args.output)
    for given in args.names:
        package = given.split(".")[0]
        names = [given] if "." in given else recipe_names(package)
        for name in track(names, package, "recipe"):
            merge(folder / f"{package}.rst", package, name, _run(name, args.backend))


if __name__ == "__main__":
    command.run(main)
