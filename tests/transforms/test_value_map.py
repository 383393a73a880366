from __future__ import annotations

import hashlib
from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import UsageError
from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.transforms import Chain, parse_chain
from nfcodec.transforms.value_map import ValueMap, _Counter

PAPER = [
    *("none", "rpp", "zigzag", "inversion", "standardize", "scale:0.5", "scale:2"),
    *("center:1", "center:2", "gamma:0.5", "gamma:2", "sympower"),
]
CHAINS = ["standardize+rpp", "inversion+center:1+gamma:2", "gamma:2.2+inversion+standardize", "inversion+inversion"]

# The start of the sha256 of the thresholds (3 channels, 24 fraction bits, `image` below) as little-endian int64.
# They never change: files depend on them.
FROZEN = {
    (8, "none"): "e1bf4301bc95bcd3",
    (8, "inversion"): "784d632923a9b5be",
    (8, "standardize"): "4722b44f7e2fb53a",
    (8, "scale:0.5"): "c22885039d1c4388",
    (8, "scale:2"): "056857d65341ab32",
    (8, "center:1"): "34d56f1ec70bea40",
    (8, "center:2"): "d65d20b41e8cecaa",
    (8, "gamma:0.5"): "3965398971e6a0fa",
    (8, "gamma:2"): "f4f046dac60f797c",
    (8, "sympower"): "983c58bf529d4d2e",
    (8, "inversion+center:1+gamma:2"): "171fba0accc2990b",
    (8, "gamma:2.2+inversion+standardize"): "1034ad84935130f9",
    (16, "none"): "1a84bdf898ce78c3",
    (16, "inversion"): "50213d69477c842d",
    (16, "standardize"): "fa20b35eda0fed3c",
    (16, "scale:0.5"): "819fb29e7b1b99f9",
    (16, "scale:2"): "f55ffe6eefe4372e",
    (16, "center:1"): "ff43c0982cf45d48",
    (16, "center:2"): "42826e874b800efd",
    (16, "gamma:0.5"): "2f06460438878762",
    (16, "gamma:2"): "994a1d146273e641",
    (16, "sympower"): "6561c2834fc3ee71",
    (16, "inversion+center:1+gamma:2"): "72e6a2d2c9841e4c",
    (16, "gamma:2.2+inversion+standardize"): "93ec63cb4ff0c744",
}


def image(depth: int):
    """A fixed (5, 7, 3) image."""
    words = np.arange(1, 106, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - depth)
    return words.astype(np.uint8 if depth == 8 else np.uint16).reshape(5, 7, 3)


def value_map(text: str, depth: int = 8, channels: int = 3, fraction_bits: int = 24) -> ValueMap:
    samples = image(depth)[:, :, :channels]
    return Chain.prepare(parse_chain(text), samples).value_map(depth, channels, fraction_bits)


def all_samples(depth: int, channels: int = 3):
    dtype = np.uint8 if depth == 8 else np.uint16
    return np.repeat(np.arange(1 << depth).astype(dtype)[:, None], channels, axis=1)


def outputs_of(mapping: ValueMap, samples, fraction_bits: int = 24):
    """What a perfect field puts out."""
    return np.rint(mapping.to_targets(samples) * 2.0**fraction_bits).astype(np.int64)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("text", PAPER + CHAINS)
def test_every_8_bit_sample_survives(text: str, channels: int):
    mapping = value_map(text, 8, channels)
    samples = all_samples(8, channels)
    back = mapping.to_samples(outputs_of(mapping, samples))
    assert back.dtype == np.uint8
    assert (back == samples).all()


@pytest.mark.parametrize("text", [text for text in PAPER + CHAINS if text != "gamma:0.5"])
def test_every_16_bit_sample_survives(text: str):
    mapping = value_map(text, 16)
    samples = all_samples(16)
    back = mapping.to_samples(outputs_of(mapping, samples))
    assert back.dtype == np.uint16
    assert (back == samples).all()


