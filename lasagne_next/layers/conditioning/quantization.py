"""Vectors replaced by the nearest of a learnt list."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Variable

from lasagne_next import expressions, init
from lasagne_next.expressions import carry_state
from lasagne_next.layers.axes import resolve_axis
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.outputs import SeveralOutputs
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.random import RandomStream, draw_seed
from lasagne_next.utils import int_types, match_dtype

__all__ = ["VectorQuantizationLayer"]


class VectorQuantizationLayer(SeveralOutputs, Layer):
    r"""Replace each vector by the nearest one of a codebook.

    For a vector z the output is the code :math:`e_k` with the smallest
    :math:`\|z - e_k\|`. Backwards the gradient passes to z as if nothing had been
    replaced (straight-through).

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape, with a known size along `axis`.
    num_codes : int
        Number of codes.
    axis : int, default 1
        Along which the vectors lie; negative axes count from the end.
    commitment : number or symbolic scalar, default 0.25
        The weight :math:`\beta` of the commitment in the output "loss". The default is
        that of [1]_.
    decay : number, symbolic scalar or None, default None
        None lets the loss train the codebook. Otherwise it follows the mean of the
        vectors that chose each code, an exponential average with this decay (0.99 in
        appendix A of [1]_), and is not trainable.
    restart_below : number or symbolic scalar, default 0
        With `decay`, a code that is chosen less often a batch, on average, is moved to
        a vector of the batch drawn at random; 0 for never.
    codebook : parameter, default Uniform(), SHAPE (num_codes, size of the axis)
        The codes. With `decay` an expression is read, and not updated.
    counts : parameter, default Constant(1), SHAPE (num_codes,)
        With `decay` only: how often each code is chosen a batch, on average, neither
        trainable nor regularizable.
    **kwargs
        `name`.

    Attributes
    ----------
    num_codes, axis, commitment, decay, restart_below, codebook
        As given or made.
    counts
        As made, or None without `decay`.

    Raises
    ------
    ValueError
        If there is no such axis, its size is unknown, `num_codes` is no positive
        integer, `decay` is a number outside of 0 to 1, or `restart_below` is given
        without it, or negative.
    TypeError
        If `commitment`, `decay` or `restart_below` is neither a number nor a symbolic
        scalar, or `axis` is no integer.

    Notes
    -----
    Its outputs, to be read by :class:`OutputLayer`:

    * "output", the main one, of the shape of the input;
    * "indices", the number of the code for each vector, int64, without `axis`;
    * "codebook_loss", :math:`\|\mathrm{sg}(z) - e_k\|^2`, of the shape of the indices;
      sg stops the gradient;
    * "commitment_loss", :math:`\|z - \mathrm{sg}(e_k)\|^2`, alike;
    * "loss", what is to be added to the loss of a network: the commitment times
      :math:`\beta` and, without `decay`, the loss of the codebook;
    * "perplexity", a scalar: the exponential of the entropy of the codes that the batch
      chose. It is `num_codes` where all are used alike, and 1 where one is used only.

    Others divide the losses by the size of the axis.

    A keyword of :func:`get_output`, ``update_codebook``, says what happens to codebook
    and counts with `decay`; without it they are updated unless `deterministic` is set.

    * True: every function compiled from any output updates them by itself.
    * 'explicit': it does not, and :func:`lasagne_next.expressions.state_updates` of the
      outputs collects the updates, to be given to the function.
    * False: nothing.

    The average starts from the initial codes as if each had been chosen once. A code
    that is not chosen stays where it is.

    References
    ----------
    .. [1] Aaron van den Oord, Oriol Vinyals and Koray Kavukcuoglu (2017): Neural
       discrete representation learning, equations 1 to 3 and 6 to 8.
       https://arxiv.org/abs/1711.00937

    Examples
    --------
    >>> from lasagne_next.layers import OutputLayer, VectorQuantizationLayer
    >>> maps = (None, 16, 7, 5)
    >>> layer = VectorQuantizationLayer(maps, num_codes=64, decay=0.99, name="vq")
    >>> layer.output_shape, OutputLayer(layer, "indices").output_shape
    ((None, 16, 7, 5), (None, 7, 5))
    >>> layer.get_params(), layer.get_params(trainable=True)
    ([vq.codebook, vq.counts], [])
    """

    def __init__(
        self,
        incoming,
        num_codes,
        axis=1,
        commitment=0.25,
        decay=None,
        restart_below=0,
        codebook=init.Uniform(),  # noqa: B008 (initialisers are stateless)
        counts=init.Constant(1),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self._srng = RandomStream(draw_seed())
        self.num_codes, self.axis = num_codes, axis
        self.commitment, self.decay = commitment, decay
        self.restart_below = restart_below
        self._check_numbers()
        tags = {} if decay is None else {"trainable": False}
        self.codebook = self.add_param(
            codebook, (num_codes, self._size()), "codebook", regularizable=False, **tags
        )
        self.counts = None
        if decay is not None:
            self.counts = self.add_param(
                counts, (num_codes,), "counts", trainable=False, regularizable=False
            )

    def _check_numbers(self):
        if not isinstance(self.num_codes, int_types) or self.num_codes < 1:
            raise ValueError(
                f"{describe(self)}: num_codes must be a positive integer, got "
                f"{self.num_codes!r}."
            )
        is_symbolic(self, "commitment", self.commitment)
        decay, least = self.decay, self.restart_below
        if decay is not None and not is_symbolic(self, "decay", decay):
            if not 0 <= decay < 1:
                raise ValueError(
                    f"{describe(self)}: decay must be at least 0 and below 1, got "
                    f"{decay!r}. It is the share of the old codes that is kept."
                )
        symbolic = is_symbolic(self, "restart_below", least)
        given = symbolic or least > 0
        if (given and decay is None) or not (given or least == 0):
            raise ValueError(
                f"{describe(self)}: restart_below must be at least 0, and 0 without "
                f"decay, got {least!r} with decay {decay!r}."
            )

    def _axis_of(self, shape):
        return resolve_axis(self, "axis", self.axis, shape)

    def _size(self):
        shape = self.input_shape
        size = shape[self._axis_of(shape)]
        if size is None:
            raise ValueError(
                f"{describe(self)}: the size of axis {self.axis} must be known, got "
                f"input shape {shape}. Declare it in the InputLayer."
            )
        return size

    def get_output_shapes_for(self, input_shape):
        """Return the shape of the input, of the indices, losses and perplexity."""
        axis = self._axis_of(input_shape)
        places = (*input_shape[:axis], *input_shape[axis + 1 :])
        names = ("indices", "codebook_loss", "commitment_loss", "loss")
        return {"output": input_shape, **dict.fromkeys(names, places), "perplexity": ()}

    def get_outputs_for(
        self, input, deterministic=False, update_codebook=None, **kwargs
    ):
        """Return codes with the gradient of the input, and what is known of them."""
        vectors = self._flatten(input)  # (vectors, size)
        chosen = self._choose(vectors)  # (vectors,)
        update = not deterministic if update_codebook is None else update_codebook
        if update and self.decay is not None:
            chosen = self._carrying(
                chosen, disconnected_grad(vectors), update != "explicit"
            )
        codes = self._unflatten(expressions.take(self.codebook, chosen), input)
        return {
            "output": input + disconnected_grad(codes - input),
            "indices": self._places(chosen, input),
            **self._losses(input, codes),
            "perplexity": _perplexity(self._count(chosen, input.dtype)),
        }

    def _flatten(self, input):
        """Return the vectors as rows."""
        axis = self._axis_of(input.type.shape)
        order = [*(each for each in range(input.ndim) if each != axis), axis]
        return input.transpose(*order).reshape((-1, self._size()))

    def _unflatten(self, rows, input):
        """Put rows where the vectors of the input are."""
        axis = self._axis_of(input.type.shape)
        others = [each for each in range(input.ndim) if each != axis]
        sizes = [input.shape[each] for each in others]
        back = rows.reshape((*sizes, self._size()))  # (positions..., size)
        order = list(range(input.ndim - 1))
        order.insert(axis, input.ndim - 1)
        return back.transpose(*order)  # (input shape)

    def _places(self, chosen, input):
        axis = self._axis_of(input.type.shape)
        sizes = [input.shape[each] for each in range(input.ndim) if each != axis]
        return chosen.reshape(sizes)

    def _choose(self, vectors):
        """Return the number of the nearest code for each vector."""
        codebook = self.codebook
        squares = pt.sum(pt.sqr(codebook), axis=1)  # (num_codes,)
        # The squares of the vectors themselves are the same for all codes.
        distances = squares - 2 * expressions.dot(vectors, codebook.T)
        return pt.argmin(distances, axis=1)

    def _losses(self, input, codes):
        axis = self._axis_of(input.type.shape)
        codebook = pt.sum(pt.sqr(disconnected_grad(input) - codes), axis=axis)
        commitment = pt.sum(pt.sqr(input - disconnected_grad(codes)), axis=axis)
        loss = match_dtype(self.commitment, input.dtype) * commitment
        if self.decay is None:
            loss = codebook + loss
        return {"codebook_loss": codebook, "commitment_loss": commitment, "loss": loss}

    def _count(self, chosen, dtype):
        """Return how often each code was chosen."""
        none = pt.zeros((self.num_codes,), dtype)
        return pt.inc_subtensor(none[chosen], pt.ones_like(chosen, dtype=dtype))

    def _carrying(self, chosen, vectors, implicit):
        """Note beside what all outputs are made of how codebook and counts move."""
        codebook, counts = self.codebook, self.counts
        uses, noted = self._count(chosen, codebook.dtype), chosen
        decay = match_dtype(self.decay, counts.dtype)
        one = match_dtype(1, counts.dtype)
        new_counts = decay * counts + (one - decay) * match_dtype(uses, counts.dtype)
        new_codes = self._moved(vectors, chosen, uses, new_counts, one - decay)
        if isinstance(self.restart_below, Variable) or self.restart_below > 0:
            new_codes, new_counts = self._restarted(vectors, new_codes, new_counts)
        for state, new in ((counts, new_counts), (codebook, new_codes)):
            if isinstance(state, SharedVariable):
                noted = carry_state(
                    noted, state, match_dtype(new, state.dtype), implicit
                )
        return noted

    def _moved(self, vectors, chosen, uses, new_counts, rate):
        """Return the codes moved towards the vectors that chose them."""
        codebook = self.codebook
        vectors = match_dtype(vectors, codebook.dtype)
        sums = pt.inc_subtensor(pt.zeros_like(codebook)[chosen], vectors)
        pull = sums - uses[:, None] * codebook  # 0 for codes that nothing chose
        weight = rate / (new_counts + pt.eq(new_counts, 0))
        return codebook + weight[:, None] * pull  # (num_codes, size)

    def _restarted(self, vectors, codes, counts):
        """Put what is hardly chosen where a vector of the batch is."""
        least = match_dtype(self.restart_below, counts.dtype)
        number = vectors.shape[0]
        draw = self._srng.uniform((self.num_codes,), dtype=vectors.dtype)
        rows = pt.floor(draw * number.astype(vectors.dtype)).astype("int64")
        rows = pt.minimum(rows, number - 1)
        is_dead = counts < least
        codes = pt.switch(is_dead[:, None], vectors[rows], codes)
        return codes, pt.switch(is_dead, pt.ones_like(counts), counts)


def _perplexity(uses):
    """Return the exponential of the entropy of how often each code is used."""
    shares = uses / pt.sum(uses)
    # 0 log 0 counts as 0.
    logs = pt.log(shares + pt.eq(shares, 0))
    return pt.exp(-pt.sum(shares * logs))
