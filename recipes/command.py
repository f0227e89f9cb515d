"""The command line that all recipes share: arguments, backends, errors in one line."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytensor
from pytensor.compile.mode import FAST_COMPILE

import lasagne_next
from lasagne_next import io
from recipes import interruption

__all__ = [
    "BACKENDS",
    "RecipeError",
    "Run",
    "argument_parser",
    "begin",
    "load_weights",
    "mode_of",
    "output_folder",
    "positive_integer",
    "print_table",
    "run",
]

BACKENDS = {
    "numba": "NUMBA",
    "jax": "JAX",
    # Numpy has no product or sum of three: PyTensor 3.0.7 would loop over the elements
    # where these rewrites have merged two operations into one. Fixed in 3.3.
    "python": FAST_COMPILE.excluding(
        "local_mul_canonizer", "local_add_canonizer", "local_greedy_distributor"
    ),
}


class RecipeError(Exception):
    """What the person at the keyboard can put right; :func:`run` prints it alone.

    Examples
    --------
    >>> raise RecipeError("--load: there is no file 'weights.npz'.")
    Traceback (most recent call last):
    recipes.command.RecipeError: --load: there is no file 'weights.npz'.
    """


def argument_parser(name, description):
    """Make a parser of the arguments that every recipe takes.

    Parameters
    ----------
    name : str
        Of the module, below `recipes`.
    description : str
        Docstring of the recipe. Its first line is the description in the help.

    Returns
    -------
    argparse.ArgumentParser
        With ``--output``, ``--backend``, ``--seed`` and ``--smoke``, to add to.

    Examples
    --------
    >>> parser = argument_parser("tied_autoencoder", "Train it.")
    >>> args = parser.parse_args(["--smoke"])
    >>> args.seed, args.smoke, args.output.as_posix()
    (1, True, 'output/tied_autoencoder')
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m recipes.{name}",
        description=description.strip().splitlines()[0],
        allow_abbrev=False,
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output", *name.split(".")),
        metavar="FOLDER",
        help="where to write; made if it does not exist (default: %(default)s)",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="numba",
        help="what computes: numba (the default), jax, or python, which is slow but "
        "needs no compiling",
    )
    parser.add_argument(
        "--seed",
        type=positive_integer,
        default=1,
        metavar="N",
        help="of start values and of the order of examples (default: %(default)s)",
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="try everything out in seconds, far too small to learn much",
    )
    return parser


class Run(NamedTuple):
    """What a recipe was told, ready to use.

    Parameters
    ----------
    args : argparse.Namespace
        All arguments.
    folder : pathlib.Path
        Where to write; it exists.
    mode : str or pytensor.compile.mode.Mode
        For :func:`pytensor.function`.
    settings : tuple
        What ``--smoke``, ``--full`` or neither stands for.
    rng : numpy.random.Generator
        Seeded; start values of layers are drawn from it too.
    """

    args: argparse.Namespace
    folder: Path
    mode: object
    settings: tuple
    rng: np.random.Generator


def begin(name, description, argv, settings, smoke, full=None):
    """Read the arguments that every recipe takes, and get everything ready.

    Parameters
    ----------
    name, description : str
        See :func:`argument_parser`.
    argv : list of str or None
        The arguments; those of the process if None.
    settings, smoke : tuple
        The usual settings, and those of ``--smoke``.
    full : tuple, optional
        Settings of ``--full``, for a longer and better run, which ``--resume``
        continues.

    Returns
    -------
    Run
        What the recipe works with.

    Examples
    --------
    >>> import tempfile
    >>> argv = ["--smoke", "--output", tempfile.mkdtemp()]
    >>> begin("some.recipe", "Learn.", argv, settings=(100,), smoke=(2,)).settings
    (2,)
    """
    parser = argument_parser(name, description)
    if full is not None:
        parser.add_argument(
            "--full", action="store_true", help="take longer, do better"
        )
        parser.add_argument(
            "--resume",
            action="store_true",
            help="continue a run with the same settings that was interrupted",
        )
    args = parser.parse_args(argv)
    if args.smoke:
        settings = smoke
    elif full is not None and args.full:
        settings = full
    rng = np.random.default_rng(args.seed)
    lasagne_next.random.set_rng(rng)
    return Run(args, output_folder(args.output), mode_of(args.backend), settings, rng)


