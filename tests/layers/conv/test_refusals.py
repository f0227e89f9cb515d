"""What convolution layers refuse when they are built."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next import layers
from lasagne_next.layers.conv import BaseConvLayer

IMAGES = (None, 6, 8, 8)
C2, T2 = layers.Conv2DLayer, layers.TransposedConv2DLayer
LOCAL, DILATED = layers.LocallyConnected2DLayer, layers.DilatedConv2DLayer


@pytest.mark.parametrize(
    ("error", "message", "build"),
    [
        (
            ValueError,
            "Conv2DLayer 'c': Expected 4 input dim.* got 3",
            lambda: C2((None, 3, 7), 2, 3, name="c"),
        ),
        (
            ValueError,
            "one to three axes of positions",
            lambda: BaseConvLayer((2, 3), 2, 3),
        ),
        (
            TypeError,
            "the number of channels must be known",
            lambda: C2((None, None, 7, 7), 2, 3),
        ),
        (TypeError, "filter_size must .* got 3.5", lambda: C2(IMAGES, 2, 3.5)),
        (ValueError, r"filter_size must .* got \(3,\)", lambda: C2(IMAGES, 2, (3,))),
        (ValueError, "stride must .* got 0", lambda: C2(IMAGES, 2, 3, 0)),
        (ValueError, "dilation must .* got 0", lambda: C2(IMAGES, 2, 3, dilation=0)),
        (
            TypeError,
            "iterable of int .* got 'half'",
            lambda: C2(IMAGES, 2, 3, 1, "half"),
        ),
        (TypeError, "pad must .* got 0.5", lambda: C2(IMAGES, 2, 3, 1, 0.5)),
        (
            ValueError,
            "pad='causal' must go with one",
            lambda: C2(IMAGES, 2, 3, 1, "causal"),
        ),
        (
            TypeError,
            "num_filters must be an integer, got 2.5",
            lambda: C2(IMAGES, 2.5, 3),
        ),
        (ValueError, "num_filters must be positive, got 0", lambda: C2(IMAGES, 0, 3)),
        (
            ValueError,
            "num_groups must be positive, got 0",
            lambda: C2(IMAGES, 2, 3, num_groups=0),
        ),
        (
            ValueError,
            "num_groups must evenly divide .* 4 groups",
            lambda: C2(IMAGES, 8, 3, num_groups=4),
        ),
        (
            ValueError,
            r"not be larger .* filter_size \(9, 9\).* leave \(0, 0\)",
            lambda: C2(IMAGES, 2, 9),
        ),
        (
            ValueError,
            "untie_biases needs known sizes",
            lambda: C2((None, 3, None, 7), 2, 3, untie_biases=True),
        ),
        (
            ValueError,
            r"shape \(2, 6, 3, 3\), got an array",
            lambda: C2(IMAGES, 2, 3, W=np.ones((6, 2, 3, 3))),
        ),
        (TypeError, "crop must .* got 'half'", lambda: T2(IMAGES, 2, 3, crop="half")),
        (
            ValueError,
            r"output_size must be a size .* got \(20, 20\), which leads to",
            lambda: T2(IMAGES, 2, 3, 2, output_size=20),
        ),
        (
            TypeError,
            "output_size must .* got 1.5",
            lambda: T2(IMAGES, 2, 3, 2, output_size=1.5),
        ),
        (
            ValueError,
            "output_size must .* with 0 axes",
            lambda: T2(IMAGES, 2, 3, 2, output_size=pt.lscalar()),
        ),
        (ValueError, "filters must not be larger", lambda: T2(IMAGES, 2, 3, crop=9)),
        (NotImplementedError, "requires pad=0", lambda: DILATED(IMAGES, 2, 3, pad=1)),
        (
            NotImplementedError,
            "requires flip_filters=False",
            lambda: DILATED(IMAGES, 2, 3, flip_filters=True),
        ),
        (
            NotImplementedError,
            "requires num_groups=1",
            lambda: DILATED(IMAGES, 2, 3, num_groups=2),
        ),
        (NotImplementedError, "requires stride=1", lambda: LOCAL(IMAGES, 2, 3, 2)),
        (
            NotImplementedError,
            "requires pad='same'",
            lambda: LOCAL(IMAGES, 2, 3, pad=1),
        ),
        (
            NotImplementedError,
            "requires dilation=1",
            lambda: LOCAL(IMAGES, 2, 3, dilation=2),
        ),
        (
            NotImplementedError,
            "requires num_groups=1",
            lambda: LOCAL(IMAGES, 2, 3, num_groups=2),
        ),
        (
            ValueError,
            "requires a fixed input shape",
            lambda: LOCAL((2, 3, None, 5), 2, 3),
        ),
        (
            ValueError,
            "number of input channels should match",
            lambda: LOCAL(IMAGES, 2, 3, channelwise=True),
        ),
        (
            ValueError,
            "depth_multiplier must be at least 1, got 0",
            lambda: layers.DepthwiseConv2DLayer(IMAGES, 3, depth_multiplier=0),
        ),
        (
            TypeError,
            "depth_multiplier must be an integer, got 1.5",
            lambda: layers.SeparableConv2DLayer(IMAGES, 4, 3, depth_multiplier=1.5),
        ),
    ],
)
def test_what_makes_no_sense_is_refused(error, message, build):
    """Catches a mistake that shows only when a function runs."""
    with pytest.raises(error, match=message):
        build()
