"""Connectionist temporal classification by enumeration of all paths."""

import itertools
import math


def reduced(path, blank):
    """Merge repetitions, then remove blanks."""
    merged = [each for each, _ in itertools.groupby(path)]
    return [each for each in merged if each != blank]


def loss(logits, labels, blank):
    """Compute minus the logarithm of what all paths of the labels have together."""
    probabilities = []
    for row in logits:
        powers = [math.exp(each) for each in row]
        probabilities.append([each / sum(powers) for each in powers])
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if reduced(path, blank) == list(labels):
            total += math.prod(
                row[each] for row, each in zip(probabilities, path, strict=True)
            )
    return -math.log(total) if total else math.inf
