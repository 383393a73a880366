"""The paper's transforms in real arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks.data.pictures import coded, linear, square
from benchmarks.paper.arms import ARMS, TABLE_1, arm, psnr_of_mse
from nfcodec.errors import UsageError

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 9), dtype=np.uint8)


@pytest.mark.parametrize("chain", [*ARMS, "standardize+rpp", "center:2+rpp", "scale:2+gamma:2+inversion"])
def test_undoing_gives_the_picture_back(chain: str) -> None:
    made = arm(chain, PICTURE)
    np.testing.assert_allclose(made.undo(made.targets), made.values, atol=1e-12)
    np.testing.assert_allclose(made.picture(made.targets).reshape(9, 9), linear(PICTURE), atol=1e-12)


def test_the_transforms_are_the_paper_s() -> None:
    z = linear(PICTURE).reshape(-1)
    expected = {
        "inversion": 1 - z, "standardize": (z - z.mean()) / z.std(), "scale:0.5": 0.5 * z, "scale:2": 2 * z,
        "center:1": z - 0.5, "center:2": 2 * z - 1, "gamma:0.5": z**2, "gamma:2": np.sqrt(z),
    }  # fmt: skip
    for chain, values in expected.items():
        np.testing.assert_allclose(arm(chain, PICTURE).targets, values, atol=1e-12)
    assert set(expected) | {"rpp", "zigzag"} == set(TABLE_1)


def test_permutations_move_pixels_and_keep_their_values() -> None:
    z = linear(PICTURE).reshape(-1)
    for chain in ("rpp", "zigzag"):
        made = arm(chain, PICTURE)
        assert not np.array_equal(made.targets, z)
        np.testing.assert_array_equal(np.sort(made.targets), np.sort(z))
    assert arm("zigzag", PICTURE).targets.reshape(9, 9)[0, 0] == z.min()
    assert not np.array_equal(arm("rpp", PICTURE, 0).targets, arm("rpp", PICTURE, 1).targets)


@pytest.mark.parametrize("chain", ARMS)
def test_the_psnr_is_of_the_picture_and_not_of_the_targets(chain: str) -> None:
    made = arm(chain, PICTURE)
    outputs = made.targets + np.random.default_rng(1).normal(0, 0.01, made.targets.size)
    error = made.picture(outputs) - linear(PICTURE).reshape(-1)
    assert made.psnr_db(outputs) == pytest.approx(-10 * np.log10((error**2).mean()), abs=1e-9)
    if made.gain is not None:
        assert made.psnr_db(outputs) == pytest.approx(
            psnr_of_mse(float(((outputs - made.targets) ** 2).mean()) / made.gain**2), abs=1e-9
        )


def test_gamma_takes_negative_outputs_for_black() -> None:
    made = arm("gamma:2", PICTURE)
    assert made.gain is None
    assert np.all(made.undo(np.full(81, -3.0)) == 0)


def test_a_flat_picture_can_be_standardized() -> None:
    made = arm("standardize", np.full((4, 4), 7, np.uint8))
    assert np.all(np.isfinite(made.targets))


def test_an_unknown_transform_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown transform"):
        arm("sort", PICTURE)


def test_linear_light_and_back() -> None:
    codes = np.arange(256, dtype=np.uint8)
    values = linear(codes)
    assert values[0] == 0
    assert values[255] == 1
    assert values[188] == pytest.approx(0.5029, abs=1e-4)  # sRGB's middle
    np.testing.assert_array_equal(coded(values), codes)


def test_the_square_is_the_centre(tmp_path) -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert np.all(square(tmp_path / "wide.png", 20) == 255)
    assert square(tmp_path / "wide.png", 7).shape == (7, 7)
    assert square(tmp_path / "wide.png", 32, gray=False).shape == (32, 32, 3)
