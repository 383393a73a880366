"""What a picture and its tiles take as wavelet levels, before any fitting: how much there is to them."""

from __future__ import annotations

import math
from functools import cached_property

from nfcodec.errors import FormatError
from nfcodec.exact.geometry import part_of, places
from nfcodec.fields.plan import wavelet_ngp
from nfcodec.fields.wavelet.fit import start_wavelet
from nfcodec.fields.wavelet.rate import estimated_bytes
from nfcodec.fitting.landing import land_by_step
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.request import Request

SIREN_OVER_WAVELETS = 1.02
"""What a SIREN takes over wavelet levels before any fitting, at 30 dB: 0.73 to 1.36 on the 24 Kodak pictures."""


class WaveletBytes:
    """About what a picture, or each tile of it, takes as a field of wavelet levels at a target.

    Args:
        problem: of that field.
    """

    def __init__(self, problem: Problem, request: Request) -> None:
        self._problem, self._request = problem, request

    def __call__(self, rows: int, cols: int) -> list[float]:
        """Of the tiles of a grid, row by row, all with the quantizer step that the whole picture needs."""
        problem, request = self._problem, self._request
        if rows * cols == 1:
            return [estimated_bytes(problem, self._landed.weights)]
        return [
            estimated_bytes(part, quantize(part, *start_wavelet(part, request, self._coarseness)))
            for place in places(problem.geometry, rows, cols)
            for part in [problem.part(place, wavelet_ngp(part_of(problem.geometry, place)))]
        ]

    def of_siren(self) -> float:
        """About what a SIREN takes at that target, without a fit; infinite if no quantizer steps get there."""
        try:
            return SIREN_OVER_WAVELETS * self(1, 1)[0]
        except FormatError:
            return math.inf

    @cached_property
    def _landed(self) -> Trial:
        problem, request = self._problem, self._request
        return land_by_step(problem, request, lambda coarseness: start_wavelet(problem, request, coarseness))

    @property
    def _coarseness(self) -> float:
        """The factor on quantizer steps that the whole picture needs."""
        _, steps = start_wavelet(self._problem, self._request)
        return self._landed.weights["level0"].step.value / steps["level0"]
