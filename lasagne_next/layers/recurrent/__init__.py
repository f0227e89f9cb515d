"""Recurrent layers, the cells that they are made of, and what runs cells over time."""

from lasagne_next.layers.recurrent.bidirectional import bidirectional
from lasagne_next.layers.recurrent.cell import Cell
from lasagne_next.layers.recurrent.custom import CustomRecurrentLayer
from lasagne_next.layers.recurrent.gates import Gate
from lasagne_next.layers.recurrent.gru import GRUCell, GRULayer
from lasagne_next.layers.recurrent.layer_cell import LayerCell
from lasagne_next.layers.recurrent.layer_norm import LayerNormGRUCell, LayerNormLSTMCell
from lasagne_next.layers.recurrent.lstm import LSTMCell, LSTMLayer
from lasagne_next.layers.recurrent.regularised import (
    VariationalDropoutCell,
    ZoneoutCell,
)
from lasagne_next.layers.recurrent.scan import ScanLayer
from lasagne_next.layers.recurrent.state import StateLayer
from lasagne_next.layers.recurrent.stateful import Sampler, carry_states, reset_states
from lasagne_next.layers.recurrent.vanilla import RecurrentLayer

__all__ = [
    "Cell",
    "CustomRecurrentLayer",
    "GRUCell",
    "GRULayer",
    "Gate",
    "LSTMCell",
    "LSTMLayer",
    "LayerCell",
    "LayerNormGRUCell",
    "LayerNormLSTMCell",
    "RecurrentLayer",
    "Sampler",
    "ScanLayer",
    "StateLayer",
    "VariationalDropoutCell",
    "ZoneoutCell",
    "bidirectional",
    "carry_states",
    "reset_states",
]
