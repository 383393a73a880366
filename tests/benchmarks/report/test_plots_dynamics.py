"""Which transforms the plots of watched fits compare."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from benchmarks.report.grouping import Arms, ImageKey, Setup
from benchmarks.report.plots_dynamics import barrier, curves, error_variance, watched
from benchmarks.report.plots_maps import planes, spectrum

SETUP = Setup("wire", 16, 8, "fp32", 50.0, 100)
RNG = np.random.default_rng(0)


def row(at: float) -> dict:
    plane = {"along": [-0.5, 0.5, 1.5], "across": [-1.0, 0.0, 1.0], "psnr_db": (30 * RNG.random((3, 3))).tolist()}
    return {
        "curve": [[0, 8.0], [1, 9.0 + at], [9, 50.0]], "spectrum": (1 + at + RNG.random((4, 4))).tolist(),
        "squared_error_variance": {"30": 1e-5 * (1 + at), "50": 1e-9}, "line": [30.0, 10 + at, 50.0],
        "plane_0_30": plane, "plane_30_50": plane,
    }  # fmt: skip


def pictures(**chains: int) -> dict[ImageKey, Arms]:
    """So many pictures with each transform."""
    return {
        ImageKey("kodak", f"{i}"): {chain: row(at) for at, (chain, n) in enumerate(chains.items()) if i < n}
        for i in range(max(chains.values()))
    }


@pytest.mark.parametrize(
    ("chains", "compared", "n"),
    [
        ({"none": 3, "rpp": 3}, ("none", "rpp"), 3),
        ({"none": 3, "rpp": 3, "sympower": 1}, ("none", "rpp"), 3),
        ({"none": 3, "lines": 3, "rpp": 3, "sympower": 3}, ("none", "rpp", "lines", "sympower"), 3),
        ({"none": 3, "sympower": 2}, ("none", "sympower"), 2),
        ({"none": 1, "rpp": 1, "sympower": 3}, ("none", "rpp", "sympower"), 1),
        ({"rpp": 3, "sympower": 3}, (), 0),
    ],
)
def test_transforms_of_the_same_pictures_are_compared(chains: dict, compared: tuple, n: int) -> None:
    found, names = watched(pictures(**chains), "curve", "line")
    assert (names, len(found)) == (compared, n)


def test_every_transform_is_in_the_plots() -> None:
    images = pictures(none=2, rpp=2, sympower=2, lines=2, tiles=2)
    for plot in (curves, error_variance, barrier, planes, spectrum):
        drawn = plot(SETUP, images)
        assert drawn is not None
        for name in ("original", "RPP", "sympower", "lines", "tiles"):
            assert name in drawn.svg, (plot.__name__, name)
        if plot is barrier:
            assert drawn.caption.count("dB for") == 5
            assert "paper" not in drawn.caption
