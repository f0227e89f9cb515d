"""Draw digits by a small U-Net: convolutions, a level below, and connections across.

Diffusion models of images have a U-Net inside. It looks at an image at several
resolutions, and joins what it sees at each with what was seen there on the way down.
The level of noise reaches every stage as an offset of its channels. This one has two
resolutions and 24 and 48 channels, a seventh of the parameters of the dense network of
`diffusion.digits`, which it is compared with: same digits, levels of noise, sampler and
reader. After the time that there is it draws digits too, less surely than the dense
one: neighbourhoods are worth more where images are larger.

    python -m recipes.diffusion.unet --backend jax

Time: 90 s of one core with JAX. On Numba, this training took 60 times as long when it
was written. Our numbers: 73.0 % of the digits drawn are read with certainty, 50 % of
samples of a normal distribution, 95.8 % of held-out digits; 9.7 classes.

* Olaf Ronneberger, Philipp Fischer and Thomas Brox (2015): U-Net: convolutional
  networks for biomedical image segmentation. https://arxiv.org/abs/1505.04597
* Jonathan Ho, Ajay Jain and Pieter Abbeel (2020): Denoising diffusion probabilistic
  models, appendix B. https://arxiv.org/abs/2006.11239
"""

import pytensor

from lasagne_next import nonlinearities
from lasagne_next.layers import (
    ConcatLayer,
    Conv2DLayer,
    DenseLayer,
    DimshuffleLayer,
    ElemwiseSumLayer,
    FlattenLayer,
    InputLayer,
    NonlinearityLayer,
    Pool2DLayer,
    ReshapeLayer,
    Upscale2DLayer,
    count_params,
)
from recipes import command, data
from recipes.claims import Claim, print_claims
from recipes.diffusion.denoiser import WAVES, Denoiser
from recipes.diffusion.digits import Settings, train_and_judge

USUAL = Settings(units=24, steps=4000, batch=64)
SMOKE = Settings(units=2, steps=10, batch=16, samples=20, epochs=8)
FULL = Settings(units=32, steps=20_000, batch=64, samples=2000)
SIDE = 8


class UNet(Denoiser):
    """A denoiser of images with convolutions; `num_units` are its channels."""

    def _build(self, size, num_units, see_noise, bottleneck, depth):
        image, level = InputLayer((None, size)), InputLayer((None, 2 * len(WAVES) + 1))
        self.inputs = [image, level]
        features = DenseLayer(level, 4 * num_units, nonlinearity=nonlinearities.silu)

        def stage(layer, channels, name):
            """Convolve twice; the level is added in between."""
            settings = {"filter_size": 3, "pad": "same", "nonlinearity": None}
            layer = Conv2DLayer(layer, channels, name=f"{name}.first", **settings)
            offset = DenseLayer(
                features, channels, nonlinearity=None, name=f"{name}.level"
            )
            offset = DimshuffleLayer(offset, (0, 1, "x", "x"))  # (n, channels, 1, 1)
            layer = NonlinearityLayer(
                ElemwiseSumLayer([layer, offset]), nonlinearities.silu
            )
            layer = Conv2DLayer(layer, channels, name=f"{name}.second", **settings)
            return NonlinearityLayer(layer, nonlinearities.silu)

        top = ReshapeLayer(image, ([0], 1, SIDE, SIDE))
        top = stage(top, num_units, "down")  # (n, channels, 8, 8)
        low = stage(Pool2DLayer(top, 2, mode="average_inc_pad"), 2 * num_units, "low")
        both = ConcatLayer([top, Upscale2DLayer(low, 2)])
        both = stage(both, num_units, "up")
        out = Conv2DLayer(both, 1, 3, pad="same", nonlinearity=None, name="out")
        return FlattenLayer(out)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train, draw digits and read them; return what was claimed."""
    run = command.begin("diffusion.unet", __doc__, argv, USUAL, SMOKE, FULL)
    models, path = [], run.folder / "unet.png"

    def make_model(deviation):
        models.append(UNet("unet", SIDE**2, run.settings.units, deviation))
        return models[0]

    claims = train_and_judge(make_model, path, data.digits(), run, least=0.65, far=1.5)
    size = count_params(models[0].network)
    dense = Denoiser("dense", SIDE**2, Settings().units, depth=3)
    share = size / count_params(dense.network)
    claims.append(Claim("parameters, U-Net : dense network", share, most=0.15))
    holds = print_claims(claims)
    print(f"See {path}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
