"""Parameter expressions, and products that use their structure."""

from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.dot import dot
from lasagne_next.expressions.factors import LowRank

__all__ = ["LowRank", "ParameterExpression", "dot"]
