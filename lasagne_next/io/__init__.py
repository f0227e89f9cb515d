"""Saving and loading the numbers of a network, by name.

:func:`save` and :func:`load` keep values only, in formats that any program reads and
that run no code when they are read; the network itself is built again by its program.
A whole network, layers and all, can be pickled. The layers should then be listed from
the inputs upwards, since Python's pickle would otherwise run through the network from
the top, one level of recursion after the other, and give up some hundreds of layers
deep::

    pickle.dump(get_all_layers(network), file)
    network = pickle.load(file)[-1]

The same goes for ``copy.deepcopy``; :func:`lasagne_next.layers.copy_network` copies
networks of any depth. A pickle runs any code that is in it: load none from people you
do not trust.
"""

from lasagne_next.io.files import load_values, replacing, save_values
from lasagne_next.io.network import (
    LoadReport,
    load,
    named_params,
    named_values,
    save,
    set_named_values,
)

__all__ = [
    "LoadReport",
    "load",
    "load_values",
    "named_params",
    "named_values",
    "replacing",
    "save",
    "save_values",
    "set_named_values",
]
