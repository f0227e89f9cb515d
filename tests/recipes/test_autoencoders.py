"""The recipes on autoencoders."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from lasagne_next.layers import DenseLayer, InputLayer, get_output
from recipes.autoencoders import (
    boltzmann,
    chains,
    collapse,
    conservative,
    contractive,
    conv_vq,
    denoisers,
    linear,
    vae,
    vq,
)
from recipes.data.fields import Field
from recipes.data.mixtures import RING, Mixture
from tests.recipes.running import check_files, failed, measured, run, smoke_runs

NAMES = (
    "linear",
    "conservative",
    "contractive",
    "stacked",
    "vae",
    "vq",
    "corruptions",
    "boltzmann",
    "schedules",
    "chains",
    "collapse",
    "conv_vq",
)
small = smoke_runs("autoencoders")

# What is exact, however short the run.
EXACT = {
    "linear": (
        "copying: error per number",
        "tied: error, of lost eigenvalues",
        "its score off -(C + s2 I)^-1, free",
        "excess error, no bottleneck",
        "images: error : Wiener's",
    ),
    "conservative": (
        "tied: asymmetry of the Jacobian",
        "tied: work around a closed path",
    ),
    "contractive": ("norm by PyTensor off the closed form, relative",),
    "stacked": (
        "masking: share of pixels at 0",
        "noise: deviation",
        "salt and pepper: share of pixels hit",
    ),
    "vae": (
        "KL by formula off draws, relative",
        "linear: bound above the likelihood, at most",
        "bound of many draws less bound",
    ),
    "vq": (
        "gradient at the encoder off the decoder's",
        "4 codes: loss",
        "4 codes: above D(R)",
        "16 codes: smallest step",
    ),
    "corruptions": (
        "noise of 0.3: deviation",
        "masking of 0.3: share at 0",
        "salt and pepper of 0.3: share hit",
        "of these, salt",
        "clean images, best code : plain, error",
    ),
    "boltzmann": (
        "slope of log p off <v h> seen less <v h> drawn",
        "bars and stripes: images",
        "KL of the data to the uniform model",
        "accuracy without",
    ),
    "schedules": (
        "scheduled: noise off the schedule",
        "adaptive: largest rise of the noise",
    ),
    "chains": (),
    "collapse": ("a bound is below the entropy by",),
    "conv_vq": ("bits of a code",),
}
# What does not come true, as the recipes say.
UNTRUE = {
    "contractive": {"least norm : plain, at 1.1 times the error"},
    "schedules": {
        "scheduled: fewer misread than best single",
        "adaptive: fewer misread than best single",
        "composite: fewer misread than best single",
    },
    "conv_vq": {
        "error : normal images at these bits",
        "codes in use, perplexity : number",
    },
    "chains": {
        "walking back: share beyond 4 deviations",
        "that share, one step : walking back",
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_exact_holds_in_the_smoke_run(name, small):
    """Catches formulas that are wrong: these do not depend on much training."""
    found = failed(small(name))
    assert [text for text in EXACT[name] if text in found] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_a_picture_and_nothing_else(name, small):
    """Catches an empty picture, files nobody asked for, and changed settings."""
    check_files(small.folder(name), name)


def test_networks_learn_in_the_smoke_run(small):
    """Catches steps that train nothing, by bounds that untrained networks miss."""
    assert measured(small("conservative"), "score of noisy data, s = 0.5: off") < 0.7
    assert measured(small("contractive"), "largest penalty: norm : plain") < 0.9
    assert measured(small("stacked"), "layer 1: fall of the denoiser's loss") > 0.05
    assert measured(small("vae"), "bound less independent pixels, nats") > -3
    assert measured(small("corruptions"), "misread from plain codes") < 0.6
    assert measured(small("boltzmann"), "PCD: KL(data, model), nats") < 7
    assert measured(small("schedules"), "misread, best single level") < 0.6
    assert measured(small("chains"), "one step: transport to the data") < 0.7
    assert measured(small("chains"), "deep: loss below that of coins, part") > 0
    assert measured(small("collapse"), "plain: bound off the entropy, nats") < 7.3
    assert measured(small("conv_vq"), "error, of the variance") < 1.5


def test_the_ring_is_denoised_as_an_integral_over_clean_points_says():
    """Catches a mean of the wrong posterior; the integral is done numerically here."""
    mixture, noisy, noise = Mixture([[-1.0], [2.0]], 0.4, [0.3, 0.7]), 0.7, 0.6

    def joint(x):
        modes = np.array([0.3, 0.7]) * np.exp(-((x - np.array([-1, 2])) ** 2) / 0.32)
        return modes.sum() * np.exp(-((noisy - x) ** 2) / (2 * noise**2))

    mass = quad(joint, -5, 6)[0]
    mean = quad(lambda x: x * joint(x), -5, 6)[0] / mass
    point = np.array([[noisy]])
    assert mixture.denoise(point, noise)[0, 0] == pytest.approx(mean)
    density = mass / (2 * np.pi * 0.4 * noise)
    assert mixture.log_density(point, noise)[0] == pytest.approx(np.log(density))


def test_the_score_of_the_ring_is_the_slope_of_its_density():
    """Catches a score of another noise, or of the wrong sign."""
    points, step = np.random.default_rng(2).normal(size=(5, 2)), 1e-5
    for noise in (0.0, 0.7):
        for index, e in enumerate(step * np.eye(2)):
            ends = (RING.log_density(points + s * e, noise) for s in (1, -1))
            slope = np.subtract(*ends) / (2 * step)
            np.testing.assert_allclose(
                RING.score(points, noise)[:, index], slope, rtol=1e-5, atol=1e-6
            )


def test_the_covariance_below_the_noise_is_the_slope_of_the_best_denoiser():
    """Catches a covariance of modes alone: s2 dr/dx is computed by differences."""
    points, s = np.random.default_rng(3).normal(size=(6, 2)), 0.4
    slopes = [
        (RING.denoise(points + e, s) - RING.denoise(points - e, s)) / 2e-5
        for e in 1e-5 * np.eye(2)
    ]
    expected = s**2 * np.stack(slopes, axis=2)
    found = conservative.true_covariance(points, s)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_fields_have_the_covariance_they_say():
    """Catches a spectrum scaled by the number of pixels, or taken at other places."""
    field = Field(4, fall=2)
    images = field.draw(200_000, np.random.default_rng(4))
    covariance = field.covariance()
    np.testing.assert_allclose(images.T @ images / len(images), covariance, atol=0.02)
    assert np.trace(covariance) / 16 == pytest.approx(1)
    _, log_det = np.linalg.slogdet(2 * np.pi * np.e * covariance)
    assert field.entropy == pytest.approx(log_det / 2)
    wiener = covariance @ np.linalg.inv(covariance + 0.49 * np.eye(16))
    error = np.trace(covariance - wiener @ covariance) / 16
    assert field.wiener(0.7)[1] == pytest.approx(error)


def test_eigenvalues_of_the_linear_data_are_known():
    """Catches axes in rows: the bottleneck would be compared with other directions."""
    data = linear.Data(5, np.random.default_rng(5))
    for index, value in enumerate(data.values):
        axis = data.axes[:, index]
        np.testing.assert_allclose(data.covariance @ axis, value * axis, atol=1e-12)
    x = data.draw(100_000, np.random.default_rng(6))
    np.testing.assert_allclose(x.T @ x / len(x), data.covariance, atol=0.02)


def test_the_exact_likelihood_is_that_of_scipy():
    """Catches a covariance with the code on the wrong side."""
    rng = np.random.default_rng(7)
    W, mean, x = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(size=(5, 3))
    wanted = multivariate_normal(mean, W.T @ W + 0.7 * np.eye(3)).logpdf(x)
    np.testing.assert_allclose(vae.exact_log_density(x, W, mean, 0.7), wanted)


def test_no_linear_model_is_better_than_the_best():
    """Catches a bound that forgets the noise: other models are tried here."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(500, 4)) @ np.diag([3, 2, 1, 1]) @ rng.normal(size=(4, 4))
    best = vae.best_log_density(x, 2)
    values, axes = np.linalg.eigh(np.cov(x, rowvar=False, bias=True))
    noise, mean = values[:2].mean(), x.mean(axis=0)
    W = (axes[:, 2:] * np.sqrt(values[2:] - noise)).T
    assert vae.exact_log_density(x, W, mean, noise).mean() == pytest.approx(best)
    for _ in range(5):
        other = W + 0.1 * rng.normal(size=W.shape)
        assert vae.exact_log_density(x, other, mean, noise).mean() < best


