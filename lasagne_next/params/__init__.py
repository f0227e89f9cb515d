"""Parameters: making them, finding the leaves in them, tagging, knowing their shape.

A *parameter* is what a layer holds: a shared variable or any expression. Its *leaves*
are the shared variables inside, which are trained, saved and counted. A *tag* is a word
on a parameter or on a single leaf.
"""

from lasagne_next.params.creation import create_param
from lasagne_next.params.folding import fold
from lasagne_next.params.shapes import declare_unit_axes, static_shape
from lasagne_next.params.tags import get_tags, leaf_tags, set_tags
from lasagne_next.params.tracing import collect_shared_vars, is_connected

__all__ = [
    "collect_shared_vars",
    "create_param",
    "declare_unit_axes",
    "fold",
    "get_tags",
    "is_connected",
    "leaf_tags",
    "set_tags",
    "static_shape",
]
