"""The directive ``weight``: a weight's code, a picture of it and of its spectrum.

.. code-block:: rst

   .. weight::
      :shape: 48 32

      >>> W = expressions.LowRank(rank=4)

The content is an example that makes ``W`` from ``expressions``, ``init`` and ``np``. It
is run when the page is built, so that pictures show what the library does now. They are
written to ``docs/generated``, which is not kept.
"""

import hashlib
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
import numpy as np
import pytensor
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.util.nodes import set_source_info

from lasagne_next import expressions, init, random
from lasagne_next.expressions.base import evaluate

FOLDER = "generated/weights"
SHAPE = "32 32"


class Weight(Directive):
    """Show the code, and the picture of a sample."""

    has_content = True
    option_spec = {"shape": str, "alt": str}  # noqa: RUF012

    def run(self):
        """Return the code block and the image."""
        code = "\n".join(self.content)
        shape = tuple(map(int, self.options.get("shape", SHAPE).split()))
        block = nodes.literal_block(code, code, language="pycon")
        set_source_info(self, block)
        source = Path(self.state.document.settings.env.srcdir)
        digest = hashlib.sha256(f"{code}{shape}".encode()).hexdigest()[:16]
        name = f"{FOLDER}/{digest}.svg"
        _draw(_sample(code, shape), source / name)
        picture = nodes.image(uri=f"/{name}", alt=self.options.get("alt", code))
        return [block, picture]


def _sample(code, shape):
    """Run an example, and return a sample of its W."""
    names = {"expressions": expressions, "init": init, "np": np}
    before = random.get_rng()
    random.set_rng(np.random.default_rng(3))
    try:
        with pytensor.config.change_flags(mode="FAST_COMPILE"):
            exec(code.replace(">>> ", "").replace("... ", ""), names)
            W = names["W"](shape)
            return W if isinstance(W, np.ndarray) else evaluate(expressions.settle(W))
    finally:
        random.set_rng(before)


def _draw(W, path):
    """Draw a matrix and its singular values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.4, 2.2), layout="constrained")
    largest = abs(W).max()
    shown = left.imshow(W, cmap="RdBu_r", vmin=-largest, vmax=largest)
    left.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=left, shrink=0.8)
    scales = np.linalg.svd(W, compute_uv=False)
    right.bar(np.arange(1, len(scales) + 1), scales, width=0.8)
    right.set(title="singular values", xlim=(0, len(scales) + 1))
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def setup(app):
    """Register the directive."""
    app.add_directive("weight", Weight)
    return {"parallel_read_safe": True}
