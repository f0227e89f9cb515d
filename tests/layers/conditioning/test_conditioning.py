"""FiLM, gates, times and reversed gradients: numbers, shapes, refusals."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init, nonlinearities, ops
from lasagne_next.layers import (
    DenseLayer,
    FiLMLayer,
    GatedActivationLayer,
    GradientReversalLayer,
    InputLayer,
    TimeEmbeddingLayer,
    get_all_params,
    get_output,
)
from tests.reference import conditioning as reference

FAST = "FAST_COMPILE"


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def evaluate(output):
    return output.eval(mode=FAST)


class TestFiLM:
    """Scaling and shifting by a second input."""

    def test_it_is_the_loop(self, floatX64):
        """Catches a scale without the one, and scale and shift exchanged."""
        x, c = normal(2, 3, 7), normal(2, 5)
        inputs = [InputLayer((None, 3, None)), InputLayer((None, 5))]
        random = init.Normal(1)
        layer = FiLMLayer(inputs, 1, random, random, random, random)
        got = evaluate(get_output(layer, dict(zip(inputs, (x, c), strict=True))))
        params = [each.get_value() for each in layer.get_params()]
        assert len(params) == 4
        wanted = reference.film(x, c, *params)
        np.testing.assert_allclose(got, wanted, rtol=1e-10)
        assert layer.output_shape == (None, 3, None)

    def test_each_step_may_have_its_own_conditioning(self, floatX64):
        """Catches a conditioning of the first step for all."""
        x, c = normal(2, 7, 3), normal(2, 7, 5)
        layer = FiLMLayer([(2, None, 3), (None, 7, 5)], axes=-1, W_scale=init.Normal(1))
        got = evaluate(layer.get_output_for([pt.constant(x), pt.constant(c)]))
        assert layer.output_shape == (2, 7, 3)
        params = [each.get_value() for each in layer.get_params()]
        for step in range(7):
            wanted = reference.film(x[:, step, :, None], c[:, step], *params)
            np.testing.assert_allclose(got[:, step], wanted[..., 0], rtol=1e-10)

    def test_several_axes_have_a_scale_for_each_pair(self, floatX64):
        """Catches axes that are merged in another order than they are split."""
        x, c = normal(2, 3, 5, 7), normal(2, 4)
        layer = FiLMLayer([(None, 3, 5, 7), (None, 4)], axes=(-1, 1))
        assert layer.axes == (1, 3)
        assert layer.W_scale.type.shape == (4, 21)
        got = evaluate(layer.get_output_for([pt.constant(x), pt.constant(c)]))
        gamma = (c @ layer.W_scale.get_value()).reshape(2, 3, 1, 7)
        beta = (c @ layer.W_shift.get_value()).reshape(2, 3, 1, 7)
        np.testing.assert_allclose(got, x * (1 + gamma) + beta, rtol=1e-10)

    def test_zero_weights_are_the_identity(self):
        """Catches gamma in place of 1 + gamma."""
        x = normal(2, 3)
        zero = init.Constant(0)
        layer = FiLMLayer(
            [(None, 3), (None, 4)],
            W_scale=zero,
            W_shift=zero,
            b_scale=None,
            b_shift=None,
        )
        assert (layer.b_scale, layer.b_shift) == (None, None)
        inputs = [pt.constant(x), pt.constant(normal(2, 4))]
        np.testing.assert_array_equal(evaluate(layer.get_output_for(inputs)), x)

    @pytest.mark.parametrize(
        ("shapes", "axes", "message"),
        [
            ([(2, 3)], 1, "incomings must be two, features and conditioning, got 1"),
            ([(2, 3), (2, None)], 1, r"must be \(batch, known size\), .* \(2, None\)"),
            ([(2, 3), (5,)], 1, r"must be \(batch, known size\), .*got \(5,\)"),
            ([(2, 3), (5, 4)], 1, r"must agree with the features .* \(5, 4\)"),
            ([(2, 3, 7), (2, 3, 4)], 1, "axes must be behind the 2 leading axes"),
            ([(2, None), (2, 4)], 1, r"sizes of the axes \(1,\) must be known"),
            ([(2, 3), (2, 4)], 2, "axes must be between -2 and 1, got 2"),
            ([(2, 3), (2, 4)], (), r"axes must be behind .* got \(\)"),
        ],
        ids=str,
    )
    def test_what_does_not_fit_is_refused(self, shapes, axes, message):
        """Catches an error at run time, or one without the layer's name."""
        with pytest.raises(ValueError, match=f"FiLMLayer 'f': .*{message}"):
            FiLMLayer(shapes, axes, name="f")


