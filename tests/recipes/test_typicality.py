"""The recipes on typicality: their figures, recomputed here from definitions."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate

from recipes.typicality import coins, mirage, soap_bubbles, typical_sets
from tests.recipes.running import check_files, failed, measured, run, smoke_runs

NAMES = (
    "coins",
    "soap_bubbles",
    "spheres",
    "typical_sets",
    "ergodic",
    "mirage",
    "mirage_radius",
    "radial_flow",
    "learned_gaussian",
    "inpainting",
    "point_sets",
)
small = smoke_runs("typicality")

# Learnt from few examples in the smoke run, or drawn too seldom.
OPEN = {
    "coins": {
        "bits a sequence, network",
        "heads in what it draws",
        "of these, all heads",
    },
    "ergodic": {"network on hidden: bits a symbol"},
    "learned_gaussian": {"normal: largest loss per dimension"},
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_claimed_holds_in_the_smoke_run(name, small):
    """Catches a wrong formula: most claims are exact, however few samples there are."""
    assert set(failed(small(name))) <= OPEN.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_a_picture_and_nothing_else(name, small):
    """Catches an empty picture, files nobody asked for, and changed settings."""
    check_files(small.folder(name), name)


def test_the_table_of_coins_is_that_of_its_definition():
    """Catches a table that agrees with itself only: all sequences are listed here."""
    sums, sizes = np.zeros(17), np.zeros(17, int)
    for tosses in itertools.product((0, 1), repeat=16):
        heads = sum(tosses)
        sizes[heads] += 1
        sums[heads] += 0.75**heads * 0.25 ** (16 - heads)
    table = np.array(coins.exact_table(), dtype="float64")
    assert (table[:, 1] == sizes).all()
    np.testing.assert_allclose(table[:, 2], sums, rtol=1e-10)
    np.testing.assert_allclose(coins.computed_table(), table, rtol=1e-12)


def test_the_network_of_coins_learns(small):
    """Catches a network that is not trained: it has 16 bits a sequence, and 8 heads."""
    numbers = small("coins")
    assert measured(numbers, "bits a sequence, network") < 13.3
    assert measured(numbers, "heads in what it draws") == pytest.approx(12, abs=0.4)


def test_other_networks_learn_in_the_smoke_run_too(small):
    """Catches networks that are not trained: these need a bit a symbol or more nats."""
    assert measured(small("ergodic"), "network on hidden: bits a symbol") < 0.8
    assert measured(small("point_sets"), "-log p of the sum over points, nats") < 1.55
    assert measured(small("radial_flow"), "mirage: -log p, nats") < 10.1


@pytest.mark.parametrize(("low", "high", "mass", "_"), soap_bubbles.MASSES.values())
def test_masses_of_shells_are_integrals_of_the_density(low, high, mass, _):
    """Catches a claim that was copied wrongly: the chi density is integrated here."""
    top = 99 * math.log(10) - 50

    def density(r):
        return math.exp(99 * math.log(r) - r * r / 2 - top) if r else 0

    whole = integrate.quad(density, 4, 16)[0]
    part = integrate.quad(density, max(low, 4), min(high, 16))[0]
    assert part / whole == pytest.approx(mass, abs=5e-6)


def test_surfaces_are_those_that_everybody_knows():
    """Catches a sphere of another dimension: circle 2 pi r, ball 4 pi r^2."""
    radius, size = np.array([1.5, 1.5, 1.5]), np.array([1.0, 2.0, 3.0])
    found = np.exp(soap_bubbles.evaluate(soap_bubbles.log_area, radius, size))
    np.testing.assert_allclose(found, [2, 3 * math.pi, 9 * math.pi], rtol=1e-12)


def test_typical_sets_hold_what_the_definition_says():
    """Catches a bound on one side, and bits mixed with nats: all is counted here."""
    entropy, mass = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) * 10, 0
    for tosses in itertools.product((0.25, 0.75), repeat=10):
        p = math.prod(tosses)
        if 2 ** -(entropy + 1.7) <= p <= 2 ** -(entropy - 1.7):
            mass += p
    assert typical_sets.coin_mass(10, 1.7) == pytest.approx(mass, rel=1e-12)
    low, high = typical_sets.shell(7, 1.7)
    for radius in (low, high):
        log_p = -3.5 * math.log2(2 * math.pi) - radius**2 / 2 * math.log2(math.e)
        distance = abs(-log_p - 3.5 * math.log2(2 * math.pi * math.e))
        assert distance == pytest.approx(1.7)
    assert typical_sets.shell(1, 28)[0] == 0


def test_the_mirage_distribution_is_what_its_samples_follow():
    """Catches a sampler of another law, by counting in rings of the plane."""
    points = mirage.mirage(200_000, 2, np.random.default_rng(4))
    inner = (np.linalg.norm(points, axis=1) < 0.7).mean()
    # the half-normal law of the radius, sigma^2 = 2
    assert inner == pytest.approx(math.erf(0.7 / 2), abs=0.004)
    quadrant = ((points[:, 0] > 0) & (points[:, 1] > 0)).mean()
    assert quadrant == pytest.approx(0.25, abs=0.004)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_claims_hold_in_full(name, tmp_path):
    """Catches whatever makes the usual run on the default backend worse."""
    assert failed(run(f"typicality.{name}", "--output", tmp_path)) == []
