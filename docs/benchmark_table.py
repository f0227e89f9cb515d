"""The directive ``benchmarks``: the figures of a file as a table and a picture.

.. code-block:: rst

   .. benchmarks:: benchmarks.json

The file, beside the page, is what ``python -m tests.benchmarks --output`` wrote. The
picture is drawn when the page is built, to ``docs/generated``, which is not kept.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

from tests.benchmarks.tables import load, picture, text

FOLDER = "generated/benchmarks"


class Benchmarks(Directive):
    """Show the machine, the table and the picture."""

    required_arguments = 1

    def run(self):
        """Return a block of text and an image."""
        environment = self.state.document.settings.env
        page = Path(environment.doc2path(environment.docname))
        path = page.parent / self.arguments[0]
        environment.note_dependency(str(path))
        about, tables = load(path)
        written = f"{about}\n\n{text(tables)}"
        name = f"{FOLDER}/{path.stem}.svg"
        target = Path(environment.srcdir) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        picture(tables, target)
        block = nodes.literal_block(written, written, language="none")
        alt = "Times of a step and to the first step, as bars"
        return [block, nodes.image(uri=f"/{name}", alt=alt)]


def setup(app):
    """Register the directive."""
    app.add_directive("benchmarks", Benchmarks)
    return {"parallel_read_safe": True}
