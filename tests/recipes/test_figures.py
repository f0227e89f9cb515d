"""Pictures."""

import os

import numpy as np
import pytest

from recipes import figures


def test_a_mosaic_reads_like_a_page():
    """Catches mixed up axes, missing gaps, and a last row without its empty cells."""
    images = np.arange(3 * 2 * 5).reshape(3, 10)
    grid = figures.mosaic(images, (2, 5), columns=2)
    assert grid.shape == (5, 11)
    np.testing.assert_array_equal(grid[:2, :5], images[0].reshape(2, 5))
    np.testing.assert_array_equal(grid[:2, 6:], images[1].reshape(2, 5))
    np.testing.assert_array_equal(grid[3:, :5], images[2].reshape(2, 5))
    assert np.isnan(grid[2]).all()
    assert np.isnan(grid[:, 5]).all()
    assert np.isnan(grid[3:, 6:]).all()


def test_signed_images_are_scaled_one_by_one():
    """Catches one scale for all, a shifted zero, and dividing by zero."""
    axes = figures.new_figure(2, 2).subplots()
    images = [[-4.0, 2.0], [0.1, 0.05], [0.0, 0.0]]
    figures.show_images(axes, images, (1, 2), columns=1, signed=True)
    drawn = axes.images[0]
    np.testing.assert_allclose(
        drawn.get_array()[[0, 2, 4]].filled(9), [[-1, 0.5], [1, 0.5], [0, 0]]
    )
    assert drawn.get_clim() == (-1, 1)


def test_an_interrupted_figure_leaves_no_file(tmp_path, monkeypatch):
    """Catches writing under the final name."""
    figure = figures.new_figure(2, 2)

    def savefig(path, dpi):
        with open(path, "wb") as file:
            file.write(b"half a picture")
        raise KeyboardInterrupt

    monkeypatch.setattr(figure, "savefig", savefig)
    with pytest.raises(KeyboardInterrupt):
        figures.save_figure(figure, tmp_path / "figure.png")
    assert os.listdir(tmp_path) == []


def test_a_figure_is_written_at_its_size(tmp_path):
    """Catches a layout that shrinks to its content, and pyplot's global state."""
    import matplotlib.image

    figure = figures.new_figure(4, 3)
    figures.set_title(figure, "Title")
    figures.label_row(figure.subplots(), "name", ["detail"])
    figures.save_figure(figure, tmp_path / "figure.png", dpi=50)
    assert matplotlib.image.imread(tmp_path / "figure.png").shape == (150, 200, 4)
