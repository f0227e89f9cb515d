"""Images for recipes."""

import gzip

import numpy as np
import pytest

from recipes.data import glyphs
from recipes.data import images as data
from tests.recipes.conftest import SIZES


def check(images, num_train, num_test, num_pixels):
    assert images.train.shape == (num_train, num_pixels)
    assert images.test.shape == (num_test, num_pixels)
    assert images.train.dtype == images.test.dtype == "float32"
    assert images.train.min() == images.test.min() == 0
    assert images.train.max() == images.test.max() == 1
    assert images.train_labels.shape == (num_train,)
    assert images.test_labels.shape == (num_test,)
    assert images.train_labels.dtype == images.test_labels.dtype == "int64"
    assert set(images.test_labels) == set(range(10))
    assert np.prod(images.shape) == num_pixels


def test_the_digits_are_split_without_overlap_and_always_alike():
    """Catches testing on images seen, labels in another order, and a split by seed."""
    from sklearn.datasets import load_digits

    images = data.load("digits")
    check(images, 1437, 360, 64)
    known = {
        (*pixels, label)
        for pixels, label in zip(*load_digits(return_X_y=True), strict=True)
    }
    both = np.concatenate([images.train, images.test]) * 16
    labels = np.concatenate([images.train_labels, images.test_labels])
    found = {(*pixels, label) for pixels, label in zip(both, labels, strict=True)}
    assert found == known
    assert np.array_equal(data.load("digits").test, images.test)


def test_mnist_is_read_as_it_was_written(small_mnist, tmp_path):
    """Catches swapped files, mixed up axes, and scaling by 256."""
    images = data.load("mnist", tmp_path)
    check(images, SIZES["train"], SIZES["t10k"], 784)
    expected = small_mnist["t10k-images-idx3-ubyte.gz"][7] / 255
    np.testing.assert_allclose(images.test[7].reshape(28, 28), expected, rtol=1e-6)
    assert images.train_labels.tolist() == [*range(10)] * 30
    assert {path.name for path in (tmp_path / "mnist").iterdir()} == set(small_mnist)


def test_mnist_is_asked_for_by_checksums_of_256_bits():
    """Catches a checksum that lost a digit, which no file would ever have."""
    for checksum in data.MNIST_FILES.values():
        assert len(bytes.fromhex(checksum)) == 32


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"\0\0\x08\x01\0\0\0\x05abcd", b"\0\0\x0d\x01\0\0\0\x01a"],
    ids=["empty", "no sizes", "cut off", "floats"],
)
def test_a_file_that_is_not_idx_is_refused(tmp_path, content):
    """Catches reading beyond the end, and floats as if they were bytes."""
    path = tmp_path / "numbers.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=r"numbers\.gz' must be an IDX file of bytes"):
        data.read_idx(path)


def test_an_unknown_name_is_answered_with_the_known_ones():
    """Catches a KeyError, and a bad suggestion."""
    message = "one of digits, mnist, got 'minst'. Did you mean 'mnist'"
    with pytest.raises(ValueError, match=message):
        data.load("minst")


def test_glyphs_are_drawn_alike_for_one_seed_and_all_digits_as_often():
    """Catches labels in another order than images, and draws by a global generator."""
    images = glyphs.glyphs(train=150, test=50)
    check(images, 150, 50, 784)
    labels = np.concatenate([images.train_labels, images.test_labels])
    assert (np.bincount(labels) == 20).all()
    assert np.array_equal(glyphs.glyphs(150, 50).test, images.test)
    assert not np.array_equal(glyphs.glyphs(150, 50, seed=1).test, images.test)
    ones, eights = (images.train[images.train_labels == k] for k in (1, 8))
    assert ones.mean() < 0.7 * eights.mean()  # less ink


def test_ink_is_where_the_pen_went():
    """Catches swapped axes and a pen of another width, by measuring to each segment."""
    rng = np.random.default_rng(3)
    image = glyphs.draw_glyphs([7], rng, side=20)[0].reshape(20, 20)
    rng = np.random.default_rng(3)
    pen = None
    for label in range(8):
        pens = rng.uniform(0.06, 0.12, int(label == 7))
        starts, ends = glyphs._segments(label, int(label == 7), rng)
        pen = pens[0] if label == 7 else pen
    for row in range(20):
        for column in range(20):
            point = np.array([column + 0.5, row + 0.5]) / 10 - 1
            near = min(
                np.linalg.norm(a + t * (b - a) - point)
                for a, b in zip(starts[0], ends[0], strict=True)
                for t in np.linspace(0, 1, 101)
            )
            expected = np.clip((pen - near) * 10 + 0.5, 0, 1)
            assert image[row, column] == pytest.approx(expected, abs=0.05)
