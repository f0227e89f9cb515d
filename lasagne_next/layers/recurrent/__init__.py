"""Recurrent layers, the cells that they are made of, and what runs cells over time."""

from lasagne_next.layers.recurrent.cell import Cell
from lasagne_next.layers.recurrent.custom import CustomRecurrentLayer
from lasagne_next.layers.recurrent.gates import Gate
from lasagne_next.layers.recurrent.gru import GRUCell, GRULayer
from lasagne_next.layers.recurrent.lstm import LSTMCell, LSTMLayer
from lasagne_next.layers.recurrent.scan import ScanLayer
from lasagne_next.layers.recurrent.state import StateLayer
from lasagne_next.layers.recurrent.vanilla import RecurrentLayer

__all__ = [
    "Cell",
    "CustomRecurrentLayer",
    "GRUCell",
    "GRULayer",
    "Gate",
    "LSTMCell",
    "LSTMLayer",
    "RecurrentLayer",
    "ScanLayer",
    "StateLayer",
]
