"""A server on this machine, in place of the network."""

import gzip
import hashlib
import http.server
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.data import images as data

SIZES = {"train": 300, "t10k": 20}


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serve the files of the server object, some of them badly."""

    def do_GET(self):
        kind, name = self.path.strip("/").split("/")
        self.server.requests.append(self.path)
        content = self.server.files.get(name)
        if kind == "missing" or content is None:
            self.send_error(404)
            return
        self.send_response(200)
        if kind != "unsized":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        sent = {"cut": content[: len(content) // 2], "wrong": content[::-1]}
        self.wfile.write(sent.get(kind, content))

    def log_message(self, *args):
        """Keep the test output clean."""


@pytest.fixture
def server(monkeypatch):
    """Serve `files` under the folders good, unsized, cut, wrong and missing."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        running.files, running.requests = {}, []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{running.server_port}/"
        yield SimpleNamespace(
            address=address, files=running.files, requests=running.requests
        )
        running.shutdown()
        thread.join()


def idx(array):
    """Write bytes in the IDX format, from its definition."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes())


@pytest.fixture
def small_mnist(server, monkeypatch):
    """Serve some random images under the names of MNIST's files."""
    rng = np.random.default_rng(5)
    arrays = {}
    for part, size in SIZES.items():
        images = rng.integers(0, 256, (size, 28, 28), dtype="uint8")
        arrays[f"{part}-images-idx3-ubyte.gz"] = images
        arrays[f"{part}-labels-idx1-ubyte.gz"] = np.uint8(np.arange(size) % 10)
    server.files.update({name: idx(array) for name, array in arrays.items()})
    checksums = {
        name: hashlib.sha256(server.files[name]).hexdigest()
        for name in data.MNIST_FILES
    }
    monkeypatch.setattr(data, "MNIST_FILES", checksums)
    monkeypatch.setattr(data, "MNIST_MIRRORS", (server.address + "good/",))
    return arrays
