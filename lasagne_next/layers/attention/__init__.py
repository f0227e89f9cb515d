"""Attention, positions, and the block of a transformer."""

from lasagne_next.layers.attention.block import transformer_block
from lasagne_next.layers.attention.multi_head import MultiHeadAttentionLayer
from lasagne_next.layers.attention.positions import (
    PositionEmbeddingLayer,
    PositionEncodingLayer,
)

__all__ = [
    "MultiHeadAttentionLayer",
    "PositionEmbeddingLayer",
    "PositionEncodingLayer",
    "transformer_block",
]
