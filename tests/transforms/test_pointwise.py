from __future__ import annotations

import decimal
import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, UsageError
from nfcodec.transforms import Center, Gamma, Inversion, Scale, Standardize, SymmetricPower
from nfcodec.transforms.curves import Affine, Power, approximate
from nfcodec.transforms.pointwise import decimal_text, mean_and_sigma

GRAY = np.zeros((1, 1, 1), np.uint8)


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        (None, 2_000_000),
        ("2", 2_000_000),
        ("0.5", 500_000),
        ("1.000001", 1_000_001),
        ("+3.", 3_000_000),
        (".25", 250_000),
        ("007", 7_000_000),
    ],
)
def test_parameters(text: str | None, micro: int):
    for transform in (Scale, Center, Gamma):
        assert transform.parse(text) == micro
        assert transform.prepare(micro, GRAY, 0).parameter == micro


def test_parameters_do_not_depend_on_the_decimal_context():
    with decimal.localcontext() as context:
        context.prec = 2
        assert Scale.parse("123.456789") == 123_456_789


@pytest.mark.parametrize(
    "text",
    ["", "x", "nan", "inf", "1e3", "1_0", "1.0000000", "1.2345678", "--1", "1 ", "²", "٣", ".", "1,5", "1" * 5000],
)
def test_bad_parameters(text: str):
    for transform in (Scale, Center, Gamma):
        with pytest.raises(UsageError, match=r"must be a decimal number between 0\.0.* and "):
            transform.parse(text)


@pytest.mark.parametrize(
    ("transform", "low", "high"), [(Scale, "0.001", "1000"), (Center, "0.001", "1000"), (Gamma, "0.05", "20")]
)
def test_ranges(transform: type[Scale], low: str, high: str):
    for text in (low, high):
        micro = transform.parse(text)
        instance = transform(micro)
        assert instance.text == f"{transform.name}:{text}"
        assert transform.unpack(instance.pack()) == instance
    for wrong in (transform.parse(low) - 1, transform.parse(high) + 1, 0, -1):
        with pytest.raises(UsageError, match=f"between {low} and {high}"):
            transform.parse(f"-{decimal_text(-wrong)}" if wrong < 0 else decimal_text(wrong))
        with pytest.raises(FormatError, match="out of range"):
            transform.unpack(struct.pack("<i", wrong))


def test_steps():
    assert Inversion().steps(0) == (Affine(-1, 1, 1),)
    assert Scale(500_000).steps(2) == (Affine(500_000, 0, 1_000_000),)
    assert Center(500_000).steps(2) == (Affine(1_000_000, -500_000, 2_000_000),)
    assert Gamma(500_000).steps(2) == (Power(500_000),)
    assert Standardize(((1, 2), (3, 4), (5, 6))).steps(1) == (Affine(1_000_000, -3, 4),)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(7),
        bytes(9),
        bytes(16),
        bytes(25),
        bytes(8),
        struct.pack("<II", 1_000_001, 1),
        struct.pack("<II", 0, 1_000_001),
    ],
)
def test_standardize_rejects(payload: bytes):
    with pytest.raises(FormatError):
        Standardize.unpack(payload)


def test_standardize_bytes():
    transform = Standardize(((500_000, 1), (0, 1_000_000), (1_000_000, 250_000)))
    assert transform.pack().hex() == "20a107000100000000000000" + "40420f0040420f0090d00300"
    assert Standardize.unpack(transform.pack()) == transform
    assert transform.channels == 3
    assert Standardize.packed_size(3) == len(transform.pack())


def test_constant_channels():
    assert mean_and_sigma(np.full((3, 3), 255, np.uint8)) == (1_000_000, 1_000_000)
    assert mean_and_sigma(np.zeros((3, 3), np.uint16)) == (0, 1_000_000)


def test_nearly_constant_channel():
    channel = np.zeros(1_000_000, np.uint16)
    channel[0] = 1
    assert mean_and_sigma(channel) == (0, 1)


def test_large_sums():
    channel = np.full(3_000_000, 65535, np.uint16)
    channel[::3] = 0
    assert mean_and_sigma(channel) == (666_667, 471_405)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=30))
def test_mean_and_sigma_are_rounded_half_up(values: list[int]):
    mean, sigma = mean_and_sigma(np.array(values, np.uint8))
    exact_mean = Fraction(sum(values), 255 * len(values)) * 10**6
    assert mean == math.floor(exact_mean + Fraction(1, 2))
    variance = sum((Fraction(value, 255) * 10**6 - exact_mean) ** 2 for value in values) / len(values)
    if variance == 0:
        assert sigma == 10**6
    else:  # sigma - 1/2 <= sqrt(variance) < sigma + 1/2
        assert (sigma - Fraction(1, 2)) ** 2 <= variance < (sigma + Fraction(1, 2)) ** 2


def test_standardize_measures_each_channel():
    samples = np.array([[[0, 10, 255], [255, 10, 0]]], np.uint8)
    transform = Standardize.prepare(None, samples, 0)
    assert transform.statistics == ((500_000, 500_000), (39_216, 1_000_000), (500_000, 500_000))


def test_sympower_puts_the_median_in_the_middle():
    samples = np.array([[0, 10, 20, 20, 255], [50, 60, 70, 80, 90]], np.uint8).T[:, None, :]
    rgb = np.concatenate([samples, samples[:, :, :1]], axis=2)
    transform = SymmetricPower.prepare(None, rgb, 0)
    for channel in range(3):
        low, high, _ = transform.curves[channel]
        values = rgb[:, 0, channel] / 255
        assert low <= 1e6 * values.min() < low + 1
        assert high - 1 < 1e6 * values.max() <= high
        targets = approximate(transform.steps(channel), values)
        assert targets.min() == pytest.approx(-1, abs=1e-3)
        assert targets.max() == pytest.approx(1, abs=1e-3)
        assert np.median(targets) == pytest.approx(0, abs=1e-4)


def test_sympower_bytes():
    transform = SymmetricPower(((0, 1, 200_000), (0, 1_000_000, 5_000_000), (7, 999_999, 1_000_000)))
    assert len(transform.pack()) == SymmetricPower.packed_size(3) == 36
    assert SymmetricPower.unpack(transform.pack()) == transform
    assert transform.pack()[:12].hex() == "00000000" + "01000000" + "400d0300"
    assert transform.channels == 3
    assert transform.text == "sympower"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(12),
        bytes(13),
        bytes(24),
        struct.pack("<III", 5, 5, 1_000_000),
        struct.pack("<III", 6, 5, 1_000_000),
        struct.pack("<III", 0, 1_000_001, 1_000_000),
        struct.pack("<III", 0, 1_000_000, 199_999),
        struct.pack("<III", 0, 1_000_000, 5_000_001),
    ],
)
def test_sympower_rejects(payload: bytes):
    with pytest.raises(FormatError):
        SymmetricPower.unpack(payload)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value", [0, 1, 100, -2, -1])
def test_sympower_of_constant_channels(dtype, value: int):
    """Whatever the picture, what is prepared can be read again."""
    samples = np.full((2, 3, 1), value, np.int64).astype(dtype)
    transform = SymmetricPower.prepare(None, samples, 0)
    assert SymmetricPower.unpack(transform.pack()) == transform
    assert np.all(np.isfinite(approximate(transform.steps(0), samples.reshape(-1) / np.iinfo(dtype).max)))


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_sympower_of_any_samples(values: list[int]):
    transform = SymmetricPower.prepare(None, np.array(values, np.uint16)[:, None, None], 0)
    assert SymmetricPower.unpack(transform.pack()) == transform
