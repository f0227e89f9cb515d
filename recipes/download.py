"""Files from the network: checked, kept, and never half there."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from lasagne_next import io
from recipes.command import RecipeError
from recipes.progress import track

__all__ = ["cache_folder", "fetch"]

_TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16


def cache_folder(given=None):
    """Choose the folder that keeps downloads.

    Parameters
    ----------
    given : path-like, optional
        The folder, if the user named one.

    Returns
    -------
    pathlib.Path
        `given`, else the environment variable ``LASAGNE_NEXT_DATA``, else
        ``lasagne_next`` in ``XDG_CACHE_HOME`` or in ``~/.cache``. It may not exist yet.

    Examples
    --------
    >>> cache_folder("data").as_posix()
    'data'
    """
    chosen = given or os.environ.get("LASAGNE_NEXT_DATA")
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(caches, "lasagne_next")


def fetch(name, sha256, mirrors, folder):
    """Find a file in the cache, or download it.

    Parameters
    ----------
    name : str
        Of the file.
    sha256 : str
        Checksum of its content, in hexadecimal digits. A file in the cache is checked
        too, and fetched again if it is damaged.
    mirrors : iterable of str
        Addresses of folders that have the file, with a slash at the end. They are tried
        in this order.
    folder : path-like
        The cache; made if it does not exist.

    Returns
    -------
    pathlib.Path
        The file, complete and with the right checksum.

    Raises
    ------
    RecipeError
        If no mirror gives the right file, or the folder cannot be written to. A file
        appears in the cache only when it is complete and checked.
    """
    path = Path(folder, name)
    problems = []
    try:
        if path.is_file() and _checksum(path) == sha256:
            return path
        os.makedirs(folder, exist_ok=True)
        for mirror in mirrors:
            problem = _try_mirror(mirror + name, sha256, path)
            if problem is None:
                return path
            problems.append(f"\n  {mirror}{name}: {problem}")
    except OSError as error:
        raise RecipeError(
            f"the cache must be a folder that can be written to, got {str(folder)!r}: "
            f"{error.strerror or error}. Name another with --cache or with the "
            "environment variable LASAGNE_NEXT_DATA."
        ) from error
    raise RecipeError(
        f"{name} could not be downloaded, and nothing of it was kept. Run the command "
        f"again later, or put the file into {str(folder)!r} yourself."
        + "".join(problems)
    )


def _try_mirror(url, sha256, path):
    """Download a file, or return in words why it cannot be had."""
    try:
        with io.replacing(path) as temporary:
            _download(url, temporary, path.name)
            found = _checksum(temporary)
            if found != sha256:
                raise _Refused(f"SHA-256 must be {sha256}, got {found}")
    except _Refused as refusal:
        return str(refusal)
    return None


class _Refused(Exception):
    """Why a mirror is of no use; unlike a full disk, the next one may be."""


def _download(url, path, title):
    try:
        response = urllib.request.urlopen(url, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise _Refused(f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _Refused(f"cannot be reached: {reason}") from error
    total = int(response.headers.get("Content-Length") or 0) or None
    bar = track(title=title, unit="B", total=total, unit_scale=True)
    with response, bar, open(path, "wb") as file:
        while chunk := _read(response):
            file.write(chunk)
            bar.update(len(chunk))
    if total and bar.n < total:
        raise _Refused(f"the connection ended after {bar.n} of {total} bytes")


def _read(response):
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Refused(f"the connection broke: {error}") from error


def _checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
