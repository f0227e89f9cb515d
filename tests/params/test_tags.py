"""Tags of leaves: what is trained, penalised, kept."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.gradient import disconnected_grad

from lasagne_next.layers import (
    DenseLayer,
    Layer,
    count_params,
    get_all_param_values,
    get_all_params,
    get_output,
)
from lasagne_next.params import get_tags, leaf_tags, set_tags
from lasagne_next.random import RandomStream


def shared(name, *shape, dtype="float64"):
    return pytensor.shared(np.ones(shape, dtype=dtype), name=name)


def test_a_leaf_alone_has_the_tags_of_its_parameter():
    """Catches tags looked up for expressions only."""
    w = shared("w", 3)
    assert leaf_tags(w, {"trainable", "mine"}) == [(w, {"trainable", "mine"})]
    assert leaf_tags(pt.vector(), {"trainable"}) == []


def test_own_tags_override_those_of_the_layer_both_ways():
    """Catches a union, in which nothing can be switched off."""
    off = set_tags(shared("off", 3), trainable=False, seen=True)
    on = set_tags(shared("on", 3), regularizable=True)
    plain = shared("plain", 3)
    tags = dict(leaf_tags(off * on * plain, {"trainable", "bias"}))
    assert tags[off] == {"bias", "seen"}
    assert tags[on] == {"trainable", "bias", "regularizable"}
    assert tags[plain] == {"trainable", "bias"}


def test_what_is_not_trained_is_not_penalised_unless_its_own_tags_say_so():
    """Catches weight decay that pulls at a frozen base."""
    frozen = set_tags(shared("frozen", 3), trainable=False)
    asked = set_tags(shared("asked", 3), trainable=False, regularizable=True)
    tags = dict(leaf_tags(frozen + asked, {"trainable", "regularizable"}))
    assert tags == {frozen: set(), asked: {"regularizable"}}


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint8"])
def test_integers_and_booleans_are_not_trained(dtype):
    """Catches a gradient asked for an index or a mask."""
    mask, v = shared("mask", 3, dtype=dtype), shared("v", 3)
    tags = dict(leaf_tags(mask * v, {"trainable", "regularizable", "mine"}))
    assert tags == {mask: {"mine"}, v: {"trainable", "regularizable", "mine"}}
    assert leaf_tags(mask, {"trainable"}) == [(mask, set())]


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64"])
def test_all_kinds_of_continuous_numbers_are_trained(dtype):
    """Catches a test for the two usual types only."""
    w = shared("w", 3, dtype=dtype)
    assert leaf_tags(w, {"trainable"}) == [(w, {"trainable"})]


def test_tags_can_be_taken_back_and_read():
    """Catches a setting that sticks, and one that reads as a reference to itself."""
    w = shared("w", 3)
    assert get_tags(w) == {}
    assert set_tags(w, trainable=False, mine=True) is w
    get_tags(w)["trainable"] = True
    assert get_tags(w) == {"trainable": False, "mine": True}
    set_tags(w, trainable=None)
    assert get_tags(w) == {"mine": True}


def test_several_leaves_are_tagged_at_once():
    """Catches a generator exhausted by the check before the tags are set."""
    leaves = [shared("a", 3), shared("b", 3)]
    set_tags(iter(leaves), trainable=False)
    assert [get_tags(leaf) for leaf in leaves] == [{"trainable": False}] * 2
    assert set_tags(leaves, trainable=None) is leaves


@pytest.mark.parametrize("wrong", [shared("w", 3) * 2, np.ones(3), 1, pt.vector()])
def test_only_shared_variables_have_tags_of_their_own(wrong):
    """Catches tags written to an expression, where nobody reads them."""
    good = shared("good", 3)
    with pytest.raises(TypeError, match="variables must be shared variables, got"):
        set_tags([good, wrong], trainable=False)
    assert get_tags(good) == {}


@pytest.mark.parametrize("wrong", ["no", 0, 1.0], ids=repr)
def test_a_tag_is_on_off_or_unset(wrong):
    """Catches "False", which is true."""
    w = shared("w", 3)
    with pytest.raises(TypeError, match="trainable must be a bool or None, got"):
        set_tags(w, trainable=wrong)
    assert get_tags(w) == {}


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), lambda x: x.clone()],
    ids=["deepcopy", "pickle", "clone"],
)
def test_tags_survive_copies_and_are_independent(copied):
    """Catches tags kept in a table beside the variable, or shared with the copy."""
    w = set_tags(shared("w", 3), trainable=False)
    other = copied(w)
    assert get_tags(other) == {"trainable": False}
    set_tags(other, trainable=True)
    assert get_tags(w) == {"trainable": False}


def names(variables):
    return [variable.name for variable in variables]


def test_masked_weights_train_the_weights_and_keep_the_mask():
    """Catches the limitation of the original: both or none."""
    mask = set_tags(shared("mask", 5, 3), trainable=False)
    layer = DenseLayer((None, 5), 3, W=mask * shared("V", 5, 3), name="l")
    assert names(get_all_params(layer)) == ["mask", "V", "l.b"]
    assert names(get_all_params(layer, trainable=True)) == ["V", "l.b"]
    assert names(get_all_params(layer, trainable=False)) == ["mask"]
    assert names(get_all_params(layer, regularizable=True)) == ["V"]
    assert count_params(layer, trainable=True) == 15 + 3
    assert len(get_all_param_values(layer)) == 3


def test_a_boolean_mask_needs_no_tag():
    """Catches a mask that must be tagged although nothing could train it."""
    mask = shared("mask", 5, 3, dtype="bool")
    layer = DenseLayer((None, 5), 3, W=mask * shared("V", 5, 3), b=None)
    assert names(layer.get_params()) == ["mask", "V"]
    assert names(layer.get_params(trainable=True)) == ["V"]


def test_a_frozen_base_with_a_low_rank_correction():
    """Catches a fine-tuning that also moves the pretrained weights."""
    base = set_tags(shared("W0", 5, 3), trainable=False)
    low_rank = shared("U", 5, 2).dot(shared("V", 2, 3))
    layer = DenseLayer((None, 5), 3, W=base + low_rank, b=None)
    assert names(layer.get_params()) == ["W0", "U", "V"]
    assert names(layer.get_params(trainable=True)) == ["U", "V"]
    assert names(layer.get_params(regularizable=True)) == ["U", "V"]


def test_weight_norm_with_only_the_direction_penalised():
    """Catches one tag for all leaves of an expression."""
    V, g = shared("V", 5, 3), set_tags(shared("g", 3), regularizable=False)
    W = V * (g / V.norm(2, axis=0))
    layer = DenseLayer((None, 5), 3, W=W, b=None)
    assert names(layer.get_params(trainable=True)) == ["V", "g"]
    assert names(layer.get_params(regularizable=True)) == ["V"]


def test_a_binarised_weight_with_a_straight_through_gradient_trains():
    """Catches a latent weight lost because one of its paths has no gradient."""
    v = shared("v", 5, 3)
    W = v + disconnected_grad(pt.sign(v) - v)
    layer = DenseLayer((None, 5), 3, W=W, b=None)
    assert names(layer.get_params(trainable=True)) == ["v"]


def test_a_leaf_behind_disconnected_grad_is_kept_but_not_trained():
    """Catches a DisconnectedInputError from the user's own gradient."""
    scale, v = shared("scale"), shared("v", 5, 3)
    layer = DenseLayer((None, 5), 3, W=disconnected_grad(scale) * v, b=None)
    assert names(layer.get_params()) == ["scale", "v"]
    assert names(layer.get_params(trainable=True)) == ["v"]
    loss = get_output(layer, {None: np.ones((2, 5))}).sum()
    pytensor.grad(loss, layer.get_params(trainable=True))