def test_16_bit_gamma_one_half_is_flat_near_black():
    """2^24 z^2 cannot tell the lowest samples apart; from 256 on everything survives, as all does at 36 bits."""
    samples = all_samples(16)
    mapping = value_map("gamma:0.5", 16)
    back = mapping.to_samples(outputs_of(mapping, samples))
    assert (back[256:] == samples[256:]).all()
    assert np.abs(back.astype(int) - samples).max() < 256
    fine = value_map("gamma:0.5", 16, fraction_bits=36)
    assert (fine.to_samples(outputs_of(fine, samples, 36)) == samples).all()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("text", PAPER + CHAINS)
def test_definition(text: str, depth: int):
    mapping = value_map(text, depth)
    peak = (1 << depth) - 1
    assert mapping.targets.shape == (3, peak + 1)
    assert mapping.thresholds.shape == (3, peak)
    assert mapping.thresholds.dtype == np.int64
    assert (np.diff(mapping.thresholds) >= 0).all()
    assert mapping.sign == (-1 if text.count("inversion") == 1 else 1)
    signed = mapping.sign * mapping.targets * 2.0**24
    assert (signed[:, :-1] <= mapping.thresholds).all()
    assert (mapping.thresholds <= np.ceil(signed[:, 1:]) + 1).all()


@pytest.mark.parametrize("text", PAPER + CHAINS)
def test_at_a_threshold_the_sample_steps(text: str):
    mapping = value_map(text)
    at = mapping.to_samples(mapping.sign * mapping.thresholds.T)
    below = mapping.to_samples(mapping.sign * (mapping.thresholds.T - 1))
    assert (at == all_samples(8)[1:]).all()
    assert (below == all_samples(8)[:-1]).all()


