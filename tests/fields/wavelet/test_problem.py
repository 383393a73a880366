from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nfcodec.coding.entropy import Estimator
from nfcodec.coding.laplace import code_laplace
from nfcodec.coding.payload import ANY, decode_payload, encode_payload, estimate_payload
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry, part_of
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fields.wavelet.rate import KEPT_BITS, Priors
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fitting.picture import Picture
from nfcodec.raster import Raster
from nfcodec.transforms import Chain
from nfcodec.wire import ByteReader


def test_of_a_picture_and_of_a_part_of_it():
    samples = np.random.default_rng(0).integers(0, 256, (9, 14, 3)).astype(np.uint8)
    picture = Picture.of(Raster(samples), Chain.prepare([], samples, 0))
    problem = WaveletProblem.of(picture, Wavelet(2))
    assert problem.geometry == Geometry(9, 14, 3)
    assert problem.held is None
    place = (slice(2, 9), slice(0, 5))
    part = problem.part(place, Wavelet(1))
    assert isinstance(part, WaveletProblem)
    assert part.geometry == part_of(problem.geometry, place)
    assert np.array_equal(part.samples.reshape(7, 5, 3), samples[place])


def test_bits_are_of_distributions():
    location = np.array([0.0, 0.25, -3.5, 40.0], np.float32)
    for scale in (0.1, 1.0, 30.0):
        symbols = np.arange(-2000, 2001)[:, None]
        priors = Priors(location[None], np.full((1, 4), scale, np.float32))
        assert np.allclose(np.exp2(-priors.bits(symbols)).sum(axis=0), 1, atol=0.02)  # the floor under 4001 symbols


def test_priors_are_those_of_the_coder(make_problem, solved):
    """Bits under the priors are the bits of the file, but for the tables' rounding."""
    problem = make_problem(Wavelet(3), 64, 64)
    weights = solved(problem, 38.0).trial.weights
    bits = problem.priors(weights["level0"]).bits(weights["level0"].symbols).sum()
    assert 0.98 * bits < 8 * problem.estimated_bytes(weights) < 1.02 * bits + 8 * 40  # and the linear part


def test_the_regime_follows_the_step(make_problem):
    problem = make_problem(Wavelet(2))
    steps = [Step(128, exponent) for exponent in (-128, -23, -13, -12, -7, 8, 127)]
    assert [problem.regime(step) for step in steps] == [72, 72, 80, 88, 116, 116, 116]


def test_the_regime_does_not_depend_on_the_scale_of_the_values(make_problem):
    found = [
        make_problem(Wavelet(2), transform=transform).regime(Step.nearest(step))
        for transform, step in (("none", 2.0**-6), ("scale:2", 2.0**-5), ("scale:0.5", 2.0**-7), ("inversion", 2.0**-6))
    ]
    assert found == [80] * 4


def test_the_payload_is_of_its_regime(make_problem, solved):
    problem = make_problem(Wavelet(2))
    weights = solved(problem, 36.0, 3).trial.weights
    payload, regime = problem.payload(weights), problem.regime(weights["level0"].step)
    assert payload[0] == ANY
    reader = ByteReader(payload[1:])
    for part in problem.field.parts(problem.geometry, ANY):
        part.read_head(reader)
    assert payload[: len(payload) - reader.n_left][-1] == regime
    assert abs(problem.estimated_bytes(weights) - len(payload)) <= 8
    symbols = {name: weight.symbols for name, weight in weights.items()}
    decoded = decode_payload(problem.field, problem.geometry, payload)
    assert all(np.array_equal(decoded[name], values) for name, values in symbols.items())

    def parts(told: int):
        return problem.field.parts(problem.geometry, ANY, told)

    assert payload == encode_payload(ANY, parts(regime), symbols)
    far_off = estimate_payload(ANY, parts(255), symbols)
    assert estimate_payload(ANY, parts(regime), symbols) < far_off


@pytest.mark.parametrize("channels", [1, 3])
def test_coefficients_are_those_of_the_targets(make_problem, channels):
    """Through whatever linear map a file holds; in steps so fine that rounding does not show."""
    problem = make_problem(Wavelet(3), 40, 37, channels)
    rng, fine = np.random.default_rng(0), 2.0**-16
    linear = {
        "skip": (np.eye(channels) + rng.uniform(-0.2, 0.2, (channels, channels))).astype(np.float32),
        "bias_out": rng.normal(0, 1, channels).astype(np.float32),
    }
    weights = {
        name: Quantized(np.round(value / fine).astype(np.int64), Step.nearest(fine)) for name, value in linear.items()
    }
    exact = problem.coefficients(weights)
    weights["level0"] = Quantized(np.round(exact / fine).astype(np.int64), Step.nearest(fine))
    outputs = problem.field.evaluate(problem.geometry, weights) * 2.0**-24
    assert np.abs(outputs - problem.targets).max() < 1e-3


