"""How many fits a picture gets, and which of them counts."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, encode
from nfcodec.fields.grid import family
from nfcodec.fields.grid.plan import FEW_BYTES, FITS, SMALLER, soft_steps
from nfcodec.fitting import Context, Picture, Psnr, Request
from nfcodec.raster import Raster
from nfcodec.transforms import Chain

PICTURE = Raster(np.add.outer(4 * np.arange(20), 3 * np.arange(24)).astype(np.uint8)[:, :, None])


@pytest.fixture
def fits(monkeypatch):
    """The seeds and results of the fits that an encode makes, and the one that it keeps."""
    pytest.importorskip("numba")

    def make(n_bytes: float, slow: bool = False):
        seeds, found, sessions, original = [], [], [], family.GridSession._fit_with

        def fit_with(session, field, plan, request, n_steps):
            one = original(session, field, plan, request, n_steps)
            if slow:
                one.settling.n_before = 2 * soft_steps(n_steps)
            seeds.append(request.seed)
            found.append(one)
            sessions.append(session)
            return one

        with monkeypatch.context() as patch:
            patch.setattr(family.GridSession, "_fit_with", fit_with)
            patch.setattr(family.GridSession, "_wavelet_bytes", lambda *_: n_bytes)
            patch.setattr(family, "steps_for", lambda *_: 200)
            encode(PICTURE, EncodeOptions(20.0, field="grid", effort=1))
        return seeds, found, sessions[0]._fitted

    return make


@pytest.mark.parametrize(
    ("of_wavelets", "of_grids"),
    [(10_990, 5_414), (12_311, 6_570), (24_378, 13_998), (74_357, 61_658), (43_256, 39_110), (138_296, 110_987)],
)
def test_no_file_of_a_photograph_is_ruled_out(of_wavelets, of_grids, monkeypatch):
    """Of Kodak pictures at the PSNRs of Cool-chic: the estimate for wavelets, and the bytes of a file of grids."""
    monkeypatch.setattr(family.GridSession, "_wavelet_bytes", lambda *_: of_wavelets)
    session = family.GridSession(Picture.of(PICTURE, Chain.prepare([], PICTURE.samples)), Context(no_estimate), None)
    least, about = session.least_bytes(Request(Psnr(30.0), 5, 0)), session.estimated_bytes(Request(Psnr(30.0), 5, 0))
    assert 0.4 * of_grids < least < 0.8 * of_grids
    assert 0.75 * of_grids < about < 1.3 * of_grids


def no_estimate(*_):
    raise AssertionError


def test_large_files_get_one_fit(fits):
    seeds, _, _ = fits(SMALLER[-1][0] + 1, slow=True)
    assert len(seeds) == 1


def test_the_smallest_of_three_fits_is_kept_where_files_are_tiny(fits):
    seeds, found, kept = fits(FEW_BYTES - 1)
    assert len(set(seeds)) == len(found) == FITS
    assert all(each.reaches for each in found)
    assert kept is min(found, key=lambda each: len(each.problem.payload(each.trial.weights)))


def test_a_fit_that_repeated_itself_is_followed_by_others_up_to_three(fits):
    assert [len(fits(*how)[0]) for how in ((FEW_BYTES + 1,), (FEW_BYTES + 1, True), (FEW_BYTES - 1, True))] == [
        1,
        FITS,
        FITS,
    ]