def test_identity_thresholds_are_those_of_rounding():
    mapping = value_map("none", 8, 1)
    assert mapping.thresholds[0].tolist() == [-(-((2 * k - 1) << 24) // 510) for k in range(1, 256)]
    assert mapping.targets[0].tolist() == [k / 255 for k in range(256)]


@pytest.mark.parametrize(("depth", "text"), FROZEN)
def test_frozen_thresholds(depth: int, text: str):
    table = value_map(text, depth).thresholds.astype("<i8").tobytes()
    assert hashlib.sha256(table).hexdigest()[:16] == FROZEN[depth, text]


@pytest.mark.parametrize("text", ["none", "inversion", "gamma:0.5", "scale:1000"])
@pytest.mark.parametrize("depth", [8, 16])
def test_far_outputs_saturate(text: str, depth: int):
    mapping = value_map(text, depth, 1)
    far = mapping.sign * np.array([[-(2**62)], [2**62]])
    assert mapping.to_samples(far).tolist() == [[0], [(1 << depth) - 1]]


def test_clamped_thresholds():
    mapping = value_map("scale:1000+scale:1000+gamma:0.05", 8, 1)
    assert mapping.thresholds[0, -1] == 2**40
    assert (mapping.to_samples(np.array([[2**40 - 1], [2**40]])) == [[0], [255]]).all()


@given(st.lists(st.integers(-(2**52), 2**52) | st.integers(-300, 300), min_size=1), st.lists(st.integers()))
def test_counter_counts(thresholds: list[int], extra: list[int]):
    table = np.sort(np.array(thresholds, np.int64))
    near = np.concatenate(
        [table - 1, table, table + 1, np.clip(np.array(extra, object), -(2**63), 2**63 - 1).astype(np.int64)]
    )
    assert _Counter(table).count(near).tolist() == np.searchsorted(table, near, side="right").tolist()


@pytest.mark.parametrize("span", [2**31 - 1, 2**31, 2**32 - 3, 2**32 - 2, 2**32 - 1, 2**32, 2**33 + 5, 2**45])
@pytest.mark.parametrize("low", [-(2**44), -(2**31), -5, 0, 2**40])
def test_counters_of_32_and_64_bits_count(span: int, low: int):
    """As `np.searchsorted` on both sides of every threshold, at powers of two, and as far away as integers go."""
    rng = np.random.default_rng(0)
    between = rng.integers(low, low + span, 500)
    table = np.sort(np.concatenate([[low, low, low + span], between, between[:20] + 1]).clip(low, low + span))
    powers = np.array([sign * 2**k + low for k in range(46) for sign in (-1, 1)])
    near = np.concatenate([table - 1, table, table + 1, powers, powers + span, [-(2**63), 2**63 - 1, -(2**62), 2**62]])
    counter = _Counter(table)
    assert counter._scan <= 4
    assert counter._unsigned == (np.uint32 if span + 2 < 2**32 else np.uint64)
    assert counter.count(near).tolist() == np.searchsorted(table, near, side="right").tolist()


PLACED = ["none", "inversion", "gamma:2", "gamma:0.5", "standardize", "gamma:2.2+inversion+standardize", "scale:1000"]


def place_of(thresholds: list[int], x: int) -> tuple[int, int]:
    """The sample and its place by definition, in Python's integers."""
    sample = bisect_right(thresholds, x)
    if sample == 0:
        return sample, 8
    if sample == len(thresholds):
        return sample, 9
    low, high = thresholds[sample - 1], thresholds[sample]
    return sample, 8 * (x - low) // (high - low)


def assert_placed(mapping: ValueMap, outputs: np.ndarray) -> np.ndarray:
    samples = mapping.to_samples(outputs)
    places = mapping.places(outputs, samples)
    assert places.dtype == np.int8
    assert places.shape == outputs.shape
    tables = mapping.thresholds.tolist()
    expected = [
        [place_of(*pair) for pair in zip(tables, row, strict=True)] for row in (mapping.sign * outputs).tolist()
    ]
    assert samples.tolist() == [[k for k, _ in row] for row in expected]
    assert places.tolist() == [[place for _, place in row] for row in expected]
    return places


@pytest.mark.parametrize("fraction_bits", [6, OUTPUT_BITS])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("text", PLACED)
def test_places_are_those_of_the_definition(text: str, depth: int, fraction_bits: int):
    rng = np.random.default_rng(0)
    mapping = value_map(text, depth, 3, fraction_bits)
    n = mapping.thresholds.shape[1]
    some = np.concatenate([[0, 1, n - 2, n - 1], rng.integers(0, n, 30)])
    near = mapping.thresholds.T[some]
    eighths = near + (np.roll(mapping.thresholds, -1, axis=1).T[some] - near) * rng.integers(1, 8, (34, 1)) // 8
    far = np.array([-(2**62), -(2**44), -(2**40), -1, 0, 1, 2**40, 2**44, 2**62])
    spread = rng.integers(near.min() - 9, near.max() + 10, (30, 3))
    far = np.repeat(far[:, None], 3, axis=1)
    outputs = np.concatenate([near - 1, near, near + 1, eighths, eighths - 1, spread, far])
    assert_placed(mapping, mapping.sign * outputs)


INVERSION = value_map("inversion", 8, 1)


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(-(2**24), 2**25) | st.integers(-9, 9), min_size=1))
def test_places_of_any_output(outputs: list[int]):
    assert_placed(INVERSION, np.array(outputs)[:, None])


def test_places_of_one_sample():
    """From the threshold where it begins to the last output before the next."""
    mapping = value_map("none", 8, 1, fraction_bits=16)
    low, high = mapping.thresholds[0, 99:101].tolist()
    places = assert_placed(mapping, np.arange(low, high)[:, None])
    assert (np.diff(places[:, 0]) >= 0).all()
    assert np.abs(np.bincount(places[:, 0]) - (high - low) / 8).max() <= 1


def test_places_go_with_the_sample_not_with_the_output():
    outputs = np.random.default_rng(0).integers(-(2**22), 2**24 + 2**22, (500, 3))
    plain, inverted = value_map("none"), value_map("inversion")
    samples = plain.to_samples(outputs)
    assert (inverted.to_samples(2**24 - outputs) == samples).all()
    assert (inverted.places(2**24 - outputs, samples) == plain.places(outputs, samples)).all()


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3, 1)])
def test_bad_outputs(shape: tuple[int, ...]):
    with pytest.raises(UsageError, match="outputs"):
        value_map("none").to_samples(np.zeros(shape, np.int64))


@pytest.mark.parametrize(("depth", "bits"), [(7, 24), (32, 24), (8, -1), (8, 37)])
def test_bad_arguments(depth: int, bits: int):
    with pytest.raises(UsageError):
        Chain().value_map(depth, 3, bits)
