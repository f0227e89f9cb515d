"""The step of a network of fifty layers of 100 units: batch 64, Adam.

Many small kernels: how long they take to compile, and what a call of each costs.
"""

from __future__ import annotations

from tests.benchmarks import classifier
from tests.benchmarks.workloads import Workload

SIZES = (784, *[100] * 49, 10)
BATCH = 64

WORKLOADS = {
    "deep": Workload(
        "50 layers of 100 units, batch 64, Adam, float32",
        {
            name: target.replace(classifier.__name__, __name__)
            for name, target in classifier.WORKLOADS["classifier"].peers.items()
            if "mode=" not in name
        },
    ),
}


def _peer(name):
    def build():
        classifier.SIZES, classifier.BATCH = SIZES, BATCH
        return getattr(classifier, name)()

    build.__doc__ = f"Build `{name}` of the small classifier with fifty layers."
    return build


pytorch, pytorch_fused = _peer("pytorch"), _peer("pytorch_fused")
ours_on_numba, ours_donating = _peer("ours_on_numba"), _peer("ours_donating")
jax_by_hand = _peer("jax_by_hand")
