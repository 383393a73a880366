"""Pictures of all kinds and of any shape keep their promise with few steps, or are refused in words."""

from __future__ import annotations

import numpy as np
import pytest

import nfcodec
from nfcodec.metrics import psnr_db

pytest.importorskip("numba")


def picture(height, width, channels=3, dtype=np.uint8, alpha=False):
    y, x = np.mgrid[:height, :width]
    planes = [0.5 + 0.3 * np.sin(0.3 * x + k) * np.cos(0.2 * y) + 0.15 * (x > y) for k in range(channels)]
    planes += [0.5 + 0.5 * np.sin(x / 5)] if alpha else []
    samples = np.round(np.stack(planes, axis=2) * 0.95 * np.iinfo(dtype).max).astype(dtype)
    return samples[:, :, 0] if samples.shape[2] == 1 else samples


def photograph(height=40, width=48):
    """With detail, and with all of the brightnesses there are, black and white among them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    light = 140 + 120 * np.sin(0.15 * x) * np.cos(0.2 * y) + 30 * ((x // 6 + y // 9) % 2) + rng.normal(0, 6, x.shape)
    return np.clip(light[:, :, None] * np.array([1.0, 0.9, 0.7]), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("samples", "transform"),
    [
        (picture(17, 20, 1), "none"),
        (picture(17, 20, alpha=True), "none"),
        (picture(17, 20, dtype=np.uint16), "none"),
        (picture(17, 20, 1, dtype=np.uint16), "none"),
        (picture(1, 1), "none"),
        (picture(1, 1, 1), "none"),
        (picture(1, 40), "none"),
        (picture(40, 1), "none"),
        (picture(2, 2), "none"),
        (picture(3, 5), "none"),
        (picture(17, 20), "sympower"),
        (picture(17, 20), "inversion"),
        (picture(17, 20), "standardize"),
        (picture(17, 20), "zigzag"),
        (photograph(), "sympower"),
        (photograph(), "gamma:2"),
        (photograph(), "gamma:0.5"),
        (photograph(), "inversion+gamma:2"),
        (photograph(), "gamma:2+standardize"),
    ],
    ids=[
        "gray", "alpha", "16 bits", "16 bits gray", "1x1", "1x1 gray", "1xN", "Nx1", "2x2", "3x5", "sympower",
        "inversion", "standardize", "zigzag", "uneven slopes", "steep where dark", "flat where dark",
        "steep where bright", "two maps",
    ],
)  # fmt: skip
def test_the_promise_is_kept(samples, transform):
    found = nfcodec.encode_with_report(samples, psnr=28, field="grid", effort=1, transform=transform)
    decoded = nfcodec.decode_array(found.data)
    assert decoded.shape == samples.shape
    assert decoded.dtype == samples.dtype
    has_alpha = samples.ndim == 3 and samples.shape[2] == 4
    if has_alpha:
        assert np.array_equal(decoded[:, :, 3], samples[:, :, 3])
    colours = slice(3) if has_alpha else slice(None)
    before, after = (np.ascontiguousarray(each[..., colours]) for each in (samples, decoded))
    assert psnr_db(after, before, np.iinfo(samples.dtype).max) >= 28


def test_colours_at_random_places_are_refused_in_words():
    """As noise in three channels, once a chain has moved the pixels."""
    with pytest.raises(nfcodec.TargetNotReachedError, match="reached"):
        nfcodec.encode(picture(33, 40), psnr=45, field="grid", effort=1, transform="rpp", max_steps=300)


@pytest.mark.parametrize("max_steps", [1, 3, 5])
def test_fits_of_few_steps_end_with_what_they_have(max_steps):
    """What the networks' rounding asks of a fit that has hardly begun is not to be computed in float32."""
    options = {"field": "grid", "effort": 1, "max_steps": max_steps, "best_effort": True}
    found = nfcodec.encode_with_report(photograph(), psnr=30, **options)
    assert nfcodec.decode_array(found.data).shape == photograph().shape
    assert not found.report["reached"]


def test_a_single_dot_can_be_fitted():
    """Hardly anything bends with most weights."""
    samples = np.full((64, 96, 3), 200, np.uint8)
    samples[3, 3] = 0
    found = nfcodec.encode_with_report(samples, psnr=40, field="grid", effort=1, max_steps=400, best_effort=True)
    assert found.report["psnr_db"] > 39.5


def test_very_high_targets_are_met_without_loss():
    found = nfcodec.encode_with_report(picture(17, 20), psnr=70, field="grid", effort=1, max_steps=100)
    assert found.report["field"] == "grid"
    assert np.array_equal(nfcodec.decode_array(found.data), picture(17, 20))
