"""Looking at networks: a table, a drawing, and expressions in words."""

from lasagne_next.summary.drawing import to_dot
from lasagne_next.summary.expressions import describe_expression
from lasagne_next.summary.table import summarize

__all__ = ["describe_expression", "summarize", "to_dot"]
