"""Losses and accuracies.

A loss takes predictions and targets and returns an expression with one value for each
element or example; :func:`aggregate` makes one number of them. Targets may be of any
type: they are cast to that of the predictions. What is known of the shapes is checked
when the expression is built.
"""

from lasagne_next.objectives.accuracy import binary_accuracy, categorical_accuracy
from lasagne_next.objectives.aggregation import aggregate
from lasagne_next.objectives.classes import label_weights
from lasagne_next.objectives.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    kullback_leibler,
)
from lasagne_next.objectives.crossentropy_from_logits import (
    binary_crossentropy_from_logits,
    categorical_crossentropy_from_logits,
)
from lasagne_next.objectives.ctc import ctc_greedy_decode, ctc_loss
from lasagne_next.objectives.divergence import free_bits, gaussian_kullback_leibler
from lasagne_next.objectives.hinge import (
    binary_hinge_loss,
    multiclass_hinge_loss,
    smooth_hinge_loss,
    squared_hinge_loss,
)
from lasagne_next.objectives.pairs import align_targets as align_targets
from lasagne_next.objectives.regression import (
    absolute_error,
    cosine_distance,
    cosine_similarity,
    gaussian_nll,
    huber_loss,
    log_cosh_loss,
    poisson_nll,
    squared_error,
)

__all__ = [
    "absolute_error",
    "aggregate",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_crossentropy_from_logits",
    "binary_hinge_loss",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_crossentropy_from_logits",
    "cosine_distance",
    "cosine_similarity",
    "ctc_greedy_decode",
    "ctc_loss",
    "free_bits",
    "gaussian_kullback_leibler",
    "gaussian_nll",
    "huber_loss",
    "kullback_leibler",
    "label_weights",
    "log_cosh_loss",
    "multiclass_hinge_loss",
    "poisson_nll",
    "smooth_hinge_loss",
    "squared_error",
    "squared_hinge_loss",
]
