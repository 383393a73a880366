from __future__ import annotations

from dataclasses import replace

import pytest

from nfcodec.errors import EngineError
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.fit import solve
from nfcodec.fields.wavelet.recipes import RECIPES
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request


def test_without_the_engine_the_analysis_is_the_fit(photograph, offers_of, monkeypatch):
    """Where kernels cannot be compiled, auto does without gradient steps; an engine that was named is an error."""
    problem, notes = photograph(Wavelet(3)), []

    def refuse(*given):
        raise EngineError("no compiler")

    monkeypatch.setattr("nfcodec.fields.wavelet.descent.engines.for_request", refuse)
    request = Request(Psnr(34.0), 2, 0, listen=lambda event: notes.append(event.message))
    solution = solve(offers_of(problem), request, RECIPES[2])
    assert solution.trial.psnr_db >= 34.0
    assert (solution.steps, solution.stepped) == (0, False)
    assert "no gradient steps are taken: no compiler" in notes
    with pytest.raises(EngineError):
        solve(offers_of(problem), replace(request, engine="numba"), RECIPES[2])