def positive_integer(text):
    """Read a whole number of at least 1, for ``type=`` of an argument.

    Parameters
    ----------
    text : str
        As typed.

    Returns
    -------
    int
        The number.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none. A parser puts this behind the name of the argument.

    Examples
    --------
    >>> positive_integer("12")
    12
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(
            f"must be a whole number of at least 1, got {text!r}"
        )
    return number


def mode_of(backend):
    """Translate ``--backend`` to a mode for :func:`pytensor.function`.

    Parameters
    ----------
    backend : str
        A key of `BACKENDS`.

    Returns
    -------
    str or pytensor.compile.mode.Mode
        The mode.

    Raises
    ------
    RecipeError
        If the backend is not installed.

    Examples
    --------
    >>> mode_of("numba")
    'NUMBA'
    """
    if backend == "jax":
        if find_spec("jax") is None:
            raise RecipeError(
                "--backend jax needs JAX, which this Python lacks. Install it with: "
                'pip install -e ".[jax]"'
            )
        # If floatX is float32 at this moment, PyTensor takes all 64-bit types away from
        # JAX for good, and every integer in a graph gives a warning.
        with pytensor.config.change_flags(floatX="float64"):
            import_module("pytensor.link.jax.dispatch")
    return BACKENDS[backend]


def output_folder(path):
    """Make the folder for results, and see that it can be written to.

    Called before the work starts, so that hours of training are not lost to a typing
    error.

    Parameters
    ----------
    path : path-like
        The folder. Folders above it are made too.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    RecipeError
        If it cannot be made or written to.

    Examples
    --------
    >>> import tempfile
    >>> output_folder(Path(tempfile.mkdtemp(), "new")).name
    'new'
    """
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise RecipeError(
            f"--output must be a folder that can be written to, got {str(path)!r}: "
            f"{error.strerror}."
        ) from error
    return Path(path)


def load_weights(path, network):
    """Load what an earlier run saved.

    Parameters
    ----------
    path : path-like
        A file that :func:`lasagne_next.io.save` wrote.
    network : Layer or list of Layer
        The network to set the values of.

    Raises
    ------
    RecipeError
        If there is no such file or it does not fit.
    """
    try:
        io.load(path, network)
    except (OSError, ValueError, ImportError) as error:
        raise RecipeError(
            f"--load must be the weights of a run with the same settings: {error}"
        ) from error


def print_table(rows):
    """Print rows as a table, the first as its heading.

    Parameters
    ----------
    rows : list of tuple of str
        All of one length. The first column is aligned left, all others right.

    Examples
    --------
    >>> print_table([("model", "error"), ("PCA", "0.02"), ("tied", "0.011")])
    model  error
    -----  -----
    PCA     0.02
    tied   0.011
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    heading, *body = rows
    for row in [heading, tuple("-" * width for width in widths), *body]:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(size) for cell, size in others)]
        print("  ".join(cells).rstrip())


def run(main):
    """Run a recipe as a program: exit with a code, and with one line for an error.

    Parameters
    ----------
    main : callable
        The recipe. What it returns is dropped.

    Notes
    -----
    The exit codes are 0, 2 for what the user can put right (as argparse has it), a full
    disk included, and 130 for an interruption. Any other exception is a defect and
    keeps its traceback.
    """
    with interruption.noting():
        try:
            main()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or interruption.was_noted():
                sys.exit(_complain("interrupted; unfinished files are removed.", 130))
            if isinstance(error, RecipeError | OSError):
                sys.exit(_complain(f"error: {error}", 2))
            raise


def _complain(message, code):
    print(f"\n{message}", file=sys.stderr)
    return code
