"""The recipes on sequences, as a user runs them."""

import numpy as np
import pytest

from recipes.sequences import characters, copying, reversing
from tests.recipes.running import check_files, measured, smoke_runs

small = smoke_runs("sequences")


def test_the_language_model_learns_and_writes(small):
    """Catches a model that learns nothing, and a sampler of other parameters."""
    numbers = small("characters")
    assert numbers["bits"] < numbers["counted"][0] - 0.3
    assert numbers["counted"][2] < numbers["counted"][1] < numbers["counted"][0]
    assert measured(numbers, "matrices of output and input") >= 0
    assert measured(numbers, "a step of the sampler, off by") < 1e-4
    assert numbers["sample"].startswith("the ")
    assert len(numbers["sample"]) == characters.SMOKE.written + len("the ")
    check_files(small.folder("characters"), "characters")


def test_counting_is_right_where_it_is_known():
    """Catches probabilities that do not add up, or look at the character itself."""
    text = np.tile([1, 2], 500)
    assert characters.counted_bits(text, text[:100], 1) < 0.05
    noise = np.random.default_rng(0).integers(0, 4, 4000)
    assert 1.98 < characters.counted_bits(noise[:3000], noise[3000:], 1) < 2.2


def test_both_matrices_learn_to_copy_over_few_steps(small):
    """Catches symbols that are not there to be copied, and matrices that drift."""
    numbers = small("copying")
    assert numbers["orthogonal"]["loss"] < 0.6
    assert measured(numbers, "W'W off the identity, orthogonal") < 1e-5
    check_files(small.folder("copying"), "copying")


def test_the_input_shows_symbols_then_blanks_then_marks():
    """Catches an answer that stands in the input."""
    inputs, symbols = copying.draw_batch(copying.SMOKE, np.random.default_rng(0))
    s = copying.SMOKE
    assert (inputs.sum(axis=2) == 1).all()
    np.testing.assert_array_equal(inputs[:, : s.length].argmax(axis=2), symbols)
    assert (inputs[:, s.length :, : s.symbols] == 0).all()
    assert (inputs[:, -s.length :, s.symbols + 1] == 1).all()


@pytest.mark.slow
def test_a_decoder_learns_to_say_digits_backwards(small):
    """Catches a decoder that sees its answer, and one that cannot go on by itself."""
    numbers = small("reversing")
    first, last = numbers["losses"]
    assert last < 0.75 * first
    assert 0 < numbers["symbols"] <= 1
    check_files(small.folder("reversing"), "reversing")


def test_the_answer_is_the_reverse_and_is_told_a_step_late():
    """Catches a teacher that tells what is to be said."""
    s = reversing.SMOKE
    drawn = reversing.draw_batch(s, 5, np.random.default_rng(0))
    for digits, mask, told, answer, counted in zip(*drawn, strict=True):
        length = int(mask.sum())
        assert s.least <= length <= s.most
        assert (digits[length:] == reversing.MARK).all()
        assert answer[:length].tolist() == digits[:length][::-1].tolist()
        assert (answer[length:] == reversing.MARK).all()
        assert told[0] == reversing.MARK
        np.testing.assert_array_equal(told[1:], answer[:-1])
        assert counted.sum() == length + 1