class TestGatedActivation:
    """One half of the features gates the other."""

    def test_it_is_the_loop(self):
        """Catches the halves exchanged."""
        x = normal(2, 6, 5)
        layer = GatedActivationLayer((None, 6, None))
        got = evaluate(layer.get_output_for(pt.constant(x)))
        assert layer.output_shape == (None, 3, None)
        np.testing.assert_allclose(got, reference.gate(x), rtol=1e-6)

    def test_the_functions_and_the_axis_can_be_chosen(self):
        """Catches a nonlinearity or gate that is fixed."""
        x = normal(2, 3, 8)
        layer = GatedActivationLayer((2, 3, 8), -1, None, nonlinearities.rectify)
        got = evaluate(layer.get_output_for(pt.constant(x)))
        np.testing.assert_allclose(got, x[..., :4] * np.maximum(x[..., 4:], 0))

    def test_what_cannot_be_halved_is_refused(self):
        """Catches an error that does not name the size."""
        for size in (5, None):
            with pytest.raises(ValueError, match=f"'g': the size of axis 1 .*{size}"):
                GatedActivationLayer((2, size), name="g")
        with pytest.raises(TypeError, match="'g': gate must be a function"):
            GatedActivationLayer((2, 4), gate="tanh", name="g")
        with pytest.raises(ValueError, match="'g': axis must be between -2 and 1"):
            GatedActivationLayer((2, 4), axis=2, name="g")


class TestTimeEmbedding:
    """Sines and cosines of numbers."""

    def test_it_is_the_encoding_of_positions(self):
        """Catches another order or other frequencies than those of sinusoids."""
        times = np.array([0.0, 3.0, 500.0])
        layer = TimeEmbeddingLayer((None,), num_units=8)
        got = evaluate(layer.get_output_for(pt.constant(times)))
        wanted = evaluate(expressions.sinusoids(pt.constant(times), 8))
        np.testing.assert_allclose(got, wanted, atol=1e-6)
        assert layer.output_shape == (None, 8)
        assert layer.get_params(trainable=True) == []
        assert layer.get_params(regularizable=True) == []

    def test_wavelengths_go_from_the_shortest_to_the_longest(self):
        """Catches a shortest wavelength that is ignored, and falling ones."""
        layer = TimeEmbeddingLayer((2, 3), num_units=6, longest=8, shortest=0.125)
        np.testing.assert_allclose(layer.frequencies.get_value(), [8, 2, 0.5])
        assert layer.output_shape == (2, 3, 6)

    def test_frequencies_may_be_learnt_and_given(self):
        """Catches frequencies that gradients do not reach."""
        learnt = TimeEmbeddingLayer((None,), 4, learnable=True, name="t")
        assert learnt.get_params(trainable=True) == [learnt.frequencies]
        times = pt.constant(np.array([1.0, 2.0]))
        loss = learnt.get_output_for(times)[:, 0].sum()  # sines of the first
        slope = evaluate(pytensor.grad(loss, learnt.frequencies))
        np.testing.assert_allclose(slope, [np.cos(1) + 2 * np.cos(2), 0], rtol=1e-6)
        given = TimeEmbeddingLayer((None,), 4, frequencies=np.array([3.0, 5.0]))
        np.testing.assert_array_equal(given.frequencies.get_value(), [3, 5])

    def test_integers_become_floats(self, floatX32):
        """Catches steps that are counted as integers, and double precision."""
        output = TimeEmbeddingLayer((None,), 4).get_output_for(pt.lvector())
        assert output.dtype == "float32"

    def test_what_makes_no_sense_is_refused(self):
        """Catches frequencies that are zero, infinite or too few."""
        for units in (0, 3, -2, 2.0):
            with pytest.raises(ValueError, match=f"'t': num_units .* got {units}"):
                TimeEmbeddingLayer((2,), units, name="t")
        for longest, shortest in ((10, 0), (1, 1)):
            with pytest.raises(ValueError, match="'t': shortest must be positive and"):
                TimeEmbeddingLayer((2,), 4, longest, shortest, name="t")


