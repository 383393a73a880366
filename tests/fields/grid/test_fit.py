"""How the soft phase goes: what depends on lambda, and on the share of it that is over."""

from __future__ import annotations

import pytest

from nfcodec.fields.grid.fit import (
    FINE_WEIGHT,
    GROWTH_DB,
    GROWTH_STEPS,
    LAST_RATE,
    MOST_GROWTH_DB,
    RATE,
    SOFTEST,
    TEMPERATURE,
    first_temperature,
    growth_db,
    soft_iteration,
)

FINER = [FINE_WEIGHT / 2**octaves for octaves in (0, 0.5, 1, 1.5, 20)]


def test_the_lower_lambda_the_softer_rounding_begins():
    assert first_temperature(10 * FINE_WEIGHT) == TEMPERATURE[0]
    found = [first_temperature(each) for each in FINER]
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (TEMPERATURE[0], SOFTEST)


def test_the_lower_lambda_the_more_psnr_is_still_to_come():
    assert growth_db(10 * FINE_WEIGHT, GROWTH_STEPS, 0) == GROWTH_DB
    found = [growth_db(each, GROWTH_STEPS, 0) for each in FINER]
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (GROWTH_DB, MOST_GROWTH_DB)


def test_less_is_to_come_of_many_iterations_and_later():
    assert growth_db(FINE_WEIGHT, 4 * GROWTH_STEPS, 0) < GROWTH_DB
    assert growth_db(FINE_WEIGHT, GROWTH_STEPS, 0.5) == pytest.approx(GROWTH_DB / 4)
    assert growth_db(FINE_WEIGHT, GROWTH_STEPS, 1) == 0


def test_rounding_hardens_and_rates_fall():
    first, last = soft_iteration(1e-4, 0, 0.5), soft_iteration(1e-4, 1, 0.5)
    assert (first.temperature, last.temperature) == pytest.approx((0.5, TEMPERATURE[1]))
    assert (first.latent_rate, last.latent_rate) == pytest.approx((RATE, LAST_RATE))
    assert soft_iteration(1e-4, 0).temperature == TEMPERATURE[0]
