"""Recover an inverse covariance by a layer whose weights are positive semi-definite.

The gradient of a normal log density is -W (x - mu), with the inverse of the covariance
as W. So a linear layer learns it, from points alone: the score matching loss of
Hyvärinen (2005) is |W (x - mu)|^2 / 2 - trace W. The constraint of the post on
parameter expressions, `W=dot(w, w.T)`, makes W symmetric and its eigenvalues positive,
whatever w is, and the gradient with respect to w is (G + G') w. A free matrix that is
fitted to noisy scores at 200 points is not symmetric, and farther from the truth.

    python -m recipes.parameters.psd_precision

Time: 7 s. Our numbers: off the true precision by 2.4 %, off that of the sample by 4e-6;
fitted to noisy scores at 200 points, the constrained matrix has 0.64 times the error of
a free one.

* Sander Dieleman and Jan Schlüter (2015): New Lasagne feature: arbitrary expressions as
  layer parameters. https://sander.ai/2015/11/10/arbitrary-expressions-as-params.html
* Aapo Hyvärinen (2005): Estimation of non-normalized statistical models by score
  matching. JMLR 6, section 3.1. https://jmlr.org/papers/v6/hyvarinen05a.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next.expressions import PSD, SPDCholesky
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from recipes import command, figures
from recipes.claims import Claim, print_claims
from recipes.training import minimise


class Settings(NamedTuple):
    """How many points there are."""

    size: int = 12
    points: int = 20_000
    few: int = 200


SMOKE = Settings(size=5, points=20_000, few=100)
X, TARGET = pt.dmatrix("x"), pt.dmatrix("target")


def truth(size, rng):
    """Draw a precision matrix with eigenvalues from 0.5 to 3."""
    turn, _ = np.linalg.qr(rng.normal(size=(size, size)))
    return turn * np.linspace(0.5, 3, size) @ turn.T


def layer(W, size):
    """Return a linear layer, minus the score if W is the precision."""
    l_in = InputLayer((None, size), X)
    return DenseLayer(l_in, size, W=W, b=None, nonlinearity=None)


def weights(network):
    """Return the value of W."""
    return network.W.eval(mode=command.mode_of("python"))


def main(argv=None):
    """Fit by score matching and to noisy scores; return what was claimed."""
    run = command.begin("parameters.psd_precision", __doc__, argv, Settings(), SMOKE)
    settings, rng = run.settings, run.rng
    quick = command.mode_of("python") if run.args.backend == "numba" else run.mode
    size, claims = settings.size, []
    precision = truth(size, rng)
    factor = np.linalg.cholesky(np.linalg.inv(precision))
    points = rng.normal(size=(settings.points, size)) @ factor.T
    sample = np.linalg.inv(np.cov(points, rowvar=False, bias=True))

    def off(W, wanted=precision):
        return np.linalg.norm(W - wanted) / np.linalg.norm(wanted)

    own = pytensor.shared(
        rng.normal(0, 0.3, (size, size)), name="w", shape=(size, size)
    )
    found = {}
    for name, W in {
        "dot(w, w.T)": pt.dot(own, own.T),
        "PSD()": PSD(),
        "SPDCholesky()": SPDCholesky(),
    }.items():
        network = layer(W, size)
        loss = pt.sqr(get_output(network)).sum(axis=1).mean() / 2 - pt.trace(network.W)
        centred = points - points.mean(axis=0)
        params = get_all_params(network, trainable=True)
        minimise(loss, params, {X: centred}, quick, num_steps=1000)
        found[name] = W = weights(network)
        claims.append(Claim(f"{name}: off the precision", off(W), most=0.05))
        claims.append(Claim(f"{name}: off the sample's", off(W, sample), most=1e-3))
        claims.append(Claim(f"{name}: asymmetry", abs(W - W.T).max(), most=1e-12))
        smallest = np.linalg.eigvalsh(W).min()
        claims.append(Claim(f"{name}: smallest eigenvalue", smallest, least=-1e-6))

    # Few points with noisy scores, for a free matrix and for a constrained one.
    few = points[: settings.few]
    noisy = few @ precision + rng.normal(0, 2, few.shape)
    errors, asymmetry = {}, {}
    for name, W in (("free", np.eye(size)), ("PSD", PSD())):
        network = layer(W, size)
        loss = pt.sqr(get_output(network) - TARGET).mean()
        params = get_all_params(network, trainable=True)
        minimise(loss, params, {X: few, TARGET: noisy}, quick, num_steps=1000)
        found[f"{name}, {settings.few} points"] = W = weights(network)
        errors[name] = off(W)
        asymmetry[name] = np.linalg.norm(W - W.T) / np.linalg.norm(W)
    ratio = asymmetry["free"] / max(asymmetry["PSD"], 1e-16)
    claims.append(Claim("asymmetry, free : PSD, few points", ratio, least=10))
    claims.append(
        Claim(
            "error, PSD : free, few points", errors["PSD"] / errors["free"], most=0.95
        )
    )

    v = pytensor.shared(rng.normal(size=(3, 3)))
    G = rng.normal(size=(3, 3))
    slope = pt.grad((G * pt.dot(v, v.T)).sum(), v).eval(mode=quick)
    wanted = (G + G.T) @ v.get_value()
    claims.append(
        Claim("gradient off (G + G')w", abs(slope - wanted).max(), most=1e-12)
    )
    holds = print_claims(claims)

    figure = figures.new_figure(9, 2.2)
    pictures = {"truth": precision, **found}
    for axes, (name, W) in zip(
        figure.subplots(1, len(pictures)), pictures.items(), strict=True
    ):
        figures.show_images(axes, W.reshape(1, -1), (size, size), 1, signed=True)
        axes.set_title(name, fontsize=8)
    path = run.folder / "psd_precision.png"
    figures.save_figure(figure, path)
    print(f"See {path}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
