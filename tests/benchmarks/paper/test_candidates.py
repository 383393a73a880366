"""Transforms on trial."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data.pictures import linear
from benchmarks.paper.arms import arm
from benchmarks.paper.candidates import CANDIDATES
from nfcodec.errors import UsageError

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 40), dtype=np.uint8)
NUMBERS = np.arange(24 * 40)


def moved(chain: str, seed: int = 0) -> np.ndarray:
    order = arm(chain, PICTURE, seed).order
    assert order is not None
    return order.reshape(24, 40)


@pytest.mark.parametrize("chain", CANDIDATES)
def test_every_candidate_can_be_undone(chain: str) -> None:
    made = arm(chain, PICTURE)
    np.testing.assert_allclose(made.picture(made.targets).reshape(24, 40), linear(PICTURE), atol=1e-12)


def test_blocks_keep_their_pixels() -> None:
    order, plain = moved("blocks:8"), NUMBERS.reshape(24, 40)
    for y in range(0, 24, 8):
        for x in range(0, 40, 8):
            block = (slice(y, y + 8), slice(x, x + 8))
            np.testing.assert_array_equal(np.sort(order[block], None), np.sort(plain[block], None))
            assert not np.array_equal(order[block], plain[block])
    assert not np.array_equal(order, moved("blocks:8", seed=1))
    np.testing.assert_array_equal(np.sort(moved("blocks:9"), None), NUMBERS)  # blocks that the sides cut


def test_tiles_move_as_wholes() -> None:
    order = moved("tiles:8")
    corners = order[::8, ::8]
    inside = np.arange(8)[:, None] * 40 + np.arange(8)
    for y in range(3):
        for x in range(5):
            np.testing.assert_array_equal(order[8 * y : 8 * y + 8, 8 * x : 8 * x + 8], corners[y, x] + inside)
    uneven = moved("tiles:7")
    np.testing.assert_array_equal(uneven[21:], NUMBERS.reshape(24, 40)[21:])


def test_lines_keep_rows_and_columns_together() -> None:
    order = moved("lines")
    assert all(len(set(row // 40)) == 1 for row in order)
    assert all(len(set(column % 40)) == 1 for column in order.T)


def test_polyphase_is_a_mosaic() -> None:
    order = moved("polyphase:2")
    np.testing.assert_array_equal(order[:12, :20], NUMBERS.reshape(24, 40)[::2, ::2])
    np.testing.assert_array_equal(order[12:, 20:], NUMBERS.reshape(24, 40)[1::2, 1::2])


def test_symmetric_power_centres_the_median() -> None:
    targets = arm("sympower", PICTURE).targets
    assert targets.min() == pytest.approx(-1)
    assert targets.max() == pytest.approx(1)
    assert np.median(targets) == pytest.approx(0, abs=0.05)


def test_symmetric_power_of_ranges_that_do_not_start_at_0() -> None:
    for seed in range(20):
        picture = np.random.default_rng(seed).integers(3 + seed, 120 + 5 * seed, (24, 40), dtype=np.uint8)
        assert np.all(np.isfinite(arm("sympower", picture).targets))


def test_sizes_are_checked() -> None:
    for chain in ("blocks:1", "tiles:x", "polyphase:5000"):
        with pytest.raises(UsageError):
            arm(chain, PICTURE)
