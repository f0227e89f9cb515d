"""The recipes on images, as a user runs them."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from recipes import data
from recipes.images import digits, tied_kernels
from tests.recipes.running import check_files, failed, smoke_runs

small = smoke_runs("images")


def test_digits_learns_to_read(small):
    """Catches filters that are not trained: one digit in ten is read at the start."""
    numbers = small("digits")
    assert numbers["convolutions"] > 0.4
    assert numbers["dense"] > 0.4


def test_digits_writes_one_picture(small):
    """Catches a picture that is empty, and settings that stay changed."""
    check_files(small.folder("digits"), "digits")


def test_shifts_keep_the_ink_on_the_paper():
    """Catches images that come in again at the other side."""
    image = np.zeros((50, 1, 8, 8), "float32")
    image[:, :, 0, 7] = 1
    moved = digits.shift(image, np.random.default_rng(0))
    assert moved.shape == image.shape
    assert moved.dtype == image.dtype
    rows, columns = np.nonzero(moved.sum(axis=(0, 1)))
    assert set(rows) == {0, 1}
    assert set(columns) == {6, 7}


def test_confusions_are_counted_by_digit_and_answer():
    """Catches a table that is transposed."""
    counts = digits.confusion(np.array([1, 1, 2]), np.array([1, 7, 2]))
    assert counts[1, 7] == counts[1, 1] == counts[2, 2] == 1
    assert counts.sum() == 3


EXACT = (
    "tied kernels, share of the untied",
    "last layer off transpose of the first",
    "gradient off encoder's plus decoder's",
)


def test_tied_kernels_lead_exactly_back(small):
    """Catches a decoder that flips like its encoder, and kernels that are copies."""
    numbers = small("tied_kernels")
    assert [text for text in EXACT if text in failed(numbers)] == []


def test_tied_kernels_restore_digits(small):
    """Catches kernels that do not learn: the mean of all digits is off by 0.072."""
    numbers = small("tied_kernels")
    assert numbers["tied"] < 0.05
    assert numbers["untied"] < 0.05


def test_components_are_those_of_scikit_learn(small):
    """Catches components of uncentred images, or of those held out."""
    images = data.digits()
    components = PCA(8).fit(images.train.astype("float64"))
    restored = components.inverse_transform(components.transform(images.test))
    expected = ((restored - images.test) ** 2).mean()
    assert small("tied_kernels")["PCA"] == pytest.approx(expected, rel=1e-4)


def test_tied_kernels_write_one_picture(small):
    """Catches a picture that is empty, and settings that stay changed."""
    check_files(small.folder("tied_kernels"), "tied_kernels")


@pytest.mark.slow
def test_tied_kernels_keep_their_claims(tmp_path):
    """Catches a tied network that restores less well than the recipe says."""
    pytest.importorskip("jax")
    numbers = tied_kernels.main(["--backend", "jax", "--output", str(tmp_path)])
    assert not failed(numbers)


@pytest.mark.slow
def test_digits_keeps_its_claims(tmp_path):
    """Catches a network that reads fewer digits than the recipe says."""
    pytest.importorskip("jax")
    numbers = digits.main(["--backend", "jax", "--output", str(tmp_path)])
    assert not failed(numbers)
    assert len(data.digits().test) == 360
