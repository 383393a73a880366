"""Value transforms on real numbers: the codec's curves, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nfcodec.transforms import Chain, RealMap, parse_chain

VALUES = np.random.default_rng(0).uniform(0.1, 0.8, 999)
SAMPLES = np.random.default_rng(1).integers(20, 230, (15, 15, 1), dtype=np.uint8)
CHAINS = (
    "none", "inversion", "standardize", "scale:0.5", "center:2", "gamma:0.5", "gamma:3", "sympower",
    "scale:2+gamma:2+inversion", "center:2+gamma:2", "standardize+sympower",
)  # fmt: skip


def real_map(text: str, values=VALUES) -> RealMap:
    return Chain.prepare(parse_chain(text), SAMPLES).real_map(values)


@pytest.mark.parametrize("text", CHAINS)
def test_there_and_back(text):
    made = real_map(text)
    np.testing.assert_allclose(made.undo(made(VALUES)), VALUES, rtol=1e-12)


@pytest.mark.parametrize("text", CHAINS)
def test_samples_as_real_numbers_have_the_codecs_targets(text):
    """Up to the rounding of what is measured."""
    chain = Chain.prepare(parse_chain(text), SAMPLES)
    of_samples = chain.value_map(8, 1, 24).to_targets(SAMPLES).reshape(-1)
    values = SAMPLES.reshape(-1) / 255
    np.testing.assert_allclose(chain.real_map(values)(values), of_samples, atol=1e-4)


@pytest.mark.parametrize("text", CHAINS)
def test_the_slope_is_that_of_the_curve(text):
    made = real_map(text)
    slopes = np.diff(made(np.sort(VALUES))) / np.diff(np.sort(VALUES))
    assert (made.slope is None) == (np.ptp(slopes) > 1e-3)
    if made.slope is not None:
        np.testing.assert_allclose(slopes, made.slope, rtol=1e-6)


def test_what_is_measured_is_of_the_real_numbers():
    np.testing.assert_allclose(real_map("standardize")(VALUES), (VALUES - VALUES.mean()) / VALUES.std(), atol=1e-12)
    stretched = real_map("sympower")(VALUES)
    assert (stretched.min(), stretched.max()) == (pytest.approx(-1), pytest.approx(1))
    assert np.median(stretched) == pytest.approx(0, abs=1e-12)
    # wherever in the chain a transform stands, it measures the source
    twice = real_map("scale:2+standardize")(VALUES)
    np.testing.assert_allclose(twice, (2 * VALUES - VALUES.mean()) / VALUES.std(), atol=1e-12)


def test_the_symmetric_power_is_as_its_formula_has_it():
    low, high, median = VALUES.min(), VALUES.max(), np.median(VALUES)
    gamma = math.log((median - low) / (high - low)) / math.log(0.5)
    expected = 2 * ((VALUES - low) / (high - low)) ** (1 / gamma) - 1
    np.testing.assert_allclose(real_map("sympower")(VALUES), expected, atol=1e-6)


@pytest.mark.parametrize("text", ["standardize", "sympower", "standardize+rpp"])
def test_a_picture_of_one_colour(text):
    flat = np.full(9, 0.3)
    made = real_map(text, flat)
    np.testing.assert_allclose(made.undo(made(flat)), flat)


def test_powers_take_what_would_be_darker_than_black_for_black():
    outputs = np.array([-2.0, -1e-3, 0.0, 0.5])
    np.testing.assert_allclose(real_map("gamma:2").undo(outputs), [0, 0, 0, 0.25])
    assert real_map("scale:2").undo(outputs)[0] == -1
    # but not where a chain gives them negative numbers
    np.testing.assert_allclose(real_map("center:2+gamma:2").undo(outputs), [-1.5, 0.5 - 5e-7, 0.5, 0.625])


def test_black_that_rounds_to_less_than_0_is_black():
    made = real_map("gamma:5", np.array([-1e-17, 0.5]))
    assert made(np.array([-1e-17]))[0] == 0