class TestGradientReversal:
    """Gradients that turn round."""

    def test_the_gradient_is_minus_lambda_times_itself(self, floatX64):
        """Catches a sign or scale that reaches the value, or the layers above."""
        l_in = InputLayer((2, 3))
        below = DenseLayer(l_in, 5, nonlinearity=pt.tanh)
        scale = pytensor.shared(0.0)
        reversed_ = GradientReversalLayer(below, scale)
        above = DenseLayer(reversed_, 7, nonlinearity=pt.tanh)
        twin = DenseLayer(below, 7, W=above.W, b=above.b, nonlinearity=pt.tanh)
        assert reversed_.get_params() == []
        params = get_all_params(below) + above.get_params()
        graphs = []
        for network in (twin, above):
            output = get_output(network)
            graphs += [output, *pytensor.grad(pt.sqr(output).sum(), params)]
        function = pytensor.function([l_in.input_var], graphs, mode=FAST)
        for value in (0.0, 0.3):
            scale.set_value(value)
            results = function(normal(2, 3))
            plain, turned = results[:5], results[5:]
            np.testing.assert_array_equal(plain[0], turned[0])
            for one, other in zip(plain[1:3], turned[1:3], strict=True):
                np.testing.assert_allclose(other, -value * one, rtol=1e-12)
            for one, other in zip(plain[3:], turned[3:], strict=True):
                np.testing.assert_allclose(other, one, rtol=1e-12)

    def test_second_derivatives_and_the_scale(self, floatX64):
        """Catches a reversal that the second gradient forgets."""
        x = pt.vector("x")
        first = pytensor.grad((ops.reverse_gradient(x, 2) ** 3).sum(), x)  # -6 x^2
        second = pytensor.grad(first.sum(), x)
        # The value inside is again reversed: -2 times the slope of -6 x^2.
        np.testing.assert_allclose(second.eval({x: [1.0, 2.0]}, mode=FAST), [24, 48])

    def test_nothing_is_left_in_the_compiled_graph(self, floatX32):
        """Catches an operation that the backends must know, and double precision."""
        x = pt.vector("x")
        output = ops.reverse_gradient(x, np.float64(0.5))
        slope = pytensor.grad(output.sum(), x)
        function = pytensor.function([x], [output, slope], mode=FAST)
        assert "Reversal" not in str(function.maker.fgraph)
        assert all(each.dtype == "float32" for each in function(np.ones(2, "float32")))

    def test_scales_that_are_no_scalars_are_refused(self):
        """Catches a scale that broadcasts."""
        with pytest.raises(ValueError, match="scale must be a number or a symbolic sc"):
            ops.reverse_gradient(pt.vector(), [1.0, 2.0])
        with pytest.raises(TypeError, match="'r': scale must be a number or a symb"):
            GradientReversalLayer((2, 3), "big", name="r")
        with pytest.raises(ValueError, match="'r': scale must be a number or a symb"):
            GradientReversalLayer((2, 3), pt.vector(), name="r")
