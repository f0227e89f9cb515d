"""Settings of the documentation."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

project = "lasagne_next"
author = "lasagne_next contributors"
copyright = "lasagne_next contributors"
release = re.search(
    r'^__version__ = "([^"]+)"$',
    (ROOT / "lasagne_next" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
).group(1)
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "benchmark_table",
    "weight_pictures",
]
exclude_patterns = ["_build", "recipes/results/*"]
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(numpy|pytensor|scipy|jax)\..*")]

add_module_names = False
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = project
html_copy_source = False
pygments_style = "default"