def test_the_state_of_a_generator_is_never_a_parameter():
    """Catches a state that is saved, counted, or given to an update rule."""
    mean = shared("mean", 5, 3)
    noisy = mean + 0.1 * RandomStream(1).normal((5, 3))
    layer = DenseLayer((None, 5), 3, W=noisy, b=None)
    assert names(layer.get_params()) == ["mean"]
    assert layer.get_params(trainable=False) == []


def test_unwrapped_and_wrapped_lists_filter_alike_where_no_leaf_differs():
    """Catches a filter that looks at leaves when expressions were asked for."""
    layer = Layer((None, 5), name="l")
    W = layer.add_param(shared("w", 5, 3) * 2, (5, 3), name="W", mine=True)
    b = layer.add_param(shared("b", 3), (3,), name="b", regularizable=False)
    assert layer.get_params(unwrap_shared=False) == [W, b]
    assert layer.get_params(unwrap_shared=False, regularizable=False) == [b]
    assert layer.get_params(unwrap_shared=False, mine=True, trainable=True) == [W]
    assert names(layer.get_params(mine=True)) == ["w"]
    assert names(layer.get_params(mine=False)) == ["b"]
    assert layer.get_params(mine=True, regularizable=False) == []
    assert layer.get_params(unknown=True) == []
    assert len(layer.get_params(unknown=False)) == 2


TAGS = st.dictionaries(
    st.sampled_from(["trainable", "regularizable", "mine"]), st.booleans()
)


@given(TAGS, TAGS, TAGS, TAGS)
@settings(deadline=None, max_examples=100, derandomize=True)
def test_any_combination_of_tags_filters_as_the_definition_says(
    layer_tags, first, second, query
):
    """Catches a combination that a handful of examples misses."""
    leaves = [set_tags(shared("a", 3), **first), set_tags(shared("b", 3), **second)]
    layer = Layer((None, 3))
    layer.add_param(leaves[0] * leaves[1], (3,), **layer_tags)
    on_layer = {"trainable": True, "regularizable": True, **layer_tags}
    expected = []
    for leaf, own in zip(leaves, (first, second), strict=True):
        frozen = {"regularizable": False} if own.get("trainable") is False else {}
        tags = {**on_layer, **frozen, **own}
        if all(tags.get(tag, False) is value for tag, value in query.items()):
            expected.append(leaf)
    assert layer.get_params(**query) == expected