def test_the_closed_form_of_the_contraction_is_the_sum_of_squared_slopes():
    """Catches a forgotten factor, by finite differences."""
    code, _ = contractive.build("net", 3)
    function = pytensor.function(
        [contractive.IMAGE],
        [get_output(code), contractive.squared_norm(code)],
        mode="FAST_COMPILE",
    )
    x = np.random.default_rng(9).random((1, 64)).astype("float32")
    moved = np.repeat(x, 64, axis=0) + np.float32(1e-2) * np.eye(64, dtype="float32")
    slopes = (function(moved)[0] - function(x)[0]) / 1e-2
    assert np.square(slopes).sum() == pytest.approx(function(x)[1][0], rel=0.02)


def test_work_around_a_path_is_zero_for_a_gradient_only():
    """Catches an integral that vanishes for any field."""
    for turn, expected in ((0, 0), (1, 1)):
        work = conservative.around(
            lambda x, t=turn: [x * [1, 0] + t * x[:, ::-1] * [-1, 1]]
        )
        centre = 2 * turn  # a rotation does twice the area per length, here 1
        assert work == pytest.approx(expected * centre / 2, abs=1e-5)


def test_codes_stay_in_order_and_the_nearest_is_chosen():
    """Catches a distance without the norm of the code."""
    codes, _ = vq.ordered(4)
    value = codes.eval(mode="FAST_COMPILE")
    assert (np.diff(value[:, 0]) > 0).all()
    points = np.array([[-9.0], [0.1], [9.0]])
    x = pt.dmatrix()
    chosen, lost = pytensor.function([x], vq.nearest(x, codes), mode="FAST_COMPILE")(
        points
    )
    for point, code, loss in zip(points, chosen, lost, strict=True):
        best = min(value, key=lambda each, p=point: abs(each - p)[0])
        assert code == best
        assert loss == pytest.approx((point - best)[0] ** 2)


