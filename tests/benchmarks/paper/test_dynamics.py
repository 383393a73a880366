"""Fits watched, and `analyze` from a picture to a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

pytest.importorskip("torch")

from benchmarks.paper.arms import ARMS, arm
from benchmarks.paper.dynamics import Dynamics, Gallery, reconstruction, spectrum
from benchmarks.records.store import Row, run_jobs

SIDE = 20
Y, X = np.mgrid[:SIDE, :SIDE]
PICTURE = (128 + 60 * np.sin(X / 3) + 50 * np.cos(Y / 4 + X / 9)).astype(np.uint8)


def watched(chain: str) -> Row:
    job = Dynamics(
        "set", "image", "abc", side=SIDE, field="siren", width=24, precision="fp32", transform=chain,
        log2_rates=(-9,), max_steps=2000, plane_side=5, pictures=True,
    )  # fmt: skip
    return run_jobs([job], [PICTURE], "")[0]


@pytest.fixture(scope="module", params=["none", "rpp", "gamma:2"])
def row(request: pytest.FixtureRequest) -> Row:
    return watched(request.param)


def test_a_fit_that_arrives_has_all_milestones(row: Row) -> None:
    assert row["reached"]
    assert list(row["milestones"]) == ["20", "25", "30", "35", "40", "45", "50"]
    assert row["milestones"]["50"] == row["steps"]
    variances = [row["squared_error_variance"][db] for db in ("20", "30", "40", "50")]
    assert variances == sorted(variances, reverse=True)


def test_the_line_begins_at_30_and_ends_at_50_db(row: Row) -> None:
    assert 30 <= row["line"][0] < 36
    assert 50 <= row["line"][-1] < 56
    assert len(row["line"]) == 41


def test_planes_pass_through_their_points(row: Row) -> None:
    plane = row["plane_30_50"]
    middle = plane["psnr_db"][plane["across"].index(0.0)]
    assert plane["along"] == [-0.5, 0.0, 0.5, 1.0, 1.5]
    assert middle[1] == pytest.approx(row["line"][0], abs=0.01)
    assert middle[3] == pytest.approx(row["line"][-1], abs=0.01)
    assert plane["psnr_db"][0][3] < middle[3]  # off the minimum in a random direction
    assert row["plane_0_30"]["psnr_db"][2][3] == pytest.approx(row["line"][0], abs=0.01)


def test_reconstructions_are_pictures_in_their_place(row: Row) -> None:
    shown = row["reconstructions"]["50"]["picture"]
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))), int)
    assert np.abs(decoded - PICTURE).mean() < 1.5
    original = np.asarray(Image.open(io.BytesIO(base64.b64decode(row["original"]))))
    np.testing.assert_array_equal(original, PICTURE)


def test_error_pictures_show_where_the_error_is() -> None:
    made = arm("rpp", PICTURE)
    outputs = made.targets.copy()
    assert made.order is not None
    outputs[np.flatnonzero(made.order == 5 * SIDE + 7)] += 0.1
    error = reconstruction(made, outputs, SIDE)["error"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(error))))
    assert np.argwhere(pixels > 0).tolist() == [[5, 7]]


def test_the_spectrum_is_the_dct_in_bands() -> None:
    made = arm("none", PICTURE)
    found = np.array(spectrum(made, SIDE))
    np.testing.assert_allclose(found, np.abs(dctn(made.targets.reshape(SIDE, SIDE), norm="ortho")), rtol=6e-3)
    large = np.array(spectrum(arm("none", np.tile(PICTURE, (4, 4))), 80))
    assert large.shape == (32, 32)


def test_the_gallery_shows_every_transform() -> None:
    shown = run_jobs([Gallery("set", "image", "abc", SIDE)], [PICTURE], "")[0]["gallery"]
    assert list(shown) == list(ARMS)
    for each in shown.values():
        assert sum(each["counts"]) == SIDE * SIDE
        assert Image.open(io.BytesIO(base64.b64decode(each["picture"]))).size == (SIDE, SIDE)
    assert (shown["center:2"]["lowest"], shown["center:2"]["highest"]) == pytest.approx(
        (2 * shown["none"]["lowest"] - 1, 2 * shown["none"]["highest"] - 1)
    )
