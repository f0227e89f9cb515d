"""The recipes on the post about parameter expressions."""

import numpy as np
import pytest

from recipes.parameters import gallery, positive_parts, programs, structured
from tests.recipes.running import check_files, failed, measured, run, smoke_runs

NAMES = (
    "programs",
    "positive_parts",
    "psd_precision",
    "gallery",
    "limits",
    "overfit",
    "structured",
)
small = smoke_runs("parameters")

# What is learnt too little in the smoke run.
OPEN = {
    "programs": {
        "accuracy, full",
        "accuracy, product of rank 16, off full",
        "accuracy, LowRank of rank 16, off full",
    },
    "positive_parts": {
        "likeness of bars, exp",
        "likeness of bars, softplus",
        "error, exp, part of the variance",
        "error, softplus : exp",
        "loss after SGD, max : softplus",
    },
    "psd_precision": {"error, PSD : free, few points"},
    "gallery": {"spectral norm: off the constraint"},
    "overfit": {
        "accuracy, full",
        "gap, best rank : full",
        "accuracy, best rank off full",
    },
    "structured": {"error, tied : untied", "error, tied : PCA of 50"},
}
# What does not come true, as the recipes say.
UNTRUE = {
    "positive_parts": {"error, softplus : exp"},
    "overfit": {"gap, best rank : full", "accuracy, best rank off full"},
    "structured": {"error, tied : untied"},
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_claimed_holds_in_the_smoke_run(name, small):
    """Catches wrong gradients, counts and constraints, however short it runs."""
    assert set(failed(small(name))) <= OPEN.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_a_picture_and_nothing_else(name, small):
    """Catches an empty picture, files nobody asked for, and changed settings."""
    check_files(small.folder(name), name)


def test_networks_learn_in_the_smoke_run(small):
    """Catches steps that train nothing: one digit in ten is read, no bar is found."""
    assert measured(small("programs"), "accuracy, full") > 0.8
    assert measured(small("overfit"), "accuracy, full") > 0.5
    exp, free = (
        measured(small("positive_parts"), f"likeness of bars, {kind}")
        for kind in ("exp", "unconstrained")
    )
    assert exp > free + 0.05


@pytest.mark.parametrize("kind", ["U diag(s) V", "Kronecker", "Toeplitz", "hashed"])
def test_a_full_matrix_is_noticed_to_have_no_structure(kind):
    """Catches a measure that any matrix passes."""
    W = np.random.default_rng(6).normal(size=(784, 500))
    assert structured.off_structure(kind, W) > 0.1


def test_bars_are_the_rows_and_columns():
    """Catches parts that are listed twice, or the wrong way round."""
    parts = positive_parts.bars().reshape(16, 8, 8)
    assert (parts.sum(axis=(1, 2)) == 8).all()
    assert (parts[:8].sum(axis=0) == 1).all()
    assert (parts[3, 3] == 1).all()
    assert (parts[11, :, 3] == 1).all()
    unit = np.eye(64)
    assert positive_parts.similarity(parts.reshape(16, 64)) == pytest.approx(1)
    assert positive_parts.similarity(unit) == pytest.approx(8**-0.5)


@pytest.mark.parametrize("name", [*gallery.GALLERY, "low frequencies"])
def test_a_matrix_that_breaks_its_constraint_is_noticed(name):
    """Catches a measure that is zero for any matrix."""
    W = np.random.default_rng(3).normal(size=(gallery.SIZE, gallery.SIZE))
    if name != "weight norm":
        assert gallery.off_constraint(name, W) > 0.05


def test_the_matrix_of_low_frequencies_has_orthonormal_columns():
    """Catches a cosine basis that is scaled wrongly."""
    basis = gallery.frequencies().owner.inputs[0].data
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-12)


def test_losses_by_hand_are_those_of_plain_numpy():
    """Catches a comparison of the library with itself."""
    from lasagne_next.layers import DenseLayer

    rng = np.random.default_rng(5)
    x, y = np.float32(rng.normal(size=(2, 7, 3)))
    layer = DenseLayer((None, 3), 3, nonlinearity=None)
    layer.W.set_value(np.float32(layer.W.get_value()).astype(layer.W.dtype))
    W, b = (np.float64(p.get_value()) for p in layer.get_params())
    leaves = [programs.shared(lambda _, v=v: v, v.shape, "v") for v in (W, b)]
    losses = programs.descend(leaves, x, y, 3, "FAST_COMPILE", by_library=False)
    for loss in losses:
        error = x @ W + b - y
        assert loss == pytest.approx(np.square(error).mean(), rel=1e-5)
        slope = 2 * error / error.size
        W, b = W - 0.1 * x.T @ slope, b - 0.1 * slope.sum(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_claims_hold_in_full_but_for_those_said_not_to(name, tmp_path):
    """Catches whatever makes the usual run on the default backend worse."""
    found = failed(run(f"parameters.{name}", "--output", tmp_path))
    assert set(found) == UNTRUE.get(name, set())