def test_wishes_lead_to_the_picture(make_problem, solved):
    """Symbols moved as they wish give the targets, but for the rounding of wishes."""
    problem = make_problem(Wavelet(2), 40, 37)
    weights = solved(problem, 30.0).trial.weights
    level, finer = weights["level0"], 256
    wishes = problem.wishes(weights, problem.near_outputs(weights))
    moved = np.round((level.symbols + wishes) * finer).astype(np.int64)
    granted = {**weights, "level0": Quantized(moved, replace(level.step, exponent=level.step.exponent - 8))}
    before, after = (
        np.abs(problem.field.evaluate(problem.geometry, each) * 2.0**-24 - problem.targets).max()
        for each in (weights, granted)
    )
    assert after < 0.05 * before


def held_problems(photograph, solved):
    """With nothing held, and with the effect of filters: each with weights, and the exact outputs of the whole."""
    for channels in (1, 3):
        linear = photograph(Wavelet(4), channels)
        weights = solved(linear, 36.0).trial.weights
        yield linear, weights, linear.field.evaluate(linear.geometry, weights)
        filtered = Filtered(linear, 16)
        renewed = filtered.renewed(weights)
        yield filtered.rest(renewed), renewed, filtered.problem.field.evaluate(linear.geometry, renewed)


def test_what_is_nearly_so(photograph, solved):
    """Outputs and PSNRs beside those of a decoder; of weights that are coarse, fine, and far from the picture."""
    for problem, weights, outputs in held_problems(photograph, solved):
        near = problem.near_outputs(weights)
        assert near.dtype == np.float32
        assert near.shape == outputs.shape
        assert np.abs(near - outputs * 2.0**-24).max() < 2e-4
        exact_db = problem.trial_of(weights, outputs).psnr_db
        assert problem.near_psnr_db(weights) == pytest.approx(exact_db, abs=0.004)
        level = weights["level0"]
        if problem.held is None:
            for change in (level.symbols // 2, level.symbols * 2, np.zeros_like(level.symbols)):
                changed = {**weights, "level0": Quantized(change, level.step)}
                assert problem.near_psnr_db(changed) == pytest.approx(problem.exact_psnr_db(changed), abs=0.004)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("transform", ["none", "inversion", "gamma:2", "rpp"])
def test_nearly_exact_psnrs_of_all_value_maps(make_problem, solved, transform, depth):
    problem = make_problem(Wavelet(3), 40, 37, transform=transform, depth=depth)
    for psnr_db in (30.0, 45.0):
        weights = solved(problem, psnr_db).trial.weights
        assert problem.near_psnr_db(weights) == pytest.approx(problem.exact_psnr_db(weights), abs=0.02)


def test_sizes_that_are_nearly_so(photograph, solved):
    """Beside files; with priors that are known, and those that are made. A few escapes cost more than is thought."""
    for channels in (1, 3):
        for psnr_db in (32.0, 44.0):
            problem = photograph(Wavelet(5), channels)
            weights = solved(problem, psnr_db).trial.weights
            near = problem.near_bytes(weights)
            assert near == pytest.approx(problem.estimated_bytes(weights), rel=0.01, abs=12)
            assert near == pytest.approx(len(problem.payload(weights)), rel=0.01, abs=20)
            assert near == problem.near_bytes(weights, problem.priors(weights["level0"]))


def test_total_bits_are_the_sum_of_bits_and_what_tables_keep():
    rng = np.random.default_rng(0)
    shape = (150, 130, 3)
    priors = Priors(rng.normal(0, 3, shape).astype(np.float32), rng.uniform(0.1, 5, shape).astype(np.float32))
    for dtype in (np.int32, np.int64):
        symbols = rng.integers(-8, 9, shape).astype(dtype)
        kept = symbols.size * KEPT_BITS
        assert priors.total_bits(symbols) == pytest.approx(kept + priors.bits(symbols).sum(dtype=np.float64), rel=1e-6)


def test_sizes_count_what_tables_keep_for_other_symbols():
    """Of a plane of zeros that are expected, which take hardly anything else."""
    priors = Priors(np.zeros((200, 300, 3), np.float32), np.full((200, 300, 3), 2.0**-4, np.float32))
    zeros, estimator = np.zeros((200, 300, 3), np.int32), Estimator()
    code_laplace(estimator, np.zeros(180_000, np.int32), np.zeros(180_000, np.int32), zeros.reshape(-1))
    assert priors.total_bits(zeros) == pytest.approx(estimator.bits, rel=0.01)
