from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.adaptive import (
    MAX_ALPHABET,
    N_SCALES,
    PRIOR_FLOOR,
    AdaptiveModel,
    frequencies,
    prior_scale,
    prior_weights,
)
from nfcodec.coding.entropy import TABLE_TOTAL, Decoder, Encoder, Estimator
from nfcodec.errors import FormatError


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=600).filter(any))
def test_frequencies_are_positive_and_sum_to_2_24(weights):
    table = frequencies(np.array(weights, np.int64) >> 20 | 1)
    assert table.min() >= 1
    assert table.sum() == TABLE_TOTAL


def test_frequencies_of_one_certain_symbol():
    assert frequencies(np.array([7])).tolist() == [TABLE_TOTAL]
    table = frequencies(np.array([0, 10**9, 0]))
    assert table.tolist() == [1, TABLE_TOTAL - 2, 1]


def test_the_remainder_goes_to_the_first_largest():
    table = frequencies(np.array([1, 1, 1]))
    assert table[1] == table[2] < table[0]


@pytest.mark.parametrize("limit", [0, 1, 2, 100, 255])
@pytest.mark.parametrize("scale", [0, 1, 7, 20, N_SCALES - 1])
def test_priors_are_symmetric_and_fall(limit: int, scale: int):
    prior = prior_weights(limit, scale)
    assert len(prior) == 2 * limit + 1
    assert np.array_equal(prior, prior[::-1])
    assert np.all(np.diff(prior[limit:]) <= 0)
    assert prior.min() >= PRIOR_FLOOR


def test_prior_scale_is_the_largest_that_fits():
    def eighths(scale: int) -> int:
        return (4 + scale % 4) << (scale // 4)

    for value in [*range(300), 1000, 123_456, 10**6]:
        scale = prior_scale(value)
        assert scale == 0 or eighths(scale) <= value
        assert scale == N_SCALES - 1 or eighths(scale + 1) > value


@st.composite
def runs(draw):
    """A limit, the prior scales of the contexts, and runs of (contexts, values)."""
    limit = draw(st.integers(0, 2**20) | st.sampled_from([0, 1, 254, 255, 256, 257, 1 << 20]))
    scales = draw(st.lists(st.integers(0, N_SCALES - 1), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0, 1, 3, limit]))
    out = []
    for n in draw(st.lists(st.integers(0, 200), min_size=1, max_size=3)):
        values = rng.integers(-min(spread, limit), min(spread, limit) + 1, n)
        if n:
            values[0] = rng.choice([-limit, limit])
        out.append((rng.integers(0, len(scales), n), values))
    return limit, scales, out


@settings(deadline=None, max_examples=60)
@given(runs())
def test_adaptive_models_round_trip(case):
    limit, scales, pairs = case
    encoder, model = Encoder(), AdaptiveModel(limit, scales)
    for contexts, values in pairs:
        assert np.array_equal(model.code(encoder, contexts, values), values)
    decoder, model = Decoder(encoder.finish()), AdaptiveModel(limit, scales)
    for contexts, values in pairs:
        decoded = model.code(decoder, contexts, None)
        assert decoded.dtype == np.int64
        assert np.array_equal(decoded, values)
    decoder.finish()


@pytest.mark.parametrize("limit", [0, 255, 256, 1 << 20, 1 << 24])
def test_alphabets_stay_small(limit: int):
    model = AdaptiveModel(limit, [0])
    assert 2 * model.limit + 1 < MAX_ALPHABET
    assert model.limit << model.shift >= limit
    assert (model.shift > 0) == (limit > 255)


def test_no_decoded_value_is_over_the_limit():
    """A split alphabet holds a few values more than it needs; a stream that uses one is corrupt."""
    wide, narrow = AdaptiveModel(302, [40]), AdaptiveModel(301, [40])
    assert (wide.shift, wide.limit) == (narrow.shift, narrow.limit)
    encoder = Encoder()
    wide.code(encoder, np.zeros(1, np.int64), np.array([302]))
    with pytest.raises(FormatError):
        narrow.code(Decoder(encoder.finish()), np.zeros(1, np.int64), None)


@pytest.mark.parametrize(("limit", "n"), [(0, 500), (1, 0), (1, 1), (40, 5000), (5000, 3000)])
def test_estimates_agree_with_real_sizes(limit: int, n: int):
    rng = np.random.default_rng(1)
    values = np.clip(np.round(rng.laplace(0, limit / 8 + 0.1, n)), -limit, limit).astype(np.int64)
    contexts = rng.integers(0, 2, n)
    encoder, estimator = Encoder(), Estimator()
    AdaptiveModel(limit, [3, 9]).code(encoder, contexts, values)
    AdaptiveModel(limit, [3, 9]).code(estimator, contexts, values)
    assert abs(estimator.bits / 8 - len(encoder.finish())) <= 8


def test_tables_adapt():
    """A skewed source costs far less than its prior says, and a context that never lies costs nearly nothing."""
    values = np.full(4000, 17)
    estimator = Estimator()
    AdaptiveModel(255, [0]).code(estimator, np.zeros(4000, np.int64), values)
    assert estimator.bits < 4000 * 0.25
