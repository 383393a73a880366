"""How many fits a picture gets, and which of them counts."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, encode
from nfcodec.fields.grid import family
from nfcodec.fields.grid.plan import FEW_BYTES, FITS, SMALLER, soft_steps
from nfcodec.raster import Raster

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
