"""Spatial transformers against reference images, and against loops."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions
from lasagne_next.layers import (
    InputLayer,
    TPSTransformerLayer,
    TransformerLayer,
    get_output,
)

IDENTITY = np.array([[1.0, 0, 0, 0, 1, 0]])
HALVES = np.zeros((1, 1, 16, 16))
HALVES[..., 8:] = 1
RNG = np.random.default_rng(3)


def transformed(kind, image, where, known=True, **kwargs):
    shape = image.shape if known else (None, image.shape[1], None, None)
    l_image, l_where = InputLayer(shape), InputLayer((None, where.shape[1]))
    layer = kind(l_image, l_where, **kwargs)
    output = get_output(layer, {l_image: image, l_where: where})
    return output.eval(mode="FAST_COMPILE")


ROWS = {
    "mirror": [0.5, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0.5],
    "wrap": [1, 1, 0, 0] * 4,
    "nearest": [0] * 8 + [1] * 8,
}


@pytest.mark.parametrize("border_mode", ROWS)
def test_borders_continue_the_image(border_mode, floatX64):
    """Catches a mirrored edge that is repeated, and a wrong period."""
    zoom = np.array([[4.0, 0, 0, 0, 1, 0]])
    got = transformed(TransformerLayer, HALVES, zoom, border_mode=border_mode)
    for row in got[0, 0]:
        np.testing.assert_allclose(row, ROWS[border_mode], atol=1e-10)


def slow_affine(image, theta, height, width):
    """Read the image at each target point by the four pixels around."""
    result = np.zeros((*image.shape[:2], height, width))
    rows, columns = image.shape[2:]
    for n, c, i, j in np.ndindex(*result.shape):
        target = np.array([-1 + 2 * j / (width - 1), -1 + 2 * i / (height - 1), 1])
        x, y = theta[n].reshape(2, 3) @ target
        x, y = (x + 1) / 2 * (columns - 1), (y + 1) / 2 * (rows - 1)
        for row in (np.floor(y), np.floor(y) + 1):
            for column in (np.floor(x), np.floor(x) + 1):
                weight = (1 - abs(y - row)) * (1 - abs(x - column))
                inside = (
                    int(min(max(row, 0), rows - 1)),
                    int(min(max(column, 0), columns - 1)),
                )
                result[n, c, i, j] += weight * image[(n, c, *inside)]
    return result


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_an_affine_map_reads_as_loops_do(known, floatX64):
    """Catches exchanged axes, rows or examples."""
    image, theta = RNG.normal(size=(2, 3, 7, 5)), RNG.normal(size=(2, 6))
    layer = TransformerLayer((2, 3, 7, 5), (2, 6), downsample_factor=(1.7, 0.5))
    assert layer.output_shape == (2, 3, 4, 10)
    assert layer.downsample_factor == (1.7, 0.5)
    got = transformed(
        TransformerLayer, image, theta, known, downsample_factor=(1.7, 0.5)
    )
    np.testing.assert_allclose(got, slow_affine(image, theta, 4, 10))
    got = transformed(TransformerLayer, image, np.repeat(IDENTITY, 2, 0), known)
    np.testing.assert_allclose(got, image, atol=1e-10)


@pytest.mark.parametrize("precompute", [True, False])
def test_a_spline_shifts_as_the_reference_image(precompute, floatX64):
    """Catches offsets with the wrong sign or axis."""
    image = np.zeros((1, 1, 28, 28))
    image[..., [0, -1], :] = image[..., :, [0, -1]] = 1
    wanted = np.ones((28, 28))
    wanted[:13, :13] = 0
    wanted[13, :13] = wanted[:13, 13] = 0.5
    wanted[13, 13] = 0.75
    got = transformed(
        TPSTransformerLayer, image, np.ones((1, 32)), precompute_grid=precompute
    )
    np.testing.assert_allclose(got[0, 0], wanted, atol=1e-5)


def test_a_spline_goes_through_its_control_points(floatX64):
    """Catches a spline part that is lost, whether precomputed or not."""
    image, offsets = RNG.normal(size=(2, 3, 7, 4)), 0.4 * RNG.normal(size=(2, 18))
    results = [
        transformed(
            TPSTransformerLayer, image, offsets, known, control_points=9,
            precompute_grid=precompute,
        )
        for known, precompute in [(True, "auto"), (True, False), (False, "auto")]
    ]  # fmt: skip
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-8)
    layer = TPSTransformerLayer((2, 3, 7, 5), (2, 18), control_points=9)
    assert layer.precompute_grid
    assert (layer.out_height, layer.out_width) == (7, 5)
    # Pixels 0, 3 and 6 of the rows and 0, 2 and 4 of the columns are control points.
    grid = layer.L_inv[3:] @ layer.right_mat.reshape(12, 7, 5)[:, ::3, ::2].reshape(
        12, 9
    )
    np.testing.assert_allclose(grid, np.eye(9), atol=1e-10)
    zero = transformed(TPSTransformerLayer, image, np.zeros((2, 32)))
    np.testing.assert_allclose(zero, image, atol=1e-10)


def test_bad_arguments_are_refused():
    """Catches shapes that fail later."""
    with pytest.raises(ValueError, match=r"'t': the input must have 4 axes.*\(2, 3\)"):
        TransformerLayer((2, 3), (2, 6), name="t")
    with pytest.raises(ValueError, match=r"output shape \(batch, 6\), got \(2, 5\)"):
        TransformerLayer((2, 3, 4, 5), (2, 5))
    with pytest.raises(ValueError, match=r"'t': border_mode must be .* got 'mirrow'"):
        TransformerLayer((2, 3, 4, 5), (2, 6), border_mode="mirrow", name="t")
    with pytest.raises(ValueError, match=r"output shape \(batch, 32\), got \(2, 6\)"):
        TPSTransformerLayer((2, 3, 4, 5), (2, 6))
    with pytest.raises(ValueError, match=r"control_points must be a square .* got 10"):
        TPSTransformerLayer((2, 3, 4, 5), (2, 20), control_points=10)
    with pytest.raises(ValueError, match="precompute_grid must be False or 'auto'"):
        TPSTransformerLayer((2, 3, None, 5), (2, 32), precompute_grid=True)
    with pytest.raises(ValueError, match=r"border_mode must be one of .* got 'no'"):
        expressions.bilinear_sample(
            pt.tensor4("x"), pt.matrix("y"), pt.matrix("z"), "no"
        )
