"""Files of named arrays: ``.npz`` and ``.safetensors``, written all or nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import zipfile
from collections import OrderedDict

import numpy as np

from lasagne_next.utils import nearest

__all__ = ["load_values", "replacing", "save_values"]


def save_values(path, values):
    """Write named arrays to a file.

    Parameters
    ----------
    path : str or path-like
        Ends with ``.npz`` or ``.safetensors``, which selects the format.
    values : dict
        Of name to array_like of numbers.

    Raises
    ------
    ValueError
        If the ending is unknown, or a name cannot stand in a file.
    TypeError
        If `path` is no path, a value does not consist of numbers, or the format lacks
        its type.
    OSError
        If the file cannot be written.
    ImportError
        If ``.safetensors`` is asked for and the package is not installed.

    Notes
    -----
    The file appears under its name when it is complete; until then, and if anything
    fails, an older file of this name stays as it was. Equal values give equal files.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from lasagne_next import io
    >>> path = os.path.join(tempfile.mkdtemp(), "values.npz")
    >>> io.save_values(path, {"scale": 2.0, "W": np.eye(3)})
    >>> {name: value.shape for name, value in io.load_values(path).items()}
    {'scale': (), 'W': (3, 3)}
    """
    write, _ = _format_of("save", path)
    arrays = {name: _as_numbers(name, value) for name, value in values.items()}
    with replacing(path) as temporary, _explaining(os.fsdecode(path)):
        write(temporary, arrays)


def load_values(path):
    """Read named arrays from a file.

    Parameters
    ----------
    path : str or path-like
        A ``.npz`` or ``.safetensors`` file, written by anybody.

    Returns
    -------
    OrderedDict
        Of name to numpy.ndarray, in the order of the file.

    Raises
    ------
    ValueError
        If the ending is unknown, or the file is damaged, of another kind, or holds
        something other than arrays of numbers that numpy knows.
    OSError
        If the file does not exist or cannot be read.
    ImportError
        If the file is ``.safetensors`` and the package is not installed.

    Examples
    --------
    See :func:`save_values`.
    """
    _, read = _format_of("load", path)
    path = os.fsdecode(path)
    try:
        with open(path, "rb") as file:
            return read(path, file)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"load: there is no file {path!r}.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(f"load: cannot read {path!r}: {reason}.") from error


@contextlib.contextmanager
def replacing(path):
    """Write a file under another name first, so that nobody sees half of it.

    Parameters
    ----------
    path : str or path-like
        The file to create or to replace; behind a symbolic link, the file it leads to.

    Yields
    ------
    str
        Name of an empty temporary file in the same directory, with the same ending. At
        the end of the block it is flushed to disk and renamed to `path`; if the block
        fails or is interrupted, it is removed and `path` stays as it was.

    Raises
    ------
    OSError
        If the directory does not exist or the file cannot be written; one sentence
        that names the path.

    Examples
    --------
    >>> import os, tempfile
    >>> from lasagne_next import io
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.txt")
    >>> with io.replacing(path) as temporary, open(temporary, "w") as file:
    ...     characters = file.write("42")
    >>> os.listdir(os.path.dirname(path))
    ['numbers.txt']
    """
    shown, path = os.fsdecode(path), os.path.realpath(os.fsdecode(path))
    directory, name = os.path.split(path)
    stem, ending = os.path.splitext(name)
    # The process number helps a person who finds the file after a crash.
    unique = f".{stem[:100]}.{os.getpid()}-{secrets.token_hex(4)}{ending}"
    temporary = os.path.join(directory, unique)
    with _explaining(shown):
        if os.path.isdir(path):
            raise IsADirectoryError("it is a directory")
        open(temporary, "xb").close()
    try:
        mode = os.stat(path if os.path.exists(path) else temporary).st_mode
        yield temporary
        with _explaining(shown):
            # Whoever writes may create the file anew, with other permissions.
            os.chmod(temporary, stat.S_IMODE(mode))
            _flush(temporary, os.O_RDWR)
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
    # The file is there; that its name survives a power cut, too, is a bonus that not
    # every system gives.
    with contextlib.suppress(OSError):
        _flush(directory, os.O_RDONLY)


@contextlib.contextmanager
def _explaining(path):
    """Reduce an OSError to one sentence that names the file the user asked for."""
    try:
        yield
    except OSError as error:
        directory = os.path.dirname(path)
        reason = error.strerror or str(error)
        if directory and not os.path.isdir(directory):
            reason = f"there is no directory {directory!r}"
        raise type(error)(f"save: cannot write {path!r}: {reason}.") from error


def _flush(path, flags):
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _as_numbers(name, value):
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(
            f"save: names must be non-empty strings without null characters, got "
            f"{name!r}."
        )
    value = np.asarray(value)
    if value.dtype.kind not in "biufc":
        raise TypeError(
            f"save: {name!r} must be an array of numbers, got type {value.dtype}."
        )
    # safetensors stores the memory as it lies there: a transposed view would be wrong.
    return np.asarray(value, order="C")


def _write_npz(path, arrays):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, value in arrays.items():
            # A ZipInfo carries no time of day, which a file name would get.
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, value, allow_pickle=False)


def _read_npz(path, file):
    values = OrderedDict()
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.namelist():
                if entry.endswith(".npy"):
                    with archive.open(entry) as member:
                        values[entry[:-4]] = np.lib.format.read_array(
                            member, allow_pickle=False
                        )
    except Exception as error:  # foreign bytes can fail in any way
        raise ValueError(_invalid(path, ".npz", error)) from error
    return values


def _write_safetensors(path, arrays):
    safetensors = _import_safetensors()
    for name, value in arrays.items():
        if value.dtype.itemsize > 8:
            raise TypeError(
                f"save: {name!r} has the type {value.dtype}, which a .safetensors file "
                "cannot hold. Use a .npz file."
            )
    try:
        safetensors.numpy.save_file(arrays, path)
    except safetensors.SafetensorError as error:
        raise OSError(str(error)) from error


def _read_safetensors(path, file):
    safetensors = _import_safetensors()
    values = OrderedDict()
    try:
        with safetensors.safe_open(path, framework="numpy") as archive:
            for name in archive.keys():
                try:
                    values[name] = _widened(archive.get_tensor(name))
                except (KeyError, TypeError) as error:
                    kind = archive.get_slice(name).get_dtype()
                    raise ValueError(
                        f"load: the entry {name!r} of {path!r} has the type {kind}, "
                        "which numpy does not know. Convert it to float32 where the "
                        "file was made."
                    ) from error
    except safetensors.SafetensorError as error:
        raise ValueError(_invalid(path, ".safetensors", error)) from error
    return values


def _widened(value):
    # Newer numpy knows bfloat16 once JAX is imported; float32 holds its values exactly.
    return value.astype("float32") if value.dtype.name == "bfloat16" else value


def _invalid(path, ending, error):
    return (
        f"load: {path!r} is not a valid {ending} file of numbers, or is damaged: "
        f"{error}."
    )


def _import_safetensors():
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Files that end with .safetensors need the package safetensors: "
            "pip install safetensors"
        ) from error
    return safetensors


_FORMATS = {
    ".npz": (_write_npz, _read_npz),
    ".safetensors": (_write_safetensors, _read_safetensors),
}


def _format_of(function, path):
    try:
        ending = os.path.splitext(os.fsdecode(path))[1].lower()
    except TypeError as error:
        raise TypeError(
            f"{function}: path must be the name of a file, got {path!r}. The path "
            "comes first, the network second."
        ) from error
    if ending not in _FORMATS:
        raise ValueError(
            f"{function}: path must end with {' or '.join(_FORMATS)}, got {path!r}."
            f"{nearest(ending, _FORMATS)}"
        )
    return _FORMATS[ending]
