"""A classifier of the digits, for the recipes that change a trained one."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import objectives, updates
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from recipes import command

__all__ = ["IMAGE", "LABEL", "accuracies", "build", "compile_training"]

# All networks read these, so that one function can train or evaluate several.
IMAGE, LABEL = pt.fmatrix("image"), pt.lvector("label")


def build(name, num_pixels=64, num_units=256, num_classes=10):
    """Stack two hidden layers of rectifiers and a linear one of class scores.

    Parameters
    ----------
    name : str
        In front of the names of layers.
    num_pixels, num_units, num_classes : int
        Sizes of the input, of each hidden layer and of the output.

    Returns
    -------
    DenseLayer
        The output layer, SHAPE (batch, num_classes).

    Examples
    --------
    >>> build("small", num_units=20).output_shape
    (None, 10)
    """
    network = InputLayer((None, num_pixels), IMAGE)
    for layer in ("first", "second"):
        network = DenseLayer(network, num_units, name=f"{name}.{layer}")
    return DenseLayer(network, num_classes, nonlinearity=None, name=f"{name}.scores")


def compile_training(networks, learning_rate, mode):
    """Compile one step for several networks, which learn side by side.

    Parameters
    ----------
    networks : list of Layer
        Output layers. Where they share nothing, the gradient of the sum of their losses
        is that of each.
    learning_rate : float
        Of Adam.
    mode : str or Mode
        What computes.

    Returns
    -------
    callable
        Takes images and labels, learns from them and returns the losses.
    """
    losses = [
        objectives.categorical_crossentropy_from_logits(scores, LABEL).mean()
        for scores in get_output(networks)
    ]
    params = get_all_params(networks, trainable=True)
    rule = updates.adam(sum(losses), params, learning_rate=learning_rate)
    return pytensor.function([IMAGE, LABEL], losses, updates=rule, mode=mode)


def accuracies(networks, images, labels):
    """Measure how often the highest score is that of the label.

    Parameters
    ----------
    networks : list of Layer
        Output layers.
    images : numpy.ndarray, SHAPE (n, pixels)
        What to classify.
    labels : numpy.ndarray, SHAPE (n,)
        What they show.

    Returns
    -------
    list of float
        One for each network, from 0 to 1.
    """
    # For a single pass over the images, compiling a fast function does not pay.
    mode = command.mode_of("python")
    classify = pytensor.function([IMAGE], get_output(networks), mode=mode)
    return [
        float(np.mean(scores.argmax(axis=1) == labels)) for scores in classify(images)
    ]
