"""Files from the network."""

import hashlib
import socket
from pathlib import Path

import pytest

from recipes import download
from recipes.command import RecipeError

CONTENT = bytes(range(256)) * 1000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def fetch(server, tmp_path):
    """Fetch the file from mirrors of this server, into an empty cache."""
    server.files["file"] = CONTENT

    def fetch(*mirrors, folder=tmp_path / "cache"):
        mirrors = [server.address + mirror + "/" for mirror in mirrors]
        return download.fetch("file", CHECKSUM, mirrors, folder)

    fetch.folder, fetch.server = tmp_path / "cache", server
    return fetch


@pytest.mark.parametrize("mirror", ["good", "unsized"])
def test_a_file_arrives_whole(fetch, mirror):
    """Catches reading one chunk only, and trusting that a length is announced."""
    path = fetch(mirror)
    assert path == fetch.folder / "file"
    assert path.read_bytes() == CONTENT


def test_a_cached_file_is_not_fetched_again(fetch):
    """Catches a cache that is written but never read."""
    fetch("good")
    fetch("good")
    assert fetch.server.requests == ["/good/file"]


def test_a_damaged_file_in_the_cache_is_replaced(fetch):
    """Catches trusting whatever has the right name."""
    fetch.folder.mkdir()
    (fetch.folder / "file").write_bytes(CONTENT[:-1])
    assert fetch("good").read_bytes() == CONTENT


def test_the_next_mirror_is_tried(fetch):
    """Catches giving up at the first mirror that fails."""
    assert fetch("missing", "cut", "wrong", "good").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ("missing", "/missing/file: the server answers 404 Not Found"),
        ("cut", "/cut/file: the connection .* 128000 of 256000 bytes"),
        ("wrong", f"/wrong/file: SHA-256 must be {CHECKSUM}, got [0-9a-f]{{64}}"),
    ],
)
def test_a_bad_mirror_is_explained_and_leaves_no_file(fetch, mirror, message):
    """Catches files that are cut off, or wrong, under the right name or beside it."""
    with pytest.raises(RecipeError, match=message):
        fetch(mirror)
    assert list(fetch.folder.iterdir()) == []


def test_an_older_file_outlives_a_failed_download(fetch):
    """Catches removing the damaged file before there is a better one."""
    fetch.folder.mkdir()
    (fetch.folder / "file").write_bytes(b"damaged")
    with pytest.raises(RecipeError, match="nothing of it was kept"):
        fetch("cut")
    assert [path.read_bytes() for path in fetch.folder.iterdir()] == [b"damaged"]


def test_an_unreachable_server_is_named(tmp_path):
    """Catches a traceback from urllib for those without a network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(RecipeError, match=f"{mirror}file: cannot be reached: .*"):
            download.fetch("file", CHECKSUM, [mirror], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_interrupted_download_leaves_no_file(fetch, monkeypatch):
    """Catches cleaning up after errors but not after Ctrl-C."""
    read, chunks = download._read, []

    def read_once(response):
        if chunks:
            raise KeyboardInterrupt
        chunks.append(read(response))
        return chunks[0]

    monkeypatch.setattr(download, "_read", read_once)
    with pytest.raises(KeyboardInterrupt):
        fetch("good")
    assert chunks
    assert list(fetch.folder.iterdir()) == []


def test_an_unusable_cache_is_named(fetch, tmp_path):
    """Catches blaming the network for a folder that cannot be made."""
    (tmp_path / "occupied").touch()
    message = "cache must be a folder .*, got '.*occupied': .*--cache"
    with pytest.raises(RecipeError, match=message):
        fetch("good", folder=tmp_path / "occupied")


def test_the_cache_folder_is_looked_for_in_order(monkeypatch):
    """Catches an environment variable that beats the argument, or is ignored."""
    monkeypatch.delenv("LASAGNE_NEXT_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert download.cache_folder() == Path("/home/somebody/.cache/lasagne_next")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert download.cache_folder() == Path("/caches/lasagne_next")
    monkeypatch.setenv("LASAGNE_NEXT_DATA", "/data")
    assert download.cache_folder() == Path("/data")
    assert download.cache_folder("/given") == Path("/given")