def test_a_linear_reader_reads_what_lies_apart_and_nothing_else():
    """Catches a reader that is tested on what it learnt from, and other answers."""
    rng = np.random.default_rng(10)
    labels = rng.integers(3, size=300)
    codes = np.eye(3)[labels] + 0.1 * rng.normal(size=(300, 3))
    other = rng.normal(size=(300, 3))
    assert denoisers.read(codes[:200], labels[:200], codes[200:], labels[200:]) == 0
    assert denoisers.read(other[:200], labels[:200], other[200:], labels[200:]) > 0.4


def test_salt_and_pepper_leaves_the_rest_alone_and_all_when_deterministic():
    """Catches pixels that are moved instead of replaced."""
    x = np.random.default_rng(11).uniform(0.2, 0.8, (40, 50)).astype("float32")
    layer = denoisers.SaltAndPepperLayer((None, 50), p=0.4)
    outputs = [layer.get_output_for(pt.constant(x), deterministic=d) for d in (0, 1)]
    spoilt, kept = pytensor.function([], outputs, mode="FAST_COMPILE")()
    assert (kept == x).all()
    assert spoilt.dtype == "float32"
    hit = spoilt != x
    assert set(spoilt[hit]) == {0, 1}
    assert hit.mean() == pytest.approx(0.4, abs=0.05)


def test_what_sequences_say_is_what_counting_all_of_them_says():
    """Catches a share of the topic's own symbol that is counted once too little."""
    topics, x = collapse.draw_sequences(50_000, np.random.default_rng(13))
    p = (x == topics[:, None]).mean()
    assert p == pytest.approx(0.6 + 0.4 / 16, abs=0.005)
    true, given = collapse.log_p(x[:5])
    for sequence, log_p, by_topic in zip(x[:5], true, given, strict=True):
        each = [
            np.prod([0.4 / 16 + 0.6 * (symbol == topic) for symbol in sequence])
            for topic in range(16)
        ]
        np.testing.assert_allclose(np.exp(by_topic), each)
        assert np.exp(log_p) == pytest.approx(np.mean(each))


def test_information_is_all_bits_of_right_answers_and_none_of_constant_ones():
    """Catches a logarithm of another base."""
    topics = np.repeat(np.arange(16), 5)
    assert collapse.information(topics, topics) == pytest.approx(4)
    assert collapse.information(topics, 0 * topics) == pytest.approx(0)


def test_water_filling_spends_the_bits_where_they_help_most():
    """Catches a level that also covers what is below it, by a search over rates."""
    rng = np.random.default_rng(14)
    x = rng.normal(size=(4000, 3)) * [2.0, 1.0, 0.1]
    values = np.linalg.eigvalsh(np.cov(x, rowvar=False, bias=True))
    best = min(
        (values * 4.0 ** -np.array([0, b, 3 - b])).sum() / 3
        for b in np.linspace(0, 3, 301)
    )
    assert conv_vq.water_filling(x, 3) == pytest.approx(best, rel=1e-3)


def test_codes_follow_the_vectors_that_choose_them_and_unused_ones_start_again():
    """Catches averages over all vectors, and restarts of codes that are in use."""
    rng = np.random.default_rng(15)
    book = conv_vq.Codebook(3, rng)
    vectors = pt.constant(np.float32(rng.normal(size=(5, 16))))
    index = pt.constant(np.array([0, 0, 2, 0, 2]))
    move = pytensor.function(
        [], [], updates=book.updates(vectors, index), mode="FAST_COMPILE"
    )
    for _ in range(300):
        move()
    codes = book.codes.eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(
        codes[0], vectors.data[[0, 1, 3]].mean(axis=0), atol=1e-3
    )
    assert book.restart(vectors.data, rng) == 1
    after = book.codes.eval(mode="FAST_COMPILE")
    assert (after[1] == vectors.data).all(axis=1).any()
    assert (after[[0, 2]] == codes[[0, 2]]).all()


def test_the_distance_of_transport_is_that_of_a_shift():
    """Catches unsorted differences, and directions that are not of length 1."""
    rng = np.random.default_rng(16)
    a = rng.normal(size=(500, 2))
    moved = chains.sliced_distance(a, a[::-1] + np.array([3.0, 0.0]), rng, number=2000)
    assert moved == pytest.approx(3 * 2 / np.pi, rel=0.05)  # mean |cosine|


def test_free_energies_are_sums_over_all_hidden_units():
    """Catches a sign or a bias that is left out, by adding up 2^3 states."""
    rng, machine = np.random.default_rng(12), boltzmann.Machine(5, 3)
    W, b, c = (rng.normal(size=p.get_value().shape) for p in machine.params)
    for param, value in zip(machine.params, (W, b, c), strict=True):
        param.set_value(value)
    v = np.float64(rng.integers(2, size=(4, 5)))
    free = machine.free_energy(pt.constant(v)).eval(mode="FAST_COMPILE")
    states = np.array(list(np.ndindex(2, 2, 2)))
    energies = -(v @ W @ states.T + states @ b + (v @ c)[:, None])
    np.testing.assert_allclose(free, -np.log(np.exp(-energies).sum(axis=1)))


def test_untied_denoisers_start_without_an_energy():
    """Catches a comparison in which both networks are tied."""
    x = pt.fmatrix("x")
    for tied in (True, False):
        network = conservative.shallow("net", x, 5, tied)
        assert isinstance(network, DenseLayer)
        hidden = network.input_layer
        assert isinstance(hidden.input_layer, InputLayer)
        assert (hidden.W in pytensor.graph.traversal.ancestors([network.W])) is tied


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_claims_hold_in_full_but_for_those_said_not_to(name, tmp_path):
    """Catches whatever makes the usual run on the default backend worse."""
    found = failed(run(f"autoencoders.{name}", "--output", tmp_path))
    assert set(found) == UNTRUE.get(name, set())
